"""Rejection sampling of a flow: a known density, nearer to that of the energy it accepts by."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import i0

from jovium.base.box import Box
from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.observe.reweighting import free_energy
from jovium.protons.base_density import UniformTorus
from jovium.protons.flow import Flow
from jovium.protons.rejection import PROPOSALS, log_acceptance, rejection_sample, threshold
from jovium.protons.torus_velocity import TorusVelocity

CELLS = {
    "cube": Cell(np.eye(3) * 4.2),
    "skew": Cell(np.array([[4.0, 0.0, 0.0], [3.1, 4.2, 0.0], [-2.5, 1.4, 4.4]])),
}
AMPLITUDE = 2.0


def pair_in(cell):
    """Two particles of a flow with random parameters, and beta U = A cos(b_1.(x_1 - x_2)), whose beta F is
    -ln V^2 I_0(A)."""
    velocity = TorusVelocity.of(Box.periodic(cell, 3.0), n_radial=6, n_channels=1, key=jax.random.key(1))
    leaves, form = jax.tree.flatten(velocity)
    keys = jax.random.split(jax.random.key(2), len(leaves))
    random = [leaf + 0.05 * jax.random.normal(key, leaf.shape) for leaf, key in zip(leaves, keys, strict=True)]
    flow = Flow(UniformTorus.of(cell, 2), jax.tree.unflatten(form, random), 8)
    wave = jnp.asarray(2 * np.pi * np.linalg.inv(cell.vectors)[:, 0], jnp.float32)
    exact = -float(np.log(cell.volume**2 * i0(AMPLITUDE)))
    return flow, lambda x: AMPLITUDE * jnp.cos((x[0] - x[1]) @ wave), exact


@pytest.mark.parametrize("name", CELLS)
def test_accepted_configurations_have_the_density_they_are_said_to_have(name):
    """Weighted they give the exact beta F at any fraction, and their bound comes down to it with the fraction."""
    flow, beta_energy, exact = pair_in(CELLS[name])
    bounds = []
    for fraction in (1.0, 0.5, 0.1):
        samples = rejection_sample(flow, beta_energy, jax.random.key(3), 4000, fraction)
        energies = np.asarray(jax.vmap(beta_energy)(samples.positions), float)
        np.testing.assert_allclose(samples.beta_energy, energies, atol=1e-4)
        work = samples.log_density + energies
        free = free_energy(work)
        error = np.hypot(free.reweighted.error, samples.log_accept_fraction.error)
        assert error < 0.06
        assert abs(free.reweighted.value - exact) < 4 * error
        assert np.exp(samples.log_accept_fraction.value) == pytest.approx(fraction, rel=0.15)
        bounds.append(free.variational.value)
        assert bounds[-1] > exact - 4 * error
    assert bounds[0] > bounds[1] + 0.1 > bounds[2] + 0.12


def test_configurations_without_an_energy_are_never_accepted():
    flow, beta_energy, _ = pair_in(CELLS["cube"])

    def broken(x):
        return jnp.where(x[0, 0] < 2.0, jnp.nan, jnp.where(x[0, 0] < 3.0, jnp.inf, beta_energy(x)))

    samples = rejection_sample(flow, broken, jax.random.key(4), 300, 0.2)
    assert len(samples.positions) == len(samples.log_density) == 300
    assert (samples.positions[:, 0, 0] >= 3.0).all()
    assert np.isfinite(samples.log_density).all()


@pytest.mark.parametrize("fraction", [0.02, 0.3, 0.9])
def test_threshold_accepts_the_fraction_asked_for(fraction):
    work = 3 * np.random.default_rng(0).normal(size=500) ** 2
    work[:5] = np.inf
    assert np.exp(log_acceptance(work, threshold(work, fraction))).mean() == pytest.approx(fraction, abs=1e-9)


@pytest.mark.parametrize("fraction", [0.0, 0.001, -0.1, 1.5, float("nan")])
def test_fractions_out_of_range_are_refused(fraction):
    flow, beta_energy, _ = pair_in(CELLS["cube"])
    with pytest.raises(InputError, match=r"0\.01 to 1"):
        rejection_sample(flow, beta_energy, jax.random.key(0), 2, fraction)


def test_number_of_proposals_does_not_depend_on_luck():
    """Z of proposals until enough are accepted would be too large: their number is settled before."""
    flow, beta_energy, _ = pair_in(CELLS["cube"])
    proposals = {
        rejection_sample(flow, beta_energy, jax.random.key(seed), 1000, 0.4).log_accept_fraction.n_independent
        for seed in range(4)
    }
    assert proposals == {2 * PROPOSALS}


def test_fraction_of_finite_energies_that_is_too_small_is_refused():
    with pytest.raises(InputError, match="2 of 10"):
        threshold(np.array([1.0, 2.0] + [np.inf] * 8), 0.5)
