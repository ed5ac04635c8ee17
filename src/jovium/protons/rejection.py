"""Configurations of a flow that a cheap energy keeps: rejection takes away what a continuous flow cannot.

    p'(x) = p(x) a(x) / Z,    a = min(1, exp(c - w)),    w = ln p + beta U,    Z = E_p[a]

(variational rejection sampling, Grover et al., arXiv:1804.01712, eq. 3). Kept configurations are as independent as
those of the flow, ln p' is known, and E'[ln p' + beta U] is still a bound of beta F, which falls from that of the flow
(c = inf, Z = 1) to beta F itself (c = -inf, Z = 0). A flow that fills two valleys of U leaves a bridge of improbable
configurations between them; it has the largest w, and goes first. U may be any energy: a bad one costs, but p' stays
what it is said to be."""

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

PILOTS = 2048
"""Configurations by which c is chosen; none of them is used again."""

AT_ONCE = 4096
"""Proposals of the flow in one call at most."""


class Kept(NamedTuple):
    """Independent configurations (bohr), ln p' of each, and ln Z."""

    positions: Float[np.ndarray, "m n d"]
    log_density: Float[np.ndarray, "m"]
    log_share: Estimate


def kept(
    flow: Flow,
    beta_energy: Callable[[Float[Array, "n d"]], Float[Array, ""]],
    key: PRNGKeyArray,
    m: int,
    share: float,
) -> Kept:
    """m configurations, c such that about this share of those of the flow is kept; 1 keeps all. Raises InputError for a
    share outside (0, 1]."""
    check_share(share)
    if share == 1:
        found = eqx.filter_jit(lambda flow, key: samples(flow, key, m))(flow, key)
        return Kept(np.asarray(found.positions, float), np.asarray(found.log_density, float), Estimate(0.0, 0.0, m))

    @eqx.filter_jit
    def proposed(flow: Flow, key: PRNGKeyArray, number: int) -> tuple[Array, Array, Array, Array]:
        place, chance = jax.random.split(key)
        found = samples(flow, place, number)
        works = found.log_density + mapped(beta_energy, found.positions, CHUNK)
        return found.positions, found.log_density, works, jax.random.uniform(chance, (number,))

    pilot, key = jax.random.split(key)
    level = level_of(np.asarray(proposed(flow, pilot, PILOTS)[2], float), share)
    number = CHUNK * -(-min(AT_ONCE, round(m / share)) // CHUNK)
    positions, densities, shares = [], [], []
    while sum(map(len, positions)) < m:
        key, now = jax.random.split(key)
        place, log_density, works, chances = (np.asarray(x, float) for x in proposed(flow, now, number))
        logarithms = log_shares(works, level)
        chosen = chances < np.exp(logarithms)
        positions.append(place[chosen])
        densities.append((log_density + logarithms)[chosen])
        shares.append(np.exp(logarithms))
    every = np.concatenate(shares)
    spread = every.std(ddof=1) / every.mean() / np.sqrt(len(every))
    log_share = Estimate(float(np.log(every.mean())), float(spread), len(every))
    return Kept(np.concatenate(positions)[:m], np.concatenate(densities)[:m] - log_share.value, log_share)


def check_share(share: float) -> None:
    """Raises InputError for a share outside (0, 1]."""
    if not 0 < share <= 1:
        raise InputError(f"a share of {share} kept", "a number above 0, 1 at most", "take 0.2")


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
