"""Screening disturbed in every way that happens on a cluster ends with the table of an undisturbed run."""

import csv
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import count

import ase.io
import numpy as np
import pytest
from faults import deny_appending

from jovium.base.errors import FormatError, InputError, JoviumError, OutputError
from jovium.base.files import sole_writer
from jovium.base.units import BOHR_ANGSTROM
from jovium.cli.main import main
from jovium.crystals import crystal
from jovium.formats.structures import structures_or_errors
from jovium.workflows import screening
from jovium.workflows.screening import screen

COARSE = 0.75
"""Distance of the grid points in bohr: numbers in no time."""


def frame(seed):
    atoms = crystal("bcc", 1.4).supercell((2, 1, 1)).to_ase()
    atoms.positions += np.random.default_rng(seed).normal(scale=0.05, size=atoms.positions.shape)
    return atoms


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Six structures, and the table of an undisturbed run."""
    folder = tmp_path_factory.mktemp("whole")
    ase.io.write(folder / "in.extxyz", [frame(seed) for seed in range(6)])
    screen(folder / "in.extxyz", folder / "out", spacing=COARSE)
    return folder


@pytest.fixture
def place(whole, tmp_path):
    """A copy of the structures and of the table, half done."""
    shutil.copy(whole / "in.extxyz", tmp_path)
    lines = (whole / "out.csv").read_text().splitlines(keepends=True)
    (tmp_path / "out.csv").write_text("".join(lines[:4]))
    return tmp_path


def again(place):
    return screen(place / "in.extxyz", place / "out", spacing=COARSE)


def assert_as_undisturbed(place, whole):
    for name in ("out.csv", "out.extxyz"):
        assert (place / name).read_text() == (whole / name).read_text(), name


def failing(monkeypatch, error, seeds=range(6)):
    """Screening in which the structures of these numbers fail."""
    numbers, positions = screening._numbers, {seed: frame(seed).positions for seed in seeds}

    def fail(structure, spacing):
        if any(np.allclose(structure.to_ase().positions, known) for known in positions.values()):
            raise error
        return numbers(structure, spacing)

    monkeypatch.setattr(screening, "_numbers", fail)


@pytest.mark.parametrize(
    "error",
    [AssertionError(), MemoryError(), ValueError("two\nlines"), JoviumError("got", "expected", "do"), OSError(5, "io")],
    ids=lambda error: type(error).__name__,
)
def test_what_failed_says_why_and_has_its_numbers_after_a_repetition(place, whole, monkeypatch, error):
    failing(monkeypatch, error, (2, 4, 5))
    rows = again(place)
    assert [screening.failed(row) for row in rows] == [False] * 4 + [True] * 2  # the third was there before
    assert all(len(row["flags"]) > len("failed: ") and "\n" not in row["flags"] for row in rows[4:])
    json.dumps(rows, allow_nan=False)
    monkeypatch.undo()
    again(place)
    assert_as_undisturbed(place, whole)


def test_the_exit_code_counts_all_failures_and_the_table_holds_each_structure_once(place, monkeypatch, capsys):
    arguments = ["screen", str(place / "in.extxyz"), str(place / "new"), "--spacing", "0.4"]
    failing(monkeypatch, RuntimeError("bad luck"), (1, 3))
    for _ in range(2):
        assert main(arguments) == 3
        assert "2 failed" in capsys.readouterr().err
        with (place / "new.csv").open(newline="") as file:
            assert [row["structure"] for row in csv.DictReader(file)] == ["0", "1", "2", "3", "4", "5"]
    monkeypatch.undo()
    assert main(arguments) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_failures_of_structures_that_are_not_asked_for_stay(place, monkeypatch):
    failing(monkeypatch, RuntimeError("bad luck"))
    screen(place / "in.extxyz", place / "new", spacing=COARSE)
    monkeypatch.undo()
    screen(place / "in.extxyz", place / "new", spacing=COARSE, frames="0:2")
    with (place / "new.csv").open(newline="") as file:
        assert [bool(row["phi_3d"]) for row in csv.DictReader(file)] == [True] * 2 + [False] * 4


def test_numbers_that_are_none_are_null_in_json_and_empty_in_the_table(place, monkeypatch, capsys):
    phi = {"phi_3d": 0.5, "phi_star": 0.5}
    monkeypatch.setattr(screening, "_numbers", lambda *_: dict(phi, phi_3d_low=float("nan"), phi_3d_high=np.inf))
    main(["screen", str(place / "in.extxyz"), str(place / "new"), "--frames", "0", "--json"])
    line = capsys.readouterr().out
    assert "NaN" not in line
    assert "Infinity" not in line
    assert json.loads(line)["phi_3d_low"] is None


@pytest.mark.parametrize("share", [0.0, 0.1, 0.35, 0.5, 0.77, 0.99])
def test_a_table_cut_anywhere_is_completed(place, whole, share):
    text = (whole / "out.csv").read_bytes()
    (place / "out.csv").write_bytes(text[: int(share * len(text))])
    again(place)
    assert_as_undisturbed(place, whole)


def test_two_lines_of_one_structure_become_one_and_the_newer_counts(place, whole):
    lines = (whole / "out.csv").read_text().splitlines(keepends=True)
    old = ",".join([*lines[2].split(",")[:3], "0.11111", *lines[2].split(",")[4:]])
    (place / "out.csv").write_text("".join([lines[0], lines[3], old, lines[1], lines[2]]))
    again(place)
    assert_as_undisturbed(place, whole)


def test_a_line_in_the_middle_that_is_none_is_named(place):
    lines = (place / "out.csv").read_text().splitlines(keepends=True)
    for broken in ("1,2,1.4\n", "\n", lines[1].replace("1.4", "one"), lines[1].rstrip("\n") + ",7\n"):
        (place / "out.csv").write_text("".join([lines[0], broken, *lines[2:]]))
        with pytest.raises(InputError, match="delete that line"):
            again(place)


def test_killed_at_random_moments_it_ends_with_the_table_of_one_run(place, whole):
    """The process and what it began; after each kill the lines that were there are there."""
    code = f"""
