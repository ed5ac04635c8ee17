"""What `jovium elf evaluate` prints is what the fields say."""

import json
from pathlib import Path

import numpy as np
import pytest
from known_labels import KNOWN, ClosedForm, candidates

from jovium.base.errors import InputError
from jovium.cli.main import main
from jovium.elf.metrics import accuracy
from jovium.elf.model import Domain, ElfModel
from jovium.elf.samples import read_samples
from jovium.elf.settings import ElfSettings
from jovium.elf.step import untrained_network
from jovium.formats.fields import read_field
from jovium.formats.structures import write_structure
from jovium.labels.labelling import label
from jovium.labels.packed import pack
from jovium.labels.record import Candidate
from jovium.workflows.elf_accuracy import LabelTopology, evaluate, summarise


def test_errors_are_those_of_their_definitions():
    rng = np.random.default_rng(0)
    true, error = rng.random((2, 5, 6, 7)), 0.1 * rng.normal(size=(2, 5, 6, 7))
    found = accuracy((t + e, t) for t, e in zip(true, error, strict=True))
    assert found.n_structures == 2
    assert found.rmse == pytest.approx(np.sqrt(np.mean(error**2)))
    assert found.mae == pytest.approx(np.mean(np.abs(error)))
    assert found.r2 == pytest.approx(1 - np.mean(error**2) / np.var(true))


@pytest.fixture
def labelled(tmp_path, odd_structure):
    path = tmp_path / "labels.h5"
    several = [*candidates(4), *candidates(2, "validation", "b", 5), *candidates(2, "test", "c", 7)]
    denser = odd_structure.at_rs(
        2.6 / odd_structure.largest_void() * odd_structure.rs
    )  # no larger void than in training
    several.append(Candidate(denser, "test-crystal", "odd"))
    label(several, path, KNOWN, open_engine=ClosedForm)
    return path


def test_perfect_and_shifted_predictions(labelled):
    samples = read_samples([labelled])
    truths = [LabelTopology.from_sample(sample) for sample in samples]
    perfect = summarise(list(evaluate(truths, lambda sample: sample.elf)))
    assert (perfect["rmse"], perfect["r2"]) == (0.0, 1.0)
    assert perfect["phi_3d"]["max_abs_error"] == 0.0
    assert perfect["all_crystals"]["critical_point_recall"] == 1.0
    assert max(perfect["crystals"][0]["threshold_errors"].values()) == 0.0
    shifted = summarise(list(evaluate(truths, lambda sample: 0.9 * sample.elf)))
    assert [row["group"] for row in shifted["by_state"]] == ["a", "b", "c"]
    assert [row["group"] for row in shifted["crystals"]] == ["odd"]
    truth = np.concatenate([s.elf.ravel() for s in samples if np.isfinite(s.kelvin)])
    assert shifted["rmse"] == pytest.approx(0.1 * np.sqrt(np.mean(truth**2)), rel=1e-5)
    assert shifted["n_structures"] == 8


@pytest.mark.slow
def test_commands_train_and_judge(labelled, tmp_path, capsys):
    folder, run = tmp_path / "packed", str(tmp_path / "run")
    folder.mkdir()
    pack(labelled, folder)
    small = [
        "--steps",
        "6",
        "--report-every",
        "3",
        "--field-channels",
        "2",
        "--hidden-width",
        "4",
        "--convolutions",
        "1",
    ]
    assert main(["elf", "train", run, str(folder), *small]) == 0
    assert capsys.readouterr().out.count("validation") == 2
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [3, 6]
    assert main(["elf", "train", run, str(folder), *small]) == 0
    model = str(tmp_path / "model.safetensors")
    assert main(["elf", "export", run, str(folder), "--out", model]) == 0
    assert '"structures": 4' in capsys.readouterr().out
    assert main(["elf", "evaluate", "--model", model, str(labelled), "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["n_structures"] == 2
    assert 0 < found["band_coverage"] <= 1
    assert [row["group"] for row in found["crystals"]] == ["odd"]
    figures = ["--out", str(tmp_path / "figures")]
    assert main(["elf", "evaluate", "--model", model, str(labelled), *figures]) == 0
    assert "| odd | 1 |" in capsys.readouterr().out
    assert {"evaluation.json", "parity.png", "phi.png"} == {f.name for f in (tmp_path / "figures").iterdir()}
    assert main(["elf", "evaluate", "--model", model, str(labelled), "--split", "exam"]) == InputError.exit_code


def test_baselines_stand_beside_the_model(labelled, tmp_path, capsys, monkeypatch):
    """The long waves of the label lower any error; figures and numbers are written."""
    recipe = ElfSettings(field_channels=2, hidden_width=4, convolutions=0, gaussian_widths=4)
    ElfModel(untrained_network(recipe), recipe, Domain(1.0, 1.5, 1.0, 9.0), 2.0, {}).save(tmp_path / "m")
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    import elf_baselines

    model, out = str(tmp_path / "m"), str(tmp_path / "out")
    elf_baselines.main([str(labelled), "--model", model, "--fluid", model, "--local", model, "--out", out])
    printed = capsys.readouterr().out
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert {"evaluation.json", "parity.png", "phi.png", "residuals.png"} == {
        f.name for f in (tmp_path / "out").iterdir()
    }
    errors = {name: row["rmse"] for name, row in found["baselines"].items()}
    assert errors["local model"] == found["rmse"]
    assert errors["local + long waves of the label"] < 0.9 * found["rmse"]
    assert errors["local + predicted long waves"] < found["rmse"]
    for name in errors:
        assert f"| {name} | 2 |" in printed


def test_predicted_field_is_a_file_other_tools_read(labelled, tmp_path, capsys, odd_structure):
    network = untrained_network(ElfSettings(field_channels=2, hidden_width=4, convolutions=1))
    ElfModel(
        network, ElfSettings(field_channels=2, hidden_width=4, convolutions=1), Domain(1.0, 1.5, 1.0, 9.0), 2.0, {}
    ).save(tmp_path / "m")
    write_structure(tmp_path / "odd.vasp", odd_structure)
    command = ["elf", "predict", str(tmp_path / "odd.vasp"), "--model", str(tmp_path / "m")]
    assert main([*command, "--out", str(tmp_path / "odd.cube"), "--grid", "10", "12", "14"]) == 0
    said = capsys.readouterr()
    assert "grid 10 x 12 x 14" in said.out
    assert "the model was trained from" in said.err
    field = read_field(tmp_path / "odd.cube").field
    assert field.shape == (10, 12, 14)
    assert 0 <= field.values.min() < field.values.max() <= 1
