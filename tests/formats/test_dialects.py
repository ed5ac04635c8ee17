"""Files as other programs write them: units, orbital lines, spins, end points, Fortran numbers."""

import numpy as np
import pytest

from jovium.base.errors import FormatError
from jovium.base.grid import GridField
from jovium.base.units import BOHR_ANGSTROM
from jovium.formats.fields import is_field_file, read_field, write_field
from jovium.formats.structures import read_structure


def cube(header="made by hand\nfor a test", atoms="2", origin="0 0 0", sign="", extra="", n_values=24, rows=None):
    """A cube file of 2 x 3 x 4 points, cell 2 x 3.3 x 4.8, whose values count up from 0."""
    rows = rows or ("1 1.0 0.1 0.2 0.3", "8 8.0 1.0 1.1 1.2")
    steps = (f"{sign}2 1.0 0 0", f"{sign}3 0 1.1 0", f"{sign}4 0 0 1.2")
    numbers = " ".join(str(n) for n in range(n_values))
    return "\n".join([header, f"{atoms} {origin}", *steps, *rows, *([extra] if extra else []), numbers]) + "\n"


@pytest.fixture
def cube_file(tmp_path):
    def write(**changes):
        path = tmp_path / "hand.cube"
        path.write_text(cube(**changes))
        return path

    return write


def test_positive_counts_mean_bohr(cube_file):
    file = read_field(cube_file())
    np.testing.assert_allclose(file.field.cell.vectors, np.diag([2.0, 3.3, 4.8]))
    assert file.structure.symbols == ("H", "O")
    np.testing.assert_array_equal(file.field.values.ravel(), np.arange(24))


def test_negative_counts_mean_angstrom(cube_file):
    file = read_field(cube_file(sign="-"))
    np.testing.assert_allclose(file.field.cell.vectors * BOHR_ANGSTROM, np.diag([2.0, 3.3, 4.8]))
    np.testing.assert_allclose(file.structure.positions[0] * BOHR_ANGSTROM, [0.1, 0.2, 0.3])


def test_orbital_line_is_skipped(cube_file):
    file = read_field(cube_file(atoms="-2", extra="1 17"))
    np.testing.assert_array_equal(file.field.values.ravel(), np.arange(24))


def test_two_orbitals_per_point_are_refused(cube_file):
    with pytest.raises(FormatError, match="2 values per grid point"):
        read_field(cube_file(atoms="-2", extra="2 17 18", n_values=48))
    with pytest.raises(FormatError, match="3 values per grid point"):
        read_field(cube_file(origin="0 0 0 3", n_values=72))


def test_origin_moves_with_the_atoms(cube_file):
    # Field value [0, 0, 0] sits at the origin of the file; the atom at (0.1, 0.2, 0.3) is 0.1 left of it.
    file = read_field(cube_file(origin="0.2 0.2 0.2"))
    np.testing.assert_allclose(file.structure.positions[0], [-0.1, 0.0, 0.1], atol=1e-12)


def test_header_with_mixed_signs_is_refused(tmp_path):
    (tmp_path / "x.cube").write_text(cube().replace("2 1.0 0 0", "-2 1.0 0 0"))
    with pytest.raises(FormatError, match="grid counts"):
        read_field(tmp_path / "x.cube")


def test_species_indices_of_a_quantum_espresso_cube_are_pointed_out(cube_file):
    rows = ("1 20.0 0.1 0.2 0.3", "2 1.0 1.0 1.1 1.2")
    file = read_field(cube_file(header=" Cubefile created from PWScf calculation\nELF", rows=rows))
    assert any("species indices" in warning for warning in file.provenance.warnings)


