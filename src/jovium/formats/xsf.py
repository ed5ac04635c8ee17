"""XCrySDen XSF files: x fastest, angstrom, and a grid whose last plane repeats the first along every axis.

Source: http://www.xcrysden.org/doc/XSF.html, "general grids": a grid of n + 1 points spans the cell from 0 to 1
inclusive, so a periodic field of n points is written with its end points doubled. Also read are n points without the
end that span the cell (VASPKIT), (n - 1)/n of it, which is right for them, or (n + 1)/n of it (ASE).
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
from jovium.formats.files import Frame, Parsed, floats, format_errors, numbers, value_lines, vector_line
from jovium.formats.planes import ends_agree, joins

CELL_TOLERANCE = 1e-4
"""Relative difference allowed between lattice and grid vectors: pp.x prints six decimals and an older bohr."""


def parse_xsf(text: str, path: Path) -> Parsed:
    """Structure and the first three-dimensional grid of an XSF file; a non-zero origin is moved to zero.

    Raises FormatError for a malformed or truncated file, one without a periodic structure or a grid or with several
    structures, a grid that does not span the cell, or one whose end points are not periodic images.
    """
    header = tuple(line.strip("# \t") for line in text.splitlines() if line.lstrip().startswith("#"))
    lines = _lines(text)
    if sum(line.startswith("PRIMCOORD") for line in lines) > 1:
        raise FormatError(f"{path}: several structures and a grid", "the one of the grid", "export a single frame")
    with format_errors(path, "XSF"):
        structure = _parse_structure(lines, path)
        at = _index(lines, "BEGIN_DATAGRID_3D", "DATAGRID_3D", path)
        nx, ny, nz = (int(n) for n in lines[at + 1].split())
        origin, *span = np.array([floats(line) for line in lines[at + 2 : at + 6]]).reshape(4, 3)
        end = next((i for i in range(at, len(lines)) if lines[i].startswith("END_DATAGRID")), None)
        if min(nx, ny, nz) < 2:
            raise ValueError(f"grid of {nx} x {ny} x {nz} points")
    if end is None:
        raise FormatError(f"{path}: truncated: no END_DATAGRID_3D", "a complete XSF file", "copy or compute it again")
    general = numbers("\n".join(lines[at + 6 : end]), nx * ny * nz, path).reshape((nx, ny, nz), order="F")
    finite = GridField(general, structure.cell).values
    spans = _spans(structure.cell, np.array(span) / BOHR_ANGSTROM, finite.shape, path)
    values, warnings = _one_period(finite, spans, path)
    structure = Structure(structure.cell, structure.positions - origin / BOHR_ANGSTROM, structure.symbols)
    code = "Quantum ESPRESSO" if any("PWSCF" in line for line in lines[max(at - 2, 0) : at]) else None
    n_grids = sum(line.startswith("END_DATAGRID_3D") for line in lines)
    warnings += [f"{n_grids} grids in the file: the first is read"] * (n_grids > 1)
    warnings += [
        f"a {word}: taken as periodic in three directions" for word in ("SLAB", "POLYMER", "MOLECULE") if word in lines
    ]
    titles = (*header, *(line.replace("_", " ") for line in lines[max(at - 1, 0) : at + 1]))
    return Parsed(structure, GridField(values, structure.cell), titles, code, tuple(warnings))


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
    lines = _lines(text)
    notes = (NOT_PERIODIC,) if {"SLAB", "POLYMER", "MOLECULE"} & set(lines) else ()

    def frame(name: Path) -> tuple[Structure, dict[str, Any]]:
        with format_errors(name, "XSF"):
            return _parse_structure(lines, name).noted(*notes), {}

    return [frame]


def _lines(text: str) -> list[str]:
    """The lines without comments; keywords are found in either case."""
    return [stripped for line in text.upper().splitlines() if (stripped := line.split("#")[0].strip())]


def _index(lines: list[str], keyword: str, alternative: str, path: Path) -> int:
    for i, line in enumerate(lines):
        if line.startswith((keyword, alternative)):
            return i
    raise FormatError(
        f"{path}: no {alternative}",
        "a crystal (PRIMVEC, PRIMCOORD) with a DATAGRID_3D",
        "export the field as XSF again",
    )


def _spans(cell: Cell, span: np.ndarray, shape: tuple[int, ...], path: Path) -> list[float]:
    """Length of each vector of the grid in lattice vectors: 1, (n - 1)/n or (n + 1)/n for n points."""
    tolerance = CELL_TOLERANCE * cell.lengths.max()
    ratios: list[float] = []
    for axis, n in enumerate(shape):
        for ratio in (1.0, (n - 1) / n, (n + 1) / n):
            if np.allclose(span[axis], cell.vectors[axis] * ratio, rtol=0, atol=tolerance):
                ratios.append(ratio)
                break
    if len(ratios) < 3:
        raise FormatError(
            f"{path}: a grid spanned by {np.round(span, 4).tolist()} bohr",
            f"the cell {np.round(cell.vectors, 4).tolist()} bohr",
            "export the field on the whole primitive cell, n + 1 points along each vector",
        )
    return ratios


def _one_period(general: np.ndarray, spans: list[float], path: Path) -> tuple[np.ndarray, list[str]]:
    """The values without the end points that are doubled, and a warning when they are missing where they belong."""
    whole = [axis for axis in range(3) if spans[axis] == 1]
    doubled = [axis for axis in whole if ends_agree(general, axis)]
    for axis in whole:
        if axis not in doubled and (_mostly_doubled(general, axis) or not joins(general, axis)):
            raise FormatError(
                f"{path}: the first and the last grid plane along axis {axis + 1} differ",
                "a general grid: n + 1 points, the last repeating the first",
                "export the field again with the periodic end points",
            )
    warning = "the grid does not repeat its first planes as its last: read as n points of one period, not n + 1"
    period = general[tuple(slice(-1 if axis in doubled else None) for axis in range(3))]
    return period, [warning] * (len(doubled) < len(whole))


def _mostly_doubled(general: np.ndarray, axis: int) -> bool:
    # A damaged number on one of the end planes, when most of the points that change along the axis agree.
    planes = np.moveaxis(general, axis, 0)
    agrees = np.isclose(planes[-1], planes[0], rtol=0, atol=1e-6 * np.ptp(general))
    changes = ~np.isclose(planes[1], planes[0], rtol=0, atol=1e-6 * np.ptp(general))
    return bool(np.count_nonzero(agrees & changes) > np.count_nonzero(~agrees))


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
