"""`jovium protons` as a user meets it."""

import json
import runpy
from pathlib import Path

import pytest
from ase.io import read

from jovium.cli.main import main

ROOT = Path(__file__).parents[2]
SMALL = ["--n-atoms", "2", "--coupling", "2", "--batch-size", "16", "--flow-radial", "5", "--flow-channels", "1"]
SMALL += [
    "--ode-steps",
    "4",
    "--flow-matching-steps",
    "10",
    "--energy-steps",
    "0",
    "--frames",
    "2",
    "--report-every",
    "5",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A small trained density."""
    folder = tmp_path_factory.mktemp("protons") / "run"
    assert main(["protons", "train", str(folder), *SMALL]) == 0
    return folder


def test_training_prints_a_line_per_report_and_draws(run, capsys):
    assert main(["protons", "train", str(run), *SMALL]) == 0  # done already: nothing left to say
    assert capsys.readouterr().out == ""
    assert {path.name for path in run.iterdir()} >= {
        "config.json",
        "state.safetensors",
        "metrics.jsonl",
        "training.png",
    }


def test_reports_are_json_for_machines(tmp_path, capsys):
    assert main(["protons", "train", str(tmp_path / "run"), *SMALL, "--json"]) == 0
    reports = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [report["step"] for report in reports] == [5, 10]
    assert {"free_energy", "free_energy_error", "effective_fraction", "acceptance", "gradient_norm"} <= reports[
        0
    ].keys()


def test_measuring_prints_both_free_energies(run, capsys):
    assert main(["protons", "measure", str(run), "--samples", "600", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    bound, exact = (record[f"F_excess_kT_per_particle_{way}"] for way in ("variational", "reweighted"))
    assert bound["value"] > exact["value"] - 3 * exact["error"]
    assert record["samples"] == 600
    assert {"measure.json", "g_of_r.csv", "g_of_r.png"} <= {path.name for path in run.iterdir()}
    assert main(["protons", "measure", str(run), "--samples", "600", "--ais-stages", "2", "--ais-samples", "64"]) == 0
    assert "+-" in capsys.readouterr().out


def test_samples_are_a_trajectory(run, tmp_path, capsys):
    out = tmp_path / "samples.extxyz"
    assert main(["protons", "sample", str(run), str(out), "--samples", "20", "--exact", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 20
    assert len(read(out, ":")) == 20


def test_a_dry_run_says_what_it_would_cost(tmp_path, capsys):
    assert main(["protons", "train", str(tmp_path / "run"), *SMALL, "--dry-run"]) == 0
    settings = json.loads(capsys.readouterr().out)
    assert settings["n_atoms"] == 2
    assert settings["parameters"] > 0
    assert settings["seconds_per_energy_step"] > 0
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "RUN", "--system", "gas"], "one of: ocp, hydrogen"),
        (["train", "RUN", "--n-atoms", "0"], "1 or more"),
        (["train", "RUN", "--n-atoms", "17", "--crystal", "bcc"], "17 particles on a bcc lattice"),
        (["train", "RUN", "--system", "hydrogen", "--n-atoms", "3"], "an even number"),
        (["train", "RUN", "--system", "hydrogen", "--n-atoms", "2"], "jovium reference sample"),
        (["train", "RUN", "--batch-size", "100"], "multiple of 32"),
        (["measure", "RUN"], "holds no run"),
        (["sample", "RUN", "out.extxyz"], "holds no run"),
    ],
)
def test_errors_say_what_to_do(arguments, said, tmp_path, capsys):
    arguments = [str(tmp_path / "run") if word == "RUN" else word for word in arguments]
    assert main(["protons", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "do: " in error


@pytest.mark.slow
def test_the_tutorial_learns_the_swiss_roll(tmp_path):
    """A minute of it is enough to beat the Gaussian it begins with (-E[ln p] = 2.6)."""
    tutorial = runpy.run_path(str(ROOT / "examples" / "swiss_roll.py"))
    assert tutorial["main"](tmp_path / "roll.png", 200) < 2.2
    assert (tmp_path / "roll.png").stat().st_size > 10_000