import sys, time
from jovium.workflows import screening
numbers = screening._numbers
def slow(*arguments):
    time.sleep(0.05)
    return numbers(*arguments)
screening._numbers = slow
print("ready", flush=True)
screening.screen("in.extxyz", "out", spacing={COARSE})
"""
    moments, before = random.Random(5), ""
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", code], cwd=place, stdout=subprocess.PIPE)
        assert process.stdout
        process.stdout.readline()
        time.sleep(moments.uniform(0.0, 1.5))
        process.kill()
        process.communicate()
        after = (place / "out.csv").read_text()
        assert after.startswith(before)
        before = after[: after.rfind("\n") + 1]
    again(place)
    assert_as_undisturbed(place, whole)


def test_a_full_disk_loses_the_line_at_hand_only(place, whole):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((place / "out.csv").stat().st_size + 300, hard))
    try:
        with pytest.raises(OutputError, match="free some space"):
            again(place)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    kept = (place / "out.csv").read_text()
    assert kept.count("\n") >= 4
    again(place)
    assert_as_undisturbed(place, whole)


def test_a_folder_that_was_moved_continues_where_it_is(place, whole, tmp_path_factory):
    moved = tmp_path_factory.mktemp("elsewhere") / "moved"
    shutil.move(place, moved)
    again(moved)
    assert_as_undisturbed(moved, whole)
    moved.rename(place)


@pytest.mark.parametrize("lost", ["out.csv", "out.extxyz"])
def test_a_result_that_was_deleted_is_made_again(place, whole, lost):
    again(place)
    (place / lost).unlink()
    again(place)
    assert_as_undisturbed(place, whole)


def test_a_table_deleted_at_work_is_whole_at_the_end(place, whole):
    rows = []

    def delete_once(row):
        rows.append(row)
        if len(rows) == 1:
            (place / "out.csv").unlink()

    screen(place / "in.extxyz", place / "out", spacing=COARSE, progress=delete_once)
    assert_as_undisturbed(place, whole)


def test_a_place_that_cannot_be_written_is_said_before_the_work(place, monkeypatch):
    monkeypatch.setattr(screening, "_numbers", lambda *_: pytest.fail("work began"))
    (place / "file").write_text("")
    with pytest.raises(OutputError, match="another folder"):
        screen(place / "in.extxyz", place / "file" / "out", spacing=COARSE)
    (place / "taken.csv").mkdir()
    with pytest.raises(OutputError, match="directory"):
        screen(place / "in.extxyz", place / "taken", spacing=COARSE)
    deny_appending(monkeypatch)
    with pytest.raises(OutputError, match="Permission denied"):
        again(place)


def test_two_writers_of_one_table_are_refused(place, whole):
    with sole_writer(place / "out.csv"), pytest.raises(InputError, match="another process"):
        again(place)
    again(place)
    assert_as_undisturbed(place, whole)


def test_a_lock_on_a_file_that_was_replaced_is_none(tmp_path, monkeypatch):
    """A table may be replaced between its opening and the lock: then two would write."""
    import fcntl

    path, lock = tmp_path / "table", fcntl.flock
    path.write_text("old\n")

    def replaced(file, how):
        (tmp_path / "other").write_text("new\n")
        os.replace(tmp_path / "other", path)
        return lock(file, how)

    monkeypatch.setattr(fcntl, "flock", replaced)
    with pytest.raises(InputError, match="another process"), sole_writer(path):
        pass


def test_a_killed_worker_is_an_error_and_the_rows_are_kept(place, whole, monkeypatch):
    """One structure ends the process that it is given to."""
    submit, number = ProcessPoolExecutor.submit, count()

    def fatal(pool, function, *structures):
        return submit(pool, os._exit, 9) if next(number) == 2 else submit(pool, function, *structures)

    monkeypatch.setattr(ProcessPoolExecutor, "submit", fatal)
    with pytest.raises(JoviumError, match="take fewer workers and repeat"):
        screen(place / "in.extxyz", place / "out", spacing=COARSE, workers=2)
    monkeypatch.undo()
    again(place)
    assert_as_undisturbed(place, whole)


def test_a_broken_frame_is_a_line_and_has_its_numbers_when_it_is_whole(place, whole, monkeypatch):
    """As of a trajectory that is still being written: the whole frames, then what is wrong."""
    (place / "out.csv").unlink()

    def growing(source, index=":"):
        frames = list(structures_or_errors(source, index))
        return iter([*frames[:3], FormatError(f"{source}: frame 3 is not whole", "a whole frame", "wait for it")])

    monkeypatch.setattr(screening, "structures_or_errors", growing)
    rows = again(place)
    assert [screening.failed(row) for row in rows] == [False, False, False, True]
    assert rows[3]["sha256"] == "-"
    assert "frame 3 is not whole" in rows[3]["flags"]
    monkeypatch.undo()
    assert not any(map(screening.failed, again(place)))
    assert_as_undisturbed(place, whole)


def test_structures_that_changed_between_two_calls_are_refused_and_a_mended_one_is_taken(place, monkeypatch):
    images = ase.io.read(place / "in.extxyz", ":")
    ase.io.write(place / "in.extxyz", [images[1], *images[1:]])
    with pytest.raises(InputError, match="structure 0 is another one there"):
        again(place)
    images[4].positions[1] = images[4].positions[0] + 0.1  # apart: atoms at one place would be one atom
    ase.io.write(place / "in.extxyz", images)
    assert screening.failed(again(place)[4])
    images[4].positions[1] += 1.0
    ase.io.write(place / "in.extxyz", images)
    assert not screening.failed(again(place)[4])


def test_the_results_never_replace_the_structures(place):
    before = (place / "in.extxyz").read_bytes()
    with pytest.raises(InputError, match="the input"):
        screen(place / "in.extxyz", place / "in", spacing=COARSE)
    assert (place / "in.extxyz").read_bytes() == before


def alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("end", ["interrupt", "kill"])
def test_nothing_is_left_of_a_command_that_is_ended(place, whole, end):
    """Ctrl-C reaches the whole group; a kill reaches the command alone, and its workers notice."""
    arguments = [sys.executable, "-m", "jovium.cli.main", "screen", "in.extxyz", "out", "--workers", "2"]
    process = subprocess.Popen(
        [*arguments, "--spacing", str(COARSE * BOHR_ANGSTROM)],
        cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout
    process.stdout.readline()
    if end == "interrupt":
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.kill()
    _, said = process.communicate(timeout=120)
    assert process.returncode in ((0, 130) if end == "interrupt" else (0, -signal.SIGKILL))
    assert "Traceback" not in said
    assert process.returncode != 130 or "repeat the command: it continues" in said
    deadline = time.monotonic() + 60
    while alive(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not alive(process.pid)
    again(place)
    assert_as_undisturbed(place, whole)