def test_repeated_planes_of_an_early_quantum_espresso_cube_are_dropped(tmp_path, molecule, odd_cell, field):
    doubled = np.pad(field.values, (0, 1), mode="wrap")
    write_field(tmp_path / "x.cube", molecule, GridField(doubled, odd_cell))
    lines = (tmp_path / "x.cube").read_text().splitlines(keepends=True)
    lines[0] = " Cubfile created from PWScf calculation\n"
    for axis, n in enumerate((5, 7, 9)):  # the step of that version was a/n with n + 1 points
        step = "".join(f"{x:20.12f}" for x in odd_cell.vectors[axis] / n)
        lines[3 + axis] = f"{n + 1:6d}{step}\n"
    (tmp_path / "x.cube").write_text("".join(lines))
    file = read_field(tmp_path / "x.cube")
    np.testing.assert_allclose(file.field.values, field.values, rtol=1e-9)
    np.testing.assert_allclose(file.field.cell.vectors, odd_cell.vectors, atol=1e-9)


def test_fortran_numbers_without_an_e_are_read(tmp_path):
    path = tmp_path / "f.cube"
    path.write_text(cube().replace(" 5 6 7 ", " 0.12345-104 0.6D+01 7.0d0 "))
    np.testing.assert_allclose(read_field(path).field.values.ravel()[5:8], [0.12345e-104, 6, 7])


@pytest.mark.parametrize("n_values", [0, 5])
def test_cube_without_its_values_is_a_truncated_field(cube_file, n_values):
    assert is_field_file(cube_file(n_values=n_values))
    with pytest.raises(FormatError, match=f"truncated: {n_values} grid values"):
        read_structure(cube_file(n_values=n_values))


def test_field_is_told_by_content_when_the_name_is_mute(cube_file):
    for n_values, holds in ((0, False), (5, True)):
        path = cube_file(n_values=n_values)
        mute = path.rename(path.with_name("elf.dat"))
        assert is_field_file(mute) == holds


def elfcar(blocks=1, names="H O\n", counts="2 1", scale="1.0", mode="Direct"):
    """An ELFCAR of 2 x 1 x 3 points; the values of block b count up from 10 b."""
    head = f"hand made\n{scale}\n 3.0 0 0\n 0.4 4.0 0\n 0 0.5 5.0\n{names}{counts}\n{mode}\n"
    rows = " 0.1 0.2 0.3\n 0.4 0.5 0.6\n 0.7 0.8 0.9\n\n"
    grids = "".join("2 1 3\n" + " ".join(str(10 * b + n) for n in range(6)) + "\n" for b in range(blocks))
    return head + rows + grids


def test_elfcar_is_angstrom_and_x_fastest(tmp_path):
    (tmp_path / "ELFCAR").write_text(elfcar())
    file = read_field(tmp_path / "ELFCAR")
    np.testing.assert_array_equal(file.field.values[:, 0, :], [[0, 2, 4], [1, 3, 5]])
    np.testing.assert_allclose(file.field.cell.vectors[1] * BOHR_ANGSTROM, [0.4, 4.0, 0])
    assert file.structure.symbols == ("H", "H", "O")
    assert file.provenance.code == "VASP"
    assert file.provenance.elf_correction == "none"


def test_spin_polarised_elfcar_gives_the_mean_and_a_warning(tmp_path):
    (tmp_path / "ELFCAR").write_text(elfcar(blocks=2))
    file = read_field(tmp_path / "ELFCAR")
    np.testing.assert_array_equal(file.field.values[:, 0, 0], [5, 6])
    assert "ISPIN" in file.provenance.warnings[0]
    assert file.provenance.elf_correction == "suspected"


@pytest.mark.parametrize(("scale", "factor"), [("2.0", 2.0), ("-480.0", 2.0), ("2.0 2.0 2.0", 2.0)])
def test_elfcar_scale_multiplies_the_cell_or_is_its_volume(tmp_path, scale, factor):
    (tmp_path / "ELFCAR").write_text(elfcar(scale=scale))
    structure = read_field(tmp_path / "ELFCAR").structure
    np.testing.assert_allclose(structure.cell.volume * BOHR_ANGSTROM**3, 60 * factor**3)


def test_elfcar_with_cartesian_positions(tmp_path):
    (tmp_path / "ELFCAR").write_text(elfcar(mode="Cartesian", scale="2.0"))
    positions = read_field(tmp_path / "ELFCAR").structure.positions * BOHR_ANGSTROM
    np.testing.assert_allclose(positions[0], [0.2, 0.4, 0.6])


