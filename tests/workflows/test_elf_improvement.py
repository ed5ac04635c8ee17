"""A network learns the structures of a file, and goes on after a kill."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from known_labels import KNOWN, ClosedForm, candidates

from jovium.base.errors import InputError
from jovium.base.files import write_lines
from jovium.base.structure import Structure
from jovium.elf.model import Domain, ElfModel
from jovium.elf.settings import ElfSettings
from jovium.elf.step import untrained_network
from jovium.labels.labelling import label
from jovium.labels.reading import read_labels
from jovium.reference.trajectory import frame_lines
from jovium.workflows import elf_improvement
from jovium.workflows.elf_improvement import Plan, improve


@pytest.fixture(autouse=True)
def short_calibration(monkeypatch):
    monkeypatch.setattr("jovium.elf.calibration.STEPS", 5)


PLAN = Plan(n_test=2, n_chosen=2, n_rounds=2, steps=3)


@pytest.fixture
def given(tmp_path, odd_structure):
    """A file of structures, labels of others, and a model of them; how they are labelled."""
    base, rng = tmp_path / "base", np.random.default_rng(0)
    label([*candidates(3), *candidates(2, "validation", "b", 5)], base, KNOWN, open_engine=ClosedForm)
    lines = []
    for _ in range(7):
        moved = odd_structure.positions + 0.1 * rng.normal(size=odd_structure.positions.shape)
        lines += frame_lines(Structure(odd_structure.cell, moved, odd_structure.symbols), {})
    write_lines(tmp_path / "mine.extxyz", lines)
    settings = ElfSettings(field_channels=2, vector_channels=1, hidden_width=4, convolutions=1)
    ElfModel(untrained_network(settings), settings, Domain(1.0, 2.0, 0.5, 9.0), 2.3, {}).save(tmp_path / "start")
    paths = tmp_path / "mine.extxyz", tmp_path / "out", [base], KNOWN
    return partial(improve, *paths, model=tmp_path / "start", open_engine=ClosedForm)


@pytest.mark.slow
def test_rounds_label_what_is_least_known_and_are_not_repeated(given, tmp_path):
    rounds = list(given(PLAN))
    assert [(one.number, one.n_labels) for one in rounds] == [(0, 0), (1, 2), (2, 4)]
    assert [row["n_labels"] for row in json.loads((tmp_path / "out" / "curve.json").read_text())] == [0, 2, 4]
    labels = list(read_labels(tmp_path / "out" / "labels"))
    assert sorted(one.split for one in labels) == ["test-improve"] * 2 + ["train"] * 4
    trained = ElfModel.load(tmp_path / "out" / "round-2.safetensors").card["trained_on"]
    assert "mine-train" in trained["groups"]
    assert "mine-test" not in trained["groups"]
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("round-*")}
    assert list(given(PLAN)) == rounds
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.slow
def test_a_killed_round_goes_on(given, tmp_path, monkeypatch):
    whole = list(given(PLAN))

    def killed(*arguments):
        raise KeyboardInterrupt

    for path in (tmp_path / "out").glob("round-2*"):
        path.unlink()
    monkeypatch.setattr(elf_improvement, "finished_model", killed)
    with pytest.raises(KeyboardInterrupt):
        list(given(PLAN))
    monkeypatch.undo()
    assert list(given(PLAN)) == whole


def test_too_few_structures_are_refused_before_anything_is_computed(given, tmp_path):
    with pytest.raises(InputError, match="7 structures"):
        next(given(Plan(n_test=4, n_chosen=2, n_rounds=2)))
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="above 0"):
        Plan(n_chosen=0)


@pytest.mark.parametrize("changed", ["set aside", "choose", "steps", "structures", "model"])
def test_a_folder_goes_on_with_what_it_was_begun_with_alone(given, tmp_path, monkeypatch, changed):
    monkeypatch.setattr(elf_improvement, "SHIPPED", tmp_path / "other")
    (tmp_path / "other").write_bytes((tmp_path / "start").read_bytes())
    next(given(PLAN))
    other = {"set aside": {"n_test": 1}, "choose": {"n_chosen": 1}, "steps": {"steps": 4}}.get(changed, {})
    if changed == "structures":
        mine = tmp_path / "mine.extxyz"
        lines = mine.read_text().splitlines(keepends=True)
        mine.write_text("".join(lines[: -(int(lines[0]) + 2)]))  # six are enough, but others
    if changed == "model":
        replace(ElfModel.load(tmp_path / "start"), band_factor=3.0).save(tmp_path / "other")
    with pytest.raises(InputError, match=f"something else: {changed}"):
        next(given(replace(PLAN, **other), **({"model": None} if changed == "model" else {})))
    if changed != "structures":
        next(given(replace(PLAN, n_rounds=1)))


@pytest.mark.parametrize("damage", ["", "{", "[]", None])
def test_rounds_of_who_knows_what_are_refused(given, tmp_path, damage):
    next(given(PLAN))
    (tmp_path / "out" / "round-1.safetensors").write_text("rounds")
    plan = tmp_path / "out" / "plan.json"
    plan.unlink() if damage is None else plan.write_text(damage)
    with pytest.raises(InputError, match=r"no plan\.json that says"):
        next(given(PLAN))


def test_a_model_that_is_not_there_is_refused_before_anything_is_written(given, tmp_path):
    with pytest.raises(InputError):
        next(given(PLAN, model=tmp_path / "absent"))
    assert not (tmp_path / "out").exists()
