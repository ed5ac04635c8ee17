"""Chains have the distribution of their energy."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jovium.base.errors import InputError
from jovium.sampling.metropolis import init_chains, metropolis_sweeps, sweep_chains


def harmonic(x):
    return 0.5 * jnp.sum(x**2 * jnp.asarray([1.0, 4.0]))


def wells(x):
    return jnp.sum((x**2 - 1) ** 2) * 3


def samples(beta_energy, start, n, between):
    chains = sweep_chains(beta_energy, init_chains(beta_energy, start, 0.3), 200, tune=True)
    kept = []
    for _ in range(n):
        chains = sweep_chains(beta_energy, chains, between)
        kept.append(np.asarray(chains.positions))
    return np.concatenate(kept), chains


def test_harmonic_particles_have_their_variance_and_energy():
    """<x_i^2> = 1 / k_i and <U> = kT / 2 per direction."""
    found, chains = samples(harmonic, np.zeros((64, 3, 2)), 60, 10)
    np.testing.assert_allclose(found.var(axis=(0, 1)), [1.0, 0.25], rtol=0.05)
    assert np.mean(0.5 * np.sum(found**2 * [1.0, 4.0], axis=(1, 2))) == pytest.approx(3.0, rel=0.05)
    assert 0.35 < float(chains.acceptance) < 0.65


def test_energies_that_are_carried_along_are_those_of_the_positions():
    _, chains = samples(harmonic, np.ones((8, 3, 2)), 5, 20)
    np.testing.assert_allclose(chains.beta_energies, [float(harmonic(x)) for x in chains.positions], rtol=1e-5)


def test_distribution_is_that_of_the_boltzmann_factor():
    """Both wells and the density on the barrier, by quadrature."""
    found, _ = samples(wells, np.where(np.arange(256)[:, None, None] % 2, 1.0, -1.0), 60, 10)
    x = np.linspace(-2.5, 2.5, 2001)
    weight = np.exp(-3 * (x**2 - 1) ** 2)
    edges = np.linspace(-1.6, 1.6, 17)
    exact = [weight[(x >= a) & (x < b)].sum() / weight.sum() for a, b in pairwise(edges)]
    counted = np.histogram(found, edges)[0] / found.size
    np.testing.assert_allclose(counted, exact, atol=0.01)


def test_equal_seeds_give_equal_chains():
    one, other = (sweep_chains(harmonic, init_chains(harmonic, np.ones((4, 2, 2)), 0.5, seed=3), 20) for _ in range(2))
    np.testing.assert_array_equal(one.positions, other.positions)


def test_a_start_without_energy_is_refused():
    with pytest.raises(InputError, match="configuration 1 has no finite energy"):
        init_chains(lambda x: 1 / jnp.sum(x**2), np.array([[[1.0, 0.0]], [[0.0, 0.0]]]), 0.1)


@pytest.mark.parametrize("n_blocks", [1, 2, 5])
def test_any_number_of_blocks_has_the_same_distribution(n_blocks):
    """Five particles moved all at once, in two blocks, or one by one."""
    energies = jax.vmap(harmonic)
    further = jax.jit(lambda chains: metropolis_sweeps(energies, chains, 20, n_blocks, True))
    chains = init_chains(harmonic, np.zeros((128, 5, 2)), 0.3)
    for _ in range(10):
        chains = further(chains)
    kept = []
    for _ in range(40):
        chains = further(chains)
        kept.append(np.asarray(chains.positions))
    variances = np.concatenate(kept).var(axis=0)
    np.testing.assert_allclose(variances, np.tile([1.0, 0.25], (5, 1)), rtol=0.12)


def test_steps_do_not_grow_beyond_the_widest_where_everything_is_accepted():
    flat = metropolis_sweeps(
        jax.vmap(lambda x: 0 * x.sum()), init_chains(harmonic, np.zeros((4, 2, 2)), 0.3), 100, 1, True, 0.7
    )
    assert float(flat.acceptance) == 1
    assert float(flat.width) == pytest.approx(0.7)
