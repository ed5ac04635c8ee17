"""`jovium electrons` as a user meets it."""

import json
from pathlib import Path

import pytest

from jovium.cli.main import main, parser
from jovium.electrons.settings import ElectronSettings
from jovium.training.run_folder import read_settings
from jovium.training.settings import settings_from

TINY = ["--walkers", "32", "--mc-steps", "2", "--features", "8", "--backflow-channels", "2", "--determinants", "1"]


def test_an_atom_from_training_to_its_energy(tmp_path, capsys):
    run = tmp_path / "atom"
    command = ["electrons", "train", str(run), "h", "--steps", "4", "--report-every", "2", *TINY]
    assert main([*command, "--json"]) == 0
    reports = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [report["step"] for report in reports] == [2, 4]
    assert (run / "training.png").stat().st_size > 1000
    assert main(["electrons", "measure", str(run), "--steps", "4", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["E_Ha"]["value"] == pytest.approx(-0.5, abs=1e-3)
    assert {"K_Ha_per_atom", "V_ep_Ha_per_atom", "variance_Ha2", "acceptance", "r_hat"} <= found.keys()
    assert main(["electrons", "measure", str(run), "--steps", "4"]) == 0
    assert "E_Ha" in capsys.readouterr().out
    assert main(command) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "all steps asked for are done" in said.err


def test_a_dry_run_trains_nothing(tmp_path, capsys):
    run = tmp_path / "run"
    assert main(["electrons", "train", str(run), "h", "--dry-run", *TINY]) == 0
    assert {"parameters", "memory_mb", "seconds_per_step", "minutes"} <= json.loads(capsys.readouterr().out).keys()
    assert not run.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "RUN", "h3"], "is no system"),
        (["train", "RUN", "h2:1.4", "--twist", "0.5", "0", "0"], "twists only in a periodic cell"),
        (["train", "RUN", "h2:1.4", "--learning-rate", "-1"], "learning_rate -1"),
        (["measure", "RUN"], "holds no run"),
    ],
)
def test_errors_say_what_to_do(tmp_path, capsys, arguments, message):
    assert main(["electrons", *(str(tmp_path / "run") if a == "RUN" else a for a in arguments)]) != 0
    told = capsys.readouterr().err
    assert message in told
    assert "do:" in told


SHIPPED = Path(__file__).parents[2] / "data" / "electrons"


@pytest.mark.parametrize("name", sorted(path.name for path in SHIPPED.iterdir()))
def test_shipped_runs_are_what_the_table_of_energies_trains(name, monkeypatch):
    """`python benchmarks/electron_energies.py NAME` measures them, and trains the same ones anew in another folder."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    from electron_energies import CASES

    options = parser().parse_args(["electrons", "train", "run", *CASES[name].arguments.split()])
    assert settings_from(options, ElectronSettings, structure=options.structure) == read_settings(
        SHIPPED / name, ElectronSettings
    )
