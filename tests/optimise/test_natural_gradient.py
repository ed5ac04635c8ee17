"""The natural gradient in the space of samples is the one in the space of parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jovium.optimise.natural_gradient import (
    clip_direction,
    flatten,
    natural_direction,
    sample_space_direction,
    unflatten,
)
from jovium.optimise.step_rules import Adam, Natural


def table(b, p, seed=0):
    random = np.random.default_rng(seed)
    scores = random.normal(size=(b, p)) * random.uniform(0.5, 2, p)
    return jnp.asarray(scores, jnp.float32), jnp.asarray(random.normal(size=p), jnp.float32)


@pytest.mark.parametrize(("b", "p"), [(8, 20), (60, 20)])
def test_direction_solves_the_dense_equation(b, p):
    """(F + damping) d = g with F = S^T S / b, by the p x p matrix."""
    scores, gradient = table(b, p)
    centred = np.asarray(scores - scores.mean(axis=0), float)
    fisher = centred.T @ centred / b
    amount = 0.03 * np.trace(fisher) / p / 1.0
    dense = np.linalg.solve(fisher + amount * np.eye(p), np.asarray(gradient, float))
    np.testing.assert_allclose(natural_direction(scores, gradient, 0.03), dense, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize(("b", "p"), [(8, 20), (60, 20)])
def test_direction_of_an_energy_solves_the_dense_equation(b, p):
    """(S^T S / b + damping) d = S^T e / b + damping last, by the p x p matrix."""
    scores, last = table(b, p)
    scores = scores - scores.mean(axis=0)
    residuals = jnp.asarray(np.random.default_rng(2).normal(size=b), jnp.float32)
    s, e, d = (np.asarray(x, float) for x in (scores, residuals, last))
    dense = np.linalg.solve(s.T @ s / b + 0.03 * np.eye(p), s.T @ e / b + 0.03 * d)
    found = sample_space_direction(scores, residuals, 0.03, last)
    np.testing.assert_allclose(found, dense, rtol=2e-3, atol=2e-3)


def test_one_score_without_limit_spoils_no_direction():
    """A sample at a node; single precision cannot factor the overlap without more damping."""
    scores, last = table(40, 60)
    scores = scores.at[0].multiply(1e5)
    found = sample_space_direction(scores, jnp.ones(40), 1e-6, jnp.zeros_like(last))
    assert bool(jnp.isfinite(found).all())


def test_directions_that_no_sample_sees_keep_the_last_step():
    scores, gradient = table(6, 10)
    scores = scores.at[:, 3].set(0.0)
    last = jnp.arange(10.0)
    found = natural_direction(scores, gradient.at[3].set(0.0), 0.01, last)
    assert float(found[3]) == pytest.approx(3.0, rel=1e-4)


def test_step_moves_the_distribution_by_no_more_than_asked():
    scores, gradient = table(50, 10)
    direction = natural_direction(scores, gradient, 1e-3)
    short = clip_direction(direction, scores, 0.05)
    centred = scores - scores.mean(axis=0)
    assert float(jnp.sqrt(jnp.mean((centred @ short) ** 2))) == pytest.approx(0.05, rel=1e-3)
    np.testing.assert_allclose(clip_direction(direction, scores, 1e9), direction)


def test_relative_damping_means_the_same_for_parameters_of_any_scale():
    """Parameters times c: scores and gradient divided by c, and the direction times c."""
    scores, gradient = table(8, 20)
    direction = natural_direction(scores, gradient, 0.03)
    np.testing.assert_allclose(natural_direction(scores / 4, gradient / 4, 0.03), 4 * direction, rtol=1e-4)


def test_absolute_damping_goes_with_the_square_of_the_scale():
    """The same for an energy, but with damping / c^2; with the old damping the direction is another one."""
    scores, last = table(8, 20)
    residuals = jnp.asarray(np.random.default_rng(2).normal(size=8), jnp.float32)
    direction = 4 * sample_space_direction(scores, residuals, 0.03, last)
    np.testing.assert_allclose(
        sample_space_direction(scores / 4, residuals, 0.03 / 16, 4 * last), direction, rtol=1e-4, atol=1e-4
    )
    assert np.abs(sample_space_direction(scores / 4, residuals, 0.03, 4 * last) - direction).max() > 0.1


def test_rows_and_trees_are_the_same_numbers():
    tree = {"a": jnp.arange(6.0).reshape(2, 3), "b": [jnp.asarray(7.0)]}
    back = unflatten(tree, flatten(tree))
    jax.tree.map(np.testing.assert_array_equal, back, tree)


@pytest.mark.parametrize("rule", [Adam(0.05), Natural(0.5)], ids=["adam", "natural"])
def test_rules_find_the_mean_of_a_gaussian(rule):
    """-ln p of data by a Gaussian of unknown mean: the best mean is that of the data."""
    data = jnp.asarray(np.random.default_rng(0).normal([2.0, -1.0], 0.5, size=(400, 2)), jnp.float32)
    mean, state = jnp.zeros(2), None
    state = rule.start(mean)
    for _ in range(200):
        scores = data - mean
        mean, state = rule.step(mean, state, -scores.mean(axis=0), scores, jnp.float32(1))
    np.testing.assert_allclose(mean, data.mean(axis=0), atol=0.02)
