"""What rejection leaves of a flow is a density again, nearer to the one of the energy it was kept by."""

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
from jovium.protons.rejection import PROPOSALS, kept, log_acceptance, threshold
from jovium.protons.torus_velocity import TorusVelocity

CELLS = {
    "cube": Cell(np.eye(3) * 4.2),
    "skew": Cell(np.array([[4.0, 0.0, 0.0], [3.1, 4.2, 0.0], [-2.5, 1.4, 4.4]])),
}
STRENGTH = 2.0


def two_of(cell):
    """Two particles of a flow with random parameters, and beta U = A cos(b_1.(x_1 - x_2)), whose beta F is
    -ln V^2 I_0(A)."""
    velocity = TorusVelocity.of(Box.periodic(cell, 3.0), n_radial=6, n_channels=1, key=jax.random.key(1))
    leaves, form = jax.tree.flatten(velocity)
    keys = jax.random.split(jax.random.key(2), len(leaves))
    shaken = [leaf + 0.05 * jax.random.normal(key, leaf.shape) for leaf, key in zip(leaves, keys, strict=True)]
    flow = Flow(UniformTorus.of(cell, 2), jax.tree.unflatten(form, shaken), 8)
    wave = jnp.asarray(2 * np.pi * np.linalg.inv(cell.vectors)[:, 0], jnp.float32)
    exact = -float(np.log(cell.volume**2 * i0(STRENGTH)))
    return flow, lambda x: STRENGTH * jnp.cos((x[0] - x[1]) @ wave), exact


@pytest.mark.parametrize("name", CELLS)
def test_kept_configurations_have_the_density_they_are_said_to_have(name):
    """Weighted they give the exact beta F whatever share is kept, and their bound comes down to it with the share."""
    flow, beta_energy, exact = two_of(CELLS[name])
    bounds = []
    for share in (1.0, 0.5, 0.1):
        found = kept(flow, beta_energy, jax.random.key(3), 4000, share)
        energies = np.asarray(jax.vmap(beta_energy)(found.positions), float)
        np.testing.assert_allclose(found.beta_energy, energies, atol=1e-4)
        works = found.log_density + energies
        free = free_energy(works)
        error = np.hypot(free.reweighted.error, found.log_share.error)
        assert error < 0.06
        assert abs(free.reweighted.value - exact) < 4 * error
        assert np.exp(found.log_share.value) == pytest.approx(share, rel=0.15)
        bounds.append(free.variational.value)
        assert bounds[-1] > exact - 4 * error
    assert bounds[0] > bounds[1] + 0.1 > bounds[2] + 0.12


def test_configurations_without_an_energy_are_never_kept():
    flow, beta_energy, _ = two_of(CELLS["cube"])

    def broken(x):
        return jnp.where(x[0, 0] < 2.0, jnp.nan, jnp.where(x[0, 0] < 3.0, jnp.inf, beta_energy(x)))

    found = kept(flow, broken, jax.random.key(4), 300, 0.2)
    assert len(found.positions) == len(found.log_density) == 300
    assert (found.positions[:, 0, 0] >= 3.0).all()
    assert np.isfinite(found.log_density).all()


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_the_level_keeps_the_share_asked_for(share):
    works = 3 * np.random.default_rng(0).normal(size=500) ** 2
    works[:5] = np.inf
    assert np.exp(log_acceptance(works, threshold(works, share))).mean() == pytest.approx(share, abs=1e-9)


@pytest.mark.parametrize("share", [0.0, 0.001, -0.1, 1.5, float("nan")])
def test_shares_that_cannot_be(share):
    flow, beta_energy, _ = two_of(CELLS["cube"])
    with pytest.raises(InputError, match=r"0\.01 to 1"):
        kept(flow, beta_energy, jax.random.key(0), 2, share)


def test_how_often_the_flow_is_asked_does_not_depend_on_its_luck():
    """Z of proposals until enough are kept would be too large: their number is settled before."""
    flow, beta_energy, _ = two_of(CELLS["cube"])
    asked = {kept(flow, beta_energy, jax.random.key(seed), 1000, 0.4).log_share.n_independent for seed in range(4)}
    assert asked == {2 * PROPOSALS}


def test_a_share_of_finite_energies_that_is_not_there():
    with pytest.raises(InputError, match="2 of 10"):
        threshold(np.array([1.0, 2.0] + [np.inf] * 8), 0.5)
