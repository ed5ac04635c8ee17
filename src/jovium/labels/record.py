"""One label: what is computed for a structure, under which protocol, and how it is stored.

A record maps the names of `COLUMNS` to arrays. It is what workers return, what the file of a label holds, and what its
checksum covers.
"""

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from jovium.base.cell import Cell
from jovium.base.errors import EngineError, InputError, StructureError
from jovium.base.grid import GridField
from jovium.base.structure import Structure, element
from jovium.base.units import BOHR_ANGSTROM, kelvin_to_hartree
from jovium.reference.compounds import protocol_for
from jovium.reference.kohn_sham import KohnShamSettings
from jovium.reference.pseudopotential import potential_names, valence_electrons
from jovium.reference.state import GroundState

ELF_SCALE = 65535
"""ELF is stored as round(65535 ELF) in 16 bits: the error is at most 7.7e-6 everywhere. A float16 is as large and errs
by up to 2.5e-4 between 1/2 and 1, where the molecules are; the self-consistent field itself leaves about 1e-4."""

DEFAULT_SPACING = 0.13 / BOHR_ANGSTROM
"""Distance of the grid points of a label (bohr)."""

ELF_DEFINITION = "1/(1+(D/D0)^2), spin-restricted, Savin form of Becke-Edgecombe; n and tau of windowed orbitals"

SPLIT = re.compile(r"train|validation|(test|sealed)(-[a-z0-9]+)*|unassigned")
"""Names of splits; "test-crystal", "test-state" and the like are tests of a kind. Sealed ones are read once, at the
end: neither training nor any choice made on the way sees them."""

SPLITS = "train, validation, test, test-<kind>, sealed-<kind> or unassigned"


@dataclass(frozen=True)
class Candidate:
    """A structure to be labelled and what is known about it.

    split: "train", "validation", "test", "test-<kind>" or "unassigned". group: the trajectory or family it comes from;
    a group lies in one split. temperature_kelvin: temperature of the nuclei, NaN when they have none. step: its number
    in the trajectory, -1 when it has none. Raises InputError for another split or for names that do not fit."""

    structure: Structure
    split: str = "unassigned"
    group: str = ""
    temperature_kelvin: float = float("nan")
    step: int = -1

    def __post_init__(self):
        if not SPLIT.fullmatch(self.split) or len(self.split) > 24:
            raise InputError(f"split '{self.split}'", SPLITS, "rename the split")
        if len(self.group.encode()) > 96:
            raise InputError(f"a group name of {len(self.group.encode())} bytes", "at most 96", "shorten the name")


@dataclass(frozen=True)
class LabelProtocol:
    """Everything a label depends on besides its structure. protocol: of the Kohn-Sham calculation of hydrogen, which
    `of` adapts to a compound. engine: name and version of the code. spacing: distance of the grid points (bohr). Raises
    InputError for a spacing at which the stored density of hydrogen would no longer integrate to the electrons."""

    protocol: KohnShamSettings
    engine: str
    spacing: float = DEFAULT_SPACING

    def __post_init__(self):
        # The density holds waves up to 2 sqrt(2 cutoff); points at distance h confuse waves that differ by 2 pi / h.
        largest = np.pi / np.sqrt(2 * self.protocol.cutoff)
        if not (np.isfinite(self.spacing) and 0 < self.spacing < largest):
            raise InputError(
                f"a grid spacing of {self.spacing * BOHR_ANGSTROM:.4g} angstrom",
                f"a positive spacing below {largest * BOHR_ANGSTROM:.3f} angstrom at this cutoff",
                f"the default is {DEFAULT_SPACING * BOHR_ANGSTROM:.2f}",
            )

    def of(self, structure: Structure) -> KohnShamSettings:
        """The protocol of the calculation of a structure."""
        return protocol_for(structure, self.protocol)

    def attributes(self) -> dict[str, object]:
        """The protocol as plain values with the unit in every name: two equal ones make the same labels."""
        code, _, version = self.engine.partition(" (")
        return {
            "code": code,
            "code_version": version.removesuffix(")"),
            **self.protocol.to_dict(),
            "elf_definition": ELF_DEFINITION,
            "grid_spacing_bohr": self.spacing,
        }


