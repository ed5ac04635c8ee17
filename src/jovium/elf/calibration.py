"""How large errors are, fitted to structures that were not trained on.

The expected error of a point is the scale of a Laplace distribution, by maximum likelihood. Its logarithm is what a
small pointwise network makes of everything the large one knows of the point: its invariants, hidden fields and what
enters the last layer. Errors on the training data themselves would be too small, and most of all where little was
trained.
"""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float

from jovium.base.errors import InputError
from jovium.elf.network import N_SPREAD, SPREAD_OFFSET, FieldNetwork, Pointwise
from jovium.elf.prediction import head_inputs, predict_fields
from jovium.elf.samples import Sample
from jovium.training.devices import single_precision

COVERAGE = 0.9
"""Fraction of the grid points whose error is to lie inside the band."""

POINTS_PER_SAMPLE = 4000

STEPS, BATCH, LEARNING_RATE = 1500, 8192, 3e-3
"""Training of the network of the expected error by Adam: steps of so many points, and their length, falling to zero
along a cosine."""

RIDGE = 1e-5
"""Weight of the squares of its weights beside the mean likelihood of a point."""


def fit_expected_error(network: FieldNetwork, samples: Sequence[Sample]) -> FieldNetwork:
    """The network with its expected error fitted to samples, every one with the same weight; the ELF stays as it is.

    Raises InputError for no samples.
    """
    require_samples(samples)
    rng = np.random.default_rng(0)
    pairs = [_features_and_errors(network, sample, rng) for sample in samples]
    features, errors = (np.concatenate(column) for column in zip(*pairs, strict=True))
    return eqx.tree_at(lambda n: n.spread, network, _laplace_scale(features, np.maximum(errors, 1e-5), rng))


@single_precision()
def held_out(network: FieldNetwork, samples: Sequence[Sample]) -> list[tuple[FieldNetwork, list[Sample]]]:
    """Two halves of the samples, every other one, each with a network whose expected error was fitted to the other
    half: it says of a half about what it says of new structures, of the same families. A single sample stands on both
    sides."""
    require_samples(samples)
    halves = [list(samples[half::2]) or list(samples) for half in (0, 1)]
    return [(fit_expected_error(network, halves[1 - half]), halves[half]) for half in (0, 1)]


def band_factor(halves: Sequence[tuple[FieldNetwork, Sequence[Sample]]], coverage: float = COVERAGE) -> float:
    """The factor on the expected error that covers this fraction of the errors on samples it was not fitted to.

    The quantile of |error| / spread over their grid points (cross-conformal prediction: Vovk, Ann. Math. Artif. Intell.
    74, 9 (2015)), every sample with the same weight. halves: of `held_out`.
    """
    rng = np.random.default_rng(0)
    ratios = []
    for network, samples in halves:
        for sample in samples:
            elf, spread, _ = predict_fields(network, sample.structure, sample.shape)
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
    features: Float[np.ndarray, "p h"], errors: Float[np.ndarray, "p"], rng: np.random.Generator
) -> Pointwise:
    """The network whose exponential s has the least mean of log s + error / s; its output has SPREAD_OFFSET added."""
    centre, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    inputs = jnp.asarray((features - centre) / scale, jnp.float32)
    targets, n_inputs = jnp.asarray(errors, jnp.float32), features.shape[1]
    network = Pointwise([n_inputs, N_SPREAD, 1], key=jax.random.key(0))
    last = network.weights[1] * 0, jnp.log(targets.mean())[None]
    network = eqx.tree_at(lambda n: (n.weights[1], n.biases[1]), network, last)
    optimiser = optax.adam(optax.cosine_decay_schedule(LEARNING_RATE, STEPS))

    def loss(network: Pointwise, inputs: jax.Array, targets: jax.Array) -> jax.Array:
        log_scale = network(inputs.T)[0]
        return jnp.mean(log_scale + targets * jnp.exp(-log_scale)) + RIDGE * sum(jnp.sum(w**2) for w in network.weights)

    @jax.jit
    def step(network: Pointwise, momentum: optax.OptState, chosen: jax.Array) -> tuple[Pointwise, optax.OptState]:
        gradient = jax.grad(loss)(network, inputs[chosen], targets[chosen])
        updates, momentum = optimiser.update(gradient, momentum)
        return eqx.apply_updates(network, updates), momentum

    momentum = optimiser.init(network)
    for _ in range(STEPS):
        network, momentum = step(network, momentum, jnp.asarray(rng.integers(0, len(errors), min(BATCH, len(errors)))))
    # The standardisation of the inputs becomes part of the first layer.
    first = network.weights[0] / jnp.asarray(scale, jnp.float32)
    biases = network.biases[0] - first @ jnp.asarray(centre, jnp.float32)
    folded = first, biases, network.biases[1] + SPREAD_OFFSET
    return eqx.tree_at(lambda n: (n.weights[0], n.biases[0], n.biases[1]), network, folded)
