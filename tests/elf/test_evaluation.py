"""What `jovium elf evaluate` prints is what the fields say."""

import json

import numpy as np
import pytest
from known_labels import KNOWN, ClosedForm, candidates

from jovium.base.errors import InputError
from jovium.cli.main import main
from jovium.elf.metrics import accuracy
from jovium.reference.label_record import Candidate
from jovium.reference.labelling import label
from jovium.reference.packed import pack
from jovium.runs.elf_training import evaluation, read_samples


def test_errors_are_those_of_their_definitions():
    rng = np.random.default_rng(0)
    true, error = rng.random((2, 5, 6, 7)), 0.1 * rng.normal(size=(2, 5, 6, 7))
    found = accuracy((t + e, t) for t, e in zip(true, error, strict=True))
    assert found.structures == 2
    assert found.rmse == pytest.approx(np.sqrt(np.mean(error**2)))
    assert found.mae == pytest.approx(np.mean(np.abs(error)))
    assert found.r2 == pytest.approx(1 - np.mean(error**2) / np.var(true))


@pytest.fixture
def labelled(tmp_path, odd_structure):
    path = tmp_path / "labels.h5"
    several = [*candidates(4), *candidates(2, "validation", "b", 5), *candidates(2, "test", "c", 7)]
    several.append(Candidate(odd_structure, "test-crystal", "odd"))
    label(several, path, KNOWN, open_engine=ClosedForm)
    return path


def test_perfect_and_shifted_predictions(labelled):
    samples = read_samples([labelled])
    perfect = evaluation(samples, lambda sample: sample.elf)
    assert (perfect["rmse"], perfect["r2"]) == (0.0, 1.0)
    assert perfect["phi"]["max_abs_error"] == 0.0
    shifted = evaluation(samples, lambda sample: 0.9 * sample.elf)
    assert [row["group"] for row in shifted["by_state"]] == ["a", "b", "c"]
    assert [row["group"] for row in shifted["crystals"]] == ["odd"]
    truth = np.concatenate([s.elf.ravel() for s in samples if np.isfinite(s.kelvin)])
    assert shifted["rmse"] == pytest.approx(0.1 * np.sqrt(np.mean(truth**2)), rel=1e-5)
    assert shifted["structures"] == 8


def test_commands_train_and_judge(labelled, tmp_path, capsys):
    folder, run = tmp_path / "packed", str(tmp_path / "run")
    folder.mkdir()
    pack(labelled, folder)
    small = ["--steps", "6", "--every", "3", "--channels", "2", "--hidden", "4", "--layers", "1"]
    assert main(["elf", "train", str(folder), "--out", run, *small]) == 0
    assert capsys.readouterr().out.count("validation") == 2
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [3, 6]
    assert main(["elf", "train", str(folder), "--out", run, *small]) == 0
    assert main(["elf", "evaluate", run, str(labelled), "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["structures"] == 2
    assert [row["group"] for row in found["crystals"]] == ["odd"]
    assert main(["elf", "evaluate", run, str(labelled)]) == 0
    assert "| odd | 1 |" in capsys.readouterr().out
    assert main(["elf", "evaluate", run, str(labelled), "--split", "exam"]) == InputError.exit_code
