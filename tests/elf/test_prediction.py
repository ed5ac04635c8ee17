"""A prediction does not depend on the grid it is asked on, nor on how much of it is made at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.base.structure import Structure
from jovium.crystals import crystal
from jovium.elf import prediction
from jovium.elf.invariants import WIDTHS, n_invariants
from jovium.elf.network import FieldNetwork
from jovium.elf.prediction import inner_shape, predict_fields
from jovium.elf.samples import network_atoms


@pytest.fixture(scope="module")
def network():
    n = n_invariants(len(WIDTHS))
    return FieldNetwork(jnp.zeros(n), jnp.ones(n), n_channels=3, n_hidden=6, n_layers=1, key=jax.random.key(1))


def test_points_that_two_grids_share_have_one_value(network, odd_structure):
    nx, ny, nz = inner_shape(odd_structure)
    fine = predict_fields(network, odd_structure, (2 * nx, 2 * ny, 2 * nz))[0].values
    same = predict_fields(network, odd_structure, (nx, ny, nz))[0].values
    coarse = predict_fields(network, odd_structure, (8, 9, 10))[0].values
    np.testing.assert_allclose(fine[::2, ::2, ::2], same, atol=2e-4)
    shared = predict_fields(network, odd_structure, (16, 36, 40))[0].values[::2, ::4, ::4]
    np.testing.assert_allclose(coarse, shared, atol=2e-4)


@pytest.mark.parametrize("n_layers", [0, 2])
def test_prediction_is_what_was_trained(odd_structure, n_layers):
    """The transforms of NumPy around compiled points, and the whole compiled for one grid, are the same function."""
    rng, n = np.random.default_rng(0), n_invariants(3)
    centre, scale = jnp.asarray(rng.normal(size=n)), jnp.asarray(rng.uniform(0.5, 2, n))
    network = FieldNetwork(centre, scale, n_layers=n_layers, n_widths=3, key=jax.random.key(2))
    shape = inner_shape(odd_structure)
    atoms = network_atoms(odd_structure.cell, odd_structure.positions)
    compiled = jax.jit(FieldNetwork.grid, static_argnums=2)(network, atoms, shape)
    elf, spread = predict_fields(network, odd_structure, shape)
    assert elf.values.std() > 0.01
    np.testing.assert_allclose(elf.values, compiled.elf, atol=1e-4)
    np.testing.assert_allclose(spread.values, compiled.spread, rtol=1e-3)


def test_points_and_planes_at_a_time_make_no_difference(network, odd_structure, monkeypatch):
    shape = (25, 30, 32)
    whole = predict_fields(network, odd_structure, shape)[0].values
    monkeypatch.setattr(prediction, "POINTS_PER_SLAB", 7 * 30 * 32)
    monkeypatch.setattr(prediction, "POINTS_PER_CALL", 1000)
    np.testing.assert_allclose(predict_fields(network, odd_structure, shape)[0].values, whole, atol=1e-6)


@pytest.mark.slow
def test_no_kink_at_a_saddle_of_the_smoothed_atoms():
    """The midpoint of a bond of the body-centred cube, where the gradient has no direction: the ELF comes from all
    sides to one value, with slope 0."""
    n = n_invariants(len(WIDTHS))
    network = FieldNetwork(jnp.zeros(n), jnp.ones(n), n_layers=1, key=jax.random.key(5))
    structure = crystal("bcc", 1.4)
    elf = predict_fields(network, structure, (120, 120, 120))[0].values.astype(float)
    for axis, h in enumerate(structure.cell.lengths / 120):
        step = np.eye(3, dtype=int)[axis]
        behind, here, ahead = (elf[tuple((np.array([60, 0, 0]) + k * step) % 120)] for k in (-1, 0, 1))
        assert abs(ahead - behind) / (2 * h) < 2e-2
        assert abs(ahead - 2 * here + behind) / h**2 < 20


def test_a_cell_of_vacuum_is_refused_before_memory_is_taken(network):
    empty = Structure(Cell(150.0 * np.eye(3)), np.array([[0.0, 0, 0], [0, 0, 1.4]]), ("H", "H"))
    with pytest.raises(InputError, match="vacuum"):
        predict_fields(network, empty, (8, 8, 8))
