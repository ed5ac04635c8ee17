"""A sampler disturbed in every way that happens on a cluster ends with the trajectory of an undisturbed run."""

import os
import random
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from engines import HarmonicEngine
from faults import deny_appending

from jovium.base.errors import EngineError, FormatError, InputError, JoviumError, OutputError
from jovium.base.units import kelvin_to_hartree
from jovium.cli.main import main
from jovium.reference import espresso
from jovium.reference.dynamics import FluidState, sample
from jovium.reference.kohn_sham import CHEAP
from jovium.reference.trajectory import read_fluid

STATE = FluidState(4, 2.0, kelvin_to_hartree(2000), block=5)
FRAMES = 12
LENGTH = STATE.n_atoms + 2
"""Lines of a frame."""


def run(path, engine=None, state=STATE, frames=FRAMES):
    return list(sample(state, path, frames, engine or HarmonicEngine(), CHEAP))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "t.extxyz"
    run(path)
    return path.read_text()


@pytest.fixture
def path(whole, tmp_path):
    """A trajectory of which five frames are written."""
    path = tmp_path / "t.extxyz"
    path.write_text("".join(whole.splitlines(keepends=True)[: 5 * LENGTH]))
    return path


class Disturbed(HarmonicEngine):
    """An engine to which something happens in one of its calculations."""

    def __init__(self, event, after=8):
        self.event, self.left = event, after

    def ground_state(self, structure, protocol, *, fields=True, stress=True):
        self.left -= 1
        if self.left == 0:
            self.event()
        return super().ground_state(structure, protocol)


def raises(error):
    def event():
        raise error

    return event


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.33, 0.5, 0.71, 0.9, 0.999])
def test_a_file_cut_anywhere_is_continued_to_the_same_digits(path, whole, share):
    path.write_text(whole[: int(share * len(whole))])
    run(path)
    assert path.read_text() == whole


@pytest.mark.parametrize("error", [EngineError("killed", "a number", "repeat"), KeyboardInterrupt(), MemoryError()])
def test_an_engine_that_ends_in_the_middle_loses_its_block_only(path, whole, error):
    before = path.read_text()
    with pytest.raises(type(error)):
        run(path, Disturbed(raises(error)))
    assert path.read_text().startswith(before)
    run(path)
    assert path.read_text() == whole


