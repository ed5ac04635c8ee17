"""A crystal from its space group, the lengths and angles of its cell, and its sites."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from jovium.base.cell import Cell
from jovium.base.errors import FormatError, InputError
from jovium.base.structure import Structure, element
from jovium.base.units import BOHR_ANGSTROM
from jovium.base.validity import COINCIDENT, SHORTEST_DISTANCE
from jovium.formats.symmetry import (
    Operations,
    Setting,
    cell_of,
    found_group,
    operations_of,
    orbit,
    primitive_cell,
    space_groups,
)

PARAMETERS = (
    (2, "a b c alpha beta gamma"),
    (15, "a b c 90 beta 90"),
    (74, "a b c 90 90 90"),
    (142, "a a c 90 90 90"),
    (194, "a a c 90 90 120"),
    (230, "a a a 90 90 90"),
)
"""Lengths and angles of a cell, up to each number of a space group: those of one name are equal."""

RHOMBOHEDRAL = "a a a alpha alpha alpha"

LONGEST = 1000.0
"""Lengths of a cell (angstrom) are below it."""

FARTHEST = 2.0
"""Fractions of a lattice vector are no larger: beyond are coordinates in angstrom."""

CHOICE = "227:2, 166:R, 'F d -3 m:2'"

Site = Sequence[float | str]
"""Element and three fractional coordinates of one atom of an orbit: numbers or their text, 0.25, "1/3"."""


def structure_of_sites(space_group: int | str, cell: float | Sequence[float], sites: Sequence[Site]) -> Structure:
    """A crystal in its primitive cell.

    space_group: number or Hermann-Mauguin name, with the choice where there are two origins or axes (227:2, 166:R,
    "F d -3 m:2"). cell: what is free of a, b, c (angstrom), alpha, beta, gamma (degrees) in this order, such as a of a
    cubic crystal, a and c of a hexagonal one; or all six. sites: one atom of each orbit. One within COINCIDENT of a
    special position is moved there, and a note says so; another says when the atoms have a higher symmetry. Raises
    InputError for an unknown group, a cell that does not fit it, no sites, what is no fraction, and atoms that overlap,
    by the names of their sites.
    """
    if not sites:
        raise InputError(f"the space group {space_group} without sites", "one or more: element, x, y, z", "give sites")
    settings = _settings(str(space_group))
    conventional = _cell(cell, settings)
    operations = _operations(settings, conventional, str(space_group))
    primitive = primitive_cell(conventional, operations)
    positions, symbols, names, notes = [], [], [], []
    for site in sites:
        name = " ".join(map(str, site))
        asked = _coordinates(site, name)
        special = _special(asked, conventional, operations)
        if np.abs(special - asked).max() > 1e-9:
            notes.append(f"the site {name} is on the special position {' '.join(f'{x:.6g}' for x in special)}")
        images = orbit(conventional, special, symbol := element(str(site[0])), operations, primitive)
        positions.append(images)
        symbols += [symbol] * len(images)
        names += [name] * len(images)
    fractions = np.round(primitive.fractional(np.concatenate(positions)), 12) % 1  # clean digits for files
    structure = Structure(primitive, primitive.cartesian(fractions), tuple(symbols), tuple(notes))
    _require_apart(structure, names)
    return _with_group(structure, len(operations.rotations) * primitive.volume / conventional.volume, settings[0])


def _settings(space_group: str) -> list[Setting]:
    number = space_group.partition(":")[0].strip()
    settings = space_groups(name=space_group, number=int(number) if number.isdecimal() else None)
    if not settings:
        expected = f"a number from 1 to 230 or a name such as 'I m -3 m', with its choice if need be: {CHOICE}"
        raise InputError(f"the space group {space_group}", expected, "look it up in the International Tables")
    return settings


def _cell(given: float | Sequence[float], settings: list[Setting]) -> Cell:
    """The conventional cell of its free parameters, or of all six."""
    numbers = np.atleast_1d(np.asarray(given, dtype=float)).tolist()
    words = next(words for last, words in PARAMETERS if settings[0].number <= last).split()
    if {setting.choice for setting in settings} == {"R"}:
        words = RHOMBOHEDRAL.split()
    free = [word for word in dict.fromkeys(words) if word.isalpha()]
    got = f"a cell {' '.join(f'{x:g}' for x in numbers)} of space group {settings[0].number}"
    if len(numbers) not in (len(free), 6):
        raise InputError(got, f"{' '.join(free)} (angstrom, degrees), or all of a b c alpha beta gamma", "give these")
    known = dict(zip(free, numbers, strict=False))
    six = numbers if len(numbers) == 6 else [known[word] if word in known else float(word) for word in words]
    try:
        if not (all(0 < length < LONGEST for length in six[:3]) and all(0 < angle < 180 for angle in six[3:])):
            raise ValueError("lengths and angles out of range")
        return cell_of(six)
    except (AssertionError, ValueError, InputError) as error:
        expected = f"lengths above 0 and below {LONGEST:g} angstrom, and angles in degrees that span a volume"
        raise InputError(got, expected, "check the cell") from error


def _operations(settings: list[Setting], cell: Cell, said: str) -> Operations:
    try:
        return operations_of(settings, cell, said)
    except FormatError as error:
        expected = f"a cell of its symmetry, and its choice where there are two origins or axes: {CHOICE}"
        raise InputError(error.got.replace(", or unknown", ""), expected, "correct the cell or the group") from error


def _coordinates(site: Site, name: str) -> Float[np.ndarray, "3"]:
    """Three fractions as numbers."""
    try:
        parts = [str(number).partition("/")[::2] for number in site[1:]]
        fractions = np.array([float(above) / float(below or 1) for above, below in parts])
        if fractions.shape == (3,) and (np.abs(fractions) <= FARTHEST).all():
            return fractions
    except (ValueError, ZeroDivisionError):
        pass
    expected = f"an element and three fractions of the lattice vectors between -{FARTHEST:g} and {FARTHEST:g}"
    raise InputError(f"the site {name}", expected, "write it as H 0 1/2 0.25")


def _special(site: Float[np.ndarray, "3"], cell: Cell, operations: Operations) -> Float[np.ndarray, "3"]:
    """The mean of a site and those of its images that are within COINCIDENT of it: the special position there."""
    shifts = operations.rotations @ site + operations.translations - site
    shifts -= np.round(shifts)
    near = np.linalg.norm(cell.cartesian(shifts), axis=1) < COINCIDENT
    return site + shifts[near].mean(axis=0)


def _require_apart(structure: Structure, names: list[str]) -> None:
    """Raise InputError for atoms that overlap, with the names of their sites."""
    distances, others = structure.neighbours(1)
    closest = int(distances[:, 0].argmin())
    if distances[closest, 0] >= SHORTEST_DISTANCE:
        return
    first, second = names[closest], names[others[closest, 0]]
    sites = f"the sites {first} and {second}" if first != second else f"the site {first} and its images"
    raise InputError(
        f"{sites} {distances[closest, 0] * BOHR_ANGSTROM:.3f} angstrom apart",
        f"atoms at least {SHORTEST_DISTANCE * BOHR_ANGSTROM:.2f} angstrom apart, every orbit once",
        "write special positions as they are (1/3, not 0.3), and check the origin of the space group",
    )


def _with_group(structure: Structure, order: float, asked: Setting) -> Structure:
    """The structure, with a note when its symmetry is higher. Raises InputError when its cell has a lower one."""
    name, number, found = found_group(structure)
    if found < round(order):
        raise InputError(
            f"a cell and sites of the space group {name} ({number})",
            f"those of space group {asked.number}",
            "give equal lengths the same digits, and angles of 90 and 120 degrees exactly",
        )
    if found > round(order):
        higher = f"the space group {name} ({number})" if number != asked.number else "a smaller cell"
        return replace(structure, notes=(*structure.notes, f"these sites have {higher}, not only {asked.number}"))
    return structure
