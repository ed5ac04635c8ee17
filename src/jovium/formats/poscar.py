"""The structure that a POSCAR, CONTCAR, CHGCAR or ELFCAR of VASP begins with.

Source: https://vasp.at/wiki/POSCAR.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from jovium.base.cell import Cell
from jovium.base.errors import FormatError
from jovium.base.structure import Structure, element
from jovium.base.units import BOHR_ANGSTROM
from jovium.formats.files import CUT, Frame, format_errors, leading_numbers, three_numbers


def poscar_frames(text: str) -> list[Frame]:
    """The structure of a POSCAR."""

    def frame(name: Path) -> tuple[Structure, dict[str, Any]]:
        with format_errors(name, "POSCAR"):
            structure, end = parse_poscar(text.splitlines(), name)
        cut = len(text.rstrip("\n").splitlines()) <= end and not text.endswith("\n")
        return structure.noted(*([CUT] if cut else [])), {}

    return [frame]


def parse_poscar(lines: list[str], path: Path) -> tuple[Structure, int]:
    """Structure and the number of the line behind its last atom.

    Raises FormatError for missing or doubtful element names, IndexError or ValueError for what is no POSCAR.
    """
    vectors = np.array([three_numbers(line) for line in lines[2:5]])
    at = 5
    names = lines[at].split()
    if names[0].isdecimal():  # VASP 4: the names, if anywhere, are in the title
        names = lines[0].split()
    else:
        at += 1
    counts = [int(n) for n in lines[at].split("!")[0].split()]
    symbols = _symbols(names, counts, path)
    at += 1
    if lines[at].strip()[0] in "sS":  # selective dynamics
        at += 1
    mode = lines[at].strip()[0].lower()
    if mode not in "dfck":
        raise ValueError(f"'{lines[at].strip()}' in place of Direct or Cartesian")
    end = at + 1 + len(symbols)
    if len(lines) < end:
        raise FormatError(f"{path}: truncated: {len(lines) - at - 1} atoms", f"{len(symbols)}", "copy the file again")
    points = np.array([three_numbers(line) for line in lines[at + 1 : end]])
    scale = _scale(lines[1], vectors)
    cell = Cell(vectors * scale / BOHR_ANGSTROM)
    positions = points * scale / BOHR_ANGSTROM if mode in "ck" else cell.cartesian(points)
    return Structure(cell, positions, symbols), end


def _scale(line: str, vectors: np.ndarray) -> np.ndarray:
    """One factor, three along x, y and z, or with a minus the volume of the cell."""
    scale = np.array(leading_numbers(line))
    if len(scale) == 1 and scale[0] < 0:
        return (-scale / abs(np.linalg.det(vectors))) ** (1 / 3)
    if len(scale) not in (1, 3) or not (scale > 0).all():
        raise ValueError(f"scale '{line.strip()}' is not one factor, three positive ones, or minus the volume")
    return scale


def _symbols(names: list[str], counts: list[int], path: Path) -> tuple[str, ...]:
    with suppress(FormatError):
        elements = [element(name) for name in names]
        if len(elements) == len(counts) and min(counts) >= 0:
            return tuple(symbol for symbol, count in zip(elements, counts, strict=True) for _ in range(count))
    raise FormatError(
        f"{path}: species {names} with {counts} atoms",
        "one element name and one number of atoms per species",
        "insert a line with the element names above the line with the numbers of atoms",
    )
