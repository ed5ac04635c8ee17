"""Structures on their way to rest, as a structure search meets them: input of labels."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from jovium.base.errors import EngineError, StructureError
from jovium.base.files import append_durably, sole_writer
from jovium.base.structure import Structure
from jovium.formats.structures import read_frames
from jovium.labels.candidates import read_candidates
from jovium.labels.record import Candidate
from jovium.reference.engine import open_engine
from jovium.reference.kohn_sham import CHEAP
from jovium.reference.relaxation import towards_rest
from jovium.reference.trajectory import frame_lines

PRESSURES_GPA = 50.0, 600.0
"""Of the relaxations, one for each structure, uniform in its logarithm."""

STEPS = 4, 16
"""Calculations of a relaxation, one number for each structure."""


def write_relaxed_frames(source: Path, out: Path) -> Iterator[tuple[Candidate, Structure | StructureError]]:
    """Relax the structures of a file some steps at a pressure of their own and append each to `out` as soon as it is
    there, its group with "relaxed-" before it; what is there already is left alone. Yields every new one, or why it
    fell apart. Raises what reading, writing and the engine raise."""
    with sole_writer(out):
        frames = read_frames(out) if out.stat().st_size else ()  # made by the lock
        done = {(facts["group"], int(facts["step"])) for _, facts in frames}
        for candidate in read_candidates(source):
            group = f"relaxed-{candidate.group}"
            if (group, candidate.step) in done:
                continue
            rng = np.random.default_rng([candidate.step, *candidate.group.encode()])
            pressure = float(np.exp(rng.uniform(*np.log(PRESSURES_GPA))))
            try:
                with closing(open_engine(forces=True)) as engine:
                    relaxed = towards_rest(candidate.structure, pressure, int(rng.integers(*STEPS)), engine, CHEAP)
            except (StructureError, EngineError) as error:
                yield candidate, StructureError(error.got, error.expected, error.do)
                continue
            facts = {"split": candidate.split, "group": group, "step": candidate.step}
            append_durably(out, "".join(frame_lines(relaxed, facts)))
            yield candidate, relaxed
