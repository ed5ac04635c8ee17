"""Rejection sampling of a flow by a cheap energy: it takes away what a continuous flow cannot.

    p'(x) = p(x) a(x) / Z,    a = min(1, exp(c - w)),    w = ln p + beta U,    Z = E_p[a]

(variational rejection sampling, Grover et al., arXiv:1804.01712). Accepted configurations are as independent as those
of the flow, ln p' is known, and E'[ln p' + beta U] is still a bound of beta F, which falls from that of the flow
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
from jovium.protons.flow import Flow, FlowSamples, sample_batch
from jovium.protons.losses import ROWS_AT_ONCE
from jovium.training.devices import map_rows

PROPOSALS = 2048
"""Configurations of the flow in one call. The first call chooses c, and none of its configurations is used again."""

SPARE = 1.15
"""Proposals that Z is the mean of, over those that are needed on average: how many is settled before any is seen. To
stop where enough are accepted would count lucky calls more often, and Z would be too large."""

MIN_ACCEPT_FRACTION = 0.01
"""Below, a c from PROPOSALS configurations rests on a few of them."""

BetaEnergy = Callable[[Float[Array, "n d"]], Float[Array, ""]]


class RejectionSamples(NamedTuple):
    """Independent configurations (bohr), ln p' and beta U of each, and ln Z."""

    positions: Float[np.ndarray, "m n d"]
    log_density: Float[np.ndarray, "m"]
    beta_energy: Float[np.ndarray, "m"]
    log_accept_fraction: Estimate


def rejection_sample(
    flow: Flow, beta_energy: BetaEnergy, key: PRNGKeyArray, m: int, accept_fraction: float
) -> RejectionSamples:
    """m configurations, c such that about this fraction of those of the flow is accepted; 1 accepts all. Every call
    chooses its own c. Raises InputError for a fraction outside (0, 1] or too small."""
    if not MIN_ACCEPT_FRACTION <= accept_fraction <= 1:
        raise InputError(f"an accepted fraction of {accept_fraction}", f"{MIN_ACCEPT_FRACTION} to 1", "take 0.2")
    if accept_fraction == 1:
        return RejectionSamples(*_propose(flow, beta_energy, key, m), Estimate(0.0, 0.0, m))
    key, pilot_key = jax.random.split(key)
    pilots = _propose(flow, beta_energy, pilot_key, PROPOSALS)
    c = threshold(pilots.work, accept_fraction)
    rounds = math.ceil(SPARE * m / (accept_fraction * PROPOSALS))
    batches, acceptances = [], []
    while sum(len(batch.positions) for batch in batches) < m or len(acceptances) < rounds:
        if len(acceptances) > 10 * rounds:
            got = f"an accepted fraction of {accept_fraction} that hardly accepts any"
            raise InputError(got, "more of the flow", "accept a larger fraction")
        key, round_key = jax.random.split(key)
        batch, acceptance = _accept(flow, beta_energy, round_key, c)
        batches.append(batch)
        acceptances.append(acceptance)
    a = np.concatenate(acceptances[:rounds])
    error = a.std(ddof=1) / a.mean() / np.sqrt(len(a))
    log_z = Estimate(float(np.log(a.mean())), float(error), len(a))
    batch = FlowSamples(*(np.concatenate(columns)[:m] for columns in zip(*batches, strict=True)))
    return RejectionSamples(batch.positions, batch.log_density - log_z.value, batch.beta_energy, log_z)


def _accept(flow: Flow, beta_energy: BetaEnergy, key: PRNGKeyArray, c: float) -> tuple[FlowSamples, np.ndarray]:
    """The accepted of one call, with ln p a, and a of all proposals."""
    proposal_key, accept_key = jax.random.split(key)
    batch = _propose(flow, beta_energy, proposal_key, PROPOSALS)
    log_a = log_acceptance(batch.work, c)
    accepted = np.asarray(jax.random.uniform(accept_key, (PROPOSALS,))) < np.exp(log_a)
    batch = batch._replace(log_density=batch.log_density + log_a)
    return FlowSamples(*(column[accepted] for column in batch)), np.exp(log_a)


def _propose(flow: Flow, beta_energy: BetaEnergy, key: PRNGKeyArray, n: int) -> FlowSamples:
    return FlowSamples(*(np.asarray(column, float) for column in _program(flow, beta_energy, key, n)))


@eqx.filter_jit
def _program(flow: Flow, beta_energy: BetaEnergy, key: PRNGKeyArray, n: int) -> tuple[Array, Array, Array]:
    batch = sample_batch(flow, key, n)
    return batch.positions, batch.log_density, map_rows(beta_energy, batch.positions, ROWS_AT_ONCE)


def log_acceptance(work: Float[np.ndarray, "m"], c: float) -> Float[np.ndarray, "m"]:
    """ln a = min(0, c - w); a work that is no number is never accepted."""
    return np.minimum(0.0, c - np.where(np.isnan(work), np.inf, work))


def threshold(work: Float[np.ndarray, "m"], accept_fraction: float) -> float:
    """The c at which the mean of a is the accepted fraction. Raises InputError where fewer samples have a finite
    work."""
    finite = work[np.isfinite(work)]
    if len(finite) < accept_fraction * len(work):
        got = f"{len(finite)} of {len(work)} configurations with a finite energy"
        raise InputError(got, f"a fraction of {accept_fraction} of them", "train the flow further, or accept all")

    def excess(c: float) -> float:
        return float(np.exp(log_acceptance(finite, c)).sum() / len(work)) - accept_fraction

    if excess(finite.max()) <= 0:
        return float(finite.max())
    return float(brentq(excess, finite.min() - 50.0, finite.max()))  # pyright: ignore[reportArgumentType] (a number)
