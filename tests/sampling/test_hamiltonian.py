"""Hamiltonian Monte Carlo and independence Metropolis have the distribution of their target."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jovium.base.errors import InputError
from jovium.sampling.hamiltonian import hmc_steps, trajectories
from jovium.sampling.independence import independence_chain
from jovium.sampling.metropolis import init_chains


def harmonic(x):
    return 0.5 * jnp.sum(x**2 * jnp.asarray([1.0, 4.0]))


def test_trajectories_have_the_variance_of_springs():
    chains = trajectories(harmonic, init_chains(harmonic, np.zeros((64, 3, 2)), 0.3), 60, tune=True)
    kept = []
    for _ in range(80):
        chains = trajectories(harmonic, chains, 2)
        kept.append(np.asarray(chains.positions))
    found = np.concatenate(kept)
    np.testing.assert_allclose(found.var(axis=(0, 1)), [1.0, 0.25], rtol=0.05)
    assert 0.6 < float(chains.acceptance) < 0.99


def test_trajectories_carry_the_energies_of_their_positions():
    chains = trajectories(harmonic, init_chains(harmonic, np.ones((8, 3, 2)), 0.4), 10)
    np.testing.assert_allclose(chains.beta_energies, [float(harmonic(x)) for x in chains.positions], rtol=1e-5)


def test_no_configuration_is_differentiated_twice():
    """Of n trajectories of one leap n + 1 gradients: that of the start is the last one of the trajectory before."""
    calls = []

    def energies(x):
        jax.debug.callback(lambda: calls.append(1))
        return jax.vmap(harmonic)(x)

    chains = init_chains(harmonic, np.ones((4, 3, 2)), 0.4)
    jax.block_until_ready(hmc_steps(energies, chains, 6, 1))
    jax.effects_barrier()
    assert len(calls) == 7


def test_a_trajectory_into_a_wall_is_not_accepted():
    """Infinite energies and their NaN forces leave the chain where it was."""

    def box(x):
        return jnp.where(jnp.abs(x).max() < 1, 0.0, jnp.inf)

    chains = trajectories(box, init_chains(box, np.zeros((32, 1, 2)), 0.5), 30)
    assert np.abs(chains.positions).max() < 1
    assert np.isfinite(chains.beta_energies).all()


def test_independence_chain_has_the_mean_of_the_target():
    """Proposals of a wide Gaussian, a narrow one as the target."""
    x = np.random.default_rng(0).normal(size=100_000) * 1.5
    work = -0.5 * (x / 1.5) ** 2 + 0.5 * ((x - 0.5) / 0.8) ** 2
    chain = independence_chain(work)
    assert x[chain.shown].mean() == pytest.approx(0.5, abs=0.02)
    assert x[chain.shown].std() == pytest.approx(0.8, abs=0.02)
    assert 0.4 < chain.acceptance < 0.9


def test_independence_chain_of_a_perfect_model_accepts_everything():
    chain = independence_chain(np.full(100, 3.0))
    assert chain.acceptance == 1
    assert chain.longest_stay == 1


def test_independence_chain_leaves_overlapping_particles_out():
    chain = independence_chain(np.array([np.inf, 1.0, np.inf, 1.0]))
    assert set(chain.shown) == {1, 3}


@pytest.mark.parametrize("work", [[np.inf, np.inf], [1.0, np.nan]])
def test_proposals_that_cannot_exist_are_refused(work):
    with pytest.raises(InputError, match="finite work"):
        independence_chain(np.array(work))
