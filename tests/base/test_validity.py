"""What is refused, merged or doubted of a structure, in cubic and triclinic cells."""

import numpy as np
import pytest

from jovium.base.cell import Cell
from jovium.base.errors import FormatError, StructureError
from jovium.base.structure import Structure, element
from jovium.base.units import BOHR_ANGSTROM
from jovium.base.validity import merged, plausibility
from jovium.crystals import crystal

CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)


@pytest.fixture(params=["cube", "triclinic"])
def cell(request, odd_cell):
    """A cube and the odd cell."""
    return Cell(6.05 * np.eye(3)) if request.param == "cube" else odd_cell


def test_atoms_at_all_corners_are_one_atom(cell):
    places = np.vstack([CORNERS, [[0.5, 0.5, 0.5]]])
    found = merged(Structure(cell, cell.cartesian(places), ("H",) * 8 + ("Ca",)))
    assert found.symbols == ("H", "Ca")
    np.testing.assert_allclose(found.positions, cell.cartesian(places[[0, 8]]), atol=1e-12)
    assert "7 of 9 atoms coincide" in found.notes[0]
    assert plausibility(found)[0] == found.notes[0]


def test_images_far_outside_the_cell_and_nearly_equal_places_are_merged(cell):
    places = np.array([[0.3, 0.4, 0.5], [3.3, -1.6, 0.5], [0.301, 0.4, 0.5]])
    assert merged(Structure(cell, cell.cartesian(places), ("H",) * 3)).n_atoms == 1


def test_structure_without_coincident_atoms_is_left_as_it_is(odd_structure):
    assert merged(odd_structure) is odd_structure
    assert plausibility(odd_structure) == ()


def test_merging_twice_changes_nothing_more(cell):
    once = merged(Structure(cell, cell.cartesian(CORNERS), ("H",) * 8))
    assert merged(once) is once


def test_hydrogen_and_deuterium_at_one_place_are_one_atom(cell):
    assert merged(Structure(cell, np.zeros((2, 3)), ("H", "D"))).symbols == ("H",)


@pytest.mark.parametrize("shift", [[0, 0, 0], [1, 0, 0], [-1, 2, 1]])
def test_two_elements_at_one_place_are_refused(cell, shift):
    places = np.array([[0.2, 0.3, 0.4], np.add([0.2, 0.3, 0.4], shift)])
    with pytest.raises(StructureError, match="H and Ca at one place"):
        merged(Structure(cell, cell.cartesian(places), ("H", "Ca")))


def test_nuclei_closer_than_any_two_can_be_are_refused(cell):
    with pytest.raises(StructureError, match="apart"):
        plausibility(Structure(cell, np.array([[0, 0, 0], [0.3, 0, 0]]), ("H", "Ca")))


HYDRIDES = {
    "H3S": (2.98, [[0, 0, 0], [0.5, 0.5, 0.5]], [[0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]], "S"),
    "NaH": (4.88, [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]], [[0.5, 0, 0], [0, 0.5, 0]], "Na"),
}


def hydride(name: str, scale: float) -> Structure:
    a, metals, hydrogens, symbol = HYDRIDES[name]
    cell = Cell(np.eye(3) * a * scale / BOHR_ANGSTROM)
    return Structure(
        cell, cell.cartesian(np.array(metals + hydrogens)), (symbol,) * len(metals) + ("H",) * len(hydrogens)
    )


@pytest.mark.parametrize("name", HYDRIDES)
def test_hydrides_are_plausible_and_in_another_unit_they_are_not(name):
    assert plausibility(hydride(name, 1)) == ()
    for scale in (BOHR_ANGSTROM, 1 / BOHR_ANGSTROM):
        assert any("unit" in doubt for doubt in plausibility(hydride(name, scale)))


@pytest.mark.parametrize("rs", [1.15, 1.3, 1.6])
def test_dense_hydrogen_is_plausible_and_in_another_unit_it_is_not(rs):
    assert plausibility(crystal("bcc", rs)) == ()
    for factor in (BOHR_ANGSTROM, 1 / BOHR_ANGSTROM):
        assert any("unit" in doubt for doubt in plausibility(crystal("bcc", rs * factor)))


def test_atoms_cells_away_are_doubted(odd_structure):
    far = Structure(odd_structure.cell, 4 * odd_structure.cell.vectors[1] + odd_structure.positions, ("H",) * 5)
    assert any("cells outside" in doubt for doubt in plausibility(far))


def test_a_trajectory_whose_atoms_diffuse_out_of_the_cell_is_plausible(odd_structure):
    steps = np.array([[3, 0, 0], [-2, 1, 0], [0, -3, 0], [0, 2, 1], [-1, 0, -1]])
    diffused = odd_structure.positions + odd_structure.cell.cartesian(steps)
    assert plausibility(Structure(odd_structure.cell, diffused, ("H",) * 5)) == ()


@pytest.mark.parametrize("name", ["sc", "bcc", "fcc"])
def test_atomic_hydrogen_is_plausible_up_to_the_lowest_density_of_the_training_data(name):
    assert plausibility(crystal(name, 2.0)) == ()


def test_atoms_without_molecules_at_a_low_density_are_doubted():
    """As a cube in angstrom that is read in bohr."""
    cell = Cell(np.diag([3.2, 4.1, 5.3]))
    for shear in (np.eye(3), np.array([[1.0, 0, 0], [0.1, 1, 0], [0.05, -0.1, 1]])):
        alone = Structure(Cell(cell.vectors @ shear), np.zeros((1, 3)), ("H",))
        assert any("too far for a bond" in doubt for doubt in plausibility(alone))


@pytest.mark.parametrize("length", [8, 20, 40])
def test_a_molecule_in_an_empty_cell_is_plausible_and_an_atom_alone_is_not(length):
    cell = Cell(length * np.eye(3))
    assert plausibility(Structure(cell, np.array([[0, 0, 0], [1.4, 0, 0]]), ("H", "H"))) == ()
    assert any("too far for a bond" in doubt for doubt in plausibility(Structure(cell, np.zeros((1, 3)), ("H",))))


@pytest.mark.parametrize("label", ["H", "h", "H1", "H_a", "H-up", "H2b", "1", "H+", "H_GW/0af1"])
def test_labels_of_hydrogen_name_hydrogen(label):
    assert element(label) == "H"


@pytest.mark.parametrize(
    ("label", "symbol"),
    [("D", "D"), ("T3", "T"), ("d_1", "D"), ("LA", "La"), ("la2", "La"), ("57", "La"), ("Fe3+", "Fe")],
)
def test_labels_of_other_elements_and_isotopes(label, symbol):
    assert element(label) == symbol


@pytest.mark.parametrize("label", ["", "Q", "X", "Ha", "0", "119", "H.5", "Hydrogen", "?", "_H", "1H"])
def test_labels_of_nothing_are_refused(label):
    with pytest.raises(FormatError, match="label"):
        element(label)


@pytest.mark.parametrize("symbol", ["H1", "h", "X", ""])
def test_structure_of_no_element_is_refused_when_it_is_made(odd_cell, symbol):
    with pytest.raises(StructureError, match="elements"):
        Structure(odd_cell, np.zeros((1, 3)), (symbol,))
