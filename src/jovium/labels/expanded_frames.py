"""Hot, thin fluid without dynamics of its own: frames of denser fluid in larger cells, input of labels.

Between molecules and atoms the ELF depends on which atoms pair, over several neighbours, and no two frames are alike:
it takes many of them to learn. Dynamics costs three times a label; an expanded frame costs nothing, and its distances
lie between those of the fluid and of random places.
"""

from pathlib import Path

import numpy as np

from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.base.files import require_other_file, write_lines
from jovium.base.structure import Structure
from jovium.labels.candidates import read_candidates
from jovium.labels.record import Candidate
from jovium.reference.trajectory import frame_lines

RADII = 1.6, 2.1
"""Wigner-Seitz radii, bohr."""

STRAIN = 0.05
"""Standard deviation of a component of the strain."""

COOLEST, LARGEST = 2500.0, 16
"""Temperature (K) of the fluid and atoms of its cell: no frame of cooler or larger ones is taken."""

LEARNT_FROM = "train", "validation"
"""Splits of which frames are taken."""

PER_TRAJECTORY = 8

PREFIX = "expanded-"
"""Before the group of a frame where it is expanded."""


def write_expanded_frames(source: Path, out: Path) -> int:
    """Write some frames of each trajectory of a file (`jovium reference collect`) as structures of a larger, strained
    cell; their number. Always the same for a file. Raises InputError when there is no trajectory of this temperature
    or `out` is that file, and what reading and writing raise."""
    require_other_file(out, source)
    groups: dict[str, list[Candidate]] = {}
    for candidate in read_candidates(source):
        small = candidate.structure.n_atoms <= LARGEST and candidate.split in LEARNT_FROM
        if small and candidate.temperature_kelvin >= COOLEST and candidate.step >= 0:
            groups.setdefault(candidate.group, []).append(candidate)
    if not groups:
        expected = f"frames of {LARGEST} atoms or fewer with split, group, step and {COOLEST:g} K or more"
        raise InputError(
            f"{source}: no hot fluid to learn from", expected, "give the file that jovium reference collect writes"
        )
    lines = []
    for group, frames in groups.items():
        rng = np.random.default_rng([*group.encode()])
        for index in np.sort(rng.permutation(len(frames))[:PER_TRAJECTORY]):
            facts = {"split": frames[index].split, "group": PREFIX + group, "step": frames[index].step}
            lines += frame_lines(expanded(frames[index].structure, rng), facts)
    write_lines(out, lines)
    return sum(min(len(frames), PER_TRAJECTORY) for frames in groups.values())


def expanded(structure: Structure, rng: np.random.Generator) -> Structure:
    """The same fractional coordinates in a strained cell of a radius drawn."""
    strain = STRAIN * rng.normal(size=(3, 3))
    deformation = np.eye(3) + (strain + strain.T) / 2
    cell, positions = Cell(structure.cell.vectors @ deformation), structure.positions @ deformation
    return Structure(cell, positions, structure.symbols).at_rs(rng.uniform(*RADII))
