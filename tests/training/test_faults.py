"""What happens to a run folder in real life: kills, full disks, cut, lost and foreign files, moves, edited sources.

Everything ends with the numbers of a run that nothing happened to, or says in three parts what to do."""

import contextlib
import errno
import json
import multiprocessing
import os
import random
import resource
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from faults import CUTS, Killed, damage, failing_write, told

from jovium.base.errors import InputError, OutputError
from jovium.base.files import read_journal, sole_writer
from jovium.training import checkpoint
from jovium.training.loop import Training, TrainingState, run_in_folder
from jovium.training.run_folder import CONFIG, METRICS, STATE, broken_metrics, read_metrics, read_settings
from jovium.training.settings import FILE, RUN, Settings, setting


@dataclass(frozen=True)
class WalkSettings(Settings):
    """Of a random walk."""

    kind: ClassVar[str] = "walk"

    start: str = setting("", "file of the first value", names=FILE)
    init_from: str = setting("", "walk to begin with", names=RUN)
    steps: int = setting(8, "steps", may_change=True)
    stride: float = setting(1.0, "length of a step")
    seed: int = setting(0, "seed")


class Walk(Training):
    """A training whose next value depends on the last one, the seed and the step, as that of a model does."""

    jump, spread, unit = 1e9, 1e9, ""

    def __init__(self, settings, folder):
        super().__init__(settings, folder)
        if self.state is None:
            first = float(Path(settings.start).read_text()) if settings.start else 0.0
            first = float(load(Path(settings.init_from)).model) if settings.init_from else first
            self.state = TrainingState.first(jnp.float32(first), None, jnp.float32(0))

    def template(self, facts):
        return TrainingState.first(jnp.float32(0), None, jnp.float32(0))

    def step(self, state, key):
        if PAUSE:
            time.sleep(PAUSE)
        value = state.model + self.settings.stride * jax.random.normal(key)
        return state._replace(model=value, step=state.step + 1), {"value": value}

    def objective(self, figures):
        return figures["value"], 1.0

    def summarise(self, metrics):
        return {"value": float(metrics[-1]["value"])}


PAUSE = 0.0
TEN = WalkSettings()


def walk(folder, settings=TEN):
    with run_in_folder(folder, settings, 2) as kept:
        return list(Walk(kept, folder).run(2))


def load(folder):
    read_settings(folder, WalkSettings)
    return checkpoint.load(folder / STATE, Walk.template(None, {}))  # pyright: ignore[reportArgumentType]


def value(folder):
    return float(load(folder).model)


