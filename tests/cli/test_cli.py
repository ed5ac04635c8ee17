"""The command line as a stranger meets it: help, results, errors, exit codes."""

import json
import subprocess
import sys

import numpy as np
import pytest

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


@pytest.fixture
def field_file(tmp_path, odd_structure):
    """An ELF-like field in the odd cell: a bump on every atom."""
    field = GridField(np.zeros((18, 20, 24)), odd_structure.cell)
    points = field.points()
    values = np.zeros(field.shape)
    for atom in odd_structure.positions:
        displacements = odd_structure.cell.minimum_image(points - atom)
        values += np.exp(-np.sum(displacements**2, axis=-1) / 4)
    path = tmp_path / "bumps.cube"
    write_field(path, odd_structure, GridField(values / values.max(), odd_structure.cell))
    return path


def output(capsys, *arguments):
    code = main([str(a) for a in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


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


def test_analyse_a_field_prints_one_json_object(field_file, capsys, tmp_path):
    code, out, _ = output(capsys, "analyse", field_file, "--json", "--out", tmp_path / "out")
    facts = json.loads(out)
    assert code == 0
    assert set(facts) >= KEYS
    assert facts["n_atoms"] == 5
    assert facts["grid_shape"] == [18, 20, 24]
    assert facts["critical_points"]["morse_sum"] == 0
    assert facts["phi_1d"] >= facts["phi_2d"] >= facts["phi_3d"]
    assert json.loads((tmp_path / "out" / "analysis.json").read_text()) == facts
    assert (tmp_path / "out" / "page.html").stat().st_size > 500_000


def test_analyse_a_structure_asks_the_network(tmp_path, capsys):
    """Every threshold lies inside its interval; nothing stands beside the prediction."""
    write_structure(tmp_path / "fluid.vasp", crystal("cs-iv", 1.3).supercell((2, 2, 2)))
    code, out, _ = output(capsys, "analyse", tmp_path / "fluid.vasp", "--json", "--out", tmp_path / "out")
    facts = json.loads(out)
    assert code == 0
    assert facts["protocol"]["engine"] == "network"
    for name in ("phi_1d", "phi_2d", "phi_3d", "phi_star"):
        low, high = facts["intervals"][name]
        assert low <= facts[name] <= high
    page = (tmp_path / "out" / "page.html").read_text()
    assert 'id="prediction-rows"' in page
    assert 'id="comparison"' not in page


def test_prediction_beside_first_principles(tmp_path, capsys):
    path = tmp_path / "cs-iv.vasp"
    write_structure(path, crystal("cs-iv", 1.3))
    cheap = ["--compare", "--protocol", "cheap", "--out", tmp_path / "out"]
    code, out, _ = output(capsys, "analyse", path, "--json", *cheap)
    facts = json.loads(out)
    assert code == 0
    assert facts["computed"]["protocol"]["cutoff_hartree"] == 20
    assert facts["computed"]["grid_shape"] == facts["grid_shape"]
    assert 0 < facts["errors"]["mae"] <= facts["errors"]["rmse"] <= facts["errors"]["largest"]
    assert 'id="comparison"' in (tmp_path / "out" / "page.html").read_text()
    assert output(capsys, "analyse", path, "--no-files", *cheap[:3])[1].count("computed") == 4


def test_analyse_a_structure_runs_the_engine(tmp_path, capsys):
    path = tmp_path / "cs-iv.vasp"
    write_structure(path, crystal("cs-iv", 1.3))
    cheap = ["--engine", "dft", "--protocol", "cheap", "--cutoff", 15, "--electronic-kelvin", 2000]
    code, out, err = output(capsys, "analyse", path, "--json", "--no-files", *cheap)
    facts = json.loads(out)
    assert code == 0
    assert facts["protocol"]["cutoff_hartree"] == 15
    assert facts["protocol"]["electronic_temperature_kelvin"] == pytest.approx(2000)
    assert 0.55 < facts["phi_3d"] <= facts["phi_star"] < 0.75
    assert "computing the electrons of 2 atoms" in err or err == ""
    assert list(tmp_path.iterdir()) == [path]


def test_human_table_names_phi_and_tc(field_file, capsys, tmp_path):
    code, out, _ = output(capsys, "analyse", field_file, "--out", tmp_path / "out")
    assert code == 0
    for text in ("phi_3d", "networking value", "Morse sum 0", "Tc SR4", "page"):
        assert text in out


def test_second_run_replaces_the_results_of_the_first(field_file, capsys, tmp_path):
    for _ in range(2):
        assert output(capsys, "analyse", field_file, "--out", tmp_path / "out")[0] == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["analysis.json", "elf.cube", "page.html"]


def test_every_option_of_the_engine_reaches_the_protocol():
    from jovium.cli.analyse import read_settings
    from jovium.cli.main import parser

    plain = read_settings(parser().parse_args(["analyse", "x"]))
    for arguments in (
        ["--engine", "pyscf"],
        ["--engine", "dft"],
        ["--compare"],
        ["--protocol", "cheap"],
        ["--functional", "LDA"],
        ["--cutoff", "33"],
        ["--k-mesh", "2", "3", "4"],
        ["--electronic-kelvin", "5000"],
        ["--spacing", "0.2"],
        ["--grid", "20", "24", "30"],
        ["--elf-convention", "qe"],
        ["--persistence", "0.1"],
        ["--h-dos", "0.5"],
        ["--dos-file", "dos.txt"],
        ["--fermi", "3.0"],
    ):
        assert read_settings(parser().parse_args(["analyse", "x", *arguments])) != plain, arguments


def test_options_in_angstrom_and_kelvin_reach_the_engine_in_atomic_units():
    from jovium.base.units import BOHR_ANGSTROM, kelvin_to_hartree
    from jovium.cli.analyse import read_settings
    from jovium.cli.main import parser

    asked = read_settings(parser().parse_args(["analyse", "x", "--spacing", "0.2", "--electronic-kelvin", "4000"]))
    assert asked.spacing == pytest.approx(0.2 / BOHR_ANGSTROM)
    assert asked.protocol.electronic_kT == pytest.approx(kelvin_to_hartree(4000))


def test_tc_of_a_hydride_uses_its_share_of_hydrogen(field_file, capsys, tmp_path, odd_structure):
    """Two of five atoms are hydrogen: every fit gets H_f = 0.4."""
    from jovium.superconductivity.fits import critical_temperatures

    field = read_field(field_file).field
    hydride = Structure(odd_structure.cell, odd_structure.positions, ("La", "H", "Y", "Ca", "H"))
    write_field(tmp_path / "hydride.cube", hydride, field)
    _, out, _ = output(capsys, "analyse", tmp_path / "hydride.cube", "--json", "--no-files", "--h-dos", 0.6)
    facts = json.loads(out)
    expected = critical_temperatures(facts["phi_3d"], facts["phi_star"], 0.4, 0.6)
    assert facts["tc_kelvin"] == pytest.approx({e.name: e.kelvin for e in expected})
    states = tmp_path / "states[1].dat"
    states.write_text("# energy_eV total hydrogen\n-1 5 1\n1 5 3\n")
    command = ["analyse", tmp_path / "hydride.cube", "--no-files", "--dos-file", states, "--fermi", 0.5]
    _, out, _ = output(capsys, *command, "--json")
    facts = json.loads(out)
    details = {"source": "states[1].dat", "fermi_energy_ev": 0.5, "total_at_fermi": 5.0}
    assert (facts["hydrogen_dos"], facts["hydrogen_dos_details"]) == (pytest.approx(0.5), details)
    row = next(line for line in output(capsys, *command)[1].splitlines() if "H_DOS" in line)
    assert "0.5000" in row
    assert "states[1].dat" in row


def test_a_dos_file_that_cannot_be_used_is_refused_before_the_elf_is_made(tmp_path, capsys, odd_structure, monkeypatch):
    hydride = Structure(odd_structure.cell, odd_structure.positions, ("La", "H", "Y", "Ca", "H"))
    write_structure(tmp_path / "hydride.vasp", hydride)
    (tmp_path / "states.dat").write_text("-1 0.1\n1 0.2\n")
    monkeypatch.setattr("jovium.workflows.analyse.compute_elf", lambda *_: pytest.fail("computed"))
    command = ["analyse", tmp_path / "hydride.vasp", "--engine", "dft", "--dos-file", tmp_path / "states.dat"]
    code, _, err = output(capsys, *command, "--fermi", 0)
    assert code == 2
    assert "2 columns without names" in err


def test_an_insulator_gets_no_tc(tmp_path, capsys):
    """Molecular hydrogen has a gap: no states at the Fermi level, no superconductor."""
    write_structure(tmp_path / "h2.vasp", crystal("hcp-h2", 2.2))
    cheap = ["--engine", "dft", "--protocol", "cheap", "--no-files"]
    _, out, _ = output(capsys, "analyse", tmp_path / "h2.vasp", "--json", *cheap)
    facts = json.loads(out)
    assert set(facts["tc_kelvin"].values()) == {None}
    assert any("band gap" in warning for warning in facts["warnings"])


def test_a_field_of_pure_hydrogen_says_that_a_metal_is_assumed(field_file, capsys):
    _, out, _ = output(capsys, "analyse", field_file, "--json", "--no-files")
    assert any("assumes that this hydrogen is a metal" in warning for warning in json.loads(out)["warnings"])


def test_settings_of_the_engine_are_refused_for_a_field(field_file, capsys):
    code, _, err = output(capsys, "analyse", field_file, "--no-files", "--cutoff", 30, "--grid", 20, 20, 20)
    assert code == 2
    assert "--cutoff, --grid" in err


def test_settings_of_a_calculation_are_refused_for_the_network(tmp_path, capsys):
    write_structure(tmp_path / "x.vasp", crystal("bcc", 1.4))
    code, _, err = output(capsys, "analyse", tmp_path / "x.vasp", "--no-files", "--k-mesh", 2, 2, 2)
    assert code == 2
    assert "--engine dft" in err


def test_bad_settings_are_refused_before_the_engine_runs(tmp_path, capsys, monkeypatch):
    write_structure(tmp_path / "x.vasp", crystal("bcc", 1.4))
    monkeypatch.setattr("jovium.workflows.analyse.open_engine", lambda name: pytest.fail("the engine was started"))
    for setting in (["--persistence", -1], ["--h-dos", 2], ["--dos-file", tmp_path / "none"], ["--spacing", 1e-9]):
        assert output(capsys, "analyse", tmp_path / "x.vasp", "--no-files", *setting)[0] == 2


def test_a_terminated_analysis_leaves_no_scratch(tmp_path):
    """SIGTERM, as a batch system sends it: the engine ends and its scratch folder goes."""
    import os
    import signal
    import time

    path = tmp_path / "cs-iv.vasp"
    write_structure(path, crystal("cs-iv", 1.3))
    command = [sys.executable, "-m", "jovium.cli.main", "analyse", str(path), "--no-files", "--engine", "dft"]
    process = subprocess.Popen(command, env={**os.environ, "TMPDIR": str(tmp_path)}, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("jovium-espresso-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 128 + signal.SIGTERM
    assert not list(tmp_path.glob("jovium-espresso-*"))


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


def hydride(path):
    cell = Cell(np.eye(3) * 6.0)
    write_structure(path, Structure(cell, np.array([[0.0, 0, 0], [3, 3, 3]]), ("La", "H")))


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
        ("x.vasp", hydride, 2, "a structure with La"),
        ("x.vasp", overlapping, 2, "angstrom apart"),
        ("x.vasp", nan_positions, 2, "finite"),
        ("x.xyz", molecule_without_cell, 2, "three lattice vectors"),
        ("x.vasp", lambda path: path.write_text("garbage"), 2, "expected"),
        ("x.cube", lambda path: path.write_text("two\nlines\n"), 2, "expected"),
        ("x.xsf", lambda path: path.write_bytes(bytes(range(256))), 2, "expected"),
        ("missing.vasp", lambda path: None, 2, "no file"),
    ],
    ids=["hydride", "overlap", "nan", "no-cell", "garbage", "truncated-cube", "binary", "missing"],
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
