"""VASP ELFCAR files: the layout of a CHGCAR, x fastest, values as they are (a CHGCAR holds density times volume).

A CHGCAR is known by its augmentation occupancies, or by values whose mean is the number of electrons.

Source: https://vasp.at/wiki/ELFCAR: lattice, positions, Nx Ny Nz, then ELF(x, y, z) with x fastest; with ISPIN = 2
the block of spin up is followed by that of spin down.
"""

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jovium.base.cell import Cell
from jovium.base.errors import FormatError
from jovium.base.grid import GridField
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM
from jovium.formats.files import Parsed, floats, format_errors, numbers, value_lines, vector_line
from jovium.formats.planes import drop_repeated_planes
from jovium.formats.quantity import adds_up_to_electrons

SPIN_WARNING = (
    "spin-polarised ELFCAR: the mean of its two blocks is taken, and the reference of VASP for one spin channel "
    "differs from the unpolarised one; recompute with ISPIN = 1 if the system is not magnetic"
)
TITLE_WARNING = "element names taken from the title, for want of a line of names: check them"


class _Head(NamedTuple):
    vectors: np.ndarray
    scale: np.ndarray
    names: list[str]
    counts: list[int]
    is_cartesian: bool
    first_atom: int
    has_names: bool


def parse_elfcar(text: str, path: Path) -> Parsed:
    """Structure and field of an ELFCAR; of a spin-polarised one the mean of both channels, with a warning.

    Of a CHGCAR the refusal says so. Raises FormatError for a malformed or truncated file, or missing element names.
    """
    lines = text.splitlines()
    with format_errors(path, "ELFCAR"):
        head = _parse_head(lines)
        structure = _structure(lines, head, path)
        start = _shape_line(lines, head)
        nx, ny, nz = (int(n) for n in lines[start].split())
        if min(nx, ny, nz) < 1:
            raise ValueError(f"grid of {nx} x {ny} x {nz} points")
    count = nx * ny * nz
    augmentation = (i for i in range(start, len(lines)) if lines[i].lstrip().startswith("augmentation occupancies"))
    end = next(augmentation, len(lines))
    blocks = _blocks(lines[start + 1 : end], lines[start].split())
    if len(blocks) > 2:
        raise FormatError(f"{path}: {len(blocks)} grids", "one, or two for two spins", "ELF has no non-collinear form")
    fields = [numbers(block, count, path).reshape((nx, ny, nz), order="F") for block in blocks]
    values, warnings = drop_repeated_planes(np.mean(fields, axis=0))
    warnings += [TITLE_WARNING] * (not head.has_names) + [SPIN_WARNING] * (len(fields) == 2)
    field = GridField(values, structure.cell)
    electrons = adds_up_to_electrons(GridField(fields[0], structure.cell).mean(), structure)
    reason = "has augmentation occupancies" if end < len(lines) else f"has {electrons} as the mean of its values"
    refusal = FormatError(
        f"{path} {reason}: it is a CHGCAR, density times volume", "an ELFCAR", "set LELF = .TRUE. and give ELFCAR"
    )
    is_density = end < len(lines) or (electrons is not None and np.max(fields[0]) > 1)
    return Parsed(structure, field, (lines[0].strip(),), "VASP", tuple(warnings), refusal if is_density else None)


def holds_grid(text: str) -> bool:
    """True when the text begins like a POSCAR and three numbers of grid points follow the atoms."""
    lines = text.splitlines()
    try:
        head = _parse_head(lines)
        return min(int(n) for n in lines[_shape_line(lines, head)].split()) > 0
    except (IndexError, ValueError):
        return False


def _shape_line(lines: list[str], head: _Head) -> int:
    """The line of the three numbers of grid points: the first after the atoms that is not blank."""
    end = head.first_atom + sum(head.counts)
    start = next((i for i in range(end, len(lines)) if lines[i].strip()), None)
    if start is None or len(lines[start].split()) != 3:
        raise ValueError("no numbers of grid points after the atoms")
    return start


def _parse_head(lines: list[str]) -> _Head:
    vectors = np.array([floats(line, 3) for line in lines[2:5]])
    scale = np.array(floats(lines[1]))
    if len(scale) == 1 and scale[0] < 0:  # a negative scale is the volume of the cell
        scale = (-scale / abs(np.linalg.det(vectors))) ** (1 / 3)
    has_names = not lines[5].split()[0].isdigit()
    names = lines[5 if has_names else 0].split()
    at = 6 if has_names else 5
    counts = [int(n) for n in lines[at].split()]
    at += 2 if lines[at + 1].strip()[0] in "sS" else 1  # selective dynamics
    is_cartesian = lines[at].strip()[0] in "cCkK"
    return _Head(vectors, scale, names, counts, is_cartesian, at + 1, has_names)


def _structure(lines: list[str], head: _Head, path: Path) -> Structure:
    symbols = _symbols(head.names, head.counts, path)
    rows = [lines[head.first_atom + i] for i in range(len(symbols))]
    points = np.array([floats(row, 3) for row in rows])
    cell = Cell(head.vectors * head.scale / BOHR_ANGSTROM)
    positions = points * head.scale / BOHR_ANGSTROM if head.is_cartesian else cell.cartesian(points)
    return Structure(cell, positions, symbols)


def _symbols(names: list[str], counts: list[int], path: Path) -> tuple[str, ...]:
    # VASP 6 may append the POTCAR title and its hash: H_GW/0af1.
    elements = [match.group(1) for name in names if (match := re.match(r"([A-Z][a-z]?)(?:[_/\d].*)?$", name))]
    if len(elements) != len(counts):
        raise FormatError(
            f"{path}: {len(counts)} species and the element names {elements}",
            "one element name per species",
            "insert a line with the element names above the line with the numbers of atoms",
        )
    return tuple(element for element, count in zip(elements, counts, strict=True) for _ in range(count))


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
