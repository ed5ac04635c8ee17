"""Whether a file of labels keeps its word, and what it holds."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jovium.base.cell import Cell
from jovium.base.errors import JoviumError
from jovium.base.structure import Structure
from jovium.base.units import kelvin_to_hartree
from jovium.reference.label_record import SPLIT, Record, record_sha256, structure_sha256, text
from jovium.reference.labels import Labels, split_conflicts
from jovium.reference.protocol import Protocol

ELECTRONS = 1e-3
"""Largest difference of the integrated density from the number of atoms."""

NET_FORCE = 1e-4
"""Largest component of the sum of forces, hartree/bohr."""


@dataclass(frozen=True)
class StateRow:
    """The labels of one thermodynamic state in one split.

    rs in bohr, to three digits; temperature_kelvin None for structures without one. pressure: mean static pressure
    plus the ideal part n kT of the protons where they have a temperature, hartree/bohr^3; None when nothing is ok.
    """

    rs: float
    temperature_kelvin: float | None
    n_atoms: int
    split: str
    trajectories: int
    structures: int
    failed: int
    pressure: float | None


@dataclass(frozen=True)
class Audit:
    """Everything found in a file of labels: what is wrong (nothing in a good file), the failures, the states.

    largest_electron_error: of the integrated density; largest_net_force: hartree/bohr.
    """

    attributes: dict[str, Any]
    labels: int
    problems: tuple[str, ...]
    failures: tuple[str, ...]
    states: tuple[StateRow, ...]
    largest_electron_error: float
    largest_net_force: float


def audit(path: Path) -> Audit:
    """Read every row of a file of labels and check it.

    Checksums, identity of the structures, finite values, density that integrates to the number of atoms, forces that
    sum to zero, F = E - T S, grids and k-meshes as the protocol says, reasons of failures, no structure or group in
    two splits. That the ELF lies in [0, 1] is certain from how it is stored. Raises InputError or FormatError when the
    file cannot be read at all.
    """
    with Labels(path) as labels:
        problems = split_conflicts(labels.identities())
        entries: list[_Entry] = []
        for row in range(labels.n_rows):
            name = _name(labels, row)
            try:
                record = labels.record(row)
                problems += [f"{name}: {problem}" for problem in _problems(record, labels, row)]
                if row in labels.ok or row in labels.failed:  # and not a failure that was mended later
                    entries.append(_Entry.of(name, record))
            except (JoviumError, UnicodeDecodeError) as error:
                problems.append(f"{name}: {error}".splitlines()[0])
        if not entries:
            problems.append("no structures")
        return Audit(
            labels.attributes,
            len(labels),
            tuple(problems),
            tuple(f"{entry.name}: {entry.reason}" for entry in entries if entry.pressure is None),
            tuple(_states(entries)),
            max((entry.electron_error for entry in entries), default=0.0),
            max((entry.net_force for entry in entries), default=0.0),
        )


def _name(labels: Labels, row: int) -> str:
    group, step = labels.columns["group"][row].decode(errors="replace"), int(labels.columns["step"][row])
    return f"row {row} ({group or 'no group'}, step {step})"


def _electrons(record: Record) -> float:
    return float(np.mean(record["density"], dtype=float)) * Cell(record["cell"]).volume


def _problems(record: Record, labels: Labels, row: int) -> Iterator[str]:
    if record_sha256(record).encode() != labels.columns["sha256"][row]:
        yield "does not match its sha256"
    if not SPLIT.fullmatch(text(record["split"])):
        yield f"split '{text(record['split'])}'"
    structure = Structure(Cell(record["cell"]), record["positions"], ("H",) * len(record["positions"]))
    if structure_sha256(structure) != text(record["structure_sha256"]):
        yield "is not the structure its identity names"
    status = text(record["status"])
    if status == "ok":
        yield from _label_problems(record, labels, structure)
    elif status != "failed":
        yield f"status '{status}'"
    elif not text(record["reason"]) or len(record["elf"]):
        yield "failed without a reason, or with a grid"


def _expected_mesh(attributes: dict[str, Any], cell: Cell) -> tuple[int, ...]:
    if "k_mesh" in attributes:
        return tuple(attributes["k_mesh"])
    return Protocol(k_spacing=attributes["k_spacing_per_bohr"]).mesh(cell)


def _label_problems(record: Record, labels: Labels, structure: Structure) -> Iterator[str]:
    numbers = ("energy", "free_energy", "entropy_term", "forces", "stress", "density")
    unfinite = [name for name in numbers if not np.isfinite(record[name]).all()]
    if unfinite:
        yield f"{', '.join(unfinite)} not finite"
        return
    shape = tuple(record["grid_shape"].tolist())
    if shape != structure.cell.grid_shape(labels.attributes["grid_spacing_bohr"]) or np.prod(shape) != len(
        record["elf"]
    ):
        yield f"a grid of {shape} with {len(record['elf'])} points"
        return
    if tuple(record["k_mesh"].tolist()) != _expected_mesh(labels.attributes, structure.cell):
        yield f"a k-mesh of {record['k_mesh'].tolist()}"
    if abs(_electrons(record) - structure.n_atoms) > ELECTRONS:
        yield f"{_electrons(record):.5f} electrons for {structure.n_atoms} atoms"
    if np.abs(record["forces"].sum(axis=0)).max() > NET_FORCE:
        yield f"a net force of {record['forces'].sum(axis=0).tolist()}"
    if abs(record["energy"] - record["entropy_term"] - record["free_energy"]) > 1e-9:
        yield "F differs from E - T S"
    if np.abs(record["stress"] - record["stress"].T).max() > 1e-6:
        yield "an asymmetric stress"


@dataclass(frozen=True)
class _Entry:
    """One structure of the table: its state, its trajectory and its pressure (None: failed)."""

    name: str
    key: tuple[float, float, int, str]
    group: str
    reason: str
    pressure: float | None
    electron_error: float = 0.0
    net_force: float = 0.0

    @classmethod
    def of(cls, name: str, record: Record) -> "_Entry":
        n_atoms, kelvin = len(record["positions"]), float(record["temperature_kelvin"])
        kelvin = kelvin if np.isfinite(kelvin) else -1.0  # sorts first; NaN would be equal to nothing
        key = (round(float(record["rs"]), 3), round(kelvin, 3), n_atoms, text(record["split"]))
        group, reason = text(record["group"]), text(record["reason"])
        if text(record["status"]) == "failed":
            return cls(name, key, group, reason, None)
        ideal = n_atoms * kelvin_to_hartree(max(kelvin, 0.0)) / Cell(record["cell"]).volume
        pressure = float(-np.trace(record["stress"]) / 3 + ideal)
        net_force = float(np.abs(record["forces"].sum(axis=0)).max())
        return cls(name, key, group, reason, pressure, abs(_electrons(record) - n_atoms), net_force)


def _states(rows: list[_Entry]) -> Iterator[StateRow]:
    for key in sorted({row.key for row in rows}):
        members = [row for row in rows if row.key == key]
        pressures = [row.pressure for row in members if row.pressure is not None]
        rs, kelvin, n_atoms, split = key
        yield StateRow(
            rs,
            kelvin if kelvin >= 0 else None,
            n_atoms,
            split,
            len({row.group for row in members}),
            len(members),
            len(members) - len(pressures),
            float(np.mean(pressures)) if pressures else None,
        )
