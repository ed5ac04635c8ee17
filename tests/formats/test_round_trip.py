"""What is written is read back: every format, any cell, any grid; and other programs read the same."""

import ase.io
import numpy as np
import pytest
from ase.io.cube import read_cube
from ase.io.xsf import read_xsf
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jovium.base.cell import Cell
from jovium.base.grid import GridField
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM
from jovium.base.validity import COINCIDENT
from jovium.formats.fields import is_field_file, is_field_name, read_field, write_field
from jovium.formats.structures import read_structure

NAMES = ("field.cube", "field.cub", "ELFCAR", "field.xsf")
OFF_DIAGONAL = 1 - np.eye(3)

cells = st.builds(
    lambda edges, shear: Cell(np.diag(edges) + shear * OFF_DIAGONAL),
    arrays(float, 3, elements=st.floats(3.0, 12.0)),
    arrays(float, (3, 3), elements=st.floats(-1.4, 1.4)),
)
shapes = st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6))
values = shapes.flatmap(lambda shape: arrays(float, shape, elements=st.floats(-1e3, 1e3, allow_subnormal=False)))
atoms = st.integers(1, 4).flatmap(
    lambda n: st.tuples(
        arrays(float, (n, 3), elements=st.floats(0, 1)),
        st.lists(st.sampled_from(["H", "O", "La"]), min_size=n, max_size=n),
    )
)


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=40)
@given(cell=cells, grid=values, atoms=atoms)
def test_any_field_comes_back_as_it_was_written(tmp_path_factory, name, cell, grid, atoms):
    path = tmp_path_factory.mktemp("round") / name
    structure = Structure(cell, cell.cartesian(atoms[0]), tuple(atoms[1]))
    assume(structure.shortest_distance() > 2 * COINCIDENT)
    write_field(path, structure, GridField(grid, cell), comment="random")
    back = read_field(path)
    np.testing.assert_allclose(back.field.values, grid, rtol=6e-10, atol=0)
    np.testing.assert_allclose(back.field.cell.vectors, cell.vectors, atol=1e-10)
    np.testing.assert_allclose(back.structure.positions, structure.positions, atol=1e-10)
    assert back.structure.symbols == structure.symbols
    assert back.provenance.warnings == ()


@pytest.mark.parametrize("name", NAMES)
def test_each_axis_of_the_grid_keeps_its_place(tmp_path, molecule, odd_cell, name):
    i, j, k = np.indices((5, 7, 9))
    write_field(tmp_path / name, molecule, GridField(100.0 * i + 10.0 * j + k, odd_cell))
    found = read_field(tmp_path / name).field
    assert found.shape == (5, 7, 9)
    assert (found.values[3, 0, 0], found.values[0, 3, 0], found.values[0, 0, 3]) == (300, 30, 3)


def test_cube_is_z_fastest_and_elfcar_and_xsf_are_x_fastest(tmp_path, molecule, odd_cell):
    i, j, k = np.indices((5, 7, 9))
    grid = GridField(100.0 * i + 10.0 * j + k, odd_cell)
    second_value = {}
    for name, first_line in (("field.cube", 9), ("ELFCAR", 13), ("field.xsf", 20)):
        write_field(tmp_path / name, molecule, grid)
        lines = (tmp_path / name).read_text().splitlines()
        second_value[name] = float(lines[first_line].split()[1])
    assert second_value == {"field.cube": 1.0, "ELFCAR": 100.0, "field.xsf": 100.0}


