"""Broken files and broken disks give an error that says what to do, and never a number or half a file."""

import errno
import os
import re

import numpy as np
import pytest

from jovium.base import files
from jovium.base.errors import FormatError, InputError, OutputError, StructureError
from jovium.base.grid import GridField
from jovium.formats.fields import is_field_file, read_field, write_field
from jovium.formats.structures import read_structure, write_structure

NAMES = ("field.cube", "ELFCAR", "field.xsf")


@pytest.fixture(params=NAMES)
def path(request, tmp_path, molecule, field):
    """A good file of each format."""
    written = tmp_path / request.param
    write_field(written, molecule, field)
    return written


def test_truncated_file_is_refused(path):
    text = path.read_text()
    path.write_text(text[: int(len(text) * 0.8)])
    with pytest.raises(FormatError, match="truncated"):
        read_field(path)


@pytest.mark.parametrize("n_lines", [1, 2, 4, 6, 8])
def test_file_cut_in_its_header_is_refused(path, n_lines):
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:n_lines]))
    with pytest.raises(FormatError):
        read_field(path)


def test_surplus_values_are_refused(path):
    lines = path.read_text().splitlines(keepends=True)
    at = -3 if path.suffix == ".xsf" else -1
    path.write_text("".join([*lines[:at], lines[at], "0.5 0.5\n", *lines[len(lines) + at + 1 :]]))
    with pytest.raises(FormatError, match="values"):
        read_field(path)


@pytest.mark.parametrize(("token", "message"), [("NaN", "1 grid values that are NaN"), ("*****", r"'\*\*\*\*\*'")])
def test_value_that_is_no_number_is_refused(path, token, message):
    lines = path.read_text().splitlines(keepends=True)
    at = -6  # inside the values of every format
    first = lines[at].split()[-1]
    lines[at] = lines[at].replace(first, token, 1)
    path.write_text("".join(lines))
    with pytest.raises(FormatError, match=message):
        read_field(path)


def test_wrong_number_of_atoms_is_refused(path):
    text = path.read_text()
    old, new = {".cube": ("     3  ", "     4  "), ".xsf": ("\n3 1\n", "\n5 1\n")}.get(
        path.suffix, ("     1     1     1", "     1     1     2")
    )
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(FormatError):
        read_field(path)


@pytest.mark.parametrize("name", [*NAMES, "POSCAR", "unknown.dat"])
@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is empty"), (b"  \n\n", "is empty"), (bytes(range(256)) * 9, "binary"), (None, "no file")],
)
def test_missing_empty_and_binary_files_are_refused(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    for read in (read_field, read_structure):
        with pytest.raises(FormatError, match=message):
            read(tmp_path / name)


@pytest.mark.parametrize("name", NAMES)
def test_directory_is_not_a_file(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(FormatError, match="not a file"):
        read_field(tmp_path / name)


@pytest.mark.parametrize("name", [*NAMES, "prose.txt"])
def test_prose_is_no_field(tmp_path, name):
    (tmp_path / name).write_text("Dear all,\nplease find attached\nthe ELF of phase III.\n" * 9)
    with pytest.raises(FormatError):
        read_field(tmp_path / name)
    assert is_field_file(tmp_path / name) == (name in ("ELFCAR", "field.cube"))


def test_damaged_cube_is_never_read_as_its_atoms(tmp_path, molecule, field):
    """A cube with one negative grid count would otherwise go to ASE, which reads the atoms and drops the field."""
    for name in ("elf.cube", "elf.CUB"):
        write_field(tmp_path / name, molecule, field)
        (tmp_path / name).write_text(re.sub(r"(?m)^     7 ", "    -7 ", (tmp_path / name).read_text(), count=1))
        assert is_field_file(tmp_path / name)
        with pytest.raises(FormatError, match="grid counts"):
            read_structure(tmp_path / name)


@pytest.mark.parametrize("broken", ["BEGIN_DATAGRID_2D_x", "BEGIN_DATAGRID3D"])
def test_damaged_xsf_grid_is_never_read_as_its_atoms(tmp_path, molecule, field, broken):
    write_field(tmp_path / "elf.xsf", molecule, field)
    text = (tmp_path / "elf.xsf").read_text().replace("BLOCK_DATAGRID_3D", "BLOCK_DATAGRID")
    (tmp_path / "elf.xsf").write_text(text.replace("DATAGRID_3D", "DATAGRID3D").replace("BEGIN_DATAGRID3D", broken))
    assert is_field_file(tmp_path / "elf.xsf")
    with pytest.raises(FormatError, match="no DATAGRID_3D"):
        read_structure(tmp_path / "elf.xsf")


def test_unknown_output_suffix_is_refused(tmp_path, molecule, field):
    with pytest.raises(FormatError, match=r"ends in \.cube"):
        write_field(tmp_path / "elf.vtk", molecule, field)
    with pytest.raises(FormatError, match=r"\.extxyz"):
        write_structure(tmp_path / "atoms.docx", molecule)


def test_field_of_another_cell_is_refused(tmp_path, molecule, odd_cell):
    with pytest.raises(InputError, match="different cells"):
        write_field(tmp_path / "x.cube", molecule, GridField(np.ones((2, 2, 2)), odd_cell.supercell((1, 1, 2))))


def test_full_disk_leaves_the_old_file_and_no_litter(path, molecule, field, monkeypatch):
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device"):
        write_field(path, molecule, GridField(field.values / 2, field.cell))
    assert path.read_bytes() == before
    assert [child.name for child in path.parent.iterdir()] == [path.name]


def test_interrupted_write_leaves_the_old_file_and_no_litter(path, molecule, field, monkeypatch):
    before = path.read_bytes()

    def interrupted(flat, per_line):
        yield "0.5\n"
        raise KeyboardInterrupt

    for module in ("cube", "elfcar", "xsf"):
        monkeypatch.setattr(f"jovium.formats.{module}.value_lines", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_field(path, molecule, field)
    assert path.read_bytes() == before
    assert [child.name for child in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("name", NAMES)
def test_missing_folder_is_an_output_error(tmp_path, molecule, field, name):
    with pytest.raises(OutputError, match="No such file or directory"):
        write_field(tmp_path / "nowhere" / name, molecule, field)


def test_missing_folder_for_a_structure_is_an_output_error(tmp_path, molecule):
    with pytest.raises(OutputError, match="No such file or directory"):
        write_structure(tmp_path / "nowhere" / "POSCAR", molecule)


def test_directory_in_the_place_of_the_output_is_an_output_error(tmp_path, molecule, field):
    (tmp_path / "elf.cube").mkdir()
    with pytest.raises(OutputError, match="is a directory"):
        write_field(tmp_path / "elf.cube", molecule, field)


def test_structure_without_a_cell_names_its_file(tmp_path):
    (tmp_path / "h2.xyz").write_text("2\nmolecule\nH 0 0 0\nH 0 0 0.74\n")
    with pytest.raises(StructureError, match=r"h2\.xyz: a structure with 0 lattice vectors"):
        read_structure(tmp_path / "h2.xyz")


def test_unknown_element_is_a_format_error(tmp_path, path):
    if path.suffix == ".cube":
        path.write_text(path.read_text().replace("     8    8.000000", "   208    8.000000"))
        with pytest.raises(FormatError, match="atomic number 208"):
            read_field(path)
