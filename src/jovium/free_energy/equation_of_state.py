"""The equation of state: free-energy runs over rs and temperature, each begun where its neighbour ended."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from jovium.base.errors import InputError
from jovium.base.files import atomic_write, existing_folder, write_lines
from jovium.free_energy.measurement import measure_run, request
from jovium.free_energy.settings import FreeEnergySettings, MeasurementSettings
from jovium.free_energy.training import load_run, train
from jovium.training.loop import Report
from jovium.training.run_folder import STATE, read_measurement, read_settings

TABLE, HDF5_TABLE = "eos.csv", "eos.h5"

STARTS = ("init_from", "init_flow", "init_wavefunction")

Row = dict[str, Any]


@dataclass(frozen=True)
class Scan:
    """States (rs in bohr, kelvin) in the order they are trained in, all with the same settings but for steps and start:
    the first state has those of `settings`, every other `steps_per_state` steps and its neighbour's models."""

    settings: FreeEnergySettings
    rs: tuple[float, ...]
    kelvin: tuple[float, ...]
    steps_per_state: int
    measurement: MeasurementSettings

    def __post_init__(self):
        if not self.rs or not self.kelvin or self.steps_per_state < 1:
            raise InputError(
                f"{self.rs} bohr, {self.kelvin} K, {self.steps_per_state} steps per state",
                "a state or more, one step or more",
                "give --rs, --kelvin, --steps-per-state",
            )
        for rs, kelvin in self.states:
            replace(self.settings, rs=rs, kelvin=kelvin)  # says what is wrong with it before anything is trained

    @property
    def states(self) -> list[tuple[float, float]]:
        """Along rs and back at the next temperature: every state is a neighbour of the one before."""
        rows = [self.rs if i % 2 == 0 else self.rs[::-1] for i in range(len(self.kelvin))]
        return [(rs, kelvin) for kelvin, row in zip(self.kelvin, rows, strict=True) for rs in row]

    def runs(self, folder: Path) -> list[tuple[Path, FreeEnergySettings]]:
        """Run folders and what is trained there. States that have begun keep their start, whatever their neighbour is
        now and wherever the folder lies, but for a start that the command names."""
        # Whole paths: a run keeps that of its start, and the command may be repeated from another folder.
        paths = [folder.resolve() / f"rs{rs:g}_T{kelvin:g}" for rs, kelvin in self.states]
        first = replace(self.settings, rs=self.states[0][0], kelvin=self.states[0][1])
        is_named = any(getattr(first, name) for name in STARTS)
        runs = [(paths[0], first if is_named else _continued(paths[0], first))]
        later = replace(self.settings, steps=self.steps_per_state, init_flow="", init_wavefunction="")
        for (before, path), (rs, kelvin) in zip(pairwise(paths), self.states[1:], strict=True):
            runs.append((path, _continued(path, replace(later, rs=rs, kelvin=kelvin, init_from=str(before)))))
        return runs


def scan(folder: Path, plan: Scan, report_every: int = 20) -> Iterator[tuple[str, Report | Row]]:
    """Train and measure every state; reports and, at the end of each, its row. A repeated call continues, in a folder
    that was moved and with other states between too. Raises what training and measuring raise."""
    existing_folder(folder)
    rows: list[Row] = []
    for path, settings in plan.runs(folder):
        for report in train(path, settings, report_every):
            yield path.name, report
        if not _is_measured(path, plan):
            measure_run(path, plan.measurement)
        rows.append(flatten(read_measurement(path, FreeEnergySettings)))
        write_table(folder, rows)
        yield path.name, rows[-1]


def _continued(path: Path, settings: FreeEnergySettings) -> FreeEnergySettings:
    """Settings of a state with the start that it had, if it has begun; with another neighbour now it keeps its steps
    too, if they are more."""
    if not (path / STATE).exists():
        return settings
    begun = read_settings(path, FreeEnergySettings)
    kept = {name: getattr(begun, name) for name in STARTS}
    same_neighbour = Path(begun.init_from).name == Path(settings.init_from).name
    return replace(settings, **kept, steps=settings.steps if same_neighbour else max(settings.steps, begun.steps))


def flatten(measured: dict[str, Any]) -> Row:
    """A line of the table: values, and errors in columns of their own."""
    row: Row = {name: measured[name] for name in ("rs_bohr", "T_K", "n_atoms", "n_twists", "isotope", "samples")}
    for name, value in measured.items():
        if isinstance(value, dict):
            # What could not be measured has no number.
            mean, error = (np.nan if value[part] is None else value[part] for part in ("value", "error"))
            row |= {name: mean, f"{name}_error": error}
    return row | {name: measured[name] for name in ("effective_samples", "acceptance", "accept_fraction")}


def write_table(folder: Path, rows: Sequence[Row]) -> None:
    """eos.csv and eos.h5, a column each, units in their names. Raises OutputError."""
    import h5py

    with io.StringIO(newline="") as text:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_lines(folder / TABLE, [text.getvalue()])
    with atomic_write(folder / HDF5_TABLE) as part, h5py.File(part, "w") as file:
        for name in rows[0]:
            values = [row[name] for row in rows]
            file.create_dataset(name, data=values if isinstance(values[0], str) else np.array(values))


def _is_measured(path: Path, plan: Scan) -> bool:
    """Whether measure.json is of the state that is there, measured as the plan says."""
    try:
        measured = read_measurement(path, FreeEnergySettings)
    except InputError:
        return False
    asked = request(*load_run(path), plan.measurement)
    return all(measured.get(name) == value for name, value in asked.items())
