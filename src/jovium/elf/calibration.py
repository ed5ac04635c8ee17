"""How large errors are, fitted to structures that were not trained on.

The expected error of a point is exp(a . h + b) with h everything the network knows of the point, its invariants, hidden
fields and what enters the last layer: the scale of a Laplace distribution, by maximum likelihood. That is a convex
problem of some hundred numbers. Errors on the training data themselves would be too small, and most of all where little
was trained. (From the last layer alone the band covered 79 to 99 % of the points, depending on the state.)
"""

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize

from jovium.base.errors import InputError
from jovium.elf.network import SPREAD_OFFSET, FieldNetwork, Pointwise
from jovium.elf.prediction import head_inputs, predict_fields
from jovium.elf.samples import Sample

COVERAGE = 0.9
"""Fraction of the grid points whose error is to lie inside the band."""

POINTS_PER_SAMPLE = 4000

RIDGE = 1e-4
"""Weight of the squares of the coefficients beside the mean likelihood of a point."""


def fit_expected_error(network: FieldNetwork, samples: Sequence[Sample]) -> FieldNetwork:
    """The network with its expected error fitted to samples, every one with the same weight; the ELF stays as it is.

    Raises InputError for no samples.
    """
    require_samples(samples)
    rng = np.random.default_rng(0)
    features, errors = map(np.concatenate, zip(*(_features_and_errors(network, s, rng) for s in samples), strict=True))
    weights, constant = _laplace_scale(features, np.maximum(errors, 1e-5))
    spread = Pointwise.linear(
        jnp.asarray(weights[None], jnp.float32), jnp.asarray([constant + SPREAD_OFFSET], jnp.float32)
    )
    return eqx.tree_at(lambda n: n.spread, network, spread)


def band_factor(network: FieldNetwork, samples: Sequence[Sample], coverage: float = COVERAGE) -> float:
    """The factor on the expected error that covers this fraction of the errors on samples never trained on.

    The quantile of |error| / spread over their grid points (split conformal prediction: Papadopoulos et al., Lect.
    Notes Comput. Sci. 2430, 345 (2002)), every sample with the same weight. Raises InputError for no samples.
    """
    require_samples(samples)
    rng = np.random.default_rng(0)
    ratios = []
    for sample in samples:
        elf, spread = predict_fields(network, sample.structure, sample.shape)
        ratio = np.abs(elf.values - sample.elf) / spread.values
        ratios.append(rng.choice(ratio.ravel(), size=min(ratio.size, POINTS_PER_SAMPLE), replace=False))
    return float(np.quantile(np.concatenate(ratios), coverage))


def require_samples(samples: Sequence[Sample]) -> None:
    """Raise InputError when there are none."""
    if not samples:
        raise InputError("no samples", "labels that were not trained on", "check the splits")


def _features_and_errors(
    network: FieldNetwork, sample: Sample, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "p h"], Float[np.ndarray, "p"]]:
    inputs = head_inputs(network, sample.structure, sample.shape)
    inputs = inputs.reshape(len(inputs), -1)
    chosen = rng.choice(inputs.shape[1], size=min(inputs.shape[1], POINTS_PER_SAMPLE), replace=False)
    x = jnp.asarray(inputs[:, chosen])
    elf, features = network.prediction(x).elf, np.asarray(network.features(x), float)
    return features.T, np.abs(np.asarray(elf) - sample.elf.ravel()[chosen])


def _laplace_scale(
    features: Float[np.ndarray, "p h"], errors: Float[np.ndarray, "p"]
) -> tuple[Float[np.ndarray, "h"], float]:
    """(a, b) with the least mean of log s + error / s, log s = a . features + b, solved in standardised features."""
    centre, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    inputs = np.column_stack([(features - centre) / scale, np.ones(len(features))])

    def loss(c: Float[np.ndarray, "k"]) -> tuple[float, Float[np.ndarray, "k"]]:
        log_scale = np.clip(inputs @ c, -20.0, 5.0)
        ratio = errors * np.exp(-log_scale)
        gradient = inputs.T @ (1 - ratio) / len(errors) + 2 * RIDGE * np.append(c[:-1], 0.0)
        return float(np.mean(log_scale + ratio) + RIDGE * np.sum(c[:-1] ** 2)), gradient

    start = np.append(np.zeros(features.shape[1]), np.log(errors.mean()))
    solution = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    weights = solution[:-1] / scale
    return weights, float(solution[-1] - weights @ centre)