def test_potcar_hash_behind_an_element_name_is_ignored(tmp_path):
    (tmp_path / "ELFCAR").write_text(elfcar(names="H_GW/0af1 O/93cc\n"))
    assert read_field(tmp_path / "ELFCAR").structure.symbols == ("H", "H", "O")


def test_elfcar_without_element_names_is_refused_with_a_remedy(tmp_path):
    (tmp_path / "ELFCAR").write_text(elfcar(names=""))
    with pytest.raises(FormatError, match="insert a line with the element names"):
        read_field(tmp_path / "ELFCAR")


def test_chgcar_in_the_place_of_an_elfcar_is_recognised(tmp_path):
    (tmp_path / "ELFCAR").write_text(elfcar() + "augmentation occupancies   1  15\n 0.1 0.2\n")
    with pytest.raises(FormatError, match="CHGCAR"):
        read_field(tmp_path / "ELFCAR")


def pwscf_xsf(last="0.10000E+00"):
    """A grid as PP/src/xsf.f90 writes it: 2 x 2 x 1 points plus end points, in angstrom, old bohr."""
    return (
        " CRYSTAL\n PRIMVEC\n    3.000000000    0.000000000    0.000000000\n    0.400000000    4.000000000    0.0\n"
        "    0.000000000    0.500000000    5.000000000\n PRIMCOORD\n           1           1\n"
        "H         0.100000000    0.200000000    0.300000000\n"
        "BEGIN_BLOCK_DATAGRID_3D\n3D_PWSCF\nDATAGRID_3D_UNKNOWN\n           3           3           2\n"
        "  0.000000  0.000000  0.000000\n  3.000001  0.000000  0.000000\n  0.400000  4.000000  0.000000\n"
        "  0.000000  0.500000  5.000000\n"
        + "  0.10000E+00  0.20000E+00  0.10000E+00  0.30000E+00  0.40000E+00  0.30000E+00\n"
        + "  0.10000E+00  0.20000E+00  0.10000E+00  0.10000E+00  0.20000E+00  0.10000E+00\n"
        + f"  0.30000E+00  0.40000E+00  0.30000E+00  0.10000E+00  0.20000E+00  {last}\n"
        + "END_DATAGRID_3D\nEND_BLOCK_DATAGRID_3D\n"
    )


def test_general_grid_of_quantum_espresso_loses_its_end_points(tmp_path):
    (tmp_path / "elf.xsf").write_text(pwscf_xsf())
    file = read_field(tmp_path / "elf.xsf")
    np.testing.assert_allclose(file.field.values[:, :, 0], [[0.1, 0.3], [0.2, 0.4]])
    assert file.provenance.code == "Quantum ESPRESSO"
    np.testing.assert_allclose(file.structure.positions[0] * BOHR_ANGSTROM, [0.1, 0.2, 0.3])


def test_grid_whose_end_points_are_not_periodic_is_refused(tmp_path):
    (tmp_path / "elf.xsf").write_text(pwscf_xsf(last="0.90000E+00"))
    with pytest.raises(FormatError, match="first and the last grid plane"):
        read_field(tmp_path / "elf.xsf")


def test_grid_on_a_part_of_the_cell_is_refused(tmp_path):
    (tmp_path / "elf.xsf").write_text(pwscf_xsf().replace("  3.000001  0.0", "  1.500000  0.0"))
    with pytest.raises(FormatError, match="whole primitive cell"):
        read_field(tmp_path / "elf.xsf")


def test_xsf_without_a_grid_is_a_structure(tmp_path):
    (tmp_path / "atoms.xsf").write_text(pwscf_xsf().split("BEGIN_BLOCK")[0])
    assert not is_field_file(tmp_path / "atoms.xsf")
    assert read_structure(tmp_path / "atoms.xsf").symbols == ("H",)
    with pytest.raises(FormatError, match="DATAGRID_3D"):
        read_field(tmp_path / "atoms.xsf")
