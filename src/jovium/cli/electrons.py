"""`jovium electrons`: train and measure neural wave functions of hydrogen at fixed protons."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jovium.cli.training import configure_training, run_training
from jovium.electrons.settings import ElectronSettings
from jovium.training.settings import settings_from

if TYPE_CHECKING:
    from jovium.training.loop import Report

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
    configure_training(train, ElectronSettings, 20)
    train.add_argument("structure", metavar="STRUCTURE", help="see below")
    train.set_defaults(run=run_train)
    measure = commands.add_parser("measure", help="measure a wave function", description=MEASURE)
    measure.add_argument("run_folder", metavar="RUN", type=Path)
    measure.add_argument("--steps", type=int, default=50, metavar="N", help="steps of the walkers (default 50)")
    measure.add_argument("--seed", type=int, default=1, metavar="N")
    measure.add_argument("--json", action="store_true", help="print one JSON object")
    measure.set_defaults(run=run_measure)


def run_train(options: argparse.Namespace) -> int:
    """Train or continue, one line per report."""
    settings = settings_from(options, ElectronSettings)

    def reports() -> Any:
        from jovium.electrons.training import train

        return train(options.run_folder, settings, options.report_every)

    def cost() -> dict[str, Any]:
        from jovium.electrons.training import cost

        return cost(settings)

    def draw(path: Path, metrics: list[dict[str, Any]]) -> None:
        from jovium.report.electron_figures import draw_energy

        draw_energy(path, metrics)

    return run_training(options, settings, reports, report_line, cost=cost, draw=draw)


def report_line(report: "Report") -> str:
    """The figures of a report in one line."""
    from jovium.base.statistics import round_to_error

    return (
        f"E {round_to_error(report['energy'], report['energy_error'])} Ha  variance {report['variance']:.4f}  "
        f"acceptance {report['acceptance']:.2f}  autocorrelation {report['autocorrelation']:.1f} steps  "
        f"R-hat {report['r_hat']:.2f}  step norm {report['step_norm']:.4f}  {report.seconds:.0f} s"
    )


def run_measure(options: argparse.Namespace) -> int:
    """Print the figures of a trained wave function."""
    from jovium.base.statistics import round_to_error
    from jovium.cli.progress import progress
    from jovium.electrons.measurement import measure_run
    from jovium.report.electron_figures import draw_correlations

    measurement = measure_run(options.run_folder, options.steps, options.seed, progress)
    if measurement.pairs:
        draw_correlations(options.run_folder / "g_of_r.png", measurement.pairs)
    record = measurement.record()
    if options.json:
        print(json.dumps(record))
        return 0
    for name, value in record.items():
        shown = round_to_error(value["value"], value["error"]) if isinstance(value, dict) else f"{value:.6g}"
        print(f"{name:28s} {shown}")
    if measurement.r_hat > 1.1:
        print("warning: walkers still remember where they began (R-hat above 1.1); take more --steps", file=sys.stderr)
    return 0
