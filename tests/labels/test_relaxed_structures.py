"""Structures on their way to rest: each is relaxed once, whatever happens in between."""

from dataclasses import replace

import numpy as np
import pytest
from engines import PairEngine
from faults import Killed, told

from jovium.base.errors import EngineError, EngineMissing, InputError
from jovium.cli.main import main
from jovium.crystals import crystal
from jovium.formats.structures import read_frames
from jovium.labels import relaxed_structures
from jovium.labels.relaxed_structures import STEPS, write_relaxed_frames
from jovium.reference.trajectory import frame_lines


@pytest.fixture
def engine(monkeypatch):
    """The engine that every relaxation gets; it counts its calculations."""
    opened = PairEngine()
    monkeypatch.setattr(relaxed_structures, "open_engine", lambda forces: opened)
    return opened


def structures(odd_structure):
    close = odd_structure.positions.copy()
    close[1] = close[0] + [0.1, 0.0, 0.0]
    return [crystal("cs-iv", 1.5), odd_structure, replace(odd_structure, positions=close), crystal("hcp-h2", 1.6)]


@pytest.fixture
def source(tmp_path, odd_structure):
    """Four structures, the third of which has two atoms in one place."""
    path = tmp_path / "in.extxyz"
    frames = enumerate(structures(odd_structure))
    facts = {"split": "test-random", "group": "some-8"}
    path.write_text("".join(line for step, s in frames for line in frame_lines(s, facts | {"step": step})))
    return path


def test_every_structure_is_written_once_and_named_after_where_it_began(source, tmp_path, engine, odd_structure):
    out = tmp_path / "out.extxyz"
    results = list(write_relaxed_frames(source, out))
    written = list(read_frames(out))
    assert [facts["step"] for _, facts in written] == [0, 1, 3]
    assert all((f["split"], f["group"]) == ("test-random", "relaxed-some-8") for _, f in written)
    assert len(engine.meshes) < 3 * STEPS[1]
    relaxed = [result for candidate, result in results if candidate.step != 2]
    for (structure, facts), expected in zip(written, relaxed, strict=True):
        np.testing.assert_allclose(structure.positions, expected.positions, atol=1e-9)
        before = structures(odd_structure)[facts["step"]]
        assert structure.n_atoms == before.n_atoms
        assert abs(structure.cell.volume / before.cell.volume - 1) > 0.01


def test_a_structure_that_falls_apart_is_told_and_the_rest_goes_on(source, tmp_path, engine, capsys):
    out = tmp_path / "out.extxyz"
    assert main(["reference", "relax", str(source), str(out)]) == 3
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == [f"some-8 step {step}" for step in range(4)]
    assert ["FAILED" in line for line in lines] == [False, False, True, False]
    assert "apart" in lines[2]
    assert last == f"{out}: 3 relaxed, 1 failed"


def test_a_state_that_is_not_found_is_told_and_a_missing_engine_ends_it(source, tmp_path, monkeypatch):
    class Broken(PairEngine):
        error = EngineError

        def ground_state(self, structure, protocol, **how):
            raise self.error("no state", "one", "another engine")

    monkeypatch.setattr(relaxed_structures, "open_engine", lambda forces: Broken())
    results = [result for _, result in write_relaxed_frames(source, tmp_path / "out.extxyz")]
    assert [result.got for result in results] == ["no state"] * 4
    monkeypatch.setattr(Broken, "error", EngineMissing)
    with pytest.raises(EngineMissing):
        list(write_relaxed_frames(source, tmp_path / "out.extxyz"))
    assert (tmp_path / "out.extxyz").read_text() == ""


def test_a_killed_relaxation_goes_on_without_repeating(source, tmp_path, engine, monkeypatch):
    whole, out = tmp_path / "whole.extxyz", tmp_path / "out.extxyz"
    list(write_relaxed_frames(source, whole))
    n_calculations, compute = len(engine.meshes), PairEngine.ground_state
    of_first = next(n for n in range(n_calculations) if engine.meshes[n] != engine.meshes[n + 1]) + 1

    def killed(self, *arguments, **how):
        if len(self.meshes) == of_first + 2:
            raise Killed
        return compute(self, *arguments, **how)

    engine.meshes.clear()
    with monkeypatch.context() as patch:
        patch.setattr(PairEngine, "ground_state", killed)
        with pytest.raises(Killed):
            list(write_relaxed_frames(source, out))
    assert [facts["step"] for _, facts in read_frames(out)] == [0]
    engine.meshes.clear()
    assert [candidate.step for candidate, _ in write_relaxed_frames(source, out)] == [1, 2, 3]
    assert len(engine.meshes) == n_calculations - of_first
    assert out.read_bytes() == whole.read_bytes()
    engine.meshes.clear()
    assert [candidate.step for candidate, _ in write_relaxed_frames(source, out)] == [2]  # fell apart: tried again
    assert engine.meshes == []


def test_a_frame_that_a_kill_left_torn_is_written_again(source, tmp_path, engine):
    whole, out = tmp_path / "whole.extxyz", tmp_path / "out.extxyz"
    list(write_relaxed_frames(source, whole))
    content = whole.read_bytes()
    last = content.rindex(b"Lattice") - 2  # where the last frame begins: its number of atoms has one digit
    for end in (*range(last, last + 6), last + 300, len(content) - 40, len(content) - 1):
        out.write_bytes(content[:end])
        assert [candidate.step for candidate, _ in write_relaxed_frames(source, out)] == [2, 3], content[last:end]
        assert out.read_bytes() == content, content[last:end]
    out.write_bytes(content[:1])
    assert len(list(write_relaxed_frames(source, out))) == 4
    assert out.read_bytes() == content


def test_a_file_of_something_else_is_refused_and_stays(source, tmp_path, engine):
    out, written = tmp_path / "out.extxyz", source.read_text()
    others = "".join(frame_lines(crystal("bcc", 1.4), {"group": "relaxed-other", "step": 0}))
    for text in (
        written,
        written[:-30],
        others,
        others.replace("step=0", "step=first"),
        "POSCAR\n1.0\n",
        others + "12",
        "4\na molecule\nH 0 0 0\n",
    ):
        out.write_text(text)
        error = told(lambda: list(write_relaxed_frames(source, out)))
        assert isinstance(error, InputError), text
        assert out.read_text() == text
    assert engine.meshes == []


@pytest.mark.parametrize("facts", [[{}], [{"step": 0}, {"step": 0}], [{"step": 0}, {}], [{"step": -3}]])
def test_structures_that_are_not_told_apart_are_refused(tmp_path, engine, facts):
    source, out = tmp_path / "in.extxyz", tmp_path / "out.extxyz"
    source.write_text(
        "".join(line for fact in facts for line in frame_lines(crystal("bcc", 1.4), {"group": "a"} | fact))
    )
    with pytest.raises(InputError, match="told apart"):
        list(write_relaxed_frames(source, out))
    assert not out.exists()
