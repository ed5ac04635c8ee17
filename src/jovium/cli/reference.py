"""`jovium reference`: what first-principles data are made of, fluid and crystals; labels are in `reference_label`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from jovium.base.files import json_text
from jovium.cli import reference_label
from jovium.cli.arguments import add_command, add_json, add_number, add_seed, named_path
from jovium.training.settings import SEED, at_least

if TYPE_CHECKING:
    from jovium.reference.dynamics import FluidState

HELP = "sample fluid hydrogen by first-principles molecular dynamics, label structures with ELF and forces"
DESCRIPTION = "First-principles work that makes data."

SAMPLE = """Born-Oppenheimer Langevin dynamics of N protons at (rs, T). OUT.extxyz is the whole state of the run:
repeat the command to continue it after a kill, or with a larger --frames to extend it. g(r) of the frames in
equilibrium so far is in OUT.gr.csv."""

PLAN = """Run or continue the trajectory of every line of STATES.csv (n_atoms, rs_bohr, kelvin, seed, frames, split)."""

CRYSTALS = """Write the known hydrogen crystals at several densities, some with thermal displacements, and a path from
molecular to atomic hydrogen: input of labels that serve tests only, never training."""

RANDOM = """Write random structures of hydrogen as searches meet them: atoms anywhere, random space groups, molecules,
chains, layers, lattices, molecular phases and slabs, ten of each. Always the same for a seed. Seeds 1 to 6 are for
training, 7 for validation, 8 for tests; 9 and the densities, cell size and space groups that it alone holds are sealed,
for one last test of a finished model."""

RELAX = """Relax each structure of IN 4 to 15 steps, at a pressure of its own between 50 and 600 GPa and without
symmetry, and write what it is then to OUT.extxyz: what a search meets on its way. Group and step in the comment
lines of IN tell the structures apart. Repeat the command to continue: what is in OUT.extxyz is not computed again.
Exit code 3 when a structure fell apart or had no state."""

EXPAND = """Write frames of hot fluid in larger, strained cells of rs 1.6 to 2.1 bohr: hot, thin fluid without
dynamics of its own. Eight of each trajectory of 16 atoms or fewer and 2500 K or more, of the splits train and
validation."""

PSEUDOPOTENTIAL = """Write the pseudopotential of an element that the engines use (GTH-PBE or GTH-PADE, with the
semicore where there is a choice) as a UPF file, which Quantum ESPRESSO and other plane-wave codes read."""

CARD = """Tables and figures of a data set: trajectories with means and error bars, their labels, g(r), pressures, and
every number of the labels against every other. LABELS: folders of labels, packed or not."""

COLLECT = """Print frames, equilibration and means of the trajectories in FOLDER and write their decorrelate
equilibrium frames, each with split, group, rs and temperature, to OUT.extxyz: the input of the labels."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command and its subcommands."""
    commands = parser.add_subparsers(dest="subcommand", metavar="SUBCOMMAND", required=True)
    plan, folder, out = "STATES.csv", "FOLDER: where the trajectories are", "OUT.extxyz"
    sample = add_command(commands, "sample", run_sample, "molecular dynamics at one (rs, T, N)", SAMPLE, out=out)
    sample.add_argument("--n-atoms", type=int, required=True, help="number of protons")
    sample.add_argument("--rs", type=float, required=True, metavar="BOHR", help="Wigner-Seitz radius")
    sample.add_argument("--kelvin", type=float, required=True, help="temperature")
    add_seed(sample, 0)
    add_number(sample, "--frames", 40, "frames after the start", check=at_least(0))
    sample.add_argument("--time-step-fs", type=float, help="default: 0.5, above 4000 K 0.5 sqrt(4000 / T)")
    add_number(sample, "--block", 40, "steps per frame", check=at_least(1))
    add_json(sample, "one JSON line per frame")
    about = "molecular dynamics at every state of a table"
    planned = add_command(commands, "plan", run_plan, about, PLAN, plan=plan, folder=folder)
    planned.add_argument(
        "--shard", default="0/1", metavar="i/N", help="every N-th state from the i-th on, the first is 0 (job arrays)"
    )
    add_json(planned, "one JSON line per frame")
    add_command(commands, "crystals", run_crystals, "the crystals a model is tested on", CRYSTALS, out=out)
    about = "random structures a model is trained and tested on"
    add_number(add_command(commands, "random", run_random, about, RANDOM, out=out), "--seed", 1, "1 to 9", check=SEED)
    about = "structures on their way to rest"
    add_command(commands, "relax", run_relax, about, RELAX, source="IN.extxyz: structures to begin with", out=out)
    about = "hot, thin fluid from denser one"
    source = "FRAMES.extxyz: what jovium reference collect wrote"
    add_command(commands, "expand", run_expand, about, EXPAND, source=source, out=out)
    about = "the frames of a plan that are worth a label"
    add_command(commands, "collect", run_collect, about, COLLECT, plan=plan, folder=folder, out=out)
    about = "tables and figures of a data set"
    card = add_command(commands, "card", run_card, about, CARD, plan=plan, folder=folder)
    card.add_argument("labels", metavar="LABELS", type=named_path, nargs="+")
    card.add_argument("--out", type=named_path, default=Path("card"), help="folder of the card (default: card)")
    reference_label.configure(commands)
    about = "the pseudopotential of an element as a UPF file"
    potential = commands.add_parser("pseudopotential", help=about, description=PSEUDOPOTENTIAL)
    potential.add_argument("element", metavar="ELEMENT", help="e.g. La")
    potential.add_argument("--functional", choices=["PBE", "LDA"], default="PBE")
    potential.add_argument("--out", type=named_path, help="the file (default: ELEMENT.upf)")
    potential.set_defaults(run=run_pseudopotential)


