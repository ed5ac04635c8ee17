"""Independence Metropolis: a model proposes whole configurations, the target accepts them.

A proposal x' of density p takes the place of x with probability min(1, exp(w(x) - w(x'))), w = ln p + beta U; what
comes out is distributed as exp(-beta U) in the limit of a long chain, whatever p is (Hastings, Biometrika 57, 97
(1970); for flows Albergo, Kanwar and Shanahan, Phys. Rev. D 100, 034515 (2019)). A chain that stands still for long
tells where the model has too little weight."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from jovium.base.errors import InputError


@dataclass(frozen=True)
class IndependenceChain:
    """Which proposal each step of the chain shows, and the share that was accepted."""

    shown: Int[np.ndarray, "m"]
    acceptance: float

    @property
    def longest_stay(self) -> int:
        """Steps of the longest stay at one configuration."""
        changes = np.flatnonzero(np.diff(self.shown)) + 1
        return int(np.diff(np.concatenate([[0], changes, [len(self.shown)]])).max())


def independence_chain(work: Float[np.ndarray, "m"], seed: int = 0) -> IndependenceChain:
    """The chain through proposals with work ln p + beta U, in their order, from the first one that can exist.

    Raises InputError when none has a finite work."""
    work = np.asarray(work, float)
    if np.isnan(work).any() or not np.isfinite(work).any():
        raise InputError("proposals without a finite work", "one that can exist", "train the model further")
    thresholds = np.log(np.random.default_rng(seed).random(len(work)))
    now = int(np.flatnonzero(np.isfinite(work))[0])
    shown, accepted = np.full(len(work), now), 0
    for step in range(now + 1, len(work)):
        if thresholds[step] < work[now] - work[step]:
            now, accepted = step, accepted + 1
        shown[step] = now
    return IndependenceChain(shown, accepted / max(1, len(work) - 1))
