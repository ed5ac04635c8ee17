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
from jovium.elf.invariants import n_invariants
from jovium.elf.network import HEAD_WIDTHS, INNER_WIDTHS, FieldNetwork, Scales
from jovium.elf.prediction import head_inputs, inner_shape, predict_fields, structure_invariants
from jovium.elf.samples import network_atoms

FORMS = {
    "local": {"n_layers": 0, "n_widths": 3},
    "scalars": {"n_layers": 2, "n_vectors": 0},
    "vectors": {"n_layers": 1},
    "vectors of vectors": {"n_layers": 2, "n_vectors": 3},
}


@pytest.fixture(scope="module")
def network():
    return FieldNetwork(n_channels=3, n_vectors=2, n_hidden=6, n_layers=1, key=jax.random.key(1))


def scales(widths):
    """Of a network that was trained: invariants beyond a range that some of them leave."""
    rng, n = np.random.default_rng(len(widths)), n_invariants(widths)
    centre, scale = rng.normal(size=n), rng.uniform(0.5, 2, n)
    return Scales(*(jnp.asarray(x, jnp.float32) for x in (centre, scale, centre - 1.5 * scale, centre + 2 * scale)))


def test_points_that_two_grids_share_have_one_value(network, odd_structure):
    nx, ny, nz = inner_shape(odd_structure)
    fine = predict_fields(network, odd_structure, (2 * nx, 2 * ny, 2 * nz))[0].values
    same = predict_fields(network, odd_structure, (nx, ny, nz))[0].values
    coarse = predict_fields(network, odd_structure, (8, 9, 10))[0].values
    np.testing.assert_allclose(fine[::2, ::2, ::2], same, atol=2e-4)
    shared = predict_fields(network, odd_structure, (16, 36, 40))[0].values[::2, ::4, ::4]
    np.testing.assert_allclose(coarse, shared, atol=2e-4)


@pytest.mark.parametrize("form", FORMS)
def test_prediction_is_what_was_trained(odd_structure, form):
    """The transforms of NumPy around compiled points, and the whole compiled for one grid, are the same function."""
    widths = tuple(range(3)) if form == "local" else HEAD_WIDTHS
    network = FieldNetwork(scales(INNER_WIDTHS), scales(widths), key=jax.random.key(2), **FORMS[form])
    shape = odd_structure.cell.grid_shape(prediction.HEAD_SPACING)
    atoms = network_atoms(odd_structure.cell, odd_structure.positions)
    compiled = jax.jit(FieldNetwork.grid, static_argnums=(2, 3))(network, atoms, shape, inner_shape(odd_structure))
    elf, spread, _ = predict_fields(network, odd_structure, shape)
    assert elf.values.std() > 0.01
    np.testing.assert_allclose(elf.values, compiled.elf, atol=1e-4)
    np.testing.assert_allclose(spread.values, compiled.spread, rtol=1e-3)


def test_what_the_last_network_is_given_begins_with_the_scaled_invariants(network, odd_structure):
    shape = (12, 15, 16)
    found, expected = head_inputs(network, odd_structure, shape), structure_invariants(odd_structure, shape, (0, 1))
    # 3 scalars; of 2 vectors the squares, the products with the direction and with each other.
    assert found.shape == (len(expected) + 3 + 3 * 2, *shape)
    # A grid that does not carry the waves of the narrowest Gaussian folds them back.
    shape = odd_structure.cell.grid_shape(prediction.HEAD_SPACING)
    found, expected = head_inputs(network, odd_structure, shape), structure_invariants(odd_structure, shape, (0, 1))
    np.testing.assert_allclose(found[: len(expected)], expected, atol=2e-4)


def test_points_and_planes_at_a_time_make_no_difference(network, odd_structure, monkeypatch):
    shape = (25, 30, 32)
    whole = predict_fields(network, odd_structure, shape)[0].values
    monkeypatch.setattr(prediction, "POINTS_PER_SLAB", 7 * 30 * 32)
    monkeypatch.setattr(prediction, "POINTS_PER_CALL", 1000)
    # Sums in single precision depend on where in memory their terms lie.
    np.testing.assert_allclose(predict_fields(network, odd_structure, shape)[0].values, whole, atol=1e-5)


@pytest.mark.slow
def test_no_kink_at_a_saddle_of_the_smoothed_atoms():
    """The midpoint of a bond of the body-centred cube, where the gradient has no direction: the ELF comes from all
    sides to one value, with slope 0."""
    network = FieldNetwork(n_layers=1, key=jax.random.key(5))
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
