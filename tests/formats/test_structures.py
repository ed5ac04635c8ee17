"""Structures through ASE: what is written is read back, trajectories by slice, disorder refused."""

import re

import ase.io
import numpy as np
import pytest

from jovium.base.errors import FormatError
from jovium.formats.structures import read_structure, read_structures, write_structure

ORIENTED = ("POSCAR", "CONTCAR", "h.vasp", "h.extxyz", "h.xyz", "h.xsf")
METRIC = ("h.cif", "h.res")
"""Formats of cell lengths and angles: the crystal comes back rotated."""


@pytest.mark.parametrize("name", ORIENTED)
def test_structure_comes_back_as_it_was_written(tmp_path, molecule, name):
    write_structure(tmp_path / name, molecule)
    back = read_structure(tmp_path / name)
    np.testing.assert_allclose(back.cell.vectors, molecule.cell.vectors, atol=1e-7)
    np.testing.assert_allclose(back.positions, molecule.positions, atol=1e-7)
    assert back.symbols == ("H", "O", "H")


@pytest.mark.parametrize("name", [*ORIENTED, *METRIC])
def test_every_format_keeps_volume_and_distances(tmp_path, molecule, name):
    write_structure(tmp_path / name, molecule)
    back = read_structure(tmp_path / name)
    assert back.rs == pytest.approx(molecule.rs, rel=1e-5)
    assert sorted(back.symbols) == ["H", "H", "O"]

    def sides(structure):
        pairs = structure.positions[[0, 0, 1]] - structure.positions[[1, 2, 2]]
        return np.sort(np.linalg.norm(structure.cell.minimum_image(pairs), axis=1))

    np.testing.assert_allclose(sides(back), sides(molecule), atol=2e-4)


def trajectory(path, structure):
    ase.io.write(path, [structure.at_rs(rs).to_ase() for rs in (1.2, 1.3, 1.4, 1.5)])


def test_trajectory_is_read_by_slice(tmp_path, odd_structure):
    trajectory(tmp_path / "md.extxyz", odd_structure)
    assert [s.rs for s in read_structures(tmp_path / "md.extxyz")] == pytest.approx([1.2, 1.3, 1.4, 1.5])
    assert [s.rs for s in read_structures(tmp_path / "md.extxyz", "1::2")] == pytest.approx([1.3, 1.5])
    assert read_structure(tmp_path / "md.extxyz").rs == pytest.approx(1.5)
    assert read_structure(tmp_path / "md.extxyz", 0).rs == pytest.approx(1.2)


@pytest.mark.parametrize("index", ["9", "7:", "first"])
def test_index_beyond_the_trajectory_is_refused(tmp_path, odd_structure, index):
    trajectory(tmp_path / "md.extxyz", odd_structure)
    with pytest.raises(FormatError, match=r"md\.extxyz"):
        read_structures(tmp_path / "md.extxyz", index)


@pytest.mark.parametrize(("name", "expected"), [("POSCAR", "a complete POSCAR"), ("h.gen", "ASE knows")])
def test_garbage_structure_names_the_file_and_the_format(tmp_path, name, expected):
    (tmp_path / name).write_text("nothing\nto see\nhere\n")
    with pytest.raises(FormatError, match=rf"{name}.*\n.*{expected}"):
        read_structure(tmp_path / name)


def test_partly_occupied_sites_are_refused(tmp_path):
    (tmp_path / "half.cif").write_text(
        "data_half\n_cell_length_a 3\n_cell_length_b 4\n_cell_length_c 5\n_cell_angle_alpha 90\n"
        "_cell_angle_beta 90\n_cell_angle_gamma 90\n_symmetry_space_group_name_H-M 'P 1'\nloop_\n_atom_site_label\n"
        "_atom_site_type_symbol\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n_atom_site_occupancy\n"
        "H1 H 0 0 0 0.5\nO1 O 0.5 0.5 0.5 1.0\n"
    )
    with pytest.raises(FormatError, match="partly occupied"):
        read_structure(tmp_path / "half.cif")


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_occupations_of_a_pdb_file_are_looked_at(tmp_path, molecule, share):
    atoms = molecule.to_ase()
    atoms.set_array("occupancy", np.array([1.0, share, 1.0]))
    ase.io.write(tmp_path / "x.pdb", atoms)
    if share == 1:
        assert read_structure(tmp_path / "x.pdb").n_atoms == 3
        return
    with pytest.raises(FormatError, match="partly occupied"):
        read_structure(tmp_path / "x.pdb")


@pytest.mark.parametrize("name", ["h.xsf", "h.gen"])
def test_isotopes_are_read_in_every_format(tmp_path, molecule, name):
    write_structure(tmp_path / name, molecule)
    text = (tmp_path / name).read_text()
    isotopes = re.sub(r"\n +1 (?= *\d+\.)" if name == "h.xsf" else "H ", "\nD " if name == "h.xsf" else "D ", text)
    assert isotopes != text
    (tmp_path / name).write_text(isotopes)
    assert len(read_structure(tmp_path / name).hydrogens) == 2
