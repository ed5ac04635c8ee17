"""`jovium analyse` as a stranger meets it: results, Tc, and settings that are refused."""

import json
import subprocess
import sys

import pytest
from printed import output

from jovium.base.structure import Structure
from jovium.crystals import crystal
from jovium.formats.fields import read_field, write_field
from jovium.formats.structures import write_structure

KEYS = {"phi_1d", "phi_2d", "phi_3d", "phi_star", "critical_points", "tc_kelvin", "protocol", "n_atoms", "grid_shape"}


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


def test_table_of_a_hydride_tells_how_near_the_path_comes_to_each_nucleus(field_file, capsys, tmp_path, odd_structure):
    hydride = Structure(odd_structure.cell, odd_structure.positions, ("La", "H", "Y", "Ca", "H"))
    write_field(tmp_path / "hydride.cube", hydride, read_field(field_file).field)
    command = ["analyse", tmp_path / "hydride.cube", "--no-files"]
    near = json.loads(output(capsys, *command, "--json")[1])["network_path"]["approaches"]
    assert [each["atom"] for each in near] == ["La 1", "Y 3", "Ca 4"]
    lines = output(capsys, *command)[1].splitlines()
    for each in near:
        row = next(line for line in lines if f"path to {each['atom']}" in line)
        assert f"{each['distance_angstrom']:.2f}" in row


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
        ["--yes"],
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
