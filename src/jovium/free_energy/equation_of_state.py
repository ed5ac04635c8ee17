"""The equation of state: free-energy runs over rs and temperature, each begun where its neighbour ended."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from jovium.base.errors import InputError
from jovium.base.files import atomic_write, existing_folder, write_lines
from jovium.free_energy.measurement import ASKED, MEASURED, measure_run
from jovium.free_energy.settings import FreeEnergySettings
from jovium.free_energy.training import Progress, train, trained
from jovium.protons.rejection import check_accept_fraction

TABLE, HIERARCHY = "eos.csv", "eos.h5"

Row = dict[str, Any]


@dataclass(frozen=True)
class Scan:
    """States (rs in bohr, kelvin) in the order they are trained in, all like `recipe` but for the steps and the start:
    those of the first state are the recipe's, every other has `later` steps. n_batches, n_looks, and the share of
    protons that is kept: of the measurement."""

    recipe: FreeEnergySettings
    rs: tuple[float, ...]
    kelvin: tuple[float, ...]
    later: int
    n_batches: int
    n_looks: int
    share: float = 1.0

    def __post_init__(self):
        if not self.rs or not self.kelvin or self.later < 1:
            raise InputError(
                f"{self.rs} bohr, {self.kelvin} K, {self.later} steps", "a state or more", "give --rs, --kelvin"
            )
        check_accept_fraction(self.share)
        for rs, kelvin in self.states:
            replace(self.recipe, rs=rs, kelvin=kelvin)  # says what is wrong with it before anything is trained

    @property
    def states(self) -> list[tuple[float, float]]:
        """Along rs and back at the next temperature: every state is a neighbour of the one before."""
        ways = [self.rs if i % 2 == 0 else self.rs[::-1] for i in range(len(self.kelvin))]
        return [(rs, kelvin) for kelvin, way in zip(self.kelvin, ways, strict=True) for rs in way]

    def recipes(self, folder: Path) -> list[tuple[Path, FreeEnergySettings]]:
        """Run directories and what is trained there."""
        # Whole paths: a run keeps that of its start, and the command may be repeated from another folder.
        places = [folder.resolve() / f"rs{rs:g}_T{kelvin:g}" for rs, kelvin in self.states]
        first = replace(self.recipe, rs=self.states[0][0], kelvin=self.states[0][1])
        found = [(places[0], first)]
        for (before, place), (rs, kelvin) in zip(pairwise(places), self.states[1:], strict=True):
            later = replace(self.recipe, rs=rs, kelvin=kelvin, steps=self.later, protons="", psi="", start=str(before))
            found.append((place, later))
        return found


def scan(folder: Path, plan: Scan, every: int, seed: int) -> Iterator[tuple[str, Progress | Row]]:
    """Train and measure every state; reports and, at the end of each, its row. A repeated call continues. Raises what
    training and measuring raise."""
    existing_folder(folder)
    rows: list[Row] = []
    for place, recipe in plan.recipes(folder):
        for report in train(place, recipe, every):
            yield place.name, report
        if not _is_measured(place, recipe, plan, seed):
            measure_run(place, plan.n_batches, plan.n_looks, seed, share=plan.share)
        rows.append(flat(json.loads((place / MEASURED).read_text())))
        write_table(folder, rows)
        yield place.name, rows[-1]


def flat(measured: dict[str, Any]) -> Row:
    """A line of the table: values, and errors in columns of their own."""
    row: Row = {name: measured[name] for name in ("rs_bohr", "T_K", "n_protons", "twists", "isotope", "samples")}
    for name, value in measured.items():
        if isinstance(value, dict):
            # What could not be measured has no number.
            here, error = (np.nan if value[part] is None else value[part] for part in ("value", "error"))
            row |= {name: here, f"{name}_error": error}
    rest = {name: measured[name] for name in ("effective_samples", "acceptance")}
    return row | rest | {"kept": measured.get("kept", 1.0)}


def write_table(folder: Path, rows: Sequence[Row]) -> None:
    """eos.csv and eos.h5, a column each, units in their names. Raises OutputError."""
    import h5py

    with io.StringIO(newline="") as text:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_lines(folder / TABLE, [text.getvalue()])
    with atomic_write(folder / HIERARCHY) as part, h5py.File(part, "w") as file:
        for name in rows[0]:
            values = [row[name] for row in rows]
            file.create_dataset(name, data=values if isinstance(values[0], str) else np.array(values))


def _is_measured(place: Path, recipe: FreeEnergySettings, plan: Scan, seed: int) -> bool:
    """Whether measure.json is of the state that is there."""
    try:
        found = json.loads((place / MEASURED).read_text())
    except (OSError, ValueError):
        return False
    asked = {"step": int(trained(place)[1].step), "seed": seed, "batches": plan.n_batches, "looks": plan.n_looks}
    return all(found.get(name) == value for name, value in asked.items()) and found.get(ASKED, 1.0) == plan.share
