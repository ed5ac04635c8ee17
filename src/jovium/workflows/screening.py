"""phi, phi*, Tc and their intervals for thousands of structures, one row of a table each."""

import functools
import json
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path

import numpy as np

from jovium.base.errors import InputError, JoviumError, reason
from jovium.base.files import (
    append_durably,
    atomic_write,
    existing_folder,
    json_text,
    require_other_file,
    sole_writer,
)
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM, HARTREE_EV
from jovium.base.validity import plausibility
from jovium.elf.model import SPACING, ElfModel, elf_grid_shape, shipped_model
from jovium.formats.structures import Source, folder_structures, structures_or_errors
from jovium.labels.record import structure_sha256
from jovium.labels.shard import shard as parse_shard
from jovium.reference.compounds import protocol_for
from jovium.reference.engine import open_engine
from jovium.reference.kohn_sham import PRODUCTION, KohnShamSettings
from jovium.reference.relaxation import LARGEST_PRESSURE_GPA, Relaxation, relax
from jovium.superconductivity.fits import critical_temperatures
from jovium.topology.intervals import threshold_intervals
from jovium.topology.network import hydrogen_network
from jovium.workflows.analyse import analyse
from jovium.workflows.screening_table import (
    FORMATS,
    TC_COLUMNS,
    Method,
    Name,
    Row,
    Screening,
    failed,
    name_of,
    read_table,
    write_table,
)

__all__ = ["FORMATS", "SPACING", "Row", "Screening", "failed", "name_of", "screen"]


@dataclass(frozen=True)
class Task:
    """One structure to screen, or what is wrong with it."""

    name: Name
    structure: Structure | JoviumError

    @property
    def sha256(self) -> str:
        """Identity of the structure, "-" when there is none."""
        return "-" if isinstance(self.structure, JoviumError) else structure_sha256(self.structure)


def screen(
    source: Source | Sequence[Source],
    output: str | Path | None = None,
    *,
    engine: str = "network",
    protocol: KohnShamSettings = PRODUCTION,
    relax_gpa: float | None = None,
    spacing: float = SPACING,
    frames: str = ":",
    shard: str | None = None,
    workers: int = 1,
    executor: Executor | None = None,
    progress: Callable[[Row], None] = lambda row: None,
) -> Screening:
    """phi, phi*, Tc and warnings of every structure: by the ELF network, with intervals, or by an engine.

        rows = screen("prototypes", "results", engine="espresso", relax_gpa=200)

    source: a file of structures or a folder of files, of each of which `frames` is a slice, or structures of Jovium or
    ASE. output: OUT writes OUT.csv line by line and OUT.extxyz at the end, and takes from OUT.csv the numbers that are
    there already; a kill loses the structures at work, what failed before is tried again. engine: "network", "espresso"
    or "pyscf", with its protocol, which `protocol_for` adapts to each compound. relax_gpa: first relax each structure
    at this static pressure, by `relax` (espresso); OUT.extxyz holds the relaxed ones. spacing: of the ELF grid, bohr.
    shard: "i/N" takes every N-th structure from the i-th on (the first is 0), into OUT-i-of-N. workers: processes;
    executor: anything of concurrent.futures instead. progress: called with each new row. Raises InputError for a number
    that cannot be, settings without an effect, a table of other structures, made in another way or written by somebody
    else, or an output that would replace the source."""
    first, step = parse_shard(shard or "0/1")
    path = Path(source) if isinstance(source, str | os.PathLike) else None
    by_file = path is not None and path.is_dir()
    method = _checked(Method(spacing, engine, protocol, relax_gpa, by_file), workers)
    files = None if output is None else output_files(Path(output), shard)
    if files and path:
        require_other_file(files[1], path)
        if by_file and files[1].parent.resolve() == path.resolve():
            got = f"results in {path}, the folder of the structures"
            raise InputError(got, "another folder: they would be structures the next time", "give another name")
    found = folder_structures(path, frames) if path and by_file else enumerate(structures_or_errors(source, frames))
    tasks = [Task(name, structure) for i, (name, structure) in enumerate(found) if i % step == first]
    workers = min(workers, len(tasks))
    with nullcontext(executor) if executor or workers < 2 else _process_pool(workers) as pool:
        if files is None:
            rows = _new_rows(tasks, method, pool, progress)
        else:
            table, images = files
            existing_folder(table.parent)
            rows = _continue_table(tasks, table, method, pool, progress)
            _write_images(tasks, rows, images)
    return Screening(rows[task.name] for task in tasks)


