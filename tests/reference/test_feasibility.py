"""What the plane-wave engine refuses before it starts, and how long it says that the rest takes."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule

from jovium.base.cell import Cell
from jovium.base.errors import InputError, StructureError
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM
from jovium.cli.main import main
from jovium.crystals import crystal
from jovium.formats.structures import write_structure
from jovium.reference.engine import ground_state, open_engine
from jovium.reference.feasibility import (
    MOST_ELECTRONS,
    duration,
    estimated_seconds,
    irreducible_points,
    magnetic_parts,
    require_feasible,
    time_needed,
)
from jovium.reference.kohn_sham import CHEAP, PRODUCTION
from jovium.reference.pseudopotential import valence_electrons

SHEAR = np.array([[1.0, 0, 0], [0.1, 1, 0], [-0.05, 0.15, 1]])
RARE_EARTHS = ("Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm")


def structure(atoms: Atoms, symbols: tuple[str, ...] | None = None) -> Structure:
    found = Structure.from_ase(atoms)
    return Structure(found.cell, found.positions, symbols or found.symbols)


def rock_salt(element: str, a: float) -> Structure:
    return structure(bulk(f"{element}H", "rocksalt", a=a))


def sheared(atoms: Structure) -> Structure:
    """The same fractional places in a triclinic cell."""
    cell = Cell(atoms.cell.vectors @ SHEAR)
    return Structure(cell, cell.cartesian(atoms.cell.fractional(atoms.positions)), atoms.symbols)


def boxed(name: str, length: float) -> Atoms:
    atoms = molecule(name)
    atoms.set_cell([length] * 3)
    atoms.pbc = True
    return atoms


def solid_methane() -> Atoms:
    centres = 5.84 * np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    places = np.vstack([molecule("CH4").positions + centre for centre in centres])
    return Atoms("CHHHH" * 4, positions=places, cell=[5.84] * 3, pbc=True)


CRYSTALS = {
    "caesium": structure(bulk("Cs")),
    "rubidium": structure(bulk("Rb")),
    "caesium hydride": rock_salt("Cs", 6.37),
    "xenon": structure(bulk("Xe")),
    "graphite": structure(bulk("C", "hcp", a=2.46, c=6.7)),
    "solid methane": structure(solid_methane()),
    "palladium hydride": rock_salt("Pd", 4.09),
    "heavy hydride": structure(bulk("LiH", "rocksalt", a=4.08), ("Li", "D")),
    "one atom": structure(bulk("Ca")),
    "peroxide": structure(boxed("H2O2", 4.5)),
    "lutetium hydride": rock_salt("Lu", 5.0),
    "molecular hydrogen": crystal("hcp-h2", 3.1),
}


@pytest.mark.parametrize("name", CRYSTALS)
def test_real_crystals_at_no_pressure_are_feasible(name):
    for crystal_or_sheared in (CRYSTALS[name], sheared(CRYSTALS[name])):
        require_feasible(crystal_or_sheared, PRODUCTION)


@pytest.mark.parametrize("element", ["Cr", "Mn", "Fe", "Co", "Ni", *RARE_EARTHS])
def test_a_magnetic_element_is_refused_also_when_one_is_sure(element):
    for hydride in (rock_salt(element, 4.0), sheared(rock_salt(element, 4.0))):
        with pytest.raises(StructureError, match=f"^{element}, which may be magnetic"):
            require_feasible(hydride, PRODUCTION, sure=True)


def test_elements_with_closed_or_wide_shells_are_not_magnetic():
    for element in ("Sc", "Ti", "V", "Cu", "Y", "Nb", "Mo", "Pd", "La", "Yb", "Lu", "Hf", "Au", "S", "Ca"):
        assert magnetic_parts(rock_salt(element, 4.0)) == [], element


def test_a_molecule_of_oxygen_is_magnetic_and_others_are_not():
    for vectors in (4.5 * np.eye(3), 4.5 * SHEAR):
        pair = Atoms("O2", positions=[[0.1, 0.2, 0.3], [0.1, 0.2, 1.51]], cell=vectors, pbc=True)
        across = Atoms(
            "O2", positions=pair.positions + np.outer([0, 1], vectors[0] - vectors[2]), cell=vectors, pbc=True
        )
        assert magnetic_parts(structure(pair)) == magnetic_parts(structure(across)) == ["O2"]
        for name in ("H2O", "CO2", "H2O2", "O3"):
            assert magnetic_parts(structure(Atoms(molecule(name), cell=vectors, pbc=True))) == [], name


SPARSE = {
    "a molecule": structure(boxed("H2O", 10.0)),
    "a molecule in a smaller box": structure(boxed("NH3", 7.0)),
    "a slab": structure(fcc111("Al", (1, 1, 3), vacuum=5)),
    "lengths in another unit": structure(bulk("KH", "rocksalt", a=5.7 / BOHR_ANGSTROM**2)),
}


@pytest.mark.parametrize("name", SPARSE)
def test_a_box_with_little_in_it_is_refused_unless_one_is_sure(name):
    for sparse in (SPARSE[name], sheared(SPARSE[name])):
        with pytest.raises(StructureError, match="empty sphere") as refused:
            require_feasible(sparse, CHEAP)
        assert "--yes" in refused.value.do
        require_feasible(sparse, CHEAP, sure=True)


def test_many_electrons_are_refused_with_an_estimate_of_the_time_unless_one_is_sure():
    few, many = (rock_salt("Y", 5.2).supercell((2, 2, n)) for n in (3, 4))
    assert valence_electrons(few, "PBE") <= MOST_ELECTRONS < valence_electrons(many, "PBE")
    require_feasible(few, PRODUCTION)
    for large in (many, sheared(many)):
        with pytest.raises(InputError, match=r"valence electrons: roughly \d+ (minutes|hours) on one core"):
            require_feasible(large, PRODUCTION)
        require_feasible(large, PRODUCTION, sure=True)


def test_pure_hydrogen_is_not_asked():
    sparse = structure(boxed("H2", 12.0))
    require_feasible(sparse, CHEAP)
    require_feasible(crystal("bcc", 1.4).supercell((5, 4, 4)), CHEAP)


def test_a_mesh_whose_symmetry_is_not_that_of_the_crystal_is_refused_for_compounds():
    quarter = replace(CHEAP, k_offset=0.25)
    with pytest.raises(InputError, match="k_offset"):
        require_feasible(CRYSTALS["palladium hydride"], quarter)
    require_feasible(crystal("bcc", 1.4), quarter)


def test_every_way_to_the_engine_refuses():
    for call in (
        lambda atoms: ground_state(atoms, CHEAP),
        lambda atoms: open_engine().ground_state(atoms, CHEAP),
        lambda atoms: ground_state(atoms, CHEAP, sure=True),
    ):
        with pytest.raises(StructureError, match="magnetic"):
            call(rock_salt("Fe", 3.7))


def test_symmetry_leaves_the_points_of_the_irreducible_wedge():
    """A cubic crystal with the shifted mesh n^3, n even: n (n/2 + 1) (n/2 + 2) / 12 for the simple cubic lattice."""
    atoms = structure(Atoms("LiH", scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5]], cell=[3.0] * 3, pbc=True))
    for n in (2, 4, 8):
        half = n // 2
        mesh = replace(PRODUCTION, k_spacing=None, k_mesh=(n, n, n))
        assert irreducible_points(atoms, mesh) == half * (half + 1) * (half + 2) // 6
    assert irreducible_points(crystal("bcc", 1.4), mesh) == len(mesh.k_points(crystal("bcc", 1.4).cell)[0])


def test_the_estimate_grows_with_the_cell_and_is_told_when_it_is_long():
    small = rock_salt("Ca", 5.0)
    large = small.supercell((2, 2, 2))
    one_k = replace(PRODUCTION, k_spacing=None, k_mesh=(1, 1, 1))
    ratio = (estimated_seconds(large, one_k) - 0.5) / (estimated_seconds(small, one_k) - 0.5)
    assert 100 < ratio < 8**3
    assert time_needed(small, PRODUCTION) == ""
    assert "roughly" in time_needed(large, PRODUCTION)


def test_an_estimate_is_of_the_order_of_the_time_taken():
    """A bound wide enough for a busy machine."""
    atoms = rock_salt("Li", 4.0)
    assert 0.1 < ground_state(atoms, CHEAP).seconds / estimated_seconds(atoms, CHEAP) < 10


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (40, "40 seconds"),
        (80, "80 seconds"),
        (100, "2 minutes"),
        (5e3, "83 minutes"),
        (7.2e3, "2 hours"),
        (1e6, "12 days"),
    ],
)
def test_durations_are_in_the_unit_that_suits(seconds, text):
    assert duration(seconds) == text


BAD = {
    "no potential": rock_salt("U", 5.0),
    "magnetic": rock_salt("Fe", 3.7),
    "overlapping": structure(Atoms("LiH", positions=[[0, 0, 0], [0.1, 0, 0]], cell=[3, 3, 3], pbc=True)),
    "a box": SPARSE["a molecule"],
    "large": rock_salt("Y", 5.2).supercell((2, 2, 4)),
    "smaller than a crystal": rock_salt("Li", 1.5),
}


@pytest.mark.parametrize(
    ("engine", "name"),
    [*(("dft", name) for name in BAD), *(("pyscf", name) for name in BAD if name != "smaller than a crystal")],
)
def test_bad_compounds_give_an_error_of_three_parts_and_no_number(engine, name, tmp_path, capsys):
    for suffix, bad in (("vasp", BAD[name]), ("cif", sheared(BAD[name]))):
        path = tmp_path / f"bad.{suffix}"
        write_structure(path, bad)
        coarse = ["--engine", engine, "--protocol", "cheap", "--k-mesh", "2", "2", "2"]
        code = main(["analyse", str(path), *coarse, "--json", "--no-files"])
        printed = capsys.readouterr()
        assert code in (2, 3)
        assert printed.out == ""
        for line in ("jovium: ", "expected: ", "do: "):
            assert any(
                text.strip().startswith(line) and len(text.strip()) > len(line) for text in printed.err.splitlines()
            )


def test_yes_reaches_the_engine(tmp_path, monkeypatch):
    write_structure(tmp_path / "sparse.vasp", SPARSE["a molecule"])
    asked = []

    def opened(name: str, *, sure: bool):
        asked.append(sure)
        raise InputError("opened", "nothing", "nothing")

    monkeypatch.setattr("jovium.workflows.elf_sources.open_engine", opened)
    for more in ([], ["--yes"]):
        assert main(["analyse", str(tmp_path / "sparse.vasp"), "--engine", "dft", "--no-files", *more]) == 2
    assert asked == [False, True]
