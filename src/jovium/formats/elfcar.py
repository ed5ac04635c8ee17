"""VASP ELFCAR files: the layout of a CHGCAR, x fastest, values as they are (a CHGCAR holds density times volume).

Source: https://vasp.at/wiki/ELFCAR: lattice, positions, Nx Ny Nz, then ELF(x, y, z) with x fastest; with ISPIN = 2
the block of spin up is followed by that of spin down.
"""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np

from jovium.base.errors import FormatError
from jovium.base.grid import GridField
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM
from jovium.formats.files import Parsed, format_errors, numbers, value_lines, vector_line
from jovium.formats.poscar import parse_poscar

SPIN_WARNING = (
    "spin-polarised ELFCAR: the mean of its two blocks is taken, and the reference of VASP for one spin channel "
    "differs from the unpolarised one; recompute with ISPIN = 1 if the system is not magnetic"
)


def parse_elfcar(text: str, path: Path) -> Parsed:
    """Structure and field of an ELFCAR; of a spin-polarised one the mean of both channels, with a warning.

    Raises FormatError for a malformed or truncated file, missing element names, or a CHGCAR.
    """
    if "augmentation" in text:
        raise FormatError(
            f"{path} has augmentation occupancies: it is a CHGCAR", "an ELFCAR", "set LELF = .TRUE. and give ELFCAR"
        )
    lines = text.splitlines()
    with format_errors(path, "ELFCAR"):
        structure, end = parse_poscar(lines, path)
        start = next(i for i in range(end, len(lines) + 1) if lines[i].strip())
        nx, ny, nz = (int(n) for n in lines[start].split())
    count = nx * ny * nz
    blocks = _blocks(lines[start + 1 :], lines[start].split())
    if len(blocks) > 2:
        raise FormatError(f"{path}: {len(blocks)} grids", "one, or two for two spins", "ELF has no non-collinear form")
    fields = [numbers(block, count, path).reshape((nx, ny, nz), order="F") for block in blocks]
    values = np.mean(fields, axis=0)
    warnings = (SPIN_WARNING,) if len(fields) == 2 else ()
    return Parsed(structure, GridField(values, structure.cell), (lines[0].strip(),), "VASP", warnings)


def _blocks(lines: list[str], shape: list[str]) -> list[str]:
    """The value blocks, cut where the line with the grid shape is repeated."""
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line.split() == shape:
            blocks.append([])
        else:
            blocks[-1].append(line)
    return ["\n".join(block) for block in blocks]


def elfcar_lines(structure: Structure, field: GridField, stamp: str, comment: str) -> Iterator[str]:
    """The lines of an ELFCAR with one block, atoms in the order of the structure."""
    runs = [(symbol, len(list(group))) for symbol, group in groupby(structure.symbols)]
    yield f"{stamp}; {comment}\n" if comment else f"{stamp}\n"
    yield "   1.00000000000000\n"
    yield from map(vector_line, structure.cell.vectors * BOHR_ANGSTROM)
    yield "".join(f"{symbol:>6s}" for symbol, _ in runs) + "\n"
    yield "".join(f"{count:6d}" for _, count in runs) + "\nDirect\n"
    for point in structure.cell.fractional(structure.positions):
        yield vector_line(point, 20)
    yield "\n" + "".join(f"{n:5d}" for n in field.shape) + "\n"
    yield from value_lines(np.asarray(field.values, dtype=float).ravel(order="F"), 5)
