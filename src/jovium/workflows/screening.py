"""phi, phi*, Tc and their intervals for thousands of structures, one row of a table each."""

import csv
import functools
import io
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from html import escape
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

import numpy as np

from jovium.base.errors import InputError, JoviumError, reason
from jovium.base.files import (
    append_durably,
    atomic_write,
    existing_folder,
    require_other_file,
    sole_writer,
    write_lines,
)
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM
from jovium.base.validity import plausibility
from jovium.elf.model import ElfModel, shipped_model
from jovium.formats.structures import Source, structures_or_errors
from jovium.labels.record import structure_sha256
from jovium.labels.shard import shard as parse_shard
from jovium.superconductivity.fits import FITS, critical_temperatures
from jovium.topology.intervals import threshold_intervals
from jovium.topology.network import hydrogen_network

SPACING = 0.1 / BOHR_ANGSTROM
"""Default distance of ELF grid points, 0.1 angstrom in bohr."""

TC_COLUMNS = tuple(f"tc_{fit.name.lower().replace(' ', '_')}_kelvin" for fit in FITS)
FORMATS = {
    **{"structure": "d", "n_atoms": "d", "rs_bohr": ".6f"},
    **{f"{name}{end}": ".5f" for name in ("phi_3d", "phi_star") for end in ("", "_low", "_high")},
    **dict.fromkeys(TC_COLUMNS, ".1f"),
    **{"flags": "", "spacing_bohr": ".6f", "sha256": ""},
}
"""Columns and their digits, in the table as in memory. structure: index in the source, from 0. low, high: the interval
of `threshold_intervals`. Tc of pure hydrogen, taken to be a metal. flags: why the numbers may be wrong, or "failed: "
and why there are none."""

COLUMNS = tuple(FORMATS)
HEAD = ",".join(COLUMNS) + "\n"

Row = dict[str, Any]


class Screening(list[Row]):
    """The rows of a screening, in the order of the structures; a notebook shows them as a table."""

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in COLUMNS)
        lines = ("".join(f"<td>{escape(_text(name, row[name]))}</td>" for name in COLUMNS) for row in self)
        return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


@dataclass(frozen=True)
class Task:
    """One structure to screen, or what is wrong with it."""

    index: int
    structure: Structure | JoviumError

    @property
    def sha256(self) -> str:
        """Identity of the structure, "-" when there is none."""
        return "-" if isinstance(self.structure, JoviumError) else structure_sha256(self.structure)


def screen(
    source: Source | Sequence[Source],
    output: str | Path | None = None,
    *,
    spacing: float = SPACING,
    frames: str = ":",
    shard: str | None = None,
    workers: int = 1,
    executor: Executor | None = None,
    progress: Callable[[Row], None] = lambda row: None,
) -> Screening:
    """phi, phi*, their intervals, Tc and warnings of every structure, by the ELF network.

    source: a file of structures, of which `frames` is a slice, or structures of Jovium or ASE. output: OUT writes
    OUT.csv line by line and OUT.extxyz at the end, and takes from OUT.csv the numbers that are there already; a kill
    loses the structures at work, what failed before is tried again. spacing: of the ELF grid, bohr. shard: "i/N" takes
    every N-th structure from the i-th on, into OUT-i-of-N. workers: processes; executor: anything of concurrent.futures
    instead. progress: called with each new row. Raises InputError for a spacing or workers that are not positive, a
    table of other structures or written by somebody else, or an output that would replace the source."""
    if not (np.isfinite(spacing) and spacing > 0):
        raise InputError(f"an ELF grid spacing of {spacing:.4g} bohr", "a positive distance", "e.g. 0.1 angstrom")
    if workers < 1:
        raise InputError(f"{workers} workers", "1 or more", "e.g. the number of cores")
    first, step = parse_shard(shard or "0/1")
    files = None if output is None else output_files(Path(output), shard)
    if files and isinstance(source, str | os.PathLike):
        require_other_file(files[1], Path(source))
    tasks = [Task(i, s) for i, s in enumerate(structures_or_errors(source, frames)) if i % step == first]
    workers = min(workers, len(tasks))
    with nullcontext(executor) if executor or workers < 2 else _process_pool(workers) as pool:
        if files is None:
            rows = _new_rows(tasks, spacing, pool, progress)
        else:
            table, images = files
            existing_folder(table.parent)
            rows = _continue_table(tasks, table, spacing, pool, progress)
            _write_images(tasks, rows, images)
    return Screening(rows[task.index] for task in tasks)


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
    tasks: Sequence[Task], table: Path, spacing: float, executor: Executor | None, progress: Callable[[Row], None]
) -> dict[int, Row]:
    """The rows of all tasks; those without numbers in the table are computed and appended one by one."""

    def append(row: Row) -> None:
        append_durably(table, _line(row))
        progress(row)

    with sole_writer(table):
        old = _read_table(table)
        for task in tasks:
            row = old.get(task.index)
            if row is None or failed(row):
                old.pop(task.index, None)
            elif (row["sha256"], _text("spacing_bohr", row["spacing_bohr"])) != (task.sha256, f"{spacing:.6f}"):
                raise InputError(
                    f"{table}: structure {task.index} is another one there, or on another grid",
                    "the table of this file of structures and of this spacing",
                    "give another name for the results",
                )
        _write_table(table, old)
    with sole_writer(table):  # it may be another file now
        old = _read_table(table)
        rows = old | _new_rows([task for task in tasks if task.index not in old], spacing, executor, append)
        _write_table(table, rows)
    return rows


