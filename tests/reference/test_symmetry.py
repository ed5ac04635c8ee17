"""The space-group average, the ideal structure and the images of k-points of crystals whose symmetry is known."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import special_ortho_group

from jovium.base.cell import Cell
from jovium.base.grid import GridField
from jovium.base.structure import Structure
from jovium.base.twists import monkhorst_pack
from jovium.crystals import HYDRIDES, crystal
from jovium.reference.symmetry import (
    IDEAL_TOLERANCE,
    idealised,
    mesh_images,
    space_group,
    space_group_operations,
    standard_orientation,
    symmetrise,
)

SHEARED = np.array([[1, 1, 0], [0, 1, -2], [0, 1, -1]])
"""Other vectors of a lattice in terms of the usual ones: its determinant is 1."""


def bumps(structure, shape, weights):
    """A smooth periodic field with a bump of the given weight on each atom: waves up to a third of the grid."""
    fractional = structure.cell.fractional(structure.positions)
    axes = [np.arange(n) / n for n in shape]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    values = np.zeros(shape)
    for waves in np.ndindex(3, 3, 3):
        for atom, weight in zip(fractional, weights, strict=True):
            values += weight * np.cos(2 * np.pi * (points - atom) @ np.array(waves))
    return GridField(values, structure.cell)


@pytest.mark.parametrize(("name", "order"), [("cs-iv", 16), ("bcc", 48), ("fcc", 48), ("hcp-h2", 24)])
def test_known_crystals_have_the_order_of_their_point_group(name, order):
    rotations, _ = space_group_operations(crystal(name, 1.4))
    assert len(rotations) == order


def test_average_has_the_symmetry_and_averaging_twice_changes_nothing():
    """The field at R s + t equals the field at s for every operation, on a grid unequal along its axes."""
    structure = crystal("cs-iv", 1.3)
    operations = space_group_operations(structure)
    rng = np.random.default_rng(3)
    noise = GridField(rng.normal(size=(9, 9, 9)), structure.cell).resample((27, 30, 32))
    average = symmetrise(noise, operations)
    assert symmetrise(average, operations).values == pytest.approx(average.values, abs=1e-12)
    assert average.mean() == pytest.approx(noise.mean())
    dense = average.resample((54, 60, 64)).interpolant()
    s = rng.random((20, 3))
    for rotation, translation in zip(*operations, strict=True):
        image = s @ rotation.T + translation
        assert dense.value(structure.cell.cartesian(image)) == pytest.approx(
            dense.value(structure.cell.cartesian(s)), abs=5e-3 * np.ptp(average.values)
        )


def test_equal_bumps_on_equivalent_atoms_are_what_unequal_ones_become():
    structure = crystal("cs-iv", 1.3)
    operations = space_group_operations(structure)
    unequal = symmetrise(bumps(structure, (12, 12, 12), (1.5, 0.5)), operations)
    equal = symmetrise(bumps(structure, (12, 12, 12), (1.0, 1.0)), operations)
    assert unequal.values == pytest.approx(equal.values, abs=1e-10)


def test_general_structure_is_left_alone(odd_structure):
    operations = space_group_operations(odd_structure)
    field = GridField(np.random.default_rng(0).normal(size=(4, 5, 6)), odd_structure.cell)
    assert len(operations[0]) == 1
    assert symmetrise(field, operations) is field


def turned(structure, seed=0):
    """The same crystal in a general orientation."""
    rotation = special_ortho_group.rvs(3, random_state=seed)
    return Structure(Cell(structure.cell.vectors @ rotation.T), structure.positions @ rotation.T, structure.symbols)


def sheared(structure):
    """The same crystal in lattice vectors of a lower symmetry, at angles far from right."""
    return Structure(Cell(SHEARED @ structure.cell.vectors), structure.positions, structure.symbols)


def rounded(structure, digits=4):
    """As a file prints it: fractional coordinates and lattice vectors (bohr) of four digits."""
    cell = Cell(np.round(structure.cell.vectors, digits))
    fractional = np.round(structure.cell.fractional(structure.positions), digits)
    return Structure(cell, cell.cartesian(fractional), structure.symbols)


CASES = {
    "cs-iv": crystal("cs-iv", 1.3),
    "hcp-h2": crystal("hcp-h2", 1.4),
    **{name: crystal(name) for name in HYDRIDES},
    "quartz-like": crystal(
        space_group=154, cell=(4.91, 4.91, 5.4, 90, 90, 120), sites=[("S", 0.4697, 0, 0), ("H", 0.4133, 0.2672, 0.1188)]
    ),
    "monoclinic": crystal(
        space_group=14, cell=(3.5, 3.9, 5, 90, 100, 90), sites=[("Li", 0.1, 0.2, 0.3), ("H", 0.4, 0.15, 0.05)]
    ),
}
SETTINGS = {"as it is": lambda s: s, "turned": turned, "sheared": sheared, "both": lambda s: turned(sheared(s), 1)}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", CASES)
def test_a_structure_of_four_digits_gets_its_full_symmetry_back(name, setting):
    """To the last digit: with a tolerance a hundred times smaller than what was rounded off."""
    exact = SETTINGS[setting](CASES[name])
    ideal = idealised(SETTINGS[setting](rounded(CASES[name])))
    assert space_group(ideal, 1e-8) == space_group(exact)
    assert len(space_group_operations(ideal)[0]) == len(space_group_operations(exact)[0])


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", CASES)
def test_no_atom_moves_further_than_the_tolerance(name, setting):
    printed = SETTINGS[setting](rounded(CASES[name]))
    ideal = idealised(printed)
    assert ideal.symbols == printed.symbols
    assert np.linalg.norm(ideal.positions - printed.positions, axis=1).max() < IDEAL_TOLERANCE
    assert np.abs(ideal.cell.vectors - printed.cell.vectors).max() < IDEAL_TOLERANCE


@pytest.mark.parametrize("name", CASES)
def test_an_ideal_structure_stays_as_it_is(name):
    for setting in SETTINGS.values():
        exact = setting(CASES[name])
        ideal = idealised(exact)
        np.testing.assert_allclose(ideal.positions, exact.positions, atol=1e-9)
        np.testing.assert_allclose(ideal.cell.vectors, exact.cell.vectors, atol=1e-9)


def test_a_general_structure_is_not_idealised(odd_structure):
    assert idealised(odd_structure) is odd_structure


def test_what_is_distorted_by_more_than_digits_stays_distorted():
    exact = crystal("h3s")
    distorted = Structure(exact.cell, exact.positions + 0.02 * np.eye(4, 3), exact.symbols)
    assert np.abs(idealised(distorted).positions - distorted.positions).max() < IDEAL_TOLERANCE
    assert space_group(idealised(distorted)) != space_group(exact)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CASES)
def test_the_standard_orientation_is_one_whatever_the_orientation_before(name, seed):
    """A proper rotation, after which every operation of a cubic or tetragonal crystal permutes x, y and z."""
    structure = turned(CASES[name], seed)
    rotation = standard_orientation(structure)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(rotation) == pytest.approx(1)
    vectors = structure.cell.vectors @ rotation.T
    rotations = space_group_operations(structure)[0]
    cartesian = vectors.T @ rotations @ np.linalg.inv(vectors.T)
    if name in ("hcp-h2", "quartz-like"):
        np.testing.assert_allclose(np.abs(cartesian[:, 2, 2]), 1, atol=1e-6)
    else:
        np.testing.assert_allclose(cartesian, np.rint(cartesian), atol=1e-5)


def test_a_general_structure_keeps_its_orientation(odd_structure):
    np.testing.assert_allclose(np.abs(np.linalg.det(standard_orientation(odd_structure))), 1)


@pytest.mark.parametrize("offset", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("mesh", [(4, 4, 4), (3, 3, 3), (2, 3, 4)])
@pytest.mark.parametrize("name", ["h3s", "lah10", "hcp-h2", "monoclinic"])
def test_images_of_k_points_are_where_the_rotations_take_them(name, mesh, offset):
    """In Cartesian vectors: S k is the k-point that is said, up to a reciprocal vector; where it is no point of the
    mesh, no point is near."""
    structure = CASES[name]
    rotations = space_group_operations(structure)[0]
    on_mesh, index = mesh_images(rotations, mesh, offset)
    points, cell = monkhorst_pack(mesh, offset), structure.cell
    assert on_mesh.shape == index.shape == (2 * len(rotations), len(points))
    assert on_mesh[0].all()
    for g, (sign, rotation) in enumerate(product((1, -1), rotations)):
        # x' = x @ turn in Cartesian coordinates, so that k' = k @ turn
        turn = np.linalg.inv(cell.vectors) @ rotation.T @ cell.vectors
        images = sign * points @ cell.reciprocal @ np.linalg.inv(turn) @ np.linalg.inv(cell.reciprocal)
        steps = (images[:, None] - points[None]) - np.rint(images[:, None] - points[None])
        distances = np.abs(steps).max(axis=-1)
        np.testing.assert_array_equal(on_mesh[g], distances.min(axis=1) < 1e-6)
        np.testing.assert_array_equal(index[g][on_mesh[g]], distances.argmin(axis=1)[on_mesh[g]])


def test_points_that_symmetry_maps_are_few():
    """The irreducible points of a centred mesh of bcc: 8 of 64, as tables have them."""
    on_mesh, index = mesh_images(space_group_operations(crystal("h3s"))[0], (4, 4, 4), 0.0)
    assert on_mesh.all()
    assert len(np.unique(index.min(axis=0))) == 8