def _checked(method: Method, workers: int) -> Method:
    """The method. Raises InputError for one that cannot be, EngineMissing for an engine that is not there."""
    spacing, relax_gpa = method.spacing, method.relax_gpa
    if not (np.isfinite(spacing) and spacing > 0):
        raise InputError(f"an ELF grid spacing of {spacing:.4g} bohr", "a positive distance", "e.g. 0.1 angstrom")
    if workers < 1:
        raise InputError(f"{workers} workers", "1 or more", "e.g. the number of cores")
    if method.engine != "network":
        open_engine(method.engine, forces=relax_gpa is not None).close()
    elif relax_gpa is not None or method.protocol != PRODUCTION:
        got = "a relaxation or a protocol for the network"
        raise InputError(got, "a first-principles engine, which has forces", "add engine espresso (--engine dft)")
    if relax_gpa is not None and not abs(relax_gpa) <= LARGEST_PRESSURE_GPA:
        expected = f"a number within +-{LARGEST_PRESSURE_GPA:g} GPa"
        raise InputError(f"a pressure of {relax_gpa} GPa", expected, "check its unit")
    return method


def output_files(output: Path, shard: str | None = None) -> tuple[Path, Path]:
    """The table and the structures that a screening writes. Raises InputError for a path without a name."""
    if not output.name:
        raise InputError(f"no name in '{output}'", "a folder and a name without ending", "e.g. results/screened")
    first, step = parse_shard(shard or "0/1")
    name = output.name + (f"-{first}-of-{step}" if shard else "")
    return output.with_name(name + ".csv"), output.with_name(name + ".extxyz")


@contextmanager
def _process_pool(workers: int) -> Iterator[Executor]:
    """Fresh processes: forked ones would inherit the locks of the compiler's threads."""
    old = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"  # a random.py beside the data is not the library of the workers
    try:
        with ProcessPoolExecutor(workers, get_context("spawn"), _end_with_parent) as pool:
            held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            for _ in range(workers):
                pool.submit(int)  # begins a process, which never sees an interrupt: that is for the command
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
            yield pool
    except BrokenProcessPool as error:
        raise JoviumError(
            "a worker was ended from outside, perhaps for lack of memory",
            "workers that live until their work is done",
            "take fewer workers and repeat: the rows of an output file are kept",
        ) from error
    finally:
        os.environ.pop("PYTHONSAFEPATH")
        os.environ.update({} if old is None else {"PYTHONSAFEPATH": old})


def _end_with_parent() -> None:
    """Let this process end when the one that began it was killed."""
    parent = parent_process()
    assert parent is not None
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def _continue_table(
    tasks: Sequence[Task], table: Path, method: Method, executor: Executor | None, progress: Callable[[Row], None]
) -> dict[Name, Row]:
    """The rows of all tasks; those without numbers in the table are computed and appended one by one."""

    def append(row: Row) -> None:
        append_durably(table, method.line(row))
        progress(row)

    with sole_writer(table):
        old = read_table(table, method)
        for task in tasks:
            row = old.get(task.name)
            if row is None or failed(row):
                old.pop(task.name, None)
                continue
            asked = method.identity(task.name, task.sha256)
            texts = {name: (method.text(name, row[name]), method.text(name, asked[name])) for name in asked}
            differing = [
                f"{name} {there or 'none'}, not {now or 'none'}" for name, (there, now) in texts.items() if there != now
            ]
            if differing:
                raise InputError(
                    f"{table}: structure {task.name} is another one there, or on another grid, or computed in another "
                    f"way: {'; '.join(differing)}",
                    "the table of these structures, of this spacing and of these settings",
                    "give another name for the results",
                )
        write_table(table, old, method)
    with sole_writer(table):  # it may be another file now
        old = read_table(table, method)
        rows = old | _new_rows([task for task in tasks if task.name not in old], method, executor, append)
        write_table(table, rows, method)
    return rows


def _new_rows(
    tasks: Sequence[Task], method: Method, executor: Executor | None, progress: Callable[[Row], None]
) -> dict[Name, Row]:
    rows: dict[Name, Row] = {}
    compute = functools.partial(screen_structure, method=method)
    for row in _as_completed(executor, compute, tasks) if executor else map(compute, tasks):
        progress(row)
        rows[name_of(row)] = row
    return rows


def _as_completed(executor: Executor, compute: Callable[[Task], Row], tasks: Sequence[Task]) -> Iterator[Row]:
    """Each row as soon as it is there: none waits in memory for a structure that takes an hour."""
    futures = [executor.submit(compute, task) for task in tasks]
    try:
        for future in as_completed(futures):
            yield future.result()
    finally:
        for future in futures:
            future.cancel()


