"""Walkers: protons that stay samples of the flow, electrons that ride along, twists, and what electrons learn from."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jovium.base.box import Box
from jovium.base.cell import Cell
from jovium.base.errors import EngineError
from jovium.electrons.walkers import require_same
from jovium.electrons.wave_function import WaveFunction
from jovium.free_energy import walkers
from jovium.free_energy.estimate import electron_residuals
from jovium.protons.systems import fluid_flow

TRICLINIC = Cell(np.array([[5.0, 0.0, 0.0], [1.5, 4.6, 0.0], [0.7, 0.9, 5.2]]))
BOX = Box.periodic(TRICLINIC, 0.0)
VECTORS = BOX.vectors

push_forward, init_walkers, move_protons = (
    eqx.filter_jit(function) for function in (walkers.push_forward, walkers.init_walkers, walkers.move_protons)
)


def models(n=4):
    """A flow of n protons that was shaken, and electrons among them."""
    flow = fluid_flow(TRICLINIC, n, 2, 0, n_knots=3, n_radial=5, n_channels=1)
    random = np.random.default_rng(0)
    flow = jax.tree.map(
        lambda leaf: (
            leaf + 0.03 * random.normal(size=leaf.shape).astype(leaf.dtype) if hasattr(leaf, "shape") else leaf
        ),
        flow,
    )
    return flow, WaveFunction.of(BOX, n // 2, n // 2, n_determinants=1, n_features=4, key=jax.random.key(0))


def test_a_walk_of_latents_leaves_protons_samples_of_the_flow():
    """Its protons are those that the flow makes of its latents, ln p with them, after any number of steps."""
    flow, psi = models()
    moving = init_walkers(flow, jax.random.key(1), 4, 2)
    for step in range(3):
        moving = move_protons(flow, psi, moving, 2.0, jax.random.key(step))
    protons, log_density = push_forward(flow, moving.latents)
    apart = TRICLINIC.minimum_image(np.asarray(moving.protons - protons, float))
    np.testing.assert_allclose(apart, 0, atol=2e-3)
    np.testing.assert_allclose(moving.log_density, log_density, atol=2e-3)
    fractional = np.asarray(moving.latents, float) @ np.linalg.inv(np.array(VECTORS))
    assert fractional.min() > -1e-5
    assert fractional.max() < 1 + 1e-5


def test_electrons_ride_with_the_proton_they_are_at():
    flow, psi = models()
    before = init_walkers(flow, jax.random.key(1), 3, 2)
    at = before.protons[:, None] + jnp.full((3, 2, 4, 3), 0.01)
    moved = move_protons(flow, psi, before._replace(electrons=at), 0.2, jax.random.key(5))
    apart = np.asarray(moved.electrons - moved.protons[:, None], float)
    np.testing.assert_allclose(TRICLINIC.minimum_image(apart), 0.01, atol=0.02)


def test_electrons_learn_from_what_differs_among_the_same_protons():
    """Whatever depends on the protons alone is no residual."""
    random = np.random.default_rng(0)
    energies, scores = jnp.asarray(random.normal(size=(5, 3))), jnp.asarray(random.normal(size=(5, 3, 7)))
    shift = jnp.asarray(random.normal(size=5))
    one = electron_residuals(energies, scores)
    other = electron_residuals(energies + shift[:, None], scores + shift[:, None, None])
    for found, expected in zip(other, one, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


SIXTEEN = Cell(2 * TRICLINIC.vectors / 1.6)


@pytest.mark.parametrize(("rows", "per_row"), [(8, 2), (8, 16), (5, 32), (4, 64)])
def test_a_twist_that_all_configurations_share_may_be_a_constant_of_a_program(rows, per_row):
    """ln|psi|^2 as chains have it, as a map of maps gives it, and of one configuration: a compiler has lost the waves,
    and ln|psi|^2 was 470 off."""
    with jax.enable_x64(True):
        box, key = Box.periodic(SIXTEEN, 0.0), jax.random.key(0)
        psi = WaveFunction.of(box, 8, 8, twisted=True, n_determinants=1, n_features=4, key=key)
        twists = np.full((rows, 3), 0.2)  # one number: what the compiler lost the waves of
        protons = jax.random.uniform(key, (rows, 16, 3)) @ jnp.asarray(SIXTEEN.vectors)
        electrons = walkers.place_electrons(protons, per_row, key)
        start = walkers.Walkers(protons, protons, jnp.zeros(rows), electrons, jnp.asarray(0.3), jnp.asarray(0.0))

        def chains(psi, start):
            return walkers.sample_electrons(psi, start, jnp.asarray(twists), 2, key, False)

        def maps(psi, electrons, protons):
            mean_fields = jax.lax.map(lambda pair: psi.mean_field(*pair), (protons, jnp.asarray(twists)))

            def among(group):
                electrons, protons, twist, field = group
                return jax.vmap(lambda x: 2 * psi.log_psi(x, protons, twist, field).real)(electrons)

            return jax.lax.map(among, (electrons, protons, jnp.asarray(twists), mean_fields), batch_size=8)

        moved, of_chains = eqx.filter_jit(chains)(psi, start)
        afresh = eqx.filter_jit(walkers.log_squares)(psi, moved, jnp.asarray(twists))
        one = 2 * psi.log_psi(moved.electrons[1, 1], protons[1], jnp.asarray(twists[1])).real
        assert afresh[1, 1] == pytest.approx(float(one), abs=1e-8)
        np.testing.assert_allclose(of_chains, afresh, atol=1e-8)
        np.testing.assert_allclose(eqx.filter_jit(maps)(psi, moved.electrons, protons), afresh, atol=1e-8)
        require_same(of_chains, afresh)
        with pytest.raises(EngineError, match=r"ln\|psi\|\^2 is 330 off"):
            require_same(of_chains, afresh + 330)
