"""What one structure's ELF says: the value every report is made from."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jovium.base.units import BOHR_ANGSTROM

if TYPE_CHECKING:
    from jovium.base.grid import GridField
    from jovium.base.structure import Structure
    from jovium.superconductivity.dos import DensityOfStates, HydrogenDos
    from jovium.superconductivity.fits import TcEstimate
    from jovium.topology.critical_points import CriticalPoints
    from jovium.topology.crystal_path import Approach, CrystalPath
    from jovium.topology.network import Network, Threshold


THRESHOLD = "value", "grid_value", "refined"
CRITICAL_POINT = "kind", "value", "persistence"
HYDROGEN_DOS = "source", "fermi_energy_ev", "total_at_fermi", "uncertainty", "captured"
ESTIMATE = "kelvin", "rmse_kelvin", "hydrogen_dos_kelvin", "doi", "note"
PATH = "visited", "hydrogen_share", "around_cores"
"""What is told of each."""


@dataclass(frozen=True)
class Analysis:
    """The ELF of a structure, its topology, and the critical temperatures it suggests.

    elf: the field at full resolution. network: thresholds where it spans 1, 2, 3 directions. protocol: how the ELF was
    computed, as names and plain values. warnings: sentences to be read before the numbers. hydrogen_dos: hydrogen
    fraction of the density of states at the Fermi level that `tc` was made with and its source, None when unknown.
    intervals: of a predicted ELF, lowest and highest value of every threshold inside its band. computed: the same
    structure from first principles, when the prediction is to be seen beside it; its ELF is on the same grid. path:
    where the network runs among the atoms.
    """

    structure: Structure
    elf: GridField
    network: Network
    critical_points: CriticalPoints
    tc: tuple[TcEstimate, ...]
    protocol: dict[str, object]
    warnings: tuple[str, ...] = ()
    name: str = "structure"
    hydrogen_dos: HydrogenDos | None = None
    intervals: dict[str, tuple[float, float]] | None = None
    computed: Analysis | None = None
    states: DensityOfStates | None = None
    protocol_error: float | None = None
    path: CrystalPath | None = None

    def __repr__(self) -> str:
        lines = [self.title()]
        for name in ("phi_3d", "phi_star"):
            point, interval = self.thresholds()[name], (self.intervals or {}).get(name)
            within = f"  [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else ""
            lines.append(f"{name:<10}" + ("none" if point is None else f"{point.value:.4f}{within}"))
        kelvins = [f"{fit.name} {fit.kelvin:.0f} K" for fit in self.tc if fit.kelvin is not None]
        lines.append("Tc        " + (", ".join(kelvins) or "none"))
        return "\n".join([*lines, *(f"warning: {warning}" for warning in self.warnings)])

    def title(self) -> str:
        """Name and size in a line: rs of hydrogen, the volume of the cell of a compound."""
        structure, grid = self.structure, " x ".join(map(str, self.elf.shape))
        size = f"rs {structure.rs:.4f} bohr"
        if not structure.is_pure_hydrogen:
            size = f"{structure.cell.volume * BOHR_ANGSTROM**3:.3f} angstrom^3"
        return f"{self.name}: {structure.n_atoms} atoms, {size}, ELF grid {grid}"

    def _repr_html_(self) -> str:
        from jovium.report.notebook import Page

        return Page(self)._repr_html_()

    @property
    def hydrogen_fraction(self) -> float:
        """H atoms / all atoms; H, D and T are one element here."""
        return len(self.structure.hydrogens) / self.structure.n_atoms

    def thresholds(self) -> dict[str, Threshold | None]:
        """phi_1d, phi_2d, phi_3d and phi_star by name; None for one that does not exist."""
        return self.network.thresholds()

    def errors(self) -> dict[str, float]:
        """Root mean square, mean absolute and largest difference of the predicted and the computed ELF, and R^2. Empty
        without the computed one."""
        if self.computed is None:
            return {}
        true = self.computed.elf.values
        difference = self.elf.values - true
        return {
            "rmse": float(np.sqrt(np.mean(difference**2))),
            "mae": float(np.mean(np.abs(difference))),
            "largest": float(np.abs(difference).max()),
            "r2": float(1 - np.mean(difference**2) / np.var(true)),
        }

    def to_json(self) -> dict[str, object]:
        """The results as plain Python values, the same numbers as every table; NaN and infinity become None.

        Thresholds are isovalues of the ELF (0 to 1), positions in angstrom, rs in bohr, Tc in kelvin. Tc follows from
        phi_3d, phi_star, hydrogen_fraction and hydrogen_dos; the details of the last are the file it was read from, the
        Fermi energy (eV) and the total density of states there. A persistence of None is infinite. The points of the
        path are those of the grid, to 1e-4 angstrom.
        """
        thresholds = self.thresholds()
        points = self.critical_points
        return {
            "name": self.name,
            **{name: None if point is None else number(point.value) for name, point in thresholds.items()},
            "thresholds": {name: _attributes(point, THRESHOLD) for name, point in thresholds.items()},
            "network_path": _path_json(self.path),
            "critical_points": {
                **{name: int(getattr(points, name)) for name in ("maxima", "bonds", "rings", "cages", "morse_sum")},
                "points": [_attributes(point, CRITICAL_POINT) for point in points.points],
            },
            "persistence_threshold": number(points.persistence_threshold),
            "hydrogen_fraction": number(self.hydrogen_fraction),
            "hydrogen_dos": number(self.hydrogen_dos and self.hydrogen_dos.value),
            "hydrogen_dos_details": _attributes(self.hydrogen_dos, HYDROGEN_DOS),
            "tc_kelvin": {estimate.name: number(estimate.kelvin) for estimate in self.tc},
            "tc_details": {estimate.name: _attributes(estimate, ESTIMATE) for estimate in self.tc},
            "protocol": plain(self.protocol),
            "protocol_error": number(self.protocol_error),
            "metal": self.states and self.states.is_metal,
            "states_at_fermi_per_ev": number(self.states and self.states.at_fermi),
            "pressure_gpa": self.protocol.get("pressure_gpa"),
            "warnings": [str(warning) for warning in self.warnings],
            "n_atoms": int(self.structure.n_atoms),
            "grid_shape": [int(n) for n in self.elf.shape],
            "rs_bohr": number(self.structure.rs),
            "intervals": plain(self.intervals),
            "errors": plain(self.errors()) or None,
            "computed": None if self.computed is None else self.computed.to_json(),
        }


def path_rows(analysis: Analysis) -> list[tuple[str, str, str]]:
    """What, value and meaning of the path among the atoms, for tables; pure hydrogen has nothing to tell."""
    path = analysis.path
    if path is None or not path.approaches:
        return []
    visits = Counter(atom.split()[0] for atom in path.visited)
    rows = [
        ("path at hydrogen", f"{path.hydrogen_share:.0%}", "part of the path of phi_3d whose nearest atom is hydrogen"),
        ("atoms on the path", ", ".join(f"{n} {symbol}" for symbol, n in visits.items()), "nearest to its maxima"),
    ]
    for near in path.approaches:
        core = "not known" if near.core_radius is None else f"{near.core_radius * BOHR_ANGSTROM:.2f}"
        away = f"{near.distance * BOHR_ANGSTROM:.2f}"
        rows.append((f"path to {near.atom}", away, f"smallest distance, angstrom; radius of the core {core}"))
    return rows


def number(value: float | None) -> float | None:
    """A Python float, or None for None, NaN and infinity (JSON has no word for them)."""
    return float(value) if value is not None and math.isfinite(value) else None


def plain(value: object) -> object:
    """`value` as nested dicts, lists, strings and finite numbers; anything else becomes its text."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(entry) for entry in value]
    if isinstance(value, float):
        return number(value)
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _path_json(path: CrystalPath | None) -> object:
    if path is None:
        return None
    cycles = zip(path.path.windings, path.path.cycles, strict=True)
    return {
        "lowest": number(path.path.lowest),
        **{name: plain(getattr(path, name)) for name in PATH},
        "approaches": [_approach_json(approach) for approach in path.approaches],
        "passed": _approach_json(path.passed),
        "cycles": [
            {"lattice_vectors": plain(winding), "points_angstrom": plain(np.round(points * BOHR_ANGSTROM, 4))}
            for winding, points in cycles
        ],
    }


def _approach_json(approach: Approach | None) -> object:
    if approach is None:
        return None
    radius = None if approach.core_radius is None else approach.core_radius * BOHR_ANGSTROM
    distance = approach.distance * BOHR_ANGSTROM
    return {"atom": approach.atom, "distance_angstrom": distance, "core_radius_angstrom": radius}


def _attributes(value: object, names: tuple[str, ...]) -> object:
    """Attributes of a value by their names, its position in angstrom; None for None."""
    if value is None:
        return None
    position = getattr(value, "position", None)
    where = {} if position is None else {"position_angstrom": plain(np.asarray(position, float) * BOHR_ANGSTROM)}
    return {name: plain(getattr(value, name)) for name in names} | where
