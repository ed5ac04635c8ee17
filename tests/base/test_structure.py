"""Structures: exchange with ASE, density, distances, supercells, refusals."""

import numpy as np
import pytest
from ase import Atoms

from jovium.base.cell import Cell
from jovium.base.errors import StructureError
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM


def test_ase_round_trip_keeps_cell_positions_and_symbols(odd_cell):
    structure = Structure(odd_cell, odd_cell.cartesian(np.array([[0.1, 0.2, 0.3], [0.6, 0.1, 0.8]])), ("O", "H"))
    back = Structure.from_ase(structure.to_ase())
    np.testing.assert_allclose(back.cell.vectors, odd_cell.vectors, rtol=1e-14)
    np.testing.assert_allclose(back.positions, structure.positions, rtol=1e-14)
    assert back.symbols == ("O", "H")


def test_ase_object_is_in_angstrom_and_periodic(odd_structure):
    atoms = odd_structure.to_ase()
    assert atoms.get_volume() == pytest.approx(odd_structure.cell.volume * BOHR_ANGSTROM**3)
    assert atoms.pbc.all()


def test_deuterium_becomes_hydrogen_of_its_own_mass_in_ase(odd_cell):
    atoms = Structure(odd_cell, np.zeros((1, 3)), ("D",)).to_ase()
    assert atoms.get_chemical_symbols() == ["H"]
    assert atoms.get_masses()[0] == pytest.approx(2.014, abs=1e-3)


def test_rs_is_the_radius_of_the_sphere_of_one_atom(odd_structure):
    volume = 4 * np.pi / 3 * odd_structure.rs**3
    assert volume * odd_structure.n_atoms == pytest.approx(odd_structure.cell.volume)
    assert odd_structure.hydrogen_density_g_cc == pytest.approx(2.69614 / odd_structure.rs**3, rel=2e-6)


def test_shortest_distance_counts_images_of_other_atoms(odd_cell):
    fractional = np.array([[0.02, 0.5, 0.5], [0.98, 0.5, 0.5]])
    structure = Structure(odd_cell, odd_cell.cartesian(fractional), ("H", "H"))
    assert structure.shortest_distance() == pytest.approx(0.04 * odd_cell.lengths[0])


def test_shortest_distance_of_one_atom_is_its_own_nearest_image():
    sheared = Cell(np.array([[4.0, 0, 0], [13.0, 5.0, 0], [0, 0, 9.0]]))
    # b - 3 a = (1, 5, 0) is longer than a.
    assert Structure(sheared, np.zeros((1, 3)), ("H",)).shortest_distance() == pytest.approx(4.0)


def test_supercell_is_extensive(odd_structure):
    large = odd_structure.supercell((2, 1, 3))
    assert large.n_atoms == 6 * odd_structure.n_atoms
    assert large.rs == pytest.approx(odd_structure.rs)
    assert large.shortest_distance() == pytest.approx(odd_structure.shortest_distance())
    assert large.symbols == ("H",) * 30


def test_supercell_of_a_supercell_has_every_lattice_translate_once(odd_structure):
    large = odd_structure.supercell((2, 2, 1))
    folded = odd_structure.cell.fractional(odd_structure.cell.wrap(large.positions)).round(9) % 1
    _, counts = np.unique(folded, axis=0, return_counts=True)
    assert list(counts) == [4] * 5


def test_scaling_to_rs_keeps_fractional_coordinates(odd_structure):
    scaled = odd_structure.at_rs(1.31)
    assert scaled.rs == pytest.approx(1.31)
    np.testing.assert_allclose(
        scaled.cell.fractional(scaled.positions), odd_structure.cell.fractional(odd_structure.positions), atol=1e-12
    )


def test_isotopes_count_as_hydrogen(odd_cell):
    structure = Structure(odd_cell, np.arange(12.0).reshape(4, 3), ("H", "O", "D", "T"))
    assert list(structure.hydrogens) == [0, 2, 3]
    assert not structure.is_pure_hydrogen


def test_atom_that_is_not_a_number_is_named(odd_cell):
    with pytest.raises(StructureError, match="atom 1 at"):
        Structure(odd_cell, np.array([[0, 0, 0], [0, np.nan, 0]]), ("H", "H"))


@pytest.mark.parametrize(
    ("positions", "symbols", "message"),
    [
        (np.zeros((0, 3)), (), "shape"),
        (np.zeros((2, 3)), ("H",), "1 symbols for 2 atoms"),
        (np.zeros((2, 2)), ("H", "H"), "shape"),
    ],
)
@pytest.mark.usefixtures("unchecked_signatures")
def test_incomplete_structure_is_refused(odd_cell, positions, symbols, message):
    with pytest.raises(StructureError, match=message):
        Structure(odd_cell, positions, symbols)


@pytest.mark.parametrize("cell", [None, [[3, 0, 0], [0, 3, 0], [0, 0, 0]]])
def test_atoms_without_a_full_cell_are_refused_with_a_remedy(cell):
    with pytest.raises(StructureError, match="center"):
        Structure.from_ase(Atoms("H2", [[0, 0, 0], [0, 0, 0.74]], cell=cell))


def test_neighbours_of_many_atoms_are_those_of_all_pairs(odd_structure, monkeypatch):
    """The tree of neighbours, in a triclinic cell, beside the pairs."""
    many = odd_structure.supercell((2, 1, 2))
    expected = many.shortest_distance()
    monkeypatch.setattr("jovium.base.structure.MAX_ATOMS_IN_PAIRS", 1)
    assert many.shortest_distance() == pytest.approx(expected)


def test_largest_void_of_a_cube_and_of_a_slab():
    """Half the diagonal of a simple cube of side 4; half the gap of a slab."""
    cube = Structure(Cell(4 * np.eye(3)), np.zeros((1, 3)), ("H",))
    assert cube.largest_void() == pytest.approx(2 * np.sqrt(3), abs=0.3)
    slab = Structure(Cell(np.diag([1.0, 1.0, 12.0])), np.zeros((1, 3)), ("H",))
    assert slab.largest_void() == pytest.approx(6.0, abs=0.3)
    sheared = Structure(Cell(np.array([[4.0, 0, 0], [4, 4, 0], [0, -8, 4]])), np.ones((1, 3)), ("H",))
    assert sheared.largest_void() == pytest.approx(2 * np.sqrt(3), abs=0.36)
