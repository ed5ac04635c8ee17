"""Hydrogen as a target: energies and forces of the engine, inside compiled programs."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jovium.base.errors import InputError, StructureError
from jovium.base.units import kelvin_to_hartree
from jovium.protons.born_oppenheimer import ATOM, BornOppenheimer


class Springs:
    """An engine of springs between an atom and the corner of the cell; refuses atoms closer than 0.1 bohr."""

    def close(self):
        """Nothing to release."""

    def ground_state(self, structure, protocol, *, fields, stress):
        if structure.n_atoms > 1 and structure.shortest_distance() < 0.1:
            raise StructureError("atoms overlap", "atoms apart", "move them")
        moves = structure.cell.minimum_image(structure.positions)
        energy = 0.5 * float(np.sum(moves**2)) + ATOM * structure.n_atoms
        return SimpleNamespace(free_energy=energy, forces=-moves)


@pytest.fixture
def hydrogen():
    return BornOppenheimer(2, 1.4, 6000.0, workers=2, engine=Springs)


POSITIONS = np.array([[[0.2, 0.1, -0.3], [0.9, 0.4, 0.2]], [[0.1, 0.0, 0.0], [-0.4, 0.5, 0.6]]])


def test_energies_and_their_gradients_come_from_the_engine(hydrogen):
    energies, slopes = jax.jit(jax.vmap(jax.value_and_grad(hydrogen.beta_energy)))(jnp.asarray(POSITIONS, jnp.float32))
    temperature = kelvin_to_hartree(6000.0)
    np.testing.assert_allclose(energies, 0.5 * np.sum(POSITIONS**2, axis=(1, 2)) / temperature, rtol=1e-5)
    np.testing.assert_allclose(slopes, POSITIONS / temperature, rtol=1e-4)


def test_cell_has_the_density_of_its_radius(hydrogen):
    assert hydrogen.cell.volume == pytest.approx(2 * 4 * np.pi / 3 * 1.4**3)


def test_overlapping_protons_have_an_infinite_energy_and_are_counted(hydrogen):
    positions = jnp.zeros((1, 2, 3), jnp.float32)
    energies, slopes = jax.vmap(jax.value_and_grad(hydrogen.beta_energy))(positions)
    assert np.isinf(energies).all()
    assert np.isfinite(slopes).all()
    assert hydrogen.refused >= 1
    assert "overlap" in hydrogen.first_refusal


@pytest.mark.parametrize(
    "wrong", [(3, 1.4, 6000.0), (0, 1.4, 6000.0), (2, -1.0, 6000.0), (2, 1.4, 0.0), (2, np.nan, 1.0)]
)
def test_states_that_are_none_are_refused(wrong):
    with pytest.raises(InputError, match="even number"):
        BornOppenheimer(*wrong, engine=Springs)


def test_forces_of_the_first_principles_engine_are_the_slope_of_its_energy():
    hydrogen = BornOppenheimer(2, 1.8, 6000.0)
    x = jnp.asarray([[0.0, 0.0, 0.0], [1.5, 0.2, 0.1]], jnp.float32)
    step = jnp.zeros((2, 3)).at[1, 0].set(0.03)
    slope = jax.grad(hydrogen.beta_energy)(x)[1, 0]
    difference = (hydrogen.beta_energy(x + step) - hydrogen.beta_energy(x - step)) / 0.06
    assert float(slope) == pytest.approx(float(difference), abs=0.02 * abs(float(slope)) + 0.02)
