"""Extended XYZ trajectories: a line with the number of atoms, a comment with names and values, a line per atom.

Source: https://github.com/libAtoms/extxyz. A frame is looked up when it is asked for: the file may be longer than the
memory, and still being written.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from jovium.base.cell import Cell
from jovium.base.errors import FormatError, StructureError
from jovium.base.structure import NOT_PERIODIC, Structure, element
from jovium.base.units import BOHR_ANGSTROM
from jovium.formats.files import CUT, Frame, open_file, three_numbers
from jovium.formats.occupation import named_occupations, require_ordered


def extxyz_frames(path: Path) -> list[Frame]:
    """The frames of a file, the last of them perhaps incomplete; behind a line that begins none there are no more."""
    frames: list[Frame] = []
    with open_file(path) as stream:
        while line := stream.readline():
            if not line.strip():
                continue
            start = stream.tell()
            head = line.decode("utf-8-sig", errors="replace").strip()
            count = int(head) if head.isdecimal() else 0
            frames.append(partial(_read_frame, path, start, count, head))
            if not count:
                break
            for _ in range(count + 1):
                if not stream.readline():
                    break
    return frames


def _read_frame(path: Path, start: int, count: int, head: str, name: Path) -> tuple[Structure, dict[str, Any]]:
    if not count:
        raise FormatError(f"{name}: '{head[:40]}' where a frame begins", "a number of atoms", "correct the file")
    with path.open("rb") as stream:
        stream.seek(start)
        text = "".join(stream.readline().decode(errors="replace") for _ in range(count + 1))
    comment, *rows = text.splitlines() or [""]
    if len(rows) < count:
        got = f"{name}: truncated: {len(rows)} atoms of the frame"
        raise FormatError(got, f"{count}", "wait until it is written, or choose whole frames")
    structure, facts = parse_frame(comment, rows, name)
    return structure.noted(*([] if text.endswith("\n") else [CUT])), facts


def parse_frame(comment: str, rows: list[str], name: Path) -> tuple[Structure, dict[str, Any]]:
    """Structure and named values of a frame.

    Raises FormatError for a line that does not hold what Properties says, and for partly occupied sites, StructureError
    for a frame without a cell.
    """
    from ase.io.extxyz import key_val_str_to_dict

    facts = key_val_str_to_dict(comment) if comment.strip() else {}
    lattice = next((facts.pop(key) for key in list(facts) if key.lower() == "lattice"), None)
    if lattice is None:
        raise StructureError(
            "a structure with 0 lattice vectors",
            "a cell with three lattice vectors",
            'write Lattice="ax ay az bx by bz cx cy cz" into the comment line of every frame',
        )
    columns = _columns(str(facts.pop("Properties", "species:S:1:pos:R:3")), rows, name)
    symbols = columns.get("species") or columns.get("Z")
    if symbols is None or "pos" not in columns:
        raise FormatError(f"{name}: Properties without species or pos", "species:S:1:pos:R:3:...", "correct the file")
    positions = np.array([three_numbers(" ".join(row)) for row in columns["pos"]]) / BOHR_ANGSTROM
    require_ordered(named_occupations(facts, columns), name)
    vectors = np.asarray(lattice, dtype=float).reshape(3, 3, order="F").T
    notes = () if np.all(facts.pop("pbc", True)) else (NOT_PERIODIC,)
    names = tuple(element(row[0]) for row in symbols)
    return Structure(Cell(vectors / BOHR_ANGSTROM), positions, names, notes), facts


def _columns(properties: str, rows: list[str], name: Path) -> dict[str, list[list[str]]]:
    """The words of every row by the names that Properties gives them: "species:S:1:pos:R:3" and so on."""
    parts = properties.split(":")
    widths = [int(width) for width in parts[2::3]]
    ends = np.cumsum(widths)
    words = [row.split() for row in rows]
    for row, found in zip(rows, words, strict=True):
        if len(found) < ends[-1]:
            raise FormatError(f"{name}: the line '{row.strip()}'", f"{ends[-1]} columns", "correct or copy the file")
    spans = zip(parts[::3], ends - widths, ends, strict=True)
    return {column: [found[start:end] for found in words] for column, start, end in spans}
