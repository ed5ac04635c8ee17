"""Gaussian cube files: z fastest, lengths in bohr (in angstrom when the grid counts are negative).

Format: https://gaussian.com/cubegen/ (title, description, number of atoms and origin, three lines of count and step
vector, atoms, values). A negative number of atoms announces a line that lists orbitals. Programs leave out the origin
or the column of charges, write whole lattice vectors as steps, or both ends of the cell.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jovium.base.cell import Cell
from jovium.base.errors import FormatError
from jovium.base.grid import GridField
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM
from jovium.formats.files import (
    Parsed,
    floats,
    format_errors,
    fortran_number,
    numbers,
    split_numbers,
    value_lines,
    vector_line,
)
from jovium.formats.planes import LEAST_POINTS, drop_repeated_planes

HEADER_LINES = 6
LEAST_VOLUME = 2.0
"""Volume per atom (bohr^3, rs = 0.78) that any cell has, and no voxel of a useful grid."""


class _Header(NamedTuple):
    comments: tuple[str, str]
    n_atoms: int
    has_orbital_line: bool
    values_per_point: int
    origin: Float[np.ndarray, "3"]
    shape: tuple[int, int, int]
    steps: Float[np.ndarray, "3 3"]
    unit: float


def parse_cube(text: str, path: Path) -> Parsed:
    """Structure and field of a cube file; a non-zero origin is moved to zero together with the atoms.

    Raises FormatError for a malformed or truncated file, several values per point, a file without atoms, or steps that
    are whole lattice vectors.
    """
    lines = text.splitlines()
    with format_errors(path, "cube"):
        header = _parse_header(lines)
        first_value_line = HEADER_LINES + header.n_atoms
        table = [line.split(maxsplit=1) for line in lines[HEADER_LINES:first_value_line]]
        atomic_numbers = [int(number) for number, _ in table]
        columns = [floats(rest) for _, rest in table]  # a charge, which some leave out, and the position
        positions = np.array([row[1:4] if len(row) > 3 else row for row in columns]).reshape(-1, 3) * header.unit
        per_point = header.values_per_point
        if header.has_orbital_line:
            per_point = int(lines[first_value_line].split()[0])
            first_value_line += 1
        symbols = _symbols(atomic_numbers, path)
    if per_point != 1:
        raise FormatError(f"{path}: {per_point} values per grid point", "one field per file", "export a single one")
    values = numbers("\n".join(lines[first_value_line:]), math.prod(header.shape), path).reshape(header.shape)
    code = "Quantum ESPRESSO" if "pwscf calculation" in header.comments[0].lower() else None
    values, warnings = drop_repeated_planes(values)
    species = sorted(set(atomic_numbers))
    if code and len(species) > 1 and species == list(range(1, len(species) + 1)):
        warnings.append("atomic numbers 1, 2, ... look like species indices: check the elements")
    cell = Cell(header.steps * np.array(values.shape)[:, None] * header.unit)
    structure = Structure(cell, positions - header.origin * header.unit, symbols)
    _refuse_vectors_as_steps(structure, values.shape, path)
    return Parsed(structure, GridField(values, cell), header.comments, code, tuple(warnings))


def _parse_header(lines: list[str]) -> _Header:
    third = split_numbers(lines[2])
    count = int(third[0])
    axes = [split_numbers(line) for line in lines[3:HEADER_LINES]]
    counts = [int(axis[0]) for axis in axes]
    if len(third) not in (1, 4, 5) or {len(axis) for axis in axes} != {4}:
        raise ValueError(f"lines 3 to 6 with {len(third)} and {[len(axis) for axis in axes]} numbers")
    if 0 in counts or len({n > 0 for n in counts}) != 1:
        raise ValueError(f"grid counts {counts}")
    nx, ny, nz = (abs(n) for n in counts)
    return _Header(
        (lines[0].strip(), lines[1].strip()),
        abs(count),
        count < 0,
        int(third[4]) if len(third) > 4 else 1,
        np.array([fortran_number(x) for x in third[1:4] or "000"]),
        (nx, ny, nz),
        np.array([[fortran_number(x) for x in axis[1:]] for axis in axes]),
        1.0 if counts[0] > 0 else 1.0 / BOHR_ANGSTROM,
    )


def _symbols(atomic_numbers: list[int], path: Path) -> tuple[str, ...]:
    from ase.data import chemical_symbols

    if not atomic_numbers:
        raise FormatError(f"{path}: no atoms", "at least one atom", "export the field together with the structure")
    for number in atomic_numbers:
        if not 0 < number < len(chemical_symbols):
            raise FormatError(f"{path}: atomic number {number}", "1 to 118", "check the atom lines of the cube")
    return tuple(chemical_symbols[number] for number in atomic_numbers)


def _refuse_vectors_as_steps(structure: Structure, shape: tuple[int, ...], path: Path) -> None:
    # Then the cell is as many times too large as it has grid points, and all atoms lie in its first voxel.
    voxel = structure.cell.volume / np.prod(shape)
    in_first = np.abs(structure.cell.fractional(structure.positions) * shape) <= 1 + 1e-6
    if np.prod(shape) >= LEAST_POINTS and voxel > LEAST_VOLUME * structure.n_atoms and in_first.all():
        raise FormatError(
            f"{path}: a cell of {structure.cell.volume:.3g} bohr^3 with all its atoms within one step of the grid",
            "steps from one grid point to the next on lines 4 to 6: lattice vectors divided by the numbers of points",
            "divide the three vectors by the numbers before them",
        )


def holds_values(text: str) -> bool:
    """True when the text has the header of a cube file and at least one line after the atoms."""
    lines = text.splitlines()
    try:
        header = _parse_header(lines)
    except (IndexError, ValueError):
        return False
    return any(line.strip() for line in lines[HEADER_LINES + header.n_atoms :])


def cube_lines(structure: Structure, field: GridField, stamp: str, comment: str) -> Iterator[str]:
    """The lines of a cube file in bohr."""
    yield f"{stamp}\n{comment}\n"
    yield f"{structure.n_atoms:6d}" + vector_line(np.zeros(3), 20, 12)
    for n, vector in zip(field.shape, field.cell.vectors, strict=True):
        yield f"{n:6d}" + vector_line(vector / n, 20, 12)
    for number, position in zip(structure.to_ase().numbers, structure.positions, strict=True):
        yield f"{number:6d}{number:12.6f}" + vector_line(position, 20, 12)
    for row in np.asarray(field.values, dtype=float).reshape(-1, field.shape[2]):
        yield from value_lines(row, 6)
