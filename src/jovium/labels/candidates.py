"""From a file of structures to the candidates of labels."""

from pathlib import Path

from jovium.base.errors import InputError, reason
from jovium.formats.structures import read_frames
from jovium.labels.record import Candidate


def read_candidates(path: Path, frames: str = ":") -> list[Candidate]:
    """The structures of a file that ASE reads, with what the file says of each.

    frames: a Python slice such as "::10", or a number. Of the comment line of an extended-XYZ frame, split, group,
    temperature_kelvin and step are used; without a group the file name is the group. Raises FormatError or
    StructureError for a file or structure that is none, InputError for a word in place of a number."""
    candidates = []
    for structure, facts in read_frames(path, frames):
        try:
            kelvin, step = float(facts.get("temperature_kelvin", "nan")), int(facts.get("step", -1))
        except (TypeError, ValueError) as error:
            expected = "numbers as temperature_kelvin and step"
            raise InputError(f"{path}: {reason(error)}", expected, "correct the file") from error
        split = str(facts.get("split", "unassigned"))
        candidates.append(Candidate(structure, split, str(facts.get("group", path.stem)), kelvin, step))
    return candidates
