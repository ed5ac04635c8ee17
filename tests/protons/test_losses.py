"""Losses: every estimator of a gradient is that of Gaussians, data and Hamiltonian agree."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jovium.base.box import Box
from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.optimise.natural_gradient import flatten
from jovium.optimise.step_rules import Adam
from jovium.protons.assignment import shortest_displacements
from jovium.protons.base_density import GaussianPoint, UniformTorus
from jovium.protons.flow import Flow, sample_batch
from jovium.protons.losses import (
    FlowMatching,
    MaximumLikelihood,
    VariationalFreeEnergy,
    integration_error,
    sample_scores,
    soften_energies,
)
from jovium.protons.velocity import PairVelocity, PointVelocity

PLANE = Flow(GaussianPoint.of((0.3, 0.0), 0.8), PointVelocity.of(2, scale=1.0, n_hidden=4, key=jax.random.key(0)), 4)
ODD = Cell(np.array([[5.1, 0.3, -0.4], [1.2, 6.3, 0.7], [-0.9, 1.6, 7.2]]))


def spring(x):
    return 0.5 * jnp.sum((x - jnp.asarray([1.0, -0.5])) ** 2 / jnp.asarray([0.5, 2.0]))


def base_gradient(result):
    """The gradient with respect to mean and log_width of the base."""
    return np.concatenate([result.gradient.base.mean, result.gradient.base.log_width])


EXACT = np.array([(0.3 - 1.0) / 0.5, 0.5 / 2.0, 0.64 / 0.5 - 1, 0.64 / 2.0 - 1])
"""Of E[ln p + U] for a flow at rest: (m - c) / k along each axis, and s^2 / k - 1 for each ln s."""


@pytest.mark.parametrize(
    "loss",
    [
        VariationalFreeEnergy(spring, 4096),
        VariationalFreeEnergy(spring, 4096, pathwise=False),
        VariationalFreeEnergy(spring, 4096, pathwise=False, reference=lambda x: 0.9 * spring(x)),
    ],
    ids=["pathwise", "scores", "scores with a reference"],
)
def test_gradient_of_the_free_energy_is_that_of_gaussians(loss):
    found = [base_gradient(jax.jit(lambda f, k: loss(f, k))(PLANE, jax.random.key(k))) for k in range(4)]
    error = np.std(found, axis=0) / np.sqrt(3) + 0.02
    assert np.all(np.abs(np.mean(found, axis=0) - EXACT) < 4 * error)
    assert np.abs(np.mean(found, axis=0) - EXACT).max() < 0.2


def test_a_reference_takes_noise_from_the_scores():
    spreads = []
    for reference in (None, lambda x: 0.9 * spring(x)):
        loss = VariationalFreeEnergy(spring, 64, pathwise=False, reference=reference)
        step = jax.jit(lambda f, k, loss=loss: loss(f, k))
        spreads.append(np.std([base_gradient(step(PLANE, jax.random.key(k))) for k in range(60)], axis=0))
    assert spreads[1].mean() < 0.6 * spreads[0].mean()


def test_likelihood_of_data_has_the_gradient_of_gaussians():
    """-E_data[ln p]: (m - data) / s^2 and 1 - (data - m)^2 / s^2."""
    data = np.array([[[1.0, 0.5]], [[0.2, -0.7]]], np.float32)
    result = MaximumLikelihood(data, 2048)(PLANE, jax.random.key(0))
    apart = data[:, 0] - [0.3, 0.0]
    exact = np.concatenate([-apart.mean(axis=0) / 0.64, 1 - (apart**2).mean(axis=0) / 0.64])
    np.testing.assert_allclose(base_gradient(result), exact, atol=0.1)


def test_scores_average_to_zero():
    """E[d ln p / d theta] = 0 for every parameter of a flow that moves."""
    flow = jax.tree.map(
        lambda leaf: leaf + 0.1 * jnp.sin(jnp.arange(leaf.size, dtype=leaf.dtype)).reshape(leaf.shape), PLANE
    )
    found = jax.jit(lambda f: sample_scores(f, sample_batch(f, jax.random.key(1), 4096).positions))(flow)
    error = np.std(found, axis=0) / np.sqrt(len(found))
    assert np.all(np.abs(np.mean(found, axis=0)) < 5 * error + 1e-3)


def test_matching_fits_a_shift_and_then_samples_it():
    """Data are the base moved by (2, 1): the velocity is constant."""
    starts = np.asarray(jax.vmap(PLANE.base.sample)(jax.random.split(jax.random.key(0), 512)))
    loss = FlowMatching(starts, np.broadcast_to([[2.0, 1.0]], starts.shape), 64)
    flow, rule = PLANE, Adam(0.03, max_gradient_norm=1.0)
    state = rule.start(flow)

    @jax.jit
    def step(flow, state, key):
        result = loss(flow, key)
        return *rule.step(flow, state, result.gradient, None, jnp.float32(1)), result.value

    for k in range(300):
        flow, state, value = step(flow, state, jax.random.key(k))
    assert float(value) < 0.02
    found = sample_batch(flow, jax.random.key(9), 2000).positions.mean(axis=0)[0]
    np.testing.assert_allclose(found, [2.3, 1.0], atol=0.1)


@pytest.mark.parametrize("cell", [None, Cell(np.eye(3) * 5.0), ODD], ids=["open", "cube", "triclinic"])
def test_pairs_undo_relabelling_shift_and_images(cell):
    """An end that is the start, relabelled, shifted, wrapped and disturbed: what is travelled is the disturbance."""
    random = np.random.default_rng(0)
    start = random.random((6, 3)) @ (np.eye(3) * 5 if cell is None else cell.vectors)
    kicks = 0.02 * random.normal(size=(6, 3))
    end = start + kicks + [0.2, -0.1, 0.15]
    if cell is not None:
        end = cell.wrap(end + random.integers(-2, 3, (6, 3)) @ cell.vectors)
    moves = shortest_displacements(start, end[random.permutation(6)], cell)
    np.testing.assert_allclose(moves, kicks - kicks.mean(axis=0), atol=1e-9)


def test_integration_error_is_what_more_steps_take_away():
    """Of a violent flow in few steps it is large, in many it is not."""
    cell = Cell(np.eye(3) * 4.0)
    velocity = PairVelocity.of(Box.periodic(cell, 3.0), key=jax.random.key(0))
    velocity = jax.tree.map(
        lambda leaf: leaf + 0.08 * jnp.cos(jnp.arange(leaf.size, dtype=leaf.dtype)).reshape(leaf.shape), velocity
    )
    flow = Flow(UniformTorus.of(cell, 6), velocity, 1)
    coarse, fine = (abs(float(integration_error(flow.with_steps(k), jax.random.key(0), 32))) for k in (1, 8))
    assert coarse > 20 * fine


@pytest.mark.usefixtures("unchecked_signatures")
@pytest.mark.parametrize("bad", [np.zeros((0, 2, 3)), np.full((4, 2, 3), np.nan), np.zeros((4, 3))])
def test_data_without_finite_configurations_are_refused(bad):
    with pytest.raises(InputError, match="configurations of shape"):
        MaximumLikelihood(bad)


def test_batches_that_do_not_divide_are_refused():
    with pytest.raises(InputError, match="a batch of 100"):
        VariationalFreeEnergy(spring, 100)(PLANE, jax.random.key(0))


def test_scores_are_rows_of_all_parameters():
    count = flatten(sample_scores(PLANE, jnp.zeros((3, 1, 2)))[0]).size
    assert count == sum(leaf.size for leaf in jax.tree.leaves(PLANE))


def test_overlapping_particles_do_not_drown_the_gradient():
    """A wall of r^-12 beside ordinary energies: slopes stay moderate, energies stay in order."""
    energies = jnp.asarray([1.0, 2.0, 3.0, 4.0, 1e12, jnp.inf])
    found = soften_energies(energies)
    np.testing.assert_array_equal(found[:4], energies[:4])
    assert 50 < float(found[4]) < 100
    assert float(found[4]) < float(found[5]) < 200
    slope = jax.grad(lambda r: soften_energies(jnp.stack([r**-12, 1.0 + 0 * r, 2.0 + 0 * r]))[0])(jnp.float32(0.1))
    assert float(slope) == pytest.approx(-120, rel=0.01)