@pytest.fixture
def half(tmp_path):
    """A walk of which half the steps are done."""
    walk(tmp_path / "run", replace(TEN, steps=4))
    return tmp_path / "run"


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """Where a walk ends that nothing happened to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    walk(folder)
    return value(folder)


@pytest.mark.parametrize("number", range(14))
@pytest.mark.parametrize("settings", [TEN, replace(TEN, start="first")], ids=["plain", "of a file"])
def test_killed_at_any_write_it_ends_with_the_same_numbers(tmp_path, monkeypatch, number, settings, expected):
    (tmp_path / "first").write_text("0.0")
    monkeypatch.chdir(tmp_path)
    with failing_write(number, Killed()), contextlib.suppress(Killed):
        walk(Path("run"), settings)
    (tmp_path / "run" / f".{STATE}.1234.part").write_bytes(b"what a killed process leaves")
    walk(Path("run"), settings)
    assert value(tmp_path / "run") == expected


@pytest.mark.parametrize("number", range(12))
def test_a_full_disk_is_told_and_costs_the_work_at_hand(tmp_path, number, expected):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with failing_write(number, full):
        error = told(walk, tmp_path)
    assert isinstance(error, OutputError)
    assert "free some space" in error.do
    assert not list(tmp_path.glob(".*part"))
    walk(tmp_path)
    assert value(tmp_path) == expected


def test_a_state_that_the_disk_has_no_room_for_is_told_by_the_disk_itself(tmp_path):
    state = {"array": np.zeros(1000)}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    checkpoint.save(tmp_path / STATE, state, {"before": True})
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, hard))
    try:
        error = told(checkpoint.save, tmp_path / STATE, state, {"before": False})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert isinstance(error, OutputError)
    assert checkpoint.read_facts(tmp_path / STATE)["before"]
    assert [path.name for path in tmp_path.iterdir()] == [STATE]


def walk_slowly(folder, pause):
    global PAUSE
    PAUSE = pause
    walk(folder)


@pytest.mark.filterwarnings("ignore:os.fork.. was called:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_killed_at_random_moments_it_ends_with_the_same_numbers(tmp_path, expected):
    """Processes that are killed, one after the other; no report is lost or stands twice."""
    draw, fork = random.Random(0), multiprocessing.get_context("fork")
    for _ in range(10):
        process = fork.Process(target=walk_slowly, args=(tmp_path, 0.01))
        process.start()
        process.join(draw.uniform(0.0, 0.15))
        process.kill()
        process.join()
        process.close()
    walk(tmp_path)
    assert value(tmp_path) == expected
    steps = [report["step"] for report in read_metrics(tmp_path)]
    assert steps == sorted(set(steps))
    assert set(steps) <= {2, 4, 6, 8}


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("name", [CONFIG, STATE, METRICS])
def test_a_damaged_file_changes_nothing_or_is_told(half, name, how, expected):
    before = {path.name: path.read_bytes() for path in half.iterdir()}
    damage(half / name, how)
    if error := told(walk, half):
        assert name in error.got
        assert str(half) in error.got
        (half / name).write_bytes(before[name])
        assert {path.name: path.read_bytes() for path in half.iterdir()} == before
        walk(half)
    assert value(half) == expected


@pytest.mark.parametrize("how", CUTS)
def test_a_foreign_config_without_a_state_is_not_overwritten(tmp_path, how):
    """Settings of another program have the same name; those of a command that trained nothing are replaced."""
    (tmp_path / CONFIG).write_text(json.dumps({"kind": "walk", "version": 1, **TEN.to_dict()}))
    damage(tmp_path / CONFIG, how)
    content = (tmp_path / CONFIG).read_bytes() if (tmp_path / CONFIG).exists() else None
    error = told(walk, tmp_path)
    assert bool(error) == (content is not None)
    if error:
        assert "put" in error.do
        assert [path.name for path in tmp_path.iterdir()] == [CONFIG]
        assert (tmp_path / CONFIG).read_bytes() == content


@pytest.mark.parametrize("broken", [b'{"step": 3, "va', b"\0" * 40, b"\xff\xfe", b"[]", b"17", b"", b'{"a": 1}}'])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_broken_line_among_reports_is_left_out_and_told(half, broken, place, expected):
    lines = (half / METRICS).read_bytes().splitlines(keepends=True)
    (half / METRICS).write_bytes(b"".join([*lines[:place], broken + b"\n", *lines[place:]]))
    assert [report["step"] for report in read_metrics(half)] == [2, 4]
    (warning,) = broken_metrics(half)
    assert warning.startswith("1 of 3 lines")
    walk(half)
    assert [report["step"] for report in read_metrics(half)] == [2, 4, 6, 8]
    assert value(half) == expected


@pytest.mark.parametrize("length", range(0, 60, 7))
def test_half_a_line_at_the_end_is_no_report_yet(half, length, expected):
    content = (half / METRICS).read_bytes()
    with (half / METRICS).open("ab") as file:
        file.write(content[:length])
    walk(half)
    assert [report["step"] for report in read_metrics(half)] == [2, 4, 6, 8]
    assert broken_metrics(half) == ()
    assert value(half) == expected


def test_a_moved_and_a_copied_run_go_on(half, tmp_path, expected):
    shutil.copytree(half, tmp_path / "copy")
    half.rename(tmp_path / "elsewhere")
    for folder in (tmp_path / "copy", tmp_path / "elsewhere"):
        walk(folder)
        assert value(folder) == expected


def test_two_writers_are_refused(half):
    with sole_writer(half / METRICS):
        error = told(walk, half)
    assert error is not None
    assert "another process" in error.got


@pytest.mark.parametrize("place", ["/proc/nowhere", "file", "file/below"])
def test_a_place_that_cannot_be_written_is_told(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    error = told(walk, Path(place))
    assert isinstance(error, OutputError)
    assert place in error.got


@pytest.mark.parametrize("reports", [True, False])
def test_fewer_steps_than_are_done_are_refused_and_leave_no_trace(half, reports):
    """The state counts, not the reports, which may be lost."""
    if not reports:
        (half / METRICS).unlink()
    error = told(walk, half, replace(TEN, steps=3))
    assert error is not None
    assert error.got == "3 steps, and 4 are done"
    assert read_settings(half, WalkSettings).steps == 4


# --- what a run was begun from ---


@pytest.fixture
def of_a_file(tmp_path, monkeypatch):
    """Half a walk that begins with the value of a file."""
    monkeypatch.chdir(tmp_path)
    Path("first").write_text("5.0")
    settings = replace(TEN, start="first")
    walk(Path("run"), replace(settings, steps=4))
    return Path("run"), settings


def lose(path):
    path.unlink()


def test_a_file_that_was_edited_is_another_setting(of_a_file):
    run, settings = of_a_file
    before = value(run)
    Path("first").write_text("6.0")
    error = told(walk, run, settings)
    assert error is not None
    assert "start first has another content" in error.got
    assert Path(read_settings(run, WalkSettings).start).read_text() == "5.0"
    assert value(run) == before


def test_a_file_that_was_lost_or_moved_is_needed_no_more(of_a_file):
    run, settings = of_a_file
    Path("first").rename("moved")
    walk(run, replace(settings, steps=6))
    walk(run, replace(settings, start="moved", steps=8))
    assert json.loads((run / CONFIG).read_text())["start"] == "first"
    Path("first").write_text("5.0")
    whole = Path("whole")
    walk(whole, settings)
    assert value(run) == value(whole)


def test_another_file_with_another_content_is_another_setting(of_a_file):
    run, settings = of_a_file
    Path("second").write_text("6.0")
    error = told(walk, run, replace(settings, start="second"))
    assert error is not None
    assert "start first -> second" in error.got


@pytest.mark.parametrize("harm", [lose, lambda copy: copy.write_text("7.0")])
def test_a_copy_that_is_lost_or_edited_is_told(of_a_file, harm):
    run, settings = of_a_file
    harm(run / "start" / "first")
    for call in (lambda: walk(run, settings), lambda: read_settings(run, WalkSettings)):
        error = told(call)
        assert error is not None
        assert "run/start/first" in error.got


def test_a_file_that_has_taken_the_place_of_a_name_is_told(half, monkeypatch):
    """A run of a name, say h2, must not become that of a file called so."""
    config = json.loads((half / CONFIG).read_text())
    (half / CONFIG).write_text(json.dumps({**config, "start": "h2"}))
    monkeypatch.chdir(half.parent)
    assert read_settings(half, WalkSettings).start == "h2"
    Path("h2").write_text("3.0")
    assert told(read_settings, half, WalkSettings)


def test_the_run_that_models_came_from_is_needed_once(half, tmp_path):
    """Trained on, moved, deleted: the run that began from it holds what it was. Another one is another setting."""
    settings, run = replace(TEN, init_from=str(half)), tmp_path / "next"
    began = value(half)
    walk(run, replace(settings, steps=2))
    whole = tmp_path / "whole"
    walk(whole, settings)
    half.rename(tmp_path / "moved")
    walk(run, replace(settings, steps=4, init_from=str(tmp_path / "moved")))
    walk(tmp_path / "moved")
    assert value(tmp_path / "moved") != began
    error = told(walk, run, replace(settings, init_from=str(tmp_path / "moved")))
    assert error is not None
    assert "init_from" in error.got
    (tmp_path / "moved").rename(half)
    walk(run, replace(settings, steps=6))
    shutil.rmtree(half)
    walk(run, settings)
    assert value(run) == value(whole)


def test_other_data_are_another_setting(tmp_path):
    with run_in_folder(tmp_path, TEN, 2, "one digest") as kept:
        list(Walk(kept, tmp_path).run(2))
    with pytest.raises(InputError, match="other data"), run_in_folder(tmp_path, TEN, 2, "another"):
        pass


@pytest.mark.parametrize("seed", range(5))
def test_whatever_bytes_a_journal_holds_it_is_read(tmp_path, seed):
    draw = np.random.default_rng(seed)
    whole = b"".join(json.dumps({"step": i}).encode() + b"\n" for i in range(20))
    content = bytearray(whole)
    for place in draw.integers(0, len(content), 8):
        content[place] = draw.integers(256)
    (tmp_path / "journal").write_bytes(content)
    rows, warnings = read_journal(tmp_path / "journal")
    assert 12 <= len(rows) <= 20
    assert len(warnings) == (len(rows) < content.count(b"\n"))
