"""Whether a file of labels, or a folder of packed ones, keeps its word, and what it holds."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jovium.base.cell import Cell
from jovium.base.errors import JoviumError
from jovium.base.structure import Structure
from jovium.labels.file import Labels, split_conflicts
from jovium.labels.packed import packed_files, read_records
from jovium.labels.record import SPLIT, Record, record_sha256, structure_sha256, text, total_pressure
from jovium.reference.kohn_sham import KohnShamSettings

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

    largest_electron_error: of the integrated density, None where packing left it out; largest_net_force: hartree/bohr.
    """

    attributes: dict[str, Any]
    labels: int
    problems: tuple[str, ...]
    failures: tuple[str, ...]
    states: tuple[StateRow, ...]
    largest_electron_error: float | None
    largest_net_force: float


@dataclass(frozen=True)
class _Row:
    """A record with its name in messages. damage: what is wrong with it before one looks; counts: False for a failure
    that was mended later."""

    name: str
    record: Record | None
    damage: str = ""
    counts: bool = True


def audit(path: Path) -> Audit:
    """Read every row of a file of labels, or of the packed files in a folder, and check it.

    Checksums, identity of the structures, finite values, density that integrates to the number of atoms (where there
    is one), forces that sum to zero, F = E - T S, grids and k-meshes as the protocol says, reasons of failures, no
    structure or group in two splits, one protocol. That the ELF lies in [0, 1] is certain from how it is stored. Raises
    InputError or FormatError when the file cannot be read at all.
    """
    if path.is_dir():
        return _audit_packed(path)
    with Labels(path) as labels:
        return _audit(labels.attributes, len(labels), split_conflicts(labels.identities()), _rows(labels))


def _audit_packed(folder: Path) -> Audit:
    attributes: dict[str, Any] = {}
    rows, identities, problems = [], [], []
    for file in packed_files(folder):
        held, records = read_records(file)
        if attributes and held != attributes:
            problems.append(f"{file.name}: another protocol than the files before it")
        attributes = attributes or held
        for record in records:
            identities.append(tuple(text(record[name]) for name in ("structure_sha256", "group", "split")))
            rows.append(_Row(f"{file.name} (step {int(record['step'])})", record))
    return _audit(attributes, len(rows), split_conflicts(identities) + problems, rows, packed=True)


def _rows(labels: Labels) -> Iterator[_Row]:
    counted = {*labels.ok, *labels.failed}
    for row in range(labels.n_rows):
        name = _name(labels, row)
        try:
            record = labels.record(row)
            matches = record_sha256(record).encode() == labels.columns["sha256"][row]
            yield _Row(name, record, "" if matches else "does not match its sha256", row in counted)
        except JoviumError as error:
            yield _Row(name, None, str(error))


def _audit(
    attributes: dict[str, Any], n_labels: int, problems: list[str], rows: Iterable[_Row], packed: bool = False
) -> Audit:
    problems, entries = list(problems), []
    for row in rows:
        try:
            if row.damage:
                problems.append(f"{row.name}: {row.damage}".splitlines()[0])
            if row.record is not None:
                problems += [f"{row.name}: {problem}" for problem in _problems(row.record, attributes)]
                if row.counts:
                    entries.append(_Entry.of(row.name, row.record))
        except (JoviumError, UnicodeDecodeError) as error:
            problems.append(f"{row.name}: {error}".splitlines()[0])
    if not entries:
        problems.append("no structures")
    return Audit(
        attributes,
        n_labels,
        tuple(problems),
        tuple(f"{entry.name}: {entry.reason}" for entry in entries if entry.pressure is None),
        tuple(_states(entries)),
        None if packed else max((entry.electron_error for entry in entries), default=0.0),
        max((entry.net_force for entry in entries), default=0.0),
    )


def _name(labels: Labels, row: int) -> str:
    group, step = labels.columns["group"][row].decode(errors="replace"), int(labels.columns["step"][row])
    return f"row {row} ({group or 'no group'}, step {step})"


def _electron_error(record: Record) -> float:
    """Electrons of the density minus atoms; 0 where the density was left out in packing."""
    if "density" not in record:
        return 0.0
    electrons = float(np.mean(record["density"], dtype=float)) * Cell(record["cell"]).volume
    return electrons - len(record["positions"])


def _problems(record: Record, attributes: dict[str, Any]) -> Iterator[str]:
    if not SPLIT.fullmatch(text(record["split"])):
        yield f"split '{text(record['split'])}'"
    structure = Structure(Cell(record["cell"]), record["positions"], ("H",) * len(record["positions"]))
    if structure_sha256(structure) != text(record["structure_sha256"]):
        yield "is not the structure its identity names"
    status = text(record["status"])
    if status == "ok":
        yield from _label_problems(record, attributes, structure)
    elif status != "failed":
        yield f"status '{status}'"
    elif not text(record["reason"]) or len(record["elf"]):
        yield "failed without a reason, or with a grid"


def _expected_mesh(attributes: dict[str, Any], cell: Cell) -> tuple[int, ...]:
    if "k_mesh" in attributes:
        return tuple(attributes["k_mesh"])
    return KohnShamSettings(k_spacing=attributes["k_spacing_per_bohr"]).mesh(cell)


def _label_problems(record: Record, attributes: dict[str, Any], structure: Structure) -> Iterator[str]:
    numbers = ("energy", "free_energy", "entropy_term", "forces", "stress", "density")
    unfinite = [name for name in numbers if name in record and not np.isfinite(record[name]).all()]
    if unfinite:
        yield f"{', '.join(unfinite)} not finite"
        return
    shape = tuple(record["grid_shape"].tolist())
    if shape != structure.cell.grid_shape(attributes["grid_spacing_bohr"]) or np.prod(shape) != len(record["elf"]):
        yield f"a grid of {shape} with {len(record['elf'])} points"
        return
    if tuple(record["k_mesh"].tolist()) != _expected_mesh(attributes, structure.cell):
        yield f"a k-mesh of {record['k_mesh'].tolist()}"
    if abs(_electron_error(record)) > ELECTRONS:
        yield f"{structure.n_atoms + _electron_error(record):.5f} electrons for {structure.n_atoms} atoms"
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
        pressure = total_pressure(record["stress"], n_atoms, max(kelvin, 0.0), Cell(record["cell"]))
        net_force = float(np.abs(record["forces"].sum(axis=0)).max())
        return cls(name, key, group, reason, pressure, abs(_electron_error(record)), net_force)


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
