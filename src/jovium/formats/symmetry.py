"""Space groups by the names that files give them, and the atoms that their operations make of one site.

Source: the database of spglib, the 530 settings of Hall (https://cci.lbl.gov/sginfo/hall_symbols.html).
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple
from warnings import catch_warnings

import numpy as np
from jaxtyping import Float

from jovium.base.cell import Cell
from jovium.base.errors import FormatError
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM
from jovium.base.validity import merged

SYMMETRIC = 0.02
"""How far the metric of a cell may be from its symmetry, relative to its largest length squared."""

POSITION_TOLERANCE = 1e-4
"""Distance (bohr) within which an operation maps one atom onto another."""

GLIDES = {39: "bacbac", 41: "bacbac", 64: "abbcca", 67: "abbcca", 68: "abbcca"}
AXES = "", "ba-c", "cab", "-cba", "bca", "a-cb"
"""The letter that names before 1992 have for the glide e, by group and order of the axes: Cmca is Cmce."""


class Operations(NamedTuple):
    """Symmetry operations s -> W s + w of fractional coordinates."""

    rotations: Float[np.ndarray, "k 3 3"]
    translations: Float[np.ndarray, "k 3"]


class Setting(NamedTuple):
    """A space group with its choice of axes and origin; names without spaces, in small letters."""

    hall_number: int
    number: int
    hall: str
    names: frozenset[str]
    choice: str


def cell_of(parameters: Sequence[float]) -> Cell:
    """The cell of three lengths (angstrom) and three angles (degrees). Raises ValueError for another number of them."""
    from ase.geometry import cellpar_to_cell

    if len(parameters) != 6:
        raise ValueError(f"{len(parameters)} lengths and angles of the cell in place of 6")
    return Cell(cellpar_to_cell(parameters) / BOHR_ANGSTROM)


def listed_operations(lines: Sequence[str]) -> Operations:
    """Operations written as "x, 1/2-y, z". Raises ValueError for a line that is none."""
    from ase.spacegroup.spacegroup import parse_sitesym

    found = Operations(*(np.array(part, dtype=float) for part in parse_sitesym(lines)))
    for line, determinant in zip(lines, np.linalg.det(found.rotations), strict=True):
        if line.count(",") != 2 or abs(abs(determinant) - 1) > 1e-6:
            raise ValueError(f"the symmetry operation '{line.strip()}'")
    return found


def orbit(
    cell: Cell, site: Float[np.ndarray, "3"], symbol: str, operations: Operations, lattice: Cell | None = None
) -> Float[np.ndarray, "m 3"]:
    """Cartesian positions (bohr) of the atoms that the operations make of a site in fractional coordinates.

    lattice: the cell that holds each of them once (default: the same)."""
    images = cell.cartesian(operations.rotations @ site + operations.translations)
    if len(images) == 1:
        return images
    return merged(Structure(lattice or cell, images, (symbol,) * len(images))).positions


def primitive_cell(cell: Cell, operations: Operations) -> Cell:
    """The smallest cell of the lattice whose translations are among the operations, with reduced vectors."""
    import spglib

    centres = operations.translations[np.abs(operations.rotations - np.eye(3)).max(axis=(1, 2)) < 0.5]
    points: Any = cell.vectors, centres, [1] * len(centres)
    with catch_warnings(action="ignore"):
        standard: Any = spglib.standardize_cell(points, to_primitive=True, no_idealize=True)
    assert standard
    return Cell(Cell(standard[0]).reduced)


def found_group(structure: Structure) -> tuple[str, int, int]:
    """Name and number of the space group of a structure, and how many operations map its cell onto itself."""
    import spglib

    kinds = [sorted(set(structure.symbols)).index(symbol) for symbol in structure.symbols]
    cell: Any = structure.cell.vectors, structure.cell.fractional(structure.positions), kinds
    with catch_warnings(action="ignore"):
        dataset: Any = spglib.get_symmetry_dataset(cell, symprec=POSITION_TOLERANCE)
    return (dataset.international, dataset.number, len(dataset.rotations)) if dataset else ("P1", 1, 1)


def fits(operations: Operations, cell: Cell) -> bool:
    """True when the operations map the lattice of the cell onto itself without a change of lengths."""
    metric = cell.vectors @ cell.vectors.T
    mapped = operations.rotations.transpose(0, 2, 1) @ metric @ operations.rotations
    return bool(np.abs(mapped - metric).max() <= SYMMETRIC * metric.max())


def space_groups(hall: str = "", name: str = "", number: int | None = None) -> list[Setting]:
    """The settings that the Hall symbol means, without one the Hermann-Mauguin name, for lack of both the number."""
    name, _, choice = (part.strip() for part in name.partition(":"))
    if last := re.search(r"\s([HRSZ])$", name):  # as databases write the choice: R -3 m H, F d -3 m Z
        name, choice = name[: last.start()], {"S": "1", "Z": "2"}.get(last.group(1), last.group(1))
    if hall:
        return [setting for setting in _settings() if _plain(hall) == setting.hall]
    settings = [setting for setting in _settings() if not choice or choice.lower() == setting.choice.lower()]
    named = [setting for setting in settings if _plain(name) in setting.names]
    return named or [setting for setting in settings if number == setting.number]


def operations_of(settings: Iterable[Setting], cell: Cell, said: str) -> Operations:
    """The operations of the one setting that fits the cell, the standard one where only axes are open.

    Raises FormatError when none fits, or when two choices of the origin are left.
    """
    possible = [(setting, found) for setting in settings if fits(found := _database(setting.hall_number), cell)]
    if not possible:
        raise FormatError(
            f"the space group {said} with a cell of other symmetry, or unknown",
            "a known space group that fits the cell",
            "list the symmetry operations in the file (_space_group_symop_operation_xyz)",
        )
    if len({setting.choice for setting, _ in possible if setting.choice[:1] in ("1", "2")}) > 1:
        raise FormatError(
            f"the space group {said} without its choice of the origin",
            "the name with its choice (F d -3 m :2), the Hall symbol, or the symmetry operations",
            "write the file again with the symmetry operations, or in P 1",
        )
    return possible[0][1]


def orders(settings: Iterable[Setting]) -> set[int]:
    """Numbers of operations of the settings."""
    return {len(_database(setting.hall_number).rotations) for setting in settings}


def _plain(name: str) -> str:
    return re.sub(r"[\s_]", "", name).lower()


@cache
def _database(hall_number: int) -> Operations:
    import spglib

    with catch_warnings(action="ignore"):
        found = spglib.get_symmetry_from_database(hall_number)
    assert found
    return Operations(np.array(found["rotations"], dtype=float), np.array(found["translations"], dtype=float))


@cache
def _settings() -> tuple[Setting, ...]:
    import spglib

    settings = []
    for hall_number in range(1, 531):
        with catch_warnings(action="ignore"):
            group = spglib.get_spacegroup_type(hall_number)
        assert group
        # "P 2_1/c = P 1 2_1/n 1": the name of this setting is the last one; P 2_1/n is short for it.
        name = group.international.split("=")[-1]
        short = " ".join(word for word in name.split() if word != "1") if 3 <= group.number <= 15 else name
        named = [name, short, group.international_full]
        if group.number in GLIDES:
            glide = GLIDES[group.number][AXES.index(group.choice.lstrip("12"))]
            named += [each.replace("e", glide) for each in named]
        names = frozenset(map(_plain, named))
        settings.append(Setting(hall_number, group.number, _plain(group.hall_symbol), names, group.choice))
    return tuple(settings)
