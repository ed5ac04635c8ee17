"""Whether the labels in a folder, packed or not, keep their word, and what they hold."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from jovium.base.cell import Cell
from jovium.base.errors import FormatError, JoviumError, reason
from jovium.base.structure import Structure
from jovium.labels.file import PROTOCOL, ProtocolFacts, head, read_protocol_file, split_conflicts
from jovium.labels.reading import label_files, read_records
from jovium.labels.record import SPLIT, Record, structure_of, structure_sha256, text, total_pressure
from jovium.reference.compounds import DENSER
from jovium.reference.kohn_sham import KohnShamSettings

ELECTRONS = 1e-3
"""Largest difference of the integrated density from the electrons of the pseudopotentials."""

NET_FORCE = 1e-4
"""Largest component of the sum of forces, hartree/bohr."""


@dataclass(frozen=True)
class StateRow:
    """The labels of one thermodynamic state in one split. formula: of the compound, "H" of hydrogen. rs in bohr, of all
    atoms, to three digits; temperature_kelvin None for
    structures without one. pressure: mean static pressure plus the ideal part n kT of the nuclei where they have a
    temperature, hartree/bohr^3; None when nothing is ok."""

    rs: float
    temperature_kelvin: float | None
    n_atoms: int
    formula: str
    split: str
    trajectories: int
    structures: int
    failed: int
    pressure: float | None


@dataclass(frozen=True)
class Audit:
    """Everything found in a folder of labels: what is wrong (nothing in a good one), the failures, the states.
    largest_electron_error: of the integrated density, None where packing left it out; largest_net_force: hartree/bohr.
    """

    protocol: ProtocolFacts
    labels: int
    problems: tuple[str, ...]
    failures: tuple[str, ...]
    states: tuple[StateRow, ...]
    largest_electron_error: float | None
    largest_net_force: float


def audit(path: Path) -> Audit:
    """Read every label in a folder, or in one file, and check it.

    Checksums, identity of the structures, finite values, density that integrates to the electrons of the
    pseudopotentials (where there is one), one pseudopotential per element, forces that sum to zero, F = E - T S, grids
    and k-meshes as the protocol says, reasons of failures, no structure or group in two splits, one protocol. That the
    ELF lies in [0, 1] is certain from how it is stored. Raises InputError when there is nothing to read."""
    protocol: ProtocolFacts = {}
    problems, entries, heads = [], [], []
    for file in [*path.glob(PROTOCOL), *label_files(path)]:
        try:
            held, records = (read_protocol_file(file), []) if file.name == PROTOCOL else read_records(file)
        except FormatError as error:
            problems.append(f"{error.got}; {error.do}".replace("\n", " "))
            continue
        protocol = protocol or held
        if held != protocol:
            problems.append(f"{file.name}: another protocol than the files before it")
        for record in records:
            name = file.name
            try:
                heads.append(head(record))
                name += f" ({heads[-1].group or 'no group'}, step {heads[-1].step})"
                problems += [f"{name}: {problem}" for problem in _problems(record, held)]
                entries.append(_Entry.from_record(name, record))
            except (JoviumError, UnicodeDecodeError) as error:
                problems.append(f"{name}: {error.got if isinstance(error, JoviumError) else reason(error)}")
    electron_errors = [entry.electron_error for entry in entries if entry.electron_error is not None]
    return Audit(
        protocol,
        sum(label.status == "ok" for label in heads),
        (*split_conflicts(heads), *_potential_conflicts(entries), *problems),
        tuple(f"{entry.name}: {entry.reason}" for entry in entries if entry.pressure is None),
        tuple(_states(entries)),
        max(map(abs, electron_errors), default=None),
        max((entry.net_force for entry in entries), default=0.0),
    )


def _electron_error(record: Record) -> float | None:
    """Electrons of the density minus those of the pseudopotentials; None where the density was left out in packing."""
    if "density" not in record:
        return None
    electrons = float(np.mean(record["density"], dtype=float)) * Cell(record["cell"]).volume
    return electrons - _electrons(record)


def _electrons(record: Record) -> int:
    return int(record.get("valence_electrons", len(record["positions"])))


def _potentials(record: Record) -> dict[str, str]:
    """The pseudopotential of every element of a compound."""
    named = text(record["pseudopotentials"]).split(", ") if "pseudopotentials" in record else []
    return {name.split(" ")[0]: name for name in named}


def _potential_conflicts(entries: list["_Entry"]) -> Iterator[str]:
    names = sorted({pair for entry in entries for pair in entry.potentials})
    for (element, first), (other, second) in pairwise(names):
        if element == other:
            yield f"{first} beside {second}: two pseudopotentials of an element"


def _problems(record: Record, protocol: ProtocolFacts) -> Iterator[str]:
    if not SPLIT.fullmatch(text(record["split"])):
        yield f"split '{text(record['split'])}'"
    structure = structure_of(record)
    if structure_sha256(structure) != text(record["structure_sha256"]):
        yield "is not the structure its identity names"
    if "pseudopotentials" in record and _potentials(record).keys() != set(structure.to_ase().symbols):
        yield f"pseudopotentials '{text(record['pseudopotentials'])}' for {structure.formula}"
    status = text(record["status"])
    if status == "ok":
        yield from _label_problems(record, protocol, structure)
    elif status != "failed":
        yield f"status '{status}'"
    elif not text(record["reason"]) or len(record["elf"]):
        yield "failed without a reason, or with a grid"


def _net_force(record: Record) -> float:
    """Largest component of the sum of forces, hartree/bohr."""
    return float(np.abs(record["forces"].sum(axis=0)).max())


def _label_problems(record: Record, protocol: ProtocolFacts, structure: Structure) -> Iterator[str]:
    cell = structure.cell
    numbers = ("energy", "free_energy", "entropy_term", "forces", "stress", "density")
    unfinite = [name for name in numbers if name in record and not np.isfinite(record[name]).all()]
    if unfinite:
        yield f"{', '.join(unfinite)} not finite"
        return
    shape = tuple(record["grid_shape"].tolist())
    if shape != cell.grid_shape(protocol["grid_spacing_bohr"]) or np.prod(shape) != len(record["elf"]):
        yield f"a grid of {shape} with {len(record['elf'])} points"
        return
    denser = 1 if structure.is_pure_hydrogen else DENSER
    mesh = protocol.get("k_mesh") or KohnShamSettings(k_spacing=denser * protocol["k_spacing_per_bohr"]).mesh(cell)
    if record["k_mesh"].tolist() != list(mesh):
        yield f"a k-mesh of {record['k_mesh'].tolist()}"
    electron_error = _electron_error(record)
    if electron_error is not None and abs(electron_error) > ELECTRONS:
        atoms = f"{len(record['positions'])} atoms with {_electrons(record)} valence electrons"
        yield f"{_electrons(record) + electron_error:.5f} electrons for {atoms}"
    if _net_force(record) > NET_FORCE:
        yield f"a net force of {record['forces'].sum(axis=0).tolist()}"
    if abs(record["energy"] - record["entropy_term"] - record["free_energy"]) > 1e-9:
        yield "F differs from E - T S"
    if np.abs(record["stress"] - record["stress"].T).max() > 1e-6:
        yield "an asymmetric stress"


@dataclass(frozen=True)
class _Entry:
    """One structure of the table: its state, its trajectory and its pressure (None: failed)."""

    name: str
    key: tuple[float, float, int, str, str]
    group: str
    reason: str
    pressure: float | None
    electron_error: float | None = None
    net_force: float = 0.0
    potentials: tuple[tuple[str, str], ...] = ()

    @classmethod
    def from_record(cls, name: str, record: Record) -> "_Entry":
        n_atoms, kelvin = len(record["positions"]), float(record["temperature_kelvin"])
        kelvin = kelvin if np.isfinite(kelvin) else -1.0  # sorts first; NaN would be equal to nothing
        key = (
            round(float(record["rs"]), 3),
            round(kelvin, 3),
            n_atoms,
            structure_of(record).formula,
            text(record["split"]),
        )
        group, reason = text(record["group"]), text(record["reason"])
        if text(record["status"]) == "failed":
            return cls(name, key, group, reason, None)
        pressure = total_pressure(record["stress"], n_atoms, max(kelvin, 0.0), Cell(record["cell"]))
        potentials = tuple(_potentials(record).items())
        return cls(name, key, group, reason, pressure, _electron_error(record), _net_force(record), potentials)


def _states(entries: list[_Entry]) -> Iterator[StateRow]:
    for key in sorted({entry.key for entry in entries}):
        members = [entry for entry in entries if entry.key == key]
        pressures = [entry.pressure for entry in members if entry.pressure is not None]
        rs, kelvin, n_atoms, formula, split = key
        counts = len({entry.group for entry in members}), len(members), len(members) - len(pressures)
        mean = float(np.mean(pressures)) if pressures else None
        yield StateRow(rs, kelvin if kelvin >= 0 else None, n_atoms, formula, split, *counts, mean)