@dataclass(frozen=True)
class Column:
    """An array of a record: its numbers per structure, atom or grid point, their unit and meaning."""

    name: str
    dtype: str
    per: str
    unit: str
    meaning: str
    shape: tuple[int, ...] = ()


COLUMNS = (
    Column("structure_sha256", "S64", "structure", "", "identity: sha256 of cell and positions in 1e-10 bohr"),
    Column("split", "S24", "structure", "", "train, validation, test, test-<kind> or unassigned"),
    Column("group", "S96", "structure", "", "trajectory or family of the structure; a group lies in one split"),
    Column("temperature_kelvin", "<f8", "structure", "kelvin", "temperature of the protons; NaN: none"),
    Column("step", "<i8", "structure", "", "number in the trajectory; -1: none"),
    Column("rs", "<f8", "structure", "bohr", "Wigner-Seitz radius of the cell"),
    Column("cell", "<f8", "structure", "bohr", "lattice vectors in rows", (3, 3)),
    Column("positions", "<f8", "atom", "bohr", "Cartesian, unwrapped; every atom is hydrogen", (3,)),
    Column("status", "S8", "structure", "", "ok or failed; a failed one has NaN energies and no grid"),
    Column("reason", "S384", "structure", "", "why the calculation failed"),
    Column("k_mesh", "<i4", "structure", "", "numbers of k-points along the reciprocal vectors", (3,)),
    Column("energy", "<f8", "structure", "hartree per cell", "internal energy E = F + T S of the electrons"),
    Column("free_energy", "<f8", "structure", "hartree per cell", "Mermin free energy F of the electrons"),
    Column("entropy_term", "<f8", "structure", "hartree per cell", "T S of the electrons"),
    Column("stress", "<f8", "structure", "hartree/bohr^3", "(1/V) dF/dstrain, tension positive, fixed protons", (3, 3)),
    Column("forces", "<f8", "atom", "hartree/bohr", "-dF/dR", (3,)),
    Column("negative_share", "<f4", "structure", "", "fraction of grid points where D < 0 was set to 0"),
    Column("grid_shape", "<i4", "structure", "", "points along the lattice vectors, last index fastest", (3,)),
    Column("elf", "<u2", "point", "1/65535", "ELF = value / 65535 at the grid points; error at most 7.7e-6"),
    Column("density", "<f4", "point", "1/bohr^3", "electron density at the grid points"),
    Column("seconds", "<f8", "structure", "s", "wall time of the calculation; not covered by sha256"),
)

COMPOUND_COLUMNS = (
    *(
        replace(column, meaning=column.meaning.removesuffix("; every atom is hydrogen").replace("protons", "nuclei"))
        for column in COLUMNS
    ),
    Column("atomic_numbers", "<i4", "atom", "", "elements of the atoms; absent where every atom is hydrogen"),
    Column("pseudopotentials", "S1536", "structure", "", "of every element; the protocol names that of hydrogen alone"),
    Column(
        "cutoff", "<f8", "structure", "hartree", "of the plane waves: the protocol's, raised to the hardest element"
    ),
    Column(
        "k_offset", "<f8", "structure", "", "shift of the k-mesh in steps: the protocol's, or 0 where symmetry wants"
    ),
    Column("valence_electrons", "<i4", "structure", "", "electrons of the pseudopotentials, which the density holds"),
)
"""The record of a compound. One of hydrogen alone lacks the last five columns: it is what it was before compounds."""

Record = dict[str, Any]
Grid = Float[np.ndarray, "nx ny nz"]


