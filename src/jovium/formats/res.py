"""SHELX .res files, as AIRSS writes them too: one structure after the other, each from TITL to END.

Source: https://shelx.uni-goettingen.de/shelxl_html.php (CELL, LATT, SYMM, SFAC, atoms; 10 is added to a coordinate
or an occupation held fixed; on a special position an occupation is divided by the order of the site symmetry).
"""

import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from jovium.base.errors import FormatError
from jovium.base.structure import Structure, element
from jovium.formats.files import Frame, format_errors, leading_numbers
from jovium.formats.occupation import require_ordered
from jovium.formats.symmetry import Operations, cell_of, listed_operations, orbit

INSTRUCTION = re.compile(r"(REM|L\.S\.|[A-Z]{4}(_\S*)?)(\s|$)", re.IGNORECASE)
ATOM = re.compile(r"(\S+)\s+(\d+)\s+(.*)")
END = re.compile(r"\s*(END|HKLF)\b", re.IGNORECASE)
CENTRINGS = {
    1: [],
    2: [(1 / 2, 1 / 2, 1 / 2)],
    3: [(2 / 3, 1 / 3, 1 / 3), (1 / 3, 2 / 3, 2 / 3)],
    4: [(0, 1 / 2, 1 / 2), (1 / 2, 0, 1 / 2), (1 / 2, 1 / 2, 0)],
    5: [(0, 1 / 2, 1 / 2)],
    6: [(1 / 2, 0, 1 / 2)],
    7: [(1 / 2, 1 / 2, 0)],
}
"""Translations of LATT 1 to 7: P, I, R, F, A, B, C."""


def res_frames(text: str) -> list[Frame]:
    """The structures of a file."""
    joined = re.sub(r"=[ \t]*\r?\n\s", " ", text)  # continued lines
    blocks = [block for block in re.split(r"(?im)^(?=\s*TITL\b)", joined) if block.strip()]
    return [partial(_frame, block.splitlines()) for block in blocks]


def _frame(lines: list[str], path: Path) -> tuple[Structure, dict[str, Any]]:
    end = next((i for i, line in enumerate(lines) if END.match(line)), None)
    if end is None:
        raise FormatError(f"{path}: truncated: no END", "every structure from TITL to END", "copy the file again")
    said: dict[str, list[str]] = {"SFAC": [], "SYMM": []}
    rows = []
    for line in filter(None, map(str.strip, lines[:end])):
        if not INSTRUCTION.match(line):
            rows += [line] * ("CELL" in said)  # above it ASE writes a title of several lines
        elif (keyword := line[:4].upper()) in ("SFAC", "SYMM"):
            said[keyword].append(line[4:])
        else:
            said[keyword] = line.split()[1:]
    with format_errors(path, ".res"):
        if "CELL" not in said:
            raise ValueError("no CELL")
        cell = cell_of(leading_numbers(" ".join(said["CELL"]))[1:])
        species = [symbol for line in said["SFAC"] for symbol in _species(line.split())]
        operations = _operations(int(said.get("LATT", ["-1"])[0]), said["SYMM"])
        atoms = [_atom(row, species) for row in rows]
    title = said.get("TITL", [])
    if len(title) > 7 and title[6].isdecimal() and title[7].startswith("(") and int(title[6]) != len(atoms):
        raise FormatError(f"{path}: {len(atoms)} atoms", f"{title[6]}, as its TITL says", "copy the file again")
    orbits = [orbit(cell, site, symbol, operations) for symbol, site, _ in atoms]
    order = len(operations.rotations)
    require_ordered([share * order / len(places) for (*_, share), places in zip(atoms, orbits, strict=True)], path)
    symbols = tuple(symbol for (symbol, *_), places in zip(atoms, orbits, strict=True) for _ in places)
    notes = () if "LATT" in said else ("no LATT in the file: read without symmetry",)
    return Structure(cell, np.concatenate([np.zeros((0, 3)), *orbits]), symbols, notes), {}


def _species(words: list[str]) -> list[str]:
    """Elements of a line SFAC; when numbers follow, scattering factors, there is one."""
    return [element(word) for word in words if not leading_numbers(word)]


def _atom(row: str, species: list[str]) -> tuple[str, Float[np.ndarray, "3"], float]:
    """Element, fractional coordinates and occupation."""
    match = ATOM.fullmatch(row)
    found = leading_numbers(match.group(3)) if match else []
    if match is None or len(found) < max(3, min(4, len(match.group(3).split()))):
        raise ValueError(f"'{row}' is neither an instruction nor an atom")
    symbol = species[int(match.group(2)) - 1] if 0 < int(match.group(2)) <= len(species) else ""
    if not symbol or not match.group(1).upper().startswith(symbol.upper()):
        raise ValueError(f"the atom '{row}' is none of SFAC {' '.join(species)} by its number")
    site = [x - 10 if 5 <= x < 15 else x for x in (*found, 1.0)[:4]]
    return symbol, np.array(site[:3]), site[3]


def _operations(lattice: int, symmetries: list[str]) -> Operations:
    """The operations of LATT, negative without inversion, and SYMM."""
    if abs(lattice) not in CENTRINGS:
        raise ValueError(f"LATT {lattice}")
    listed = listed_operations(["x,y,z", *symmetries])
    turned, moved = [*listed.rotations], [*listed.translations]
    if lattice > 0:
        turned, moved = [*turned, *(-w for w in turned)], [*moved, *(-t for t in moved)]
    shifts = [np.zeros(3), *map(np.array, CENTRINGS[abs(lattice)])]
    return Operations(np.array(turned * len(shifts)), np.array([t + shift for shift in shifts for t in moved]))