def test_a_full_disk_loses_the_block_at_hand_only(path, whole):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, hard))
    try:
        with pytest.raises(OutputError, match="free some space"):
            run(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    run(path)
    assert path.read_text() == whole


def damaged(lines, kind):
    """The lines of a trajectory with something wrong in its third frame."""
    first = 2 * LENGTH
    if kind == "a line is missing":
        return lines[: first + 3] + lines[first + 4 :]
    if kind == "a frame is missing":
        return lines[:first] + lines[first + LENGTH :]
    if kind == "a frame is there twice":
        return lines[: first + LENGTH] + lines[first:]
    if kind == "a word":
        return [*lines[: first + 3], lines[first + 3].replace(" ", " x", 1), *lines[first + 4 :]]
    if kind == "half a line":
        return [*lines[: first + 3], lines[first + 3][:20] + "\n", *lines[first + 4 :]]
    return [*lines[: first + 1], "nothing\n", *lines[first + 2 :]]


@pytest.mark.parametrize(
    "kind",
    ["a line is missing", "a frame is missing", "a frame is there twice", "a word", "half a line", "no facts"],
)
def test_damage_in_the_middle_is_named_and_left_alone(path, whole, kind):
    lines = whole.splitlines(keepends=True)
    path.write_text("".join(damaged(lines, kind)))
    before = path.read_text()
    with pytest.raises((FormatError, InputError), match=r"cut the file off before line \d+|holds") as stop:
        run(path)
    assert path.read_text() == before
    assert stop.value.got
    path.write_text("".join(lines[: 2 * LENGTH]))  # what the message says
    run(path)
    assert path.read_text() == whole


def test_bytes_that_are_no_text_are_refused(path):
    path.write_bytes(path.read_bytes()[:400] + bytes(range(128, 255)) + path.read_bytes()[400:])
    before = path.read_bytes()
    with pytest.raises(JoviumError):
        run(path)
    assert path.read_bytes() == before


def test_a_folder_that_was_moved_continues_where_it_is(path, whole):
    moved = path.parent / "moved"
    moved.mkdir()
    shutil.move(path, moved)
    run(moved / path.name)
    assert (moved / path.name).read_text() == whole


def test_a_folder_moved_at_work_is_an_error(path, whole):
    moved = path.parent.with_name(path.parent.name + "-moved")
    with pytest.raises(OutputError):
        run(path, Disturbed(lambda: path.parent.rename(moved)))
    run(moved / path.name)
    assert (moved / path.name).read_text() == whole


def test_a_deleted_file_is_begun_again(path, whole):
    path.unlink()
    run(path)
    assert path.read_text() == whole


def test_a_file_deleted_at_work_is_an_error_and_no_half_of_a_trajectory(path, whole):
    with pytest.raises(OutputError, match="taken away"):
        run(path, Disturbed(path.unlink))
    assert not path.exists()
    run(path)
    assert path.read_text() == whole


def test_a_place_that_cannot_be_written_is_said_before_the_work(path, monkeypatch):
    engine = Disturbed(lambda: pytest.fail("work began"), after=1)
    with pytest.raises(OutputError, match="another folder"):
        run(path / "below", engine)
    with pytest.raises(OutputError, match="directory"):
        run(path.parent, engine)
    deny_appending(monkeypatch)
    with pytest.raises(OutputError, match="Permission denied"):
        run(path, engine)


def test_two_writers_are_refused_and_one_of_them_ends_well(path, whole):
    first = sample(STATE, path, FRAMES, HarmonicEngine(), CHEAP)
    next(first)
    with pytest.raises(InputError, match="another process"):
        run(path)
    list(first)
    assert path.read_text() == whole


def test_another_state_between_two_calls_is_refused(path, whole):
    before = path.read_text()
    for changes in ({"kT": 0.02}, {"rs": 2.1}, {"seed": 1}, {"block": 6}, {"time_step": 9.0}, {"n_atoms": 5}):
        with pytest.raises(InputError, match=r"holds|not this trajectory"):
            run(path, state=replace(STATE, **changes))
        assert path.read_text() == before
    run(path)
    assert path.read_text() == whole


def test_killed_at_random_moments_it_ends_with_the_trajectory_of_one_run(path, whole):
    code = """
import sys, time
sys.path[:0] = sys.argv[2:]
from pathlib import Path
import test_dynamics_faults as here
print("ready", flush=True)
here.run(Path(sys.argv[1]), here.Disturbed(lambda: None), frames=10**6)
"""
    moments = random.Random(1)
    tests = Path(__file__).parent
    for _ in range(3):
        path.write_text(whole[: int(0.4 * len(whole))])
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(path), str(tests), str(tests.parent)], stdout=subprocess.PIPE
        )
        assert process.stdout
        process.stdout.readline()
        time.sleep(moments.uniform(0.0, 0.3))
        process.kill()
        process.communicate()
        text = path.read_text()
        run(path, frames=0)
        assert whole.startswith(path.read_text()) or path.read_text().startswith(whole)
        assert text.startswith(path.read_text())
    path.write_text("".join(path.read_text().splitlines(keepends=True)[: (FRAMES + 1) * LENGTH]))
    run(path)
    assert path.read_text() == whole


def test_the_whole_frames_of_a_trajectory_that_is_being_written_are_read(path, whole):
    path.write_text(whole[:-40])
    assert len(read_fluid(path).steps) == FRAMES - 1


@pytest.mark.parametrize("content", [b"", b"\xfd7zXZ\x00 cut", b"\xff\xfe", b"x\n"])
@pytest.mark.parametrize("ending", ["", ".xz"])
def test_what_is_no_trajectory_is_a_format_error(tmp_path, content, ending):
    path = tmp_path / f"t.extxyz{ending}"
    path.write_bytes(content)
    with pytest.raises(FormatError):
        read_fluid(path)


def test_the_command_continues_and_says_in_three_lines_what_is_wrong(path, tmp_path, monkeypatch, capsys):
    class Engine(HarmonicEngine):
        def __init__(self, **_):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(espresso, "Espresso", Engine)
    out = tmp_path / "c.extxyz"
    command = ["reference", "sample", str(out), "--n-atoms", "4", "--rs", "2", "--kelvin", "3000", "--block", "2"]
    assert main([*command, "--frames", "3", "--json"]) == 0
    assert main([*command, "--frames", "5", "--json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 5
    whole = out.read_text()
    out.write_text(whole.replace("H ", "H x", 3))
    assert main(command) == 2
    assert len(capsys.readouterr().err.splitlines()) == 3
    out.write_text(whole)
    monkeypatch.setattr(Engine, "ground_state", lambda *_, **__: raises(KeyboardInterrupt())())
    assert main(command) == 130
    assert "repeat the command: it continues" in capsys.readouterr().err
    assert out.read_text() == whole
    assert os.listdir(tmp_path).count("c.extxyz") == 1
