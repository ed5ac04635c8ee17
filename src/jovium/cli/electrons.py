"""`jovium electrons`: train and measure neural wave functions of hydrogen at fixed protons."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

HELP = "the electronic ground state at fixed protons: energy, pressure, g(r)"
DESCRIPTION = """Variational Monte Carlo: a neural wave function lowers the mean of its local energy, which no wave
function can bring below the exact ground state."""

STRUCTURES = """STRUCTURE: a file of hydrogen atoms, periodic or not (any format of ASE), or h (an atom), h2:R (a
molecule of length R bohr), chain:N:R, ring:N:R (N atoms R bohr apart in open space), square:R, bcc:N:RS, sc:N:RS,
fcc:N:RS (N atoms on a lattice), gas:N:RS (electrons in a uniform background)"""

TRAIN = """Train a wave function in the folder RUN by the natural gradient of its energy. Repeat the command to continue
after a kill, with more --steps to go on. RUN gets config.json, state.safetensors, metrics.jsonl and training.png,
redrawn while it runs."""

MEASURE = """Sample a trained wave function and print its energy, the parts of it, variance and pressure with errors.
Writes measure.json, and in a cell g_of_r.csv and g_of_r.png, into RUN."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command and its subcommands."""
    commands = parser.add_subparsers(dest="subcommand", metavar="SUBCOMMAND", required=True)
    train = commands.add_parser("train", help="train a wave function", description=TRAIN, epilog=STRUCTURES)
    train.add_argument("run_folder", metavar="RUN", type=Path)
    train.add_argument("structure", metavar="STRUCTURE", help="see below")
    system = train.add_argument_group("system")
    system.add_argument(
        "--unpaired", type=int, metavar="K", help="electrons of spin up without a partner (default 0 or 1)"
    )
    system.add_argument(
        "--twist", type=float, nargs=3, default=[0.0, 0.0, 0.0], metavar="T", help="in units of the reciprocal vectors"
    )
    steps = train.add_argument_group("optimisation")
    steps.add_argument("--steps", type=int, default=500, help="of optimisation (default 500)")
    steps.add_argument("--optimiser", default="natural", choices=["natural", "adam"])
    steps.add_argument("--rate", type=float, default=0.1, help="of the first step (default 0.1; adam: try 0.002)")
    steps.add_argument("--slowing", type=float, default=500.0, help="steps until the rate is half (default 500)")
    steps.add_argument("--damping", type=float, default=1e-3, help="of the natural gradient (default 0.001)")
    steps.add_argument("--keep", type=float, default=0.95, help="part of the last direction kept (default 0.95)")
    steps.add_argument("--largest", type=float, default=0.05, help="change of psi in a step at most (default 0.05)")
    walk = train.add_argument_group("sampling")
    walk.add_argument("--walkers", type=int, default=512, help="configurations per step (default 512)")
    walk.add_argument("--sweeps", type=int, default=10, help="moves of each between two steps (default 10)")
    walk.add_argument("--mover", default="metropolis", choices=["metropolis", "langevin"])
    walk.add_argument("--blocks", type=int, default=1, help="parts moved one after the other (default 1: all at once)")
    walk.add_argument("--seed", type=int, default=0)
    model = train.add_argument_group("wave function")
    model.add_argument("--determinants", type=int, default=4, help="default 4")
    model.add_argument("--radial", type=int, default=8, help="functions of a distance (default 8)")
    model.add_argument("--sides", type=int, default=4, help="directions that electrons are told of (default 4)")
    model.add_argument("--features", type=int, default=32, help="of an electron (default 32)")
    model.add_argument("--flows", type=int, default=6, help="channels of the backflow (default 6)")
    model.add_argument(
        "--precision", default="auto", choices=["auto", "single", "double"], help="auto: double in larger cells"
    )
    train.add_argument("--every", type=int, default=20, help="steps per report and save (default 20)")
    train.add_argument(
        "--dry-run", action="store_true", help="print settings, parameters, memory and time; train nothing"
    )
    train.add_argument("--json", action="store_true", help="one JSON line per report")
    train.set_defaults(run=run_train)
    measure = commands.add_parser("measure", help="measure a wave function", description=MEASURE)
    measure.add_argument("run_folder", metavar="RUN", type=Path)
    measure.add_argument("--steps", type=int, default=50, help="over which its walkers are measured (default 50)")
    measure.add_argument("--seed", type=int, default=1)
    measure.add_argument("--json", action="store_true", help="print one JSON object")
    measure.set_defaults(run=run_measure)


def run_train(options: argparse.Namespace) -> int:
    """Train or continue, one line per report."""
    from dataclasses import asdict, fields

    from jovium.electrons.settings import ElectronSettings
    from jovium.electrons.training import cost, train
    from jovium.report.electron_figures import draw_energy
    from jovium.training.run_folder import read_metrics, record

    chosen = {field.name: getattr(options, field.name) for field in fields(ElectronSettings)}
    recipe = ElectronSettings(**{**chosen, "twist": tuple(options.twist)})
    if options.dry_run:
        print(json.dumps({**asdict(recipe), **cost(recipe)}, indent=2))
        return 0
    for report in train(options.run_folder, recipe, options.every):
        print(json.dumps(record(report)) if options.json else line_of(report), flush=True)
        draw_energy(options.run_folder / "training.png", read_metrics(options.run_folder))
    return 0


def line_of(report: Any) -> str:
    """A report in one line."""
    line = (
        f"step {report.step:5d}  E {report.energy:.5f} +- {report.error:.5f} Ha  variance {report.variance:.4f}  "
        f"acceptance {report.acceptance:.2f}  correlated over {report.autocorrelation:.1f}  R-hat {report.r_hat:.2f}  "
        f"moved {report.moved:.4f}  {report.seconds:.0f} s"
    )
    return f"{line}  [{report.note}]" if report.note else line


def run_measure(options: argparse.Namespace) -> int:
    """Print the figures of a trained wave function."""
    from jovium.cli.progress import progress
    from jovium.electrons.measurement import measure_run
    from jovium.report.electron_figures import draw_correlations

    found = measure_run(options.run_folder, options.steps, options.seed, progress)
    if found.pairs:
        draw_correlations(options.run_folder / "g_of_r.png", found.pairs)
    record = found.record()
    if options.json:
        print(json.dumps(record))
        return 0
    for name, value in record.items():
        shown = f"{value['value']:.6f} +- {value['error']:.6f}" if isinstance(value, dict) else f"{value:.6g}"
        print(f"{name:28s} {shown}")
    if found.r_hat > 1.1:
        print("warning: walkers still remember where they began (R-hat above 1.1); take more --steps", file=sys.stderr)
    return 0