def run_sample(options: argparse.Namespace) -> int:
    """Run or continue a trajectory, one line per frame."""
    from dataclasses import replace

    from jovium.base.units import TIME_FEMTOSECOND, kelvin_to_hartree
    from jovium.reference.dynamics import FluidState

    state = FluidState.at(options.n_atoms, options.rs, kelvin_to_hartree(options.kelvin), options.seed)
    state = replace(state, block=options.block)
    if options.time_step_fs is not None:
        state = replace(state, time_step=options.time_step_fs / TIME_FEMTOSECOND)
    print_frames(state, options.out, options.frames, options.json)
    return 0


def run_plan(options: argparse.Namespace) -> int:
    """Run or continue every trajectory of a plan, or every N-th of them."""
    from jovium.base.files import existing_folder
    from jovium.labels.fluid_frames import read_plan, trajectory_path
    from jovium.labels.shard import shard

    first, step = shard(options.shard)
    folder = existing_folder(options.folder)
    for run in read_plan(options.plan)[first::step]:
        print(f"{run.name}: {run.frames} frames", flush=True)
        print_frames(run.state, trajectory_path(run, folder), run.frames, options.json)
    return 0


def run_crystals(options: argparse.Namespace) -> int:
    """Write the test crystals."""
    from jovium.labels.crystal_frames import write_crystal_frames

    print(f"{write_crystal_frames(options.out)} crystals: {options.out}")
    return 0


def run_random(options: argparse.Namespace) -> int:
    """Write the random structures of a seed."""
    from jovium.labels.random_structures import write_random_frames

    print(f"{write_random_frames(options.out, options.seed)} structures: {options.out}")
    return 0


def run_relax(options: argparse.Namespace) -> int:
    """Relax what is not there yet, one line per structure; exit code 3 when there is none of one."""
    from jovium.base.errors import JoviumError
    from jovium.labels.relaxed_structures import write_relaxed_frames

    counts = [0, 0]
    for candidate, result in write_relaxed_frames(options.source, options.out):
        failed = isinstance(result, JoviumError)
        counts[failed] += 1
        found = f"FAILED: {result.got}" if failed else f"rs {candidate.structure.rs:.4f} -> {result.rs:.4f}"
        print(f"{candidate.group} step {candidate.step}  N {candidate.structure.n_atoms}  {found}", flush=True)
    print(f"{options.out}: {counts[0]} relaxed, {counts[1]} failed")
    return 3 if counts[1] else 0


