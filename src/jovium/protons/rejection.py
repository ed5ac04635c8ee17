"""Configurations of a flow that a cheap energy keeps: rejection takes away what a continuous flow cannot.

    p'(x) = p(x) a(x) / Z,    a = min(1, exp(c - w)),    w = ln p + beta U,    Z = E_p[a]

(variational rejection sampling, Grover et al., arXiv:1804.01712). Kept configurations are as independent as those of
the flow, ln p' is known, and E'[ln p' + beta U] is still a bound of beta F, which falls from that of the flow
(c = inf, Z = 1) to beta F itself (c = -inf, Z = 0). A flow that fills two valleys of U leaves a bridge of improbable
configurations between them; it has the largest w, and goes first. U may be any energy: a bad one costs, but p' stays
what it is said to be."""

import math
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from scipy.optimize import brentq

from jovium.base.errors import InputError
from jovium.base.statistics import Estimate
from jovium.protons.flow import Flow, samples
from jovium.protons.losses import CHUNK
from jovium.training.devices import mapped

PROPOSALS = 2048
"""Configurations of the flow in one call. The first call chooses c, and none of its configurations is used again."""

SPARE = 1.15
"""Proposals that Z is the mean of, over those that are needed on average: how many is settled before any is seen. To
stop where enough are kept would count lucky calls more often, and Z would be too large."""

SMALLEST_SHARE = 0.01
"""Below, a c from PROPOSALS configurations rests on a few of them."""

BetaEnergy = Callable[[Float[Array, "n d"]], Float[Array, ""]]


class RejectionSamples(NamedTuple):
    """Independent configurations (bohr), ln p' and beta U of each, and ln Z."""

    positions: Float[np.ndarray, "m n d"]
    log_density: Float[np.ndarray, "m"]
    beta_energy: Float[np.ndarray, "m"]
    log_share: Estimate


def kept(flow: Flow, beta_energy: BetaEnergy, key: PRNGKeyArray, m: int, share: float) -> RejectionSamples:
    """m configurations, c such that about this share of those of the flow is kept; 1 keeps all. Every call finds its
    own c. Raises InputError for a share that cannot be."""
    check_accept_fraction(share)
    if share == 1:
        return RejectionSamples(*_proposed(flow, beta_energy, key, m), Estimate(0.0, 0.0, m))
    key, pilot = jax.random.split(key)
    pilots = _proposed(flow, beta_energy, pilot, PROPOSALS)
    level = threshold(pilots.log_density + pilots.beta_energy, share)
    rounds = math.ceil(SPARE * m / (share * PROPOSALS))
    found, shares = [], []
    while sum(len(group.positions) for group in found) < m or len(shares) < rounds:
        if len(shares) > 10 * rounds:
            raise InputError(f"a share of {share} that hardly keeps any", "more of the flow", "keep a larger share")
        key, now = jax.random.split(key)
        group, share_of_each = _kept_of_one_call(flow, beta_energy, now, level)
        found.append(group)
        shares.append(share_of_each)
    log_share = _log_mean(np.concatenate(shares[:rounds]))
    group = _Group(*(np.concatenate(part)[:m] for part in zip(*found, strict=True)))
    return RejectionSamples(group.positions, group.log_density - log_share.value, group.beta_energy, log_share)


class _Group(NamedTuple):
    """Configurations, ln p or ln p' and beta U of each."""

    positions: Float[np.ndarray, "m n d"]
    log_density: Float[np.ndarray, "m"]
    beta_energy: Float[np.ndarray, "m"]


def _kept_of_one_call(
    flow: Flow, beta_energy: BetaEnergy, key: PRNGKeyArray, level: float
) -> tuple[_Group, Float[np.ndarray, "m"]]:
    """What is kept, with ln p a, and a of all."""
    place, chance = jax.random.split(key)
    group = _proposed(flow, beta_energy, place, PROPOSALS)
    logarithms = log_acceptance(group.log_density + group.beta_energy, level)
    chosen = np.asarray(jax.random.uniform(chance, (PROPOSALS,))) < np.exp(logarithms)
    group = group._replace(log_density=group.log_density + logarithms)
    return _Group(*(part[chosen] for part in group)), np.exp(logarithms)


def _log_mean(shares: Float[np.ndarray, "m"]) -> Estimate:
    error = shares.std(ddof=1) / shares.mean() / np.sqrt(len(shares))
    return Estimate(float(np.log(shares.mean())), float(error), len(shares))


def _proposed(flow: Flow, beta_energy: BetaEnergy, key: PRNGKeyArray, number: int) -> _Group:
    return _Group(*(np.asarray(x, float) for x in _program(flow, beta_energy, key, number)))


@eqx.filter_jit
def _program(flow: Flow, beta_energy: BetaEnergy, key: PRNGKeyArray, number: int) -> tuple[Array, Array, Array]:
    found = samples(flow, key, number)
    return found.positions, found.log_density, mapped(beta_energy, found.positions, CHUNK)


def check_accept_fraction(share: float) -> None:
    """Raises InputError for a share that cannot be kept."""
    if not SMALLEST_SHARE <= share <= 1:
        raise InputError(f"a share of {share} kept", f"a number from {SMALLEST_SHARE} to 1", "take 0.2")


def log_acceptance(works: Float[np.ndarray, "m"], level: float) -> Float[np.ndarray, "m"]:
    """ln a of works; a work that is no number is kept nowhere."""
    return np.minimum(0.0, level - np.where(np.isnan(works), np.inf, works))


def threshold(works: Float[np.ndarray, "m"], share: float) -> float:
    """The c at which a share of the flow is kept. Raises InputError where not even that share has a finite work."""
    finite = works[np.isfinite(works)]
    if len(finite) < share * len(works):
        raise InputError(
            f"{len(finite)} of {len(works)} configurations with a finite energy",
            f"a share of {share} of them",
            "train the flow further, or keep all",
        )

    def excess(level: float) -> float:
        return float(np.exp(log_acceptance(finite, level)).sum() / len(works)) - share

    if excess(finite.max()) <= 0:
        return float(finite.max())
    return float(brentq(excess, finite.min() - 50.0, finite.max()))  # pyright: ignore[reportArgumentType] (a number)
