"""phi, phi*, Tc and how sure they are, of thousands of structures, one line of a table each."""

import csv
import functools
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jovium.base.errors import InputError, JoviumError
from jovium.base.files import append_durably, atomic_write, sole_writer
from jovium.base.structure import Structure
from jovium.elf.model import ElfModel, shipped_model
from jovium.labels.record import structure_sha256
from jovium.superconductivity.fits import FITS, critical_temperatures
from jovium.topology.intervals import threshold_intervals
from jovium.topology.network import hydrogen_network

TC_COLUMNS = tuple(f"tc_{fit.name.lower().replace(' ', '_')}_kelvin" for fit in FITS)
COLUMNS = (
    *("structure", "n_atoms", "rs_bohr", "phi", "phi_low", "phi_high", "phi_star", "phi_star_low", "phi_star_high"),
    *TC_COLUMNS,
    *("flags", "spacing_bohr", "sha256"),
)
"""structure: its place in the file, from 0. low, high: the interval of `threshold_intervals`. Tc of pure hydrogen,
taken to be a metal. flags: why the numbers may be wrong, or "failed: " and why there are none."""

Row = dict[str, str]


@dataclass(frozen=True)
class Work:
    """One structure to screen, or what is wrong with it."""

    index: int
    structure: Structure | JoviumError

    @property
    def sha256(self) -> str:
        """Identity of the structure, "-" when there is none."""
        return "-" if isinstance(self.structure, JoviumError) else structure_sha256(self.structure)


def screen(work: Sequence[Work], table: Path, spacing: float, executor: Executor | None = None) -> Iterator[Row]:
    """Screen what the table does not hold yet, and append it there line by line; yields the new rows.

    spacing: of the ELF grid, bohr. executor: anything of concurrent.futures; None: this process. A kill loses the
    structures at work. Raises InputError when the table is of other structures or written by somebody else.
    """
    with sole_writer(table):
        done = _rows(table)
        for one in work:
            row = done.get(one.index)
            if row is not None and (row["sha256"], row["spacing_bohr"]) != (one.sha256, f"{spacing:.6f}"):
                raise InputError(
                    f"{table}: structure {one.index} is another one there, or on another grid",
                    "the table of this file of structures and of this spacing",
                    "give another place for the results",
                )
        _cut(table)
        if not done:
            append_durably(table, _line(dict(zip(COLUMNS, COLUMNS, strict=True))) * (table.stat().st_size == 0))
        mapped: Callable = executor.map if executor else map
        rows: Iterable[Row] = mapped(
            functools.partial(screened, spacing=spacing), [w for w in work if w.index not in done]
        )
        for row in rows:
            append_durably(table, _line(row))
            yield row


def screened(work: Work, spacing: float) -> Row:
    """The row of one structure."""
    facts = {"structure": str(work.index), "spacing_bohr": f"{spacing:.6f}", "sha256": work.sha256}
    try:
        if isinstance(work.structure, JoviumError):
            raise work.structure
        facts |= _numbers(work.structure, spacing)
    except (JoviumError, MemoryError) as error:
        facts["flags"] = "failed: " + (" ".join(str(error).split()) or "out of memory")
    return {name: facts.get(name, "") for name in COLUMNS}


def write_screened(work: Iterable[Work], table: Path, path: Path) -> int:
    """Write the screened structures with their numbers as extended XYZ; how many there are."""
    import ase.io

    rows, images = _rows(table), []
    for one in work:
        row = rows.get(one.index)
        if row is None or isinstance(one.structure, JoviumError) or not row["phi"]:
            continue
        atoms = one.structure.to_ase()
        numbers = {name: float(row[name]) for name in COLUMNS[2:-3] if row[name]}
        atoms.info.update({"structure": one.index, **numbers, "flags": row["flags"]})
        images.append(atoms)
    with atomic_write(path) as part:
        ase.io.write(part, images, format="extxyz")
    return len(images)


@functools.cache
def _model() -> ElfModel:
    return shipped_model()


def _numbers(structure: Structure, spacing: float) -> Row:
    found = _model().predict(structure, structure.cell.grid_shape(spacing))
    network = hydrogen_network(found.elf, structure.positions)
    intervals = threshold_intervals(network, found.elf, found.band, structure.positions)
    assert network.phi_star is not None
    phi, phi_star = network.phi_3d.value, network.phi_star.value
    temperatures = critical_temperatures(phi, phi_star, 1.0, 1.0)
    values = {"phi": phi, "phi_star": phi_star}
    for name, interval in (("phi", intervals["phi_3d"]), ("phi_star", intervals["phi_star"])):
        values[f"{name}_low"], values[f"{name}_high"] = interval
    kelvins = {name: t.kelvin for name, t in zip(TC_COLUMNS, temperatures, strict=True) if t.kelvin is not None}
    return {
        "n_atoms": str(structure.n_atoms),
        "rs_bohr": f"{structure.rs:.6f}",
        **{name: f"{value:.5f}" for name, value in values.items()},
        **{name: f"{kelvin:.1f}" for name, kelvin in kelvins.items()},
        "flags": "; ".join(found.warnings),
    }


def _rows(table: Path) -> dict[int, Row]:
    """The whole lines of a table, by structure. Raises InputError when the file is another one."""
    text = table.read_text() if table.exists() else ""
    whole = text[: text.rfind("\n") + 1]
    if not whole:
        return {}
    reader = csv.DictReader(io.StringIO(whole))
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise InputError(f"{table} holds something else", "a table of jovium screen", "give another place")
    return {int(row["structure"]): row for row in reader}


def _cut(table: Path) -> None:
    """Cut off a last line that a kill left without its end. In place: the lock is on this file."""
    with table.open("r+b") as file:
        file.truncate(file.read().rfind(b"\n") + 1)


def _line(row: Row) -> str:
    with io.StringIO(newline="") as text:
        csv.DictWriter(text, COLUMNS, lineterminator="\n").writerow(row)
        return text.getvalue()


def shard_of(structures: Iterable[Structure | JoviumError], first: int, step: int) -> list[Work]:
    """Every `step`-th structure from the `first` on."""
    return [Work(i, structure) for i, structure in enumerate(structures) if i % step == first]


def finite_spacing(spacing: float) -> float:
    """`spacing`, a positive number. Raises InputError for any other."""
    if not (np.isfinite(spacing) and spacing > 0):
        raise InputError(f"--spacing {spacing}", "a positive distance in angstrom", "0.1 is the default")
    return spacing