@dataclass(frozen=True, kw_only=True)
class Label(Candidate):
    """A labelled structure, atomic units; see `GroundState` for energies, forces (n, 3) and stress (3, 3).

    density: None when the label was packed."""

    elf: GridField
    density: GridField | None
    energy: float
    free_energy: float
    entropy_term: float
    forces: Float[np.ndarray, "n 3"]
    stress: Float[np.ndarray, "3 3"]
    k_mesh: tuple[int, int, int]

    @classmethod
    def from_record(cls, record: Record) -> "Label":
        """The label that an ok record holds."""
        structure = structure_of(record)
        shape, cell = tuple(record["grid_shape"]), structure.cell
        return cls(
            structure,
            text(record["split"]),
            text(record["group"]),
            step=int(record["step"]),
            elf=GridField((record["elf"] / np.float32(ELF_SCALE)).reshape(shape), cell),
            density=GridField(record["density"].reshape(shape), cell) if "density" in record else None,
            forces=record["forces"],
            stress=record["stress"],
            k_mesh=tuple(record["k_mesh"].tolist()),
            **{name: float(record[name]) for name in ("temperature_kelvin", "energy", "free_energy", "entropy_term")},
        )

    @property
    def pressure(self) -> float:
        """-tr(stress)/3, with the ideal-gas part n kT where there is a temperature (hartree/bohr^3)."""
        kelvin = 0.0 if np.isnan(self.temperature_kelvin) else self.temperature_kelvin
        return total_pressure(self.stress, self.structure.n_atoms, kelvin, self.structure.cell)


def total_pressure(stress: Float[np.ndarray, "3 3"], n_atoms: int, kelvin: float, cell: Cell) -> float:
    """-tr(stress)/3 + n kT of nuclei at a temperature in kelvin (hartree/bohr^3)."""
    return float(-np.trace(stress) / 3 + n_atoms * kelvin_to_hartree(kelvin) / cell.volume)


def columns(names: Collection[str]) -> tuple[Column, ...]:
    """The columns of a record, of which the names are given."""
    return COMPOUND_COLUMNS if "atomic_numbers" in names else COLUMNS


def require_hydrogen_label(label: Label) -> None:
    """Raise StructureError for the label of a compound, where no other element than hydrogen is known."""
    if not label.structure.is_pure_hydrogen:
        raise StructureError(
            f"a label of {label.structure.formula} (group '{label.group}', step {label.step})",
            "labels of hydrogen alone: the ELF network and the data card know no other element",
            "give the labels of hydrogen alone, e.g. the packed files of their groups (jovium reference pack)",
        )


def structure_of(record: Record) -> Structure:
    """The structure that a record holds."""
    numbers = record.get("atomic_numbers", np.ones(len(record["positions"]), int))
    return Structure(Cell(record["cell"]), record["positions"], tuple(element(str(number)) for number in numbers))


def structure_sha256(structure: Structure) -> str:
    """Identity of a structure: sha256 of its cell and unwrapped positions, rounded to 1e-10 bohr, and of the elements
    of a compound. The same file read twice gives the same identity, and so do D and T in place of H; fewer digits,
    wrapped atoms or another order give another one."""
    rows = np.vstack([structure.cell.vectors, structure.positions])
    digest = hashlib.sha256(np.round(rows * 1e10).astype("<i8").tobytes())
    if not structure.is_pure_hydrogen:
        digest.update(structure.to_ase().numbers.astype("<i4").tobytes())
    return digest.hexdigest()


def record_sha256(record: Record) -> str:
    """Checksum of a record: sha256 over name and bytes of every column but the wall time."""
    digest = hashlib.sha256()
    for column in columns(record):
        if column.name != "seconds":
            digest.update(column.name.encode() + np.ascontiguousarray(record[column.name]).tobytes())
    return digest.hexdigest()