def test_ase_reads_our_cube_as_we_do(tmp_path, molecule, field):
    write_field(tmp_path / "field.cube", molecule, field)
    with open(tmp_path / "field.cube") as stream:
        found = read_cube(stream)
    np.testing.assert_allclose(found["data"], field.values, rtol=1e-9)
    np.testing.assert_allclose(found["atoms"].cell, molecule.cell.vectors * BOHR_ANGSTROM, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(found["atoms"].positions, molecule.positions * BOHR_ANGSTROM, rtol=1e-8, atol=1e-8)
    assert found["atoms"].get_chemical_symbols() == ["H", "O", "H"]


def test_we_read_the_cube_of_ase(tmp_path, molecule, field):
    ase.io.write(tmp_path / "ase.cube", molecule.to_ase(), data=field.values)
    found = read_field(tmp_path / "ase.cube")
    np.testing.assert_allclose(found.field.values, field.values, atol=1e-6)
    np.testing.assert_allclose(found.field.cell.vectors, molecule.cell.vectors, atol=1e-4)
    np.testing.assert_allclose(found.structure.positions, molecule.positions, atol=1e-5)


def test_ase_reads_our_xsf_with_the_end_points_repeated(tmp_path, molecule, field):
    write_field(tmp_path / "field.xsf", molecule, field)
    with open(tmp_path / "field.xsf") as stream:
        data, origin, span, atoms = read_xsf(stream, read_data=True)
    assert data.shape == (6, 8, 10)
    np.testing.assert_allclose(data[:-1, :-1, :-1], field.values, rtol=1e-9)
    np.testing.assert_allclose(data[-1, -1, -1], field.values[0, 0, 0], rtol=1e-9)
    np.testing.assert_allclose(origin, 0)
    np.testing.assert_allclose(span, molecule.cell.vectors * BOHR_ANGSTROM, atol=1e-12)
    np.testing.assert_allclose(atoms.positions, molecule.positions * BOHR_ANGSTROM, atol=1e-12)


def test_elfcar_values_are_not_divided_by_the_volume(tmp_path, molecule, odd_cell):
    write_field(tmp_path / "ELFCAR", molecule, GridField(np.full((2, 3, 4), 0.5), odd_cell))
    np.testing.assert_allclose(read_field(tmp_path / "ELFCAR").field.values, 0.5)
    # ASE's CHGCAR reader, for comparison, divides by the cell volume in cubic angstrom.
    from ase.calculators.vasp import VaspChargeDensity

    divided = VaspChargeDensity(str(tmp_path / "ELFCAR")).chg[0]
    np.testing.assert_allclose(divided, 0.5 / (odd_cell.volume * BOHR_ANGSTROM**3), rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_structure_of_a_field_file_is_the_one_inside_it(tmp_path, molecule, field, name):
    write_field(tmp_path / name, molecule, field)
    assert is_field_file(tmp_path / name)
    np.testing.assert_allclose(read_structure(tmp_path / name).positions, molecule.positions, atol=1e-10)


@pytest.mark.parametrize("name", [*NAMES, "H3S_ELFCAR.vasp", "ELFCAR.xsf"])
def test_name_that_says_field_is_written_as_that_field(tmp_path, molecule, field, name):
    assert is_field_name(tmp_path / name)
    write_field(tmp_path / name, molecule, field)
    np.testing.assert_allclose(read_field(tmp_path / name).field.values, field.values, rtol=1e-9)
    assert ("DATAGRID" in (tmp_path / name).read_text()) == name.endswith(".xsf")
    assert not any(is_field_name(tmp_path / other) for other in ("POSCAR", "elf.dat", "a.cif", "cube"))


def test_format_is_told_by_content_when_the_name_is_mute(tmp_path, molecule, field):
    for name in ("field.cube", "field.xsf"):
        write_field(tmp_path / name, molecule, field)
        mute = (tmp_path / name).rename(tmp_path / "elf_of_phase_iii.dat")
        np.testing.assert_allclose(read_field(mute).field.values, field.values, rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_reading_and_writing_again_changes_nothing(tmp_path, molecule, field, name):
    first, second = tmp_path / f"a_{name}", tmp_path / f"b_{name}"
    write_field(first, molecule, field, comment="the same")
    file = read_field(first)
    write_field(second, file.structure, file.field, comment="the same")
    again = read_field(second)
    np.testing.assert_array_equal(again.field.values, file.field.values)
    assert again.provenance == file.provenance
    assert file.provenance.code == "jovium"
    assert file.provenance.elf_correction == "none"


@pytest.mark.parametrize("name", NAMES)
def test_comment_of_several_lines_does_not_break_the_file(tmp_path, molecule, field, name):
    write_field(tmp_path / name, molecule, field, comment="two\nlines, and PWScf\n\n3 0 0")
    np.testing.assert_allclose(read_field(tmp_path / name).field.values, field.values, rtol=1e-9)
    assert read_field(tmp_path / name).provenance.code == "jovium"
