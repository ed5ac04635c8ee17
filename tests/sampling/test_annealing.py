"""Annealing keeps the bound a bound, closes it stage by stage, and its weights are exact."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jovium.observe.reweighting import free_energy
from jovium.sampling.annealing import anneal

WIDE, N = 1.25, 6
EXACT = -N * 0.5 * np.log(2 * np.pi)
"""-ln Z of N springs of unit stiffness in one dimension."""


def model(x):
    return -0.5 * jnp.sum((x / WIDE) ** 2) - N * (np.log(WIDE) + 0.5 * np.log(2 * np.pi))


def springs(x):
    return 0.5 * jnp.sum(x**2)


def works(n_stages, energy=springs, m=4096):
    x = WIDE * jax.random.normal(jax.random.key(0), (m, N, 1))
    found, _ = anneal(model, energy, x, jax.random.key(1), n_stages, jnp.float32(0.2))
    return found


def test_one_stage_is_the_bound_of_the_model():
    """Kullback-Leibler divergence of two Gaussians, N [(s^2 - 1) / 2 - ln s]."""
    found = free_energy(np.asarray(works(1).work, float)).variational
    gap = N * (0.5 * (WIDE**2 - 1) - np.log(WIDE))
    assert found.value == pytest.approx(EXACT + gap, abs=4 * found.error)


def test_more_stages_close_the_bound_and_never_cross_it():
    bounds = [free_energy(np.asarray(works(k).work, float)).variational for k in (1, 4, 16)]
    gaps = [bound.value - EXACT for bound in bounds]
    assert gaps[0] > 1.5 * gaps[1] > 3 * gaps[2]
    assert gaps[2] > -3 * bounds[2].error


def test_weights_of_annealed_samples_give_the_exact_free_energy():
    found = free_energy(np.asarray(works(8).work, float)).reweighted
    assert found.value == pytest.approx(EXACT, abs=4 * found.error)
    assert found.error < 0.02


def test_positions_at_the_end_follow_the_target():
    found = works(16)
    weights = jax.nn.softmax(-found.work)
    assert float(weights @ jnp.mean(found.positions**2, axis=(1, 2))) == pytest.approx(1.0, abs=0.05)


def test_samples_beyond_the_target_keep_an_infinite_work():
    found = works(4, lambda x: jnp.where(jnp.abs(x).max() < 3, springs(x), jnp.inf), 256)
    started = WIDE * jax.random.normal(jax.random.key(0), (256, N, 1))
    assert np.isinf(np.asarray(found.work)[np.abs(np.asarray(started)).max(axis=(1, 2)) >= 3]).all()
    assert not np.isnan(np.asarray(found.work)).any()


def test_the_step_is_tuned_to_its_acceptance():
    x = WIDE * jax.random.normal(jax.random.key(0), (512, N, 1))
    width = jnp.float32(3.0)
    for seed in range(3):
        found, width = anneal(model, springs, x, jax.random.key(seed), 16, width, True)
    assert 0.6 < float(found.acceptance) < 0.95
