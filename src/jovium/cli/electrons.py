"""`jovium electrons`: train and measure neural wave functions of hydrogen at fixed protons."""

import argparse
import sys
from typing import TYPE_CHECKING

from jovium.base.files import json_text
from jovium.cli.arguments import add_command, add_json, add_number, add_seed
from jovium.cli.training import configure_training, progress, run_training, training_settings
from jovium.electrons.settings import ElectronSettings
from jovium.training.settings import at_least

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
    train = add_command(commands, "train", run_train, "train a wave function", TRAIN)
    train.epilog = STRUCTURES
    configure_training(train, ElectronSettings, 20)
    train.add_argument("structure", metavar="STRUCTURE", help="see below")
    measure = add_command(commands, "measure", run_measure, "measure a wave function", MEASURE, run_folder="RUN")
    add_number(measure, "--steps", 50, "steps of the walkers", check=at_least(1))
    add_seed(measure)
    add_json(measure)


def run_train(options: argparse.Namespace) -> int:
    """Train or continue, one line per report."""
    return run_training(options, training_settings(options, ElectronSettings), report_line)


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
    from jovium.electrons.measurement import measure_run
    from jovium.report.electron_figures import draw_correlations

    measurement = measure_run(options.run_folder, options.steps, options.seed, progress)
    if measurement.pairs:
        draw_correlations(options.run_folder / "g_of_r.png", measurement.pairs)
    record = measurement.record()
    if options.json:
        print(json_text(record))
        return 0
    for name, value in record.items():
        shown = round_to_error(value["value"], value["error"]) if isinstance(value, dict) else f"{value:.6g}"
        print(f"{name:28s} {shown}")
    if measurement.r_hat > 1.1:
        print("warning: walkers still remember where they began (R-hat above 1.1); take more --steps", file=sys.stderr)
    return 0
