"""The command line as a stranger meets it: help, results, errors, exit codes."""

import json
import subprocess
import sys

import numpy as np
import pytest
from printed import output

from jovium import __version__
from jovium.base.cell import Cell
from jovium.base.grid import GridField
from jovium.base.localization import QE_PREFACTOR, chi_from_elf, elf_from_chi
from jovium.base.structure import Structure
from jovium.cli.main import COMMANDS, main
from jovium.crystals import crystal
from jovium.formats.fields import read_field, write_field
from jovium.formats.structures import read_structure, write_structure

KEYS = {"phi_1d", "phi_2d", "phi_3d", "phi_star", "critical_points", "tc_kelvin", "protocol", "n_atoms", "grid_shape"}


def test_version_and_help_cost_under_half_a_second_of_processor_time():
    import os

    before = os.times()
    text = subprocess.run([sys.executable, "-m", "jovium.cli.main", "--help"], capture_output=True, text=True).stdout
    after = os.times()
    assert "examples:" in text
    assert all(name in text for name in COMMANDS)
    used = after.children_user + after.children_system - before.children_user - before.children_system
    assert used < 0.5
    version = subprocess.run([sys.executable, "-m", "jovium.cli.main", "--version"], capture_output=True, text=True)
    assert version.stdout.strip() == f"jovium {__version__}"


def test_help_imports_no_engine_and_no_array_library():
    heavy = "('jax', 'qepy', 'pyscf', 'numba', 'numpy')"
    code = f"import sys, jovium.cli.main; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name, capsys):
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    assert len(capsys.readouterr().out) > 100


def test_no_command_prints_help_and_fails(capsys):
    code, out, _ = output(capsys)
    assert code == 2
    assert "commands:" in out


def test_shell_completion_is_printed(capsys):
    code, out, _ = output(capsys, "--print-completion", "bash")
    assert code == 0
    assert "jovium" in out


def test_convert_field_formats_and_back(field_file, capsys, tmp_path):
    for name in ("a.xsf", "ELFCAR", "b.cube"):
        assert output(capsys, "convert", field_file, tmp_path / name)[0] == 0
        first, second = read_field(field_file).field, read_field(tmp_path / name).field
        assert second.values == pytest.approx(first.values, abs=1e-7)
        assert second.cell.vectors == pytest.approx(first.cell.vectors, abs=1e-5)


def test_convert_resamples(field_file, capsys, tmp_path):
    assert output(capsys, "convert", field_file, tmp_path / "fine.cube", "--grid", 36, 40, 48)[0] == 0
    fine, coarse = read_field(tmp_path / "fine.cube").field, read_field(field_file).field
    assert fine.shape == (36, 40, 48)
    assert fine.values[::2, ::2, ::2] == pytest.approx(coarse.values, abs=1e-6)


def test_convert_structures(field_file, capsys, tmp_path, odd_structure):
    assert output(capsys, "convert", field_file, tmp_path / "POSCAR")[0] == 0
    assert read_structure(tmp_path / "POSCAR").n_atoms == 5


def test_qe_convention_changes_the_field(field_file, capsys, tmp_path, odd_structure):
    """--elf-convention qe multiplies chi by 2^(2/3); phi moves accordingly."""
    true = read_field(field_file).field
    wrong = GridField(elf_from_chi(chi_from_elf(np.maximum(true.values, 1e-6)) / QE_PREFACTOR), true.cell)
    path = tmp_path / "qe.cube"
    write_field(path, odd_structure, wrong)
    results = {}
    for convention in ("true", "qe"):
        _, out, _ = output(capsys, "analyse", path, "--json", "--no-files", "--elf-convention", convention)
        results[convention] = json.loads(out)
    _, out, _ = output(capsys, "analyse", field_file, "--json", "--no-files")
    assert results["qe"]["phi_3d"] == pytest.approx(json.loads(out)["phi_3d"], abs=1e-4)
    assert results["true"]["phi_3d"] > results["qe"]["phi_3d"] + 0.01
    assert results["qe"]["protocol"]["elf_correction"] == "applied"


