"""Crystals in CIF files: sites, and the symmetry operations that make atoms of them.

Source: https://www.iucr.org/resources/cif/dictionaries (core dictionary: _cell_, _atom_site_, _space_group_).
"""

import io
import re
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from jovium.base.cell import Cell
from jovium.base.structure import Structure, element
from jovium.formats.files import CUT, Frame, format_errors
from jovium.formats.occupation import require_ordered
from jovium.formats.symmetry import (
    Operations,
    cell_of,
    listed_operations,
    operations_of,
    orbit,
    orders,
    space_groups,
)

CELL = [*(f"_cell_length_{x}" for x in "abc"), *(f"_cell_angle_{x}" for x in ("alpha", "beta", "gamma"))]
LISTED = "_space_group_symop_operation_xyz", "_space_group_symop.operation_xyz", "_symmetry_equiv_pos_as_xyz"
HALL = "_space_group_name_hall", "_space_group.name_hall", "_symmetry_space_group_name_hall"
NAME = "_space_group_name_h-m_alt", "_space_group.name_h-m_alt", "_symmetry_space_group_name_h-m"
NUMBER = "_space_group_it_number", "_space_group.it_number", "_symmetry_int_tables_number"

Tags = dict[str, Any]


def cif_frames(text: str) -> list[Frame]:
    """The structures of a file, one for each data block with fractional coordinates."""
    blocks = [block for block in re.split(r"(?im)^(?=data_)", text) if "_atom_site_fract_x" in block.lower()]
    return [partial(_frame, block) for block in blocks]


def _frame(block: str, path: Path) -> tuple[Structure, dict[str, Any]]:
    from ase.io.cif import parse_cif

    with format_errors(path, "CIF"):
        tags: Tags = dict(next(parse_cif(io.StringIO(block))))
        cell = cell_of([float(tags[name]) for name in CELL if name in tags])
        labels = [str(label) for label in tags.get("_atom_site_type_symbol") or tags["_atom_site_label"]]
        symbols = [element(label) for label in labels]
        sites = np.array([tags[f"_atom_site_fract_{x}"] for x in "xyz"], dtype=float).T
        occupations = tags.get("_atom_site_occupancy", [])
        require_ordered(occupations, path)
        operations, notes = _operations(tags, cell)
        if not block.endswith("\n"):
            notes.append(CUT)
        if "?" in occupations:
            notes.append("occupations that the file does not know (?) are taken as 1")
    orbits = [orbit(cell, site, symbol, operations) for site, symbol in zip(sites, symbols, strict=True)]
    atoms = tuple(symbol for symbol, places in zip(symbols, orbits, strict=True) for _ in places)
    return Structure(cell, np.concatenate(orbits), atoms, (*notes, *_missing(tags, atoms))), {}


def _operations(tags: Tags, cell: Cell) -> tuple[Operations, list[str]]:
    """The operations that a block lists, or those of the group that it names, and what to know of them."""
    listed, hall, name, number = (_first(tags, keys) for keys in (LISTED, HALL, NAME, NUMBER))
    said = " ".join(str(word) for word in (hall, name, number) if word)
    given = str(hall or ""), str(name or ""), int(number) if number else None
    if listed:
        lines = [listed] if isinstance(listed, str) else listed
        known = orders(space_groups(*given)) if said else set()
        differ = known and len(lines) not in known
        note = f"the file lists {len(lines)} symmetry operations, its space group {said} has {max(known, default=0)}: "
        return listed_operations(lines), [note + "those listed are used"] if differ else []
    if said:
        settings = space_groups(*given)
        is_unknown = name and not hall and not space_groups(name=str(name)) and len(settings) > 1
        note = f"no space group is known by the name {name}: read as number {number} in its standard setting"
        return operations_of(settings, cell, said), [note] if is_unknown else []
    return listed_operations(["x,y,z"]), ["the file names no symmetry: read as P 1"]


def _missing(tags: Tags, atoms: tuple[str, ...]) -> list[str]:
    """A sentence when the atoms are not those of the chemical formula: hydrogen is often left out."""
    formula = str(tags.get("_chemical_formula_sum", ""))
    said = {symbol: float(count or 1) for symbol, count in re.findall(r"([A-Z][a-z]?)([\d.]*)", formula)}
    found = Counter(atoms)
    shares = [{symbol: n / sum(counts.values()) for symbol, n in counts.items()} for counts in (said, found)]
    if not said or all(abs(shares[0].get(x, 0) - shares[1].get(x, 0)) < 1e-3 for x in {*said, *found}):
        return []
    listed = " ".join(f"{symbol}{count}" for symbol, count in sorted(found.items()))
    return [f"the formula of the file is {formula}, its atoms are {listed}: are some missing?"]


def _first(tags: Tags, names: tuple[str, ...]) -> Any:
    return next((tags[name] for name in names if tags.get(name) not in (None, "?", ".", "")), None)