def screen_structure(task: Task, method: Method) -> Row:
    """The row of one structure; values rounded to the digits of the table, None where there are none."""
    values = method.identity(task.name, task.sha256)
    try:
        if isinstance(task.structure, JoviumError):
            raise task.structure
        values["formula"] = task.structure.formula
        by_network = method.engine == "network"
        values |= _numbers(task.structure, method.spacing) if by_network else _computed(task.structure, method)
    except Exception as error:  # one structure is never the end of thousands, and its line says why
        values["flags"] = f"failed: {_told(error)}"
    return method.row(values)


def _told(error: Exception) -> str:
    """What an error says, in one line that every file can hold."""
    text = "; ".join(map(str.strip, str(error).splitlines())) if isinstance(error, JoviumError) else reason(error)
    text = "out of memory" if isinstance(error, MemoryError) else text
    return text.encode(errors="backslashreplace").decode()


@functools.cache
def _model() -> ElfModel:
    return shipped_model()


def _numbers(structure: Structure, spacing: float) -> Row:
    predicted = _model().predict(structure, elf_grid_shape(structure, spacing))
    network = hydrogen_network(predicted.elf, structure.positions)
    intervals = threshold_intervals(network, predicted.elf, predicted.band, structure.positions, predicted.widenings)
    assert network.phi_star is not None
    values = {"phi_3d": network.phi_3d.value, "phi_star": network.phi_star.value}
    temperatures = critical_temperatures(values["phi_3d"], values["phi_star"], 1.0, 1.0)
    return {
        "n_atoms": structure.n_atoms,
        "rs_bohr": structure.rs,
        **values,
        **{f"{name}_low": intervals[name][0] for name in values},
        **{f"{name}_high": intervals[name][1] for name in values},
        **{name: temperature.kelvin for name, temperature in zip(TC_COLUMNS, temperatures, strict=True)},
        "flags": "; ".join((*plausibility(structure), *predicted.warnings)),
    }


def _computed(structure: Structure, method: Method) -> Row:
    """What an analysis from first principles says of a structure, relaxed before where it is asked for."""
    relaxation, protocol = None, protocol_for(structure, method.protocol)
    if method.relax_gpa is not None:
        relaxation = relax(structure, method.relax_gpa, protocol, method.engine)
        structure = relaxation.structure
    analysis = analyse(structure, engine=method.engine, protocol=protocol, spacing=method.spacing)
    facts, star, dos = analysis.protocol, analysis.network.phi_star, analysis.hydrogen_dos
    return {
        "n_atoms": structure.n_atoms,
        "rs_bohr": structure.rs,
        "pressure_gpa": facts["pressure_gpa"],
        "phi_3d": analysis.network.phi_3d.value,
        "phi_star": None if star is None else star.value,
        "h_f": analysis.hydrogen_fraction,
        "h_dos": None if dos is None else dos.value,
        "h_dos_error": None if dos is None else dos.uncertainty,
        **{name: temperature.kelvin for name, temperature in zip(TC_COLUMNS, analysis.tc, strict=True)},
        **({} if relaxation is None else _relaxed(relaxation)),
        "flags": "; ".join(analysis.warnings),
    }


def _relaxed(relaxation: Relaxation) -> Row:
    structure = relaxation.structure
    fractional = structure.cell.fractional(structure.positions)
    places = {"cell_angstrom": structure.cell.vectors * BOHR_ANGSTROM, "fractional": fractional}
    return {
        "enthalpy_ev_per_atom": relaxation.enthalpy * HARTREE_EV / structure.n_atoms,
        "relaxation_steps": relaxation.n_steps,
        "relaxed": json_text({name: np.round(array, 8).tolist() for name, array in places.items()}),
    }


def _write_images(tasks: Iterable[Task], rows: dict[Name, Row], path: Path) -> None:
    """Write the structures that have a row of numbers, with these numbers, as extended XYZ; the relaxed ones."""
    import ase.io

    images = []
    for task in tasks:
        row = rows[task.name]
        if failed(row) or isinstance(task.structure, JoviumError):
            continue
        atoms = task.structure.to_ase()
        if row.get("relaxed"):
            relaxed = json.loads(row["relaxed"])
            atoms.set_cell(relaxed["cell_angstrom"])
            atoms.set_scaled_positions(relaxed["fractional"])
        left_out = ("n_atoms", "spacing_bohr", "sha256", "protocol", "relaxed")
        atoms.info.update({name: x for name, x in row.items() if name not in left_out and x is not None})
        images.append(atoms)
    with atomic_write(path) as part:
        ase.io.write(part, images, format="extxyz")