def test_crystal_lists_and_writes(capsys, tmp_path):
    code, out, _ = output(capsys, "crystal")
    assert code == 0
    assert "cs-iv" in out
    assert output(capsys, "crystal", "bcc", "--rs", 1.31, "--out", tmp_path / "new" / "bcc.cif")[0] == 0
    assert read_structure(tmp_path / "new" / "bcc.cif").rs == pytest.approx(1.31, abs=1e-4)


def test_doctor_knows_its_packages(capsys):
    code, out, _ = output(capsys, "doctor", "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["jovium"] == __version__
    assert facts["numpy"]


def test_doctor_computes_a_molecule_and_judges_it(capsys, monkeypatch):
    code, out, _ = output(capsys, "doctor", "--run", "--json")
    assert code == 0
    assert json.loads(out)["h2_energy_hartree"] == pytest.approx(-1.155, abs=0.005)
    monkeypatch.setattr("jovium.cli.doctor.hydrogen_molecule_energy", lambda: -1.0)
    code, _, err = output(capsys, "doctor", "--run")
    assert code == 3
    assert "reinstall" in err


def test_cite_names_the_sources(capsys):
    code, out, _ = output(capsys, "cite")
    assert code == 0
    assert "10.1063/1.458517" in out


def uranium_hydride(path):
    cell = Cell(np.eye(3) * 6.0)
    write_structure(path, Structure(cell, np.array([[0.0, 0, 0], [3, 3, 3]]), ("U", "H")))


def overlapping(path):
    cell = Cell(np.eye(3) * 6.0)
    write_structure(path, Structure(cell, np.array([[0.0, 0, 0], [0.1, 0, 0]]), ("H", "H")))


def nan_positions(path):
    path.write_text("H\n1.0\n3 0 0\n0 3 0\n0 0 3\nH\n1\nDirect\nnan 0 0\n")


def molecule_without_cell(path):
    path.write_text("2\n\nH 0 0 0\nH 0 0 0.74\n")


@pytest.mark.parametrize(
    ("name", "write", "code", "message"),
    [
        ("x.vasp", uranium_hydride, 2, "U"),
        ("x.vasp", overlapping, 2, "angstrom apart"),
        ("x.vasp", nan_positions, 2, "finite"),
        ("x.xyz", molecule_without_cell, 2, "three lattice vectors"),
        ("x.vasp", lambda path: path.write_text("garbage"), 2, "expected"),
        ("x.cube", lambda path: path.write_text("two\nlines\n"), 2, "expected"),
        ("x.xsf", lambda path: path.write_bytes(bytes(range(256))), 2, "expected"),
        ("missing.vasp", lambda path: None, 2, "no file"),
    ],
    ids=["uranium", "overlap", "nan", "no-cell", "garbage", "truncated-cube", "binary", "missing"],
)
def test_bad_input_gives_a_message_and_no_number(tmp_path, capsys, name, write, code, message):
    write(tmp_path / name)
    for engine in ("network", "dft"):
        got, out, err = output(capsys, "analyse", tmp_path / name, "--json", "--no-files", "--engine", engine)
        assert got == code
        assert out == ""
        assert message in err
        assert "do:" in err


def test_unwritable_folder_is_an_output_error(field_file, capsys, tmp_path):
    (tmp_path / "taken").write_text("a file where a folder is wanted")
    code, _, err = output(capsys, "analyse", field_file, "--out", tmp_path / "taken")
    assert code == 4
    assert "do:" in err


def test_unknown_option_stops(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["analyse", "x.vasp", "--cutof", "30"])
    assert stop.value.code == 2


@pytest.mark.parametrize("arguments", [["--spacing", "-1"], ["--grid", "2", "2", "2"], ["--cutoff", "-5"]])
def test_impossible_numbers_are_refused(arguments, capsys, tmp_path):
    write_structure(tmp_path / "x.vasp", crystal("bcc", 1.4))
    code, _, err = output(capsys, "analyse", tmp_path / "x.vasp", "--no-files", *arguments)
    assert code == 2
    assert "expected" in err
