"""From trajectories to the frames that are labelled: equilibrium, decorrelate, each with its split."""

import csv
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from jovium.base.errors import InputError, reason
from jovium.base.files import write_lines
from jovium.base.units import hartree_to_kelvin, kelvin_to_hartree
from jovium.labels.record import SPLIT, SPLITS
from jovium.observe.pair_correlation import pair_correlation
from jovium.reference.dynamics import FluidState
from jovium.reference.trajectory import ShortTrajectory, Trajectory, frame_lines, read_fluid, read_text

PLAN: dict[str, Any] = {"n_atoms": int, "rs_bohr": float, "kelvin": float, "seed": int, "frames": int, "split": str}
"""Columns of a plan, in the order of the fields of `PlannedRun`."""


@dataclass(frozen=True)
class PlannedRun:
    """One line of the plan of a data set: a state to sample, how many frames, and the split it belongs to."""

    n_atoms: int
    rs: float
    kelvin: float
    seed: int
    frames: int
    split: str

    @property
    def name(self) -> str:
        """File name of the trajectory without its suffix, e.g. n54-rs1.4-3000K-1."""
        return f"n{self.n_atoms}-rs{self.rs:g}-{self.kelvin:g}K-{self.seed}"

    @property
    def state(self) -> FluidState:
        """The thermodynamic state in atomic units, at the default time step of its temperature."""
        return FluidState.at(self.n_atoms, self.rs, kelvin_to_hartree(self.kelvin), self.seed)


def read_plan(path: Path) -> list[PlannedRun]:
    """The plan in a table with columns n_atoms, rs_bohr, kelvin, seed, frames, split. Raises InputError for no runs, a
    missing column, an unknown split, an impossible state or the same run twice."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        runs = [PlannedRun(*(kind(row[name]) for name, kind in PLAN.items())) for row in rows]
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise InputError(f"{path}: {reason(error)}", f"columns {', '.join(PLAN)}", "correct the table") from error
    if not runs or min(run.frames for run in runs) < 0:
        raise InputError(f"{path}: {'frames below 0' if runs else 'no runs'}", "a run per line", "correct the table")
    _ = [run.state for run in runs]  # refused now, not after the runs before it
    unknown = {run.split for run in runs if not SPLIT.fullmatch(run.split)}
    if unknown or len({run.name for run in runs}) != len(runs):
        got = f"{path}: {f'splits {sorted(unknown)}' if unknown else 'the same run twice'}"
        raise InputError(got, f"splits {SPLITS}, every run once", "correct the table")
    return runs


def trajectory_path(run: PlannedRun, folder: Path) -> Path:
    """Where a planned trajectory is written; a packed one (.xz) that lies there is unpacked to be continued."""
    path = folder / f"{run.name}.extxyz"
    packed = path.with_name(path.name + ".xz")
    if packed.exists() and not path.exists():
        write_lines(path, [read_text(packed)])
    return path


def read_trajectories(plan: list[PlannedRun], folder: Path) -> list[tuple[PlannedRun, Trajectory]]:
    """The trajectories of the plan that are in `folder`, plain or xz-compressed, in the order of the plan. Those that
    have only just begun are left out."""
    pairs = []
    for run in plan:
        written = [path for ending in ("", ".xz") if (path := folder / f"{run.name}.extxyz{ending}").exists()]
        if written:
            with suppress(ShortTrajectory):
                pairs.append((run, read_fluid(written[0])))
    return pairs


def write_pair_correlation(path: Path) -> Path:
    """Write g(r) of the equilibrium frames of the trajectory at `path` as a table beside it (distances in bohr)."""
    fluid = read_fluid(path)
    result = pair_correlation(fluid.structures[fluid.start :])
    csv_path = path.with_suffix(".gr.csv")
    rows = zip(result.r, result.g, result.error, strict=True)
    write_lines(csv_path, ["r_bohr,g,g_error\n", *(f"{r:.5f},{g:.5f},{error:.5f}\n" for r, g, error in rows)])
    return csv_path


def write_frames(pairs: list[tuple[PlannedRun, Trajectory]], path: Path) -> int:
    """Write the decorrelated equilibrium frames of all trajectories as one extended-XYZ file; their number. Every frame
    carries split, group (its trajectory), rs_bohr, temperature_kelvin and step."""
    frames = []
    for run, fluid in pairs:
        state = {"rs_bohr": f"{fluid.rs:.10g}", "temperature_kelvin": f"{hartree_to_kelvin(fluid.kT):.10g}"}
        for index in fluid.decorrelate():
            facts = {"split": run.split, "group": run.name, **state, "step": int(fluid.steps[index])}
            frames.append(frame_lines(fluid.structures[index], facts))
    write_lines(path, chain.from_iterable(frames))
    return len(frames)