def run_expand(options: argparse.Namespace) -> int:
    """Write expanded frames of hot fluid."""
    from jovium.labels.expanded_frames import write_expanded_frames

    print(f"{write_expanded_frames(options.source, options.out)} frames: {options.out}")
    return 0


def run_collect(options: argparse.Namespace) -> int:
    """Print the table of trajectories and write their decorrelate equilibrium frames."""
    from jovium.base.units import PRESSURE_GPA, hartree_to_kelvin
    from jovium.labels.fluid_frames import read_plan, read_trajectories, write_frames

    plan = read_plan(options.plan)
    pairs = read_trajectories(plan, options.folder)
    columns = "| trajectory | split | frames | equilibrium from | decorrelated | P (GPa, force protocol) | T (K) "
    print(columns + "| E (Ha/atom) |", "|" + "---|" * 8, sep="\n")
    for run, fluid in pairs:
        P, kT, E = (fluid.mean(series) for series in (fluid.pressure, fluid.kinetic_temperature, fluid.energy))
        pressure = f"{P.value * PRESSURE_GPA:.1f} +- {P.error * PRESSURE_GPA:.1f}"
        kelvin = f"{hartree_to_kelvin(kT.value):.0f} +- {hartree_to_kelvin(kT.error):.0f}"
        energy = f"{E.value:.5f} +- {E.error:.5f}"
        counts = f"{len(fluid.steps)} | {fluid.start} | {len(fluid.decorrelate())}"
        print(f"| {run.name} | {run.split} | {counts} | {pressure} | {kelvin} | {energy} |")
    n_frames = write_frames(pairs, options.out)
    absent = f"{len(plan) - len(pairs)} of the plan not there or too short yet"
    print(f"{n_frames} frames of {len(pairs)} trajectories ({absent}): {options.out}")
    return 0


def run_pseudopotential(options: argparse.Namespace) -> int:
    """Write a pseudopotential and print what it is."""
    from jovium.base.files import existing_folder, write_lines
    from jovium.base.structure import element
    from jovium.reference.compounds import element_cutoff
    from jovium.reference.kohn_sham import PRODUCTION
    from jovium.reference.pseudopotential import pseudopotential
    from jovium.reference.upf import upf

    potential = pseudopotential(element(options.element), options.functional)
    path = options.out or Path(f"{potential.element}.upf")
    existing_folder(path.parent)
    write_lines(path, [upf(potential)])
    cutoff = max(element_cutoff(potential, PRODUCTION), PRODUCTION.cutoff)
    what = f"{potential.name}, {potential.charge} valence electrons, cutoff {cutoff:g} hartree ({2 * cutoff:g} rydberg)"
    print(f"{path}: {potential.element} {what}")
    return 0


def run_card(options: argparse.Namespace) -> int:
    """Write the data card."""
    from jovium.workflows.data_card import write_data_card

    for path in write_data_card(options.plan, options.folder, options.labels, options.out):
        print(path)
    return 0


def print_frames(state: "FluidState", path: Path, n_frames: int, as_json: bool) -> None:
    """Run or continue one trajectory, print a line per frame and write its pair correlation to a table beside it."""
    from jovium.base.units import PRESSURE_GPA, TIME_FEMTOSECOND, hartree_to_kelvin
    from jovium.labels.fluid_frames import write_pair_correlation
    from jovium.reference.dynamics import sample
    from jovium.reference.espresso import Espresso

    with Espresso(trajectory=True) as engine:
        for frame in sample(state, path, n_frames, engine):
            facts = {
                "frame": frame.step // state.block,
                "time_fs": round(frame.step * state.time_step * TIME_FEMTOSECOND, 3),
                "kinetic_kelvin": round(hartree_to_kelvin(frame.temperature), 1),
                "pressure_gpa": round(frame.pressure * PRESSURE_GPA, 2),
                "energy_hartree_per_atom": round(frame.energy / state.n_atoms, 6),
            }
            line = json_text(facts) if as_json else "  ".join(f"{k} {v}" for k, v in facts.items())
            print(line, flush=True)
            if frame.step >= 8 * state.block:
                write_pair_correlation(path)
