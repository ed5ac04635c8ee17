"""VASP ELFCAR files: the layout of a CHGCAR, x fastest, values as they are (a CHGCAR holds density times volume).

A CHGCAR is known by its augmentation occupancies, or by values whose mean is the number of electrons.

Source: https://vasp.at/wiki/ELFCAR: lattice, positions, Nx Ny Nz, then ELF(x, y, z) with x fastest; with ISPIN = 2
the block of spin up is followed by that of spin down.
"""

from collections.abc import Iterator
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np

from jovium.base.errors import FormatError
from jovium.base.grid import GridField
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM
from jovium.formats.files import Parsed, floats, format_errors, numbers, value_lines, vector_line
from jovium.formats.planes import LEAST_POINTS, drop_repeated_planes
from jovium.formats.poscar import parse_poscar
from jovium.formats.quantity import adds_up_to_electrons

SPIN_WARNING = (
    "spin-polarised ELFCAR: the mean of its two blocks is taken, and the reference of VASP for one spin channel "
    "differs from the unpolarised one; recompute with ISPIN = 1 if the system is not magnetic"
)
TITLE_WARNING = "no line of element names: they are taken from the title, check them"


def parse_elfcar(text: str, path: Path) -> Parsed:
    """Structure and field of an ELFCAR; of a spin-polarised one the mean of both channels, with a warning.

    The values of a CHGCAR come with a refusal. Raises FormatError for a malformed or truncated file, or missing element
    names.
    """
    lines = text.splitlines()
    with format_errors(path, "ELFCAR"):
        structure, end = parse_poscar(lines, path)
        start = next(i for i in range(end, len(lines) + 1) if lines[i].strip())
        nx, ny, nz = (int(n) for n in lines[start].split())
        if min(nx, ny, nz) < 1:
            raise ValueError(f"grid of {nx} x {ny} x {nz} points")
    augmentation = (i for i in range(start, len(lines)) if lines[i].lstrip().startswith("augmentation occupancies"))
    end = next(augmentation, len(lines))
    blocks = _blocks(lines[start + 1 : end], lines[start].split())
    if len(blocks) > 2:
        raise FormatError(f"{path}: {len(blocks)} grids", "one, or two for two spins", "ELF has no non-collinear form")
    fields = [numbers(block, nx * ny * nz, path).reshape((nx, ny, nz), order="F") for block in blocks]
    values, warnings = drop_repeated_planes(np.mean(fields, axis=0))
    warnings += [TITLE_WARNING] * lines[5].split()[0].isdigit() + [SPIN_WARNING] * (len(fields) == 2)
    field = GridField(values, structure.cell)
    refusal = _refusal_of_density(fields[0], structure, end < len(lines), path)
    return Parsed(structure, field, (lines[0].strip(),), "VASP", tuple(warnings), refusal)


def _refusal_of_density(values: np.ndarray, structure: Structure, is_augmented: bool, path: Path) -> FormatError | None:
    is_telling = values.size >= LEAST_POINTS and values.max() > 1
    electrons = adds_up_to_electrons(float(values.mean()), structure) if is_telling else None
    if not is_augmented and electrons is None:
        return None
    reason = "augmentation occupancies" if is_augmented else f"values whose mean is its {electrons} electrons"
    got = f"{path} has {reason}: it is a CHGCAR, density times volume"
    return FormatError(got, "an ELFCAR", "set LELF = .TRUE. and give ELFCAR")


def holds_grid(text: str) -> bool:
    """True when the text has three lattice vectors as a POSCAR and, after a blank line, three numbers of points."""
    lines = text.splitlines()
    try:
        has_vectors = [len(floats(line, 3)) for line in lines[2:5]] == [3, 3, 3]
    except ValueError:
        return False
    behind_blank = (line.split() for blank, line in pairwise(lines[6:]) if line.strip() and not blank.strip())
    shape = next(behind_blank, [])
    return has_vectors and len(shape) == 3 and all(n.isdecimal() and int(n) > 0 for n in shape)


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
