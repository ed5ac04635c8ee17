"""From trajectories to the frames that are labelled: equilibrium, decorrelate, each with its split."""

import csv
import lzma
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jovium.base.errors import InputError
from jovium.base.files import write_lines
from jovium.base.statistics import Estimate
from jovium.base.structure import Structure
from jovium.base.units import hartree_to_kelvin, kelvin_to_hartree
from jovium.observe.pair_correlation import pair_correlation
from jovium.reference.dynamics import FluidState
from jovium.reference.trajectory import ShortTrajectory, Trajectory, read_fluid

SPLITS = ("train", "validation", "test")


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
    """The plan in a table with columns n_atoms, rs_bohr, kelvin, seed, frames, split.

    Raises InputError for a missing column, an unknown split or the same run twice.
    """
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    try:
        runs = [
            PlannedRun(
                int(row["n_atoms"]),
                float(row["rs_bohr"]),
                float(row["kelvin"]),
                int(row["seed"]),
                int(row["frames"]),
                row["split"],
            )
            for row in rows
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: {error!r}", "columns n_atoms, rs_bohr, kelvin, seed, frames, split", "correct the table"
        ) from error
    unknown = {run.split for run in runs} - set(SPLITS)
    if unknown or len({run.name for run in runs}) != len(runs):
        raise InputError(
            f"{path}: {f'splits {sorted(unknown)}' if unknown else 'the same run twice'}",
            f"splits {', '.join(SPLITS)}, every run once",
            "correct the table",
        )
    return runs


def trajectory_path(run: PlannedRun, folder: Path) -> Path:
    """Where a planned trajectory is written; a packed one (.xz) that lies there is unpacked to be continued."""
    path = folder / f"{run.name}.extxyz"
    packed = path.with_name(path.name + ".xz")
    if packed.exists() and not path.exists():
        write_lines(path, [lzma.decompress(packed.read_bytes()).decode()])
    return path


@dataclass(frozen=True)
class Summary:
    """What one trajectory holds, means in atomic units; `start`: the first frame in equilibrium."""

    run: PlannedRun
    n_frames: int
    start: int
    n_decorrelated: int
    pressure: Estimate
    kinetic_temperature: Estimate
    energy: Estimate


def read_trajectories(plan: list[PlannedRun], folder: Path) -> list[tuple[PlannedRun, Trajectory]]:
    """The trajectories of the plan that are in `folder`, plain or xz-compressed, in the order of the plan.

    Those that have only just begun are left out.
    """
    pairs = []
    for run in plan:
        for suffix in (".extxyz", ".extxyz.xz"):
            path = folder / (run.name + suffix)
            if path.exists():
                with suppress(ShortTrajectory):
                    pairs.append((run, read_fluid(path)))
                break
    return pairs


def summary(run: PlannedRun, fluid: Trajectory) -> Summary:
    """Counts and equilibrium means of one trajectory; the pressure is that of the force protocol."""
    return Summary(
        run,
        len(fluid.steps),
        fluid.start,
        len(fluid.decorrelate()),
        fluid.mean(fluid.pressure),
        fluid.mean(fluid.kinetic_temperature),
        fluid.mean(fluid.energy),
    )


def write_pair_correlation(path: Path) -> Path:
    """Write g(r) of the equilibrium frames of the trajectory at `path` as a table beside it (distances in bohr)."""
    fluid = read_fluid(path)
    result = pair_correlation(fluid.structures[fluid.start :])
    csv_path = path.with_suffix(".gr.csv")
    rows = zip(result.r, result.g, result.error, strict=True)
    write_lines(csv_path, ["r_bohr,g,g_error\n", *(f"{r:.5f},{g:.5f},{error:.5f}\n" for r, g, error in rows)])
    return csv_path


def write_frames(pairs: list[tuple[PlannedRun, Trajectory]], path: Path) -> int:
    """Write the decorrelated equilibrium frames of all trajectories as one extended-XYZ file; their number.

    Every frame carries split, group (its trajectory), rs_bohr, temperature_kelvin and step.
    """
    lines: list[str] = []
    n = 0
    for run, fluid in pairs:
        for index in fluid.decorrelate():
            facts = {
                "split": run.split,
                "group": run.name,
                "rs_bohr": f"{fluid.rs:.10g}",
                "temperature_kelvin": f"{hartree_to_kelvin(fluid.kT):.10g}",
                "step": int(fluid.steps[index]),
            }
            lines += frame_lines(fluid.structures[index], facts)
            n += 1
    write_lines(path, lines)
    return n


def frame_lines(structure: Structure, facts: dict[str, object]) -> list[str]:
    """One extended-XYZ frame (angstrom) with facts in its comment line."""
    atoms = structure.to_ase()
    lattice = " ".join(f"{x:.12f}" for x in atoms.cell.array.ravel())
    words = " ".join(f"{key}={value}" for key, value in facts.items())
    header = f'Lattice="{lattice}" Properties=species:S:1:pos:R:3 pbc="T T T" {words}'
    rows = (
        f"{s} {x:.12f} {y:.12f} {z:.12f}\n" for s, (x, y, z) in zip(structure.symbols, atoms.positions, strict=True)
    )
    return [f"{structure.n_atoms}\n", header + "\n", *rows]
