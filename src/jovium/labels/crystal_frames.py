"""The crystals a model is tested on and never trained on: perfect, thermally displaced, and a bond stretched."""

from pathlib import Path

import numpy as np

from jovium.base.files import write_lines
from jovium.base.structure import Structure
from jovium.crystals import crystal, hcp_h2
from jovium.reference.trajectory import frame_lines

DENSITIES: dict[str, tuple[float, ...]] = {
    "cs-iv": (1.15, 1.23, 1.30, 1.40),
    "c2/c-24": (1.33, 1.45, 1.60),
    "hcp-h2": (1.60, 1.80, 2.00),
    "sc": (1.20, 1.40, 1.60),
    "bcc": (1.20, 1.40, 1.60),
    "fcc": (1.20, 1.40, 1.60),
}
"""Wigner-Seitz radii (bohr) at which each crystal is labelled."""

SUPERCELLS = {"cs-iv": (2, 2, 2), "c2/c-24": (1, 1, 2), "hcp-h2": (2, 2, 1)}
"""Cells in which atoms are displaced, 16 to 24 atoms."""

DISPLACEMENTS = (0.05, 0.10)
"""Standard deviations of the Gaussian displacements per axis, bohr; larger ones would break the stiff molecules."""

STRETCH_RS = 1.70
STRETCHED_BONDS = (1.30, 1.40, 1.50, 1.60, 1.75, 1.90, 2.05, 2.20)
"""Bond lengths (bohr) of the path from molecular to atomic hydrogen on hcp sites."""


def crystal_frames() -> list[tuple[Structure, dict[str, object]]]:
    """Every test crystal with its split (test-crystal, test-displaced, test-stretch) and group. Always the same."""
    frames: list[tuple[Structure, str, str]] = []
    for name, radii in DENSITIES.items():
        frames += [(crystal(name, rs), "test-crystal", f"{name}-rs{rs:g}") for rs in radii]
    for name, multiples in SUPERCELLS.items():
        rs = DENSITIES[name][1]
        for seed, sigma in enumerate(DISPLACEMENTS):
            perfect = crystal(name, rs).supercell(multiples)
            shifts = np.random.default_rng([seed, len(name)]).normal(scale=sigma, size=perfect.positions.shape)
            displaced = Structure(perfect.cell, perfect.positions + shifts, perfect.symbols)
            frames.append((displaced, "test-displaced", f"{name}-rs{rs:g}-sigma{sigma:g}"))
    for bond in STRETCHED_BONDS:
        frames.append((hcp_h2(STRETCH_RS, bond), "test-stretch", f"hcp-h2-rs{STRETCH_RS:g}-bond{bond:g}"))
    return [(structure, {"split": split, "group": group}) for structure, split, group in frames]


def write_crystal_frames(path: Path) -> int:
    """Write the test crystals as one extended-XYZ file, the input of their labels; their number."""
    frames = crystal_frames()
    write_lines(path, [line for structure, facts in frames for line in frame_lines(structure, facts)])
    return len(frames)
