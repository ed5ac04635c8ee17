"""Structures on their way to rest, as a structure search meets them: input of labels."""

import os
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from jovium.base.errors import EngineError, EngineMissing, InputError, JoviumError, StructureError
from jovium.base.files import append_durably, sole_writer
from jovium.base.structure import Structure
from jovium.formats.extxyz import extxyz_frames
from jovium.labels.candidates import read_candidates
from jovium.labels.record import Candidate
from jovium.reference.engine import open_engine
from jovium.reference.kohn_sham import CHEAP
from jovium.reference.relaxation import towards_rest
from jovium.reference.trajectory import frame_lines

PRESSURES_GPA = 50.0, 600.0
"""Of the relaxations, one for each structure, uniform in its logarithm."""

PREFIX = "relaxed-"
"""Before the group of a structure where it is relaxed."""

STEPS = 4, 16
"""Calculations of a relaxation, one number for each structure: the first of them or more, fewer than the second."""


def write_relaxed_frames(source: Path, out: Path) -> Iterator[tuple[Candidate, Structure | JoviumError]]:
    """Relax the structures of a file some steps at a pressure of their own and append each to `out` as soon as it is
    there, its group with "relaxed-" before it; what is there already is left alone. Yields every new one, or why there
    is none: it fell apart, or the engine found no state of it. Raises InputError for structures that have no group and
    step of their own and for an `out` of other structures, and what reading, writing and a missing engine raise."""
    candidates = {(PREFIX + candidate.group, str(candidate.step)): candidate for candidate in _steps(source)}
    with sole_writer(out):
        done = _written(out, candidates)
        for (group, step), candidate in candidates.items():
            if (group, step) in done:
                continue
            rng = np.random.default_rng([candidate.step, *candidate.group.encode()])
            pressure = float(np.exp(rng.uniform(*np.log(PRESSURES_GPA))))
            try:
                with closing(open_engine(forces=True)) as engine:
                    relaxed = towards_rest(candidate.structure, pressure, int(rng.integers(*STEPS)), engine, CHEAP)
            except EngineMissing:
                raise
            except (StructureError, EngineError) as error:
                yield candidate, error
                continue
            facts = {"split": candidate.split, "group": group, "step": step}
            append_durably(out, "".join(frame_lines(relaxed, facts)))
            yield candidate, relaxed


def _steps(source: Path) -> list[Candidate]:
    """The structures of a file. Raises InputError when one has no number, or that of another one."""
    candidates = read_candidates(source)
    alike = len(candidates) - len({(candidate.group, candidate.step) for candidate in candidates})
    if alike or any(candidate.step < 0 for candidate in candidates):
        expected = "group and step, a number from 0 on, in every comment line, no two alike"
        do = "write them into the file; jovium reference random does"
        raise InputError(f"{source}: structures that are not told apart", expected, do)
    return candidates


def _written(out: Path, expected: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Group and step of every frame of a file; a frame at its end that a kill left torn is cut off. Raises InputError
    for a file of something else, which stays as it is."""
    text = out.read_text(encoding="utf-8", errors="replace")
    lines, end, n_whole = text[: text.rfind("\n") + 1].splitlines(keepends=True), 0, 0
    while end < len(lines) and lines[end].strip().isdecimal() and end + int(lines[end]) + 2 <= len(lines):
        end, n_whole = end + int(lines[end]) + 2, n_whole + 1
    frames = [frame(out)[1] for frame in extxyz_frames(out)[:n_whole]]
    done = {(str(facts.get("group")), str(facts.get("step"))) for facts in frames}
    whole = "".join(lines[:end])
    number, *rest = text.removeprefix(whole).split("\n")
    begun = number.isdecimal() and (len(rest) < 2 or f"group={PREFIX}" in rest[0])
    if not done <= set(expected) or (text != whole and not begun):
        expectation, do = "no file yet, or one that the same structures were relaxed to", "give another file name"
        raise InputError(f"{out} holds something else than these structures relaxed", expectation, do)
    if text != whole:
        os.truncate(out, len(whole.encode()))
    return done
