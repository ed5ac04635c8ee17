"""XCrySDen XSF files: x fastest, angstrom, and a grid whose last plane repeats the first along every axis.

Source: http://www.xcrysden.org/doc/XSF.html, "general grids": a grid of n + 1 points spans the cell from 0 to 1
inclusive, so a periodic field of n points is written with its end points doubled.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jovium.base.cell import Cell
from jovium.base.errors import FormatError
from jovium.base.grid import GridField
from jovium.base.structure import NOT_PERIODIC, Structure, element
from jovium.base.units import BOHR_ANGSTROM
from jovium.formats.files import Frame, Parsed, format_errors, numbers, value_lines, vector_line

CELL_TOLERANCE = 1e-4
"""Relative difference allowed between lattice and grid vectors: pp.x prints six decimals and an older bohr."""


def parse_xsf(text: str, path: Path) -> Parsed:
    """Structure and the first three-dimensional grid of an XSF file; a non-zero origin is moved to zero.

    Raises FormatError for a malformed or truncated file, one without a periodic structure or a grid, a grid that
    does not span the cell, or one whose end points are not periodic images.
    """
    header = tuple(line.strip("# \t") for line in text.splitlines() if line.lstrip().startswith("#"))
    lines = [stripped for line in text.splitlines() if (stripped := line.split("#")[0].strip())]
    with format_errors(path, "XSF"):
        structure = _parse_structure(lines, path)
        at = _index(lines, "BEGIN_DATAGRID_3D", "DATAGRID_3D", path)
        nx, ny, nz = (int(n) for n in lines[at + 1].split())
        origin, *span = np.array([[float(x) for x in line.split()] for line in lines[at + 2 : at + 6]])
        end = next((i for i in range(at, len(lines)) if lines[i].startswith("END_DATAGRID")), None)
        if min(nx, ny, nz) < 2:
            raise ValueError(f"grid of {nx} x {ny} x {nz} points")
    if end is None:
        raise FormatError(f"{path}: truncated: no END_DATAGRID_3D", "a complete XSF file", "copy or compute it again")
    _require_same_cell(structure.cell, np.array(span) / BOHR_ANGSTROM, path)
    general = numbers("\n".join(lines[at + 6 : end]), nx * ny * nz, path).reshape((nx, ny, nz), order="F")
    finite = GridField(general, structure.cell).values
    field = GridField(_drop_end_points(finite, path), structure.cell)
    structure = Structure(structure.cell, structure.positions - origin / BOHR_ANGSTROM, structure.symbols)
    code = "Quantum ESPRESSO" if any("PWSCF" in line for line in lines[max(at - 2, 0) : at]) else None
    n_grids = sum(line.startswith("END_DATAGRID_3D") for line in lines)
    warnings = (f"{n_grids} grids in the file: the first is read",) if n_grids > 1 else ()
    return Parsed(structure, field, header, code, warnings)


def _parse_structure(lines: list[str], path: Path) -> Structure:
    at = _index(lines, "PRIMVEC", "PRIMVEC", path)
    vectors = [[float(x) for x in line.split()] for line in lines[at + 1 : at + 4]]
    at = _index(lines, "PRIMCOORD", "PRIMCOORD", path)
    rows = [line.split() for line in lines[at + 2 : at + 2 + int(lines[at + 1].split()[0])]]
    symbols = tuple(element(row[0]) for row in rows)
    positions = np.array([[float(x) for x in row[1:4]] for row in rows]) / BOHR_ANGSTROM
    return Structure(Cell(np.array(vectors) / BOHR_ANGSTROM), positions, symbols)


def xsf_frames(text: str) -> list[Frame]:
    """The structure of a crystal without a grid."""
    lines = [stripped for line in text.splitlines() if (stripped := line.split("#")[0].strip())]
    notes = (NOT_PERIODIC,) if {"SLAB", "POLYMER", "MOLECULE"} & set(lines) else ()

    def frame(name: Path) -> tuple[Structure, dict[str, Any]]:
        with format_errors(name, "XSF"):
            return _parse_structure(lines, name).noted(*notes), {}

    return [frame]


def _index(lines: list[str], keyword: str, alternative: str, path: Path) -> int:
    for i, line in enumerate(lines):
        if line.startswith((keyword, alternative)):
            return i
    raise FormatError(
        f"{path}: no {alternative}",
        "a crystal (PRIMVEC, PRIMCOORD) with a DATAGRID_3D",
        "export the field as XSF again",
    )


def _require_same_cell(cell: Cell, span: np.ndarray, path: Path) -> None:
    if span.shape != (3, 3) or not np.allclose(span, cell.vectors, rtol=0, atol=CELL_TOLERANCE * cell.lengths.max()):
        raise FormatError(
            f"{path}: a grid spanned by {np.round(span, 4).tolist()} bohr",
            f"the cell {np.round(cell.vectors, 4).tolist()} bohr",
            "export the field on the whole primitive cell, n + 1 points along each vector",
        )


def _drop_end_points(general: np.ndarray, path: Path) -> np.ndarray:
    tolerance = 1e-4 * max(np.ptp(general), 1e-12)
    for axis in range(3):
        if np.abs(np.take(general, 0, axis) - np.take(general, -1, axis)).max() > tolerance:
            raise FormatError(
                f"{path}: the first and the last grid plane along axis {axis + 1} differ",
                "a general grid: n + 1 points, the last repeating the first",
                "export the field again with the periodic end points",
            )
    return general[:-1, :-1, :-1]


def xsf_lines(structure: Structure, field: GridField, stamp: str, comment: str) -> Iterator[str]:
    """The lines of an XSF file with one general grid."""
    yield f"# {stamp}\n# {comment}\nCRYSTAL\nPRIMVEC\n"
    yield from map(vector_line, structure.cell.vectors * BOHR_ANGSTROM)
    yield f"PRIMCOORD\n{structure.n_atoms} 1\n"
    for number, position in zip(structure.to_ase().numbers, structure.positions * BOHR_ANGSTROM, strict=True):
        yield f"{number:4d}" + vector_line(position)
    yield "BEGIN_BLOCK_DATAGRID_3D\njovium\nBEGIN_DATAGRID_3D_field\n"
    yield " ".join(str(n + 1) for n in field.shape) + "\n" + vector_line(np.zeros(3))
    yield from map(vector_line, field.cell.vectors * BOHR_ANGSTROM)
    general = np.pad(np.asarray(field.values, dtype=float), (0, 1), mode="wrap")
    yield from value_lines(general.ravel(order="F"), 6)
    yield "END_DATAGRID_3D\nEND_BLOCK_DATAGRID_3D\n"
