"""The path of the network among the atoms: which it visits, how near it comes to nuclei, whether it needs their cores.

Shells of electrons in the core of an atom have a high ELF, and hydrogens may be connected through them: such a path is
no network of hydrogen. The core of a nucleus is the grid points nearer to it than its core radius and than to any other
nucleus. A path that enters no core is taken where there is one of the same lowest point.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from jovium.base.grid import GridField
from jovium.base.structure import ISOTOPE_MASSES, Structure
from jovium.base.units import BOHR_ANGSTROM
from jovium.topology.path import NetworkPath, network_path


@dataclass(frozen=True)
class Approach:
    """The nucleus of one element that a path comes nearest to: its name (element and number in the structure, from 1),
    the distance and the radius of its core (bohr), None when not known."""

    atom: str
    distance: float
    core_radius: float | None


@dataclass(frozen=True)
class CrystalPath:
    """The path of the network of a structure.

    visited: the atoms nearest to the maxima of the path, each once. hydrogen_share: part of its grid points whose
    nearest nucleus is a hydrogen. approaches: one for every other element. passed: the core it enters deepest, when
    every path of this height enters one; around_cores: then the lowest point of the best path that enters none, None
    without one.
    """

    path: NetworkPath
    visited: tuple[str, ...]
    hydrogen_share: float
    approaches: tuple[Approach, ...] = ()
    passed: Approach | None = None
    around_cores: float | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What makes it no network of hydrogen, and what was not checked, one sentence each."""
        warnings = []
        if self.passed and self.passed.core_radius:
            distance, radius = (f"{x * BOHR_ANGSTROM:.2f}" for x in (self.passed.distance, self.passed.core_radius))
            passes = f"the network passes {self.passed.atom} at {distance} angstrom, inside its core ({radius})"
            others = "there is none" if self.around_cores is None else f"phi is {self.around_cores:.2f}"
            warnings.append(f"{passes}: no network of hydrogen; around the cores {others}")
        unknown = [approach.atom for approach in self.approaches if approach.core_radius is None]
        if unknown:
            warnings.append(f"no core radius is known of {', '.join(unknown)}: the network may pass through the core")
        return tuple(warnings)


def crystal_path(field: GridField, structure: Structure, core_radii: Mapping[str, float]) -> CrystalPath:
    """The path of the network of `field` among the atoms of `structure`, with the radii of their cores (bohr)."""
    path, passed, around = network_path(field), None, None
    radii = np.array([core_radii.get(symbol, 0.0) for symbol in structure.symbols])
    if radii.any():
        distances, atoms = structure.nearest_atoms(field.points().reshape(-1, 3))
        in_core = (distances < radii[atoms]).reshape(field.shape)
        lowest = float(field.values.min())
        avoiding = network_path(replace(field, values=np.where(in_core, lowest - 1, field.values)))
        around = avoiding.lowest if avoiding.lowest >= lowest else None
        if around == path.lowest:
            path, around = avoiding, None
        else:
            distances, atoms = structure.nearest_atoms(path.points)
            deepest = int(np.argmin(distances - radii[atoms]))
            passed = _approach(structure, int(atoms[deepest]), float(distances[deepest]), core_radii)
    others = dict.fromkeys(symbol for symbol in structure.symbols if symbol != "H" and symbol not in ISOTOPE_MASSES)
    return CrystalPath(
        path,
        tuple(_name(structure, int(atom)) for atom in np.unique(structure.nearest_atoms(path.maxima)[1])),
        float(np.isin(structure.nearest_atoms(path.points)[1], structure.hydrogens).mean()),
        tuple(_nearest_of(element, structure, path, core_radii) for element in others),
        passed,
        around,
    )


def _nearest_of(element: str, structure: Structure, path: NetworkPath, core_radii: Mapping[str, float]) -> Approach:
    atoms = np.flatnonzero(np.array(structure.symbols) == element)
    alone = replace(structure, positions=structure.positions[atoms], symbols=(element,) * len(atoms))
    distances, found = alone.nearest_atoms(path.points)
    nearest = int(np.argmin(distances))
    return _approach(structure, int(atoms[found[nearest]]), float(distances[nearest]), core_radii)


def _approach(structure: Structure, atom: int, distance: float, core_radii: Mapping[str, float]) -> Approach:
    return Approach(_name(structure, atom), distance, core_radii.get(structure.symbols[atom]))


def _name(structure: Structure, atom: int) -> str:
    return f"{structure.symbols[atom]} {atom + 1}"