def ok_record(candidate: Candidate, state: GroundState, label_protocol: LabelProtocol) -> Record:
    """The record of a finished calculation. Energies, forces and stress are rounded where a repetition of the
    calculation differs by the order of its sums. Raises EngineError when the state came from another engine or lacks a
    part."""
    if state.engine != label_protocol.engine:
        raise EngineError(f"a state of {state.engine}", label_protocol.engine, "label with one code and version")
    if state.forces is None or state.stress is None:
        raise EngineError(f"no forces or stress from {state.engine}", "both", "label with the espresso engine")
    elf, density, negative_fraction = sample_fields(state, label_protocol.spacing)
    free_energy, entropy_term = round(state.free_energy, 10), round(state.entropy_term, 10)
    values: dict[str, object] = {
        "status": "ok",
        "reason": "",
        "energy": free_energy + entropy_term,
        "free_energy": free_energy,
        "entropy_term": entropy_term,
        "stress": np.round(state.stress, 12) + 0.0,
        "forces": np.round(state.forces, 10) + 0.0,  # + 0.0 turns -0.0 into 0.0
        "negative_share": negative_fraction,
        "grid_shape": elf.shape,
        "elf": np.round(ELF_SCALE * elf).ravel(),
        "density": density.ravel(),
        "seconds": state.seconds,
    }
    return _record(candidate, label_protocol, values)


def failed_record(candidate: Candidate, reason: str, seconds: float, label_protocol: LabelProtocol) -> Record:
    """The record of a calculation that gave no trustworthy number, and why."""
    rows = {"structure": (), "atom": (candidate.structure.n_atoms,), "point": (0,)}
    values: dict[str, object] = {column.name: np.full(rows[column.per] + column.shape, np.nan) for column in COLUMNS}
    reason = reason.encode()[:384].decode(errors="ignore")
    values |= {"status": "failed", "reason": reason, "grid_shape": (0, 0, 0), "seconds": seconds}
    return _record(candidate, label_protocol, values)


def _record(candidate: Candidate, label_protocol: LabelProtocol, values: dict[str, object]) -> Record:
    structure, protocol = candidate.structure, label_protocol.of(candidate.structure)
    values |= {name: getattr(candidate, name) for name in ("split", "group", "temperature_kelvin", "step")}
    values |= {
        "structure_sha256": structure_sha256(structure),
        "rs": structure.rs,
        "cell": structure.cell.vectors,
        "positions": structure.positions,
        "k_mesh": protocol.mesh(structure.cell),
    }
    if not structure.is_pure_hydrogen:
        values |= {
            "atomic_numbers": structure.to_ase().numbers,
            "pseudopotentials": potential_names(structure, protocol.functional),
            "cutoff": protocol.cutoff,
            "k_offset": protocol.k_offset,
            "valence_electrons": valence_electrons(structure, protocol.functional),
        }
    stored = {name: value.encode() if isinstance(value, str) else value for name, value in values.items()}
    return {column.name: np.array(stored[column.name], dtype=column.dtype) for column in columns(stored)}


def sample_fields(state: GroundState, spacing: float) -> tuple[Grid, Grid, float]:
    """ELF and density at the points of a grid of `spacing` (bohr), and the fraction of points with D < 0.

    The densities are taken to a multiple of the grid on which nothing of them is lost, and the ELF is formed there.
    Cutting n and tau down to the coarse grid first would change the ELF by up to 8e-4 at 0.13 angstrom and 4e-3 at
    0.15 (54 atoms, rs 1.4, 40 hartree)."""
    if state.density is None:
        raise EngineError(f"no density from {state.engine}", "density on a grid", "label with the espresso engine")
    shape = state.structure.cell.grid_shape(spacing)
    multiples = [-(-fine // n) for fine, n in zip(state.density.shape, shape, strict=True)]
    nx, ny, nz = (n * m for n, m in zip(shape, multiples, strict=True))
    coarse = tuple(slice(None, None, m) for m in multiples)
    localization = state.localization((nx, ny, nz))
    density = state.density.resample((nx, ny, nz)).values[coarse]
    return localization.elf.values[coarse], density, localization.n_negative / (nx * ny * nz)


def text(value: np.ndarray | np.bytes_) -> str:
    """The string that a fixed-length column holds."""
    return value.item().decode()
