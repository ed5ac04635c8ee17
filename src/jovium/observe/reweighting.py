"""Exact answers from approximate models: free energies and means by weighting a model's own samples.

Samples x of a density p with work w = ln p + beta U have weights exp(-w). In units of kT:

variational      beta F <= E[w]                                    (Gibbs and Bogoliubov)
reweighted       beta F = -ln E[exp(-w)]                           (Zwanzig, J. Chem. Phys. 22, 1420 (1954))
mean of A        E[A exp(-w)] / E[exp(-w)]

Errors of weighted means are those of the ratio to first order; they mean nothing where few samples carry the weight,
which the effective sample size tells.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from jovium.base.errors import InputError
from jovium.base.statistics import Estimate


@dataclass(frozen=True)
class FreeEnergy:
    """beta F in both ways, the effective sample size of the weights and the number of samples. The variational one is
    an upper bound; the reweighted one is exact in the limit of many samples, and above it on average before."""

    variational: Estimate
    reweighted: Estimate
    effective_samples: float
    n_samples: int


def free_energy(work: Float[np.ndarray, "m"], offset: float = 0.0) -> FreeEnergy:
    """beta F + offset from the work w = ln p + beta U of independent samples. Raises InputError for fewer than two
    samples or a work that is NaN; an infinite one (overlapping particles) is a weight of zero and an infinite bound."""
    work = _valid_work(work)
    m = len(work)
    with np.errstate(invalid="ignore"):
        spread = work.std(ddof=1) / np.sqrt(m) if np.isfinite(work).all() else np.inf
    weights = normalised_weights(-work)
    mean = float(np.log(m)) - float(np.logaddexp.reduce(-work)) + offset
    error = float(np.sqrt(max(m * np.sum(weights**2) - 1, 0) / (m - 1)))
    return FreeEnergy(
        Estimate(float(work.mean()) + offset, float(spread), m),
        Estimate(mean, error, effective_samples(-work)),
        effective_samples(-work),
        m,
    )


def reweighted_free_energy(
    work: Float[np.ndarray, "s"],
    noise: Float[np.ndarray, "s"],
    kT: float,
    guesses: Float[np.ndarray, "s"],
    many: Float[np.ndarray, "l"],
) -> tuple[Estimate, float]:
    """-kT ln E_p[exp(-w / kT)] (Zwanzig, J. Chem. Phys. 22, 1420 (1954)), and the effective samples. The work (hartree)
    has a Gaussian noise of that variance (Ha^2), which alone would lower it by its variance / 2 kT. Guesses of the
    work, there and of many more samples, control it as they control a mean: to first order it is one, of weights over
    their mean."""
    log_weights = -(work + noise.mean() / (2 * kT)) / kT
    weights, guessed = (len(rows) * normalised_weights(rows) for rows in (log_weights, -guesses / kT))
    many_log_weights = -many / kT
    # Guesses that rejection has made all alike say nothing, and neither do the few that are not.
    spread = max(guessed.var(ddof=1), 0.01 * (len(many) * normalised_weights(many_log_weights)).var(), 1e-12)
    slope = np.cov(weights, guessed)[0, 1] / spread
    value = _log_mean(log_weights) + slope * (_log_mean(many_log_weights) - _log_mean(-guesses / kT))
    rest = weights - slope * guessed
    of_many = slope * len(many) * normalised_weights(many_log_weights)
    error = kT * np.sqrt(rest.var(ddof=1) / len(work) + of_many.var(ddof=1) / len(many))
    of_noise = noise.std(ddof=1) / np.sqrt(len(noise)) / (2 * kT)
    effective = effective_samples(log_weights)
    return Estimate(-kT * value, float(np.hypot(error, of_noise)), effective), effective


def _log_mean(logarithms: Float[np.ndarray, "s"]) -> float:
    return float(np.logaddexp.reduce(logarithms) - np.log(len(logarithms)))


def normalised_weights(log_weights: Float[np.ndarray, "m"]) -> Float[np.ndarray, "m"]:
    """Weights that sum to one."""
    return np.exp(log_weights - np.logaddexp.reduce(log_weights))


def effective_samples(log_weights: Float[np.ndarray, "m"]) -> float:
    """(sum w)^2 / sum w^2 (Kish)."""
    return float(1 / np.sum(normalised_weights(np.asarray(log_weights, float)) ** 2))


def reweighted_mean(
    values: Float[np.ndarray, "m *k"], work: Float[np.ndarray, "m"]
) -> tuple[Float[np.ndarray, "*k"], Float[np.ndarray, "*k"]]:
    """Mean of an observable over the target, and its standard error, from samples of the model."""
    weights = normalised_weights(-_valid_work(work))
    values = np.asarray(values, float)
    mean = np.tensordot(weights, values, 1)
    return mean, np.asarray(np.sqrt(np.tensordot(weights**2, (values - mean) ** 2, 1)))


def _valid_work(work: Float[np.ndarray, "m"]) -> Float[np.ndarray, "m"]:
    work = np.asarray(work, float)
    if work.ndim != 1 or len(work) < 2 or np.isnan(work).any() or not np.isfinite(work).any():
        got = f"works of shape {work.shape}, {np.isnan(work).sum()} of them NaN"
        do = "sample again, and look at the configurations whose energy is not finite"
        raise InputError(got, "two or more numbers, one of them finite", do)
    return work
