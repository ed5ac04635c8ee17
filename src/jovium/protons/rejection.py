"""Configurations of a flow that a cheap energy keeps: rejection takes away what a continuous flow cannot.

    p'(x) = p(x) a(x) / Z,    a = min(1, exp(c - w)),    w = ln p + beta U,    Z = E_p[a]

(variational rejection sampling, Grover et al., arXiv:1804.01712, eq. 3). Kept configurations are as independent as
those of the flow, ln p' is known, and E'[ln p' + beta U] is still a bound of beta F, which falls from that of the flow
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

from jovium.base.devices import mapped
from jovium.base.errors import InputError
from jovium.base.statistics import Estimate
from jovium.protons.flow import Flow, samples
from jovium.protons.learning import CHUNK

PROPOSALS = 2048
"""Configurations of the flow in one call. The first call chooses c, and none of its configurations is used again."""

SPARE = 1.15
"""Proposals that Z is the mean of, over those that are needed on average: how many is settled before any is seen. To
stop where enough are kept would count lucky calls more often, and Z would be too large."""

SMALLEST_SHARE = 0.01
"""Below, a c from PROPOSALS configurations rests on a few of them."""

BetaEnergy = Callable[[Float[Array, "n d"]], Float[Array, ""]]


class Kept(NamedTuple):
    """Independent configurations (bohr), ln p' and beta U of each, and ln Z."""

    positions: Float[np.ndarray, "m n d"]
    log_density: Float[np.ndarray, "m"]
    beta_energy: Float[np.ndarray, "m"]
    log_share: Estimate


def kept(flow: Flow, beta_energy: BetaEnergy, key: PRNGKeyArray, m: int, share: float) -> Kept:
    """m configurations, c such that about this share of those of the flow is kept; 1 keeps all. Every call finds its
    own c. Raises InputError for a share that cannot be."""
    check_share(share)
    if share == 1:
        return Kept(*_proposed(flow, beta_energy, key, m), Estimate(0.0, 0.0, m))
    key, pilot = jax.random.split(key)
    _, log_density, energies = _proposed(flow, beta_energy, pilot, PROPOSALS)
    level = level_of(log_density + energies, share)
    rounds = math.ceil(SPARE * m / (share * PROPOSALS))
    found: list[tuple[np.ndarray, ...]] = []
    shares: list[np.ndarray] = []
    while sum(len(place) for place, *_ in found) < m or len(shares) < rounds:
        if len(shares) > 10 * rounds:
            raise InputError(f"a share of {share} that hardly keeps any", "more of the flow", "keep a larger share")
        key, place, chance = jax.random.split(key, 3)
        positions, log_density, energies = _proposed(flow, beta_energy, place, PROPOSALS)
        logarithms = log_shares(log_density + energies, level)
        chosen = np.asarray(jax.random.uniform(chance, (PROPOSALS,))) < np.exp(logarithms)
        found.append((positions[chosen], (log_density + logarithms)[chosen], energies[chosen]))
        shares.append(np.exp(logarithms))
    every = np.concatenate(shares[:rounds])
    spread = every.std(ddof=1) / every.mean() / np.sqrt(len(every))
    log_share = Estimate(float(np.log(every.mean())), float(spread), len(every))
    positions, log_density, energies = (np.concatenate(part)[:m] for part in zip(*found, strict=True))
    return Kept(positions, log_density - log_share.value, energies, log_share)


def _proposed(
    flow: Flow, beta_energy: BetaEnergy, key: PRNGKeyArray, number: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    positions, log_density, energies = (np.asarray(x, float) for x in _program(flow, beta_energy, key, number))
    return positions, log_density, energies


@eqx.filter_jit
def _program(flow: Flow, beta_energy: BetaEnergy, key: PRNGKeyArray, number: int) -> tuple[Array, Array, Array]:
    found = samples(flow, key, number)
    return found.positions, found.log_density, mapped(beta_energy, found.positions, CHUNK)


def check_share(share: float) -> None:
    """Raises InputError for a share that cannot be kept."""
    if not SMALLEST_SHARE <= share <= 1:
        raise InputError(f"a share of {share} kept", f"a number from {SMALLEST_SHARE} to 1", "take 0.2")


def log_shares(works: Float[np.ndarray, "m"], level: float) -> Float[np.ndarray, "m"]:
    """ln a of works; a work that is no number is kept nowhere."""
    return np.minimum(0.0, level - np.where(np.isnan(works), np.inf, works))


def level_of(works: Float[np.ndarray, "m"], share: float) -> float:
    """The c at which a share of the flow is kept. Raises InputError where not even that share has a finite work."""
    finite = works[np.isfinite(works)]
    if len(finite) < share * len(works):
        raise InputError(
            f"{len(finite)} of {len(works)} configurations with a finite energy",
            f"a share of {share} of them",
            "train the flow further, or keep all",
        )

    def excess(level: float) -> float:
        return float(np.exp(log_shares(finite, level)).sum() / len(works)) - share

    if excess(finite.max()) <= 0:
        return float(finite.max())
    return float(brentq(excess, finite.min() - 50.0, finite.max()))  # pyright: ignore[reportArgumentType] (a number)