def failed(row: Row) -> bool:
    """Whether a structure has no numbers."""
    return row["phi_3d"] is None


def _new_rows(
    tasks: Sequence[Task], spacing: float, executor: Executor | None, progress: Callable[[Row], None]
) -> dict[int, Row]:
    mapped: Callable = executor.map if executor else map
    rows: dict[int, Row] = {}
    for row in mapped(functools.partial(screen_structure, spacing=spacing), tasks):
        progress(row)
        rows[row["structure"]] = row
    return rows


def screen_structure(task: Task, spacing: float) -> Row:
    """The row of one structure; values rounded to the digits of the table, None where there are none."""
    values = {"structure": task.index, "spacing_bohr": spacing, "sha256": task.sha256}
    try:
        if isinstance(task.structure, JoviumError):
            raise task.structure
        values |= _numbers(task.structure, spacing)
    except Exception as error:  # one structure is never the end of thousands, and its line says why
        values["flags"] = f"failed: {_told(error)}"
    return {name: _value(name, _text(name, values.get(name))) for name in COLUMNS}


def _told(error: Exception) -> str:
    """What an error says, in one line that every file can hold."""
    text = " ".join(str(error).split()) if isinstance(error, JoviumError) else reason(error)
    text = "out of memory" if isinstance(error, MemoryError) else text
    return text.encode(errors="backslashreplace").decode()


@functools.cache
def _model() -> ElfModel:
    return shipped_model()


def _numbers(structure: Structure, spacing: float) -> Row:
    predicted = _model().predict(structure, structure.cell.grid_shape(spacing))
    network = hydrogen_network(predicted.elf, structure.positions)
    intervals = threshold_intervals(network, predicted.elf, predicted.band, structure.positions)
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


def _write_images(tasks: Iterable[Task], rows: dict[int, Row], path: Path) -> None:
    """Write the structures that have a row of numbers, with these numbers, as extended XYZ."""
    import ase.io

    images = []
    for task in tasks:
        row = rows[task.index]
        if failed(row) or isinstance(task.structure, JoviumError):
            continue
        atoms = task.structure.to_ase()
        numbers = {name: row[name] for name in COLUMNS[2:-3] if row[name] is not None}
        atoms.info.update({"structure": task.index, **numbers, "flags": row["flags"]})
        images.append(atoms)
    with atomic_write(path) as part:
        ase.io.write(part, images, format="extxyz")


def _text(name: str, value: Any) -> str:
    return "" if value is None else format(value, FORMATS[name])


def _value(name: str, text: str) -> Any:
    if name in ("flags", "sha256"):
        return text
    number = float(text or "nan")
    return None if not np.isfinite(number) else int(text) if FORMATS[name] == "d" else number


def _read_table(table: Path) -> dict[int, Row]:
    """The whole lines of a table, by structure, of several of one the last. Raises InputError when the file is another
    one, or holds lines that no screening wrote."""
    text = table.read_text(encoding="utf-8", errors="replace")
    if not text.startswith(HEAD[: len(text)]):
        raise InputError(f"{table} holds something else", "a table of jovium screen", "give another name")
    rows: dict[int, Row] = {}
    for line in text[len(HEAD) :].split("\n")[:-1]:
        try:
            row = {name: _value(name, word) for name, word in zip(COLUMNS, *csv.reader([line]), strict=True)}
            rows[int(row["structure"])] = row
        except (ValueError, TypeError, csv.Error) as error:
            got = f"{table}: the line '{line[:60]}'"
            raise InputError(got, "a line of jovium screen", "delete that line and repeat the command") from error
    return rows


def _write_table(table: Path, rows: dict[int, Row]) -> None:
    """The rows as the whole table, in the order of the structures; an equal table is left alone."""
    lines = [HEAD, *(_line(rows[index]) for index in sorted(rows))]
    if table.read_bytes() != "".join(lines).encode():
        write_lines(table, lines)


def _line(row: Row) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(_text(name, row[name]) for name in COLUMNS)
    return text.getvalue()
