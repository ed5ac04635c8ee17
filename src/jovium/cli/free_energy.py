"""`jovium free-energy`: protons and electrons of dense hydrogen trained together on F."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

HELP = "dense hydrogen: free energy, entropy, pressure at rs and T"
DESCRIPTION = """Train a flow of protons and a wave function of electrons together in the folder RUN, to lower one
number, F = E[kT ln p + E], an upper bound of the free energy. Repeat the command to continue after a kill, with more
--steps to go on. All devices share the configurations of a step, those of all tasks after `srun jovium
free-energy ...`; the numbers do not depend on how many there are. RUN gets config.json, state.safetensors,
metrics.jsonl and training.png, redrawn while it runs. Then:

  jovium measure RUN                F, E, S, P with errors, from protons drawn afresh
  jovium sample RUN OUT.extxyz      configurations, for jovium analyse and jovium screen
  jovium report RUN                 one page: F, E, S, P, g(r), and the ELF of its configurations"""

NUMBERS = (
    ("system", "n", int, 2, "atoms"),
    ("system", "rs", float, 1.25, "bohr"),
    ("system", "kelvin", float, 6000.0, "temperature"),
    ("system", "twists", int, 1, "per reciprocal vector; 1: none"),
    ("optimisation", "steps", int, 400, "of training"),
    ("optimisation", "waiting", int, 40, "first steps, that change the wave function alone"),
    ("optimisation", "rate", float, 0.1, "of the wave function"),
    ("optimisation", "proton_rate", float, 0.2, "of the flow"),
    ("optimisation", "proton_damping", float, 0.1, "of the natural gradient of the flow"),
    ("optimisation", "slowing", float, 200.0, "steps until the rates are half"),
    ("optimisation", "damping", float, 1e-3, "of the natural gradient of the electrons"),
    ("optimisation", "keep", float, 0.9, "part of the last direction kept"),
    ("sampling", "configurations", int, 128, "of protons per step"),
    ("sampling", "electrons", int, 2, "configurations of electrons for each of protons"),
    ("sampling", "sweeps", int, 15, "moves of electrons after their protons have moved"),
    ("sampling", "stride", float, 0.3, "of the walk that protons are drawn from, bohr"),
    ("sampling", "lessons", int, 256, "configurations of protons that the flow learns from in a step"),
    ("sampling", "seed", int, 0, "of random numbers"),
    ("models", "channels", int, 4, "of the flow"),
    ("models", "radial", int, 8, "functions of a distance in the flow"),
    ("models", "times", int, 3, "of the flow"),
    ("models", "integration_steps", int, 4, "of the flow"),
    ("models", "determinants", int, 1, "of the wave function"),
    ("models", "features", int, 32, "of an electron"),
)
"""Group, name, type, default and meaning of the options that are numbers."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("run_folder", metavar="RUN", type=Path)
    add_recipe_options(parser)
    parser.add_argument("--every", type=int, default=20, help="steps per report and save (default 20)")
    parser.add_argument("--json", action="store_true", help="one JSON line per report")
    parser.add_argument(
        "--dry-run", action="store_true", help="print settings, parameters, memory and time; train nothing"
    )
    parser.set_defaults(run=run)


def add_recipe_options(parser: argparse.ArgumentParser, leave_out: tuple[str, ...] = ()) -> None:
    """The options that make a recipe, in groups."""
    groups: dict[str, Any] = {}
    for group, name, kind, default, meaning in NUMBERS:
        if group not in groups:
            groups[group] = parser.add_argument_group(group)
        if name not in leave_out:
            option = "--" + name.replace("_", "-")
            groups[group].add_argument(
                option, type=kind, default=default, metavar="X", help=f"{meaning} (default {default})"
            )
            # The same by its full name, as in configuration files of this field.
            parser.add_argument(
                f"--{group}.{'n_protons' if name == 'n' else name}",
                dest=name, type=kind, default=argparse.SUPPRESS, help=argparse.SUPPRESS,
            )  # fmt: skip
    groups["system"].add_argument("--isotope", default="H", choices=["H", "D"], help="nuclei (default H)")
    for name, meaning in (
        ("--start", "begin with this run, of the same sizes, at any rs and temperature"),
        ("--protons", "begin with this run of jovium protons, of the same sizes"),
        ("--psi", "begin with the wave function of this run, of any number of atoms; of jovium electrons too"),
    ):
        groups["models"].add_argument(name, default="", metavar="RUN0", help=meaning)


def run(options: argparse.Namespace) -> int:
    """Train or continue, one line per report."""
    from dataclasses import asdict, fields

    from jovium.free_energy.settings import FreeEnergySettings
    from jovium.free_energy.training import cost, train
    from jovium.report.free_energy_figures import draw_training
    from jovium.training.devices import idle_devices, joined, writes
    from jovium.training.run_folder import read_metrics, record

    recipe = FreeEnergySettings(**{field.name: getattr(options, field.name) for field in fields(FreeEnergySettings)})
    if options.dry_run:
        print(json.dumps({**asdict(recipe), **cost(recipe)}, indent=2))
        return 0
    joined()
    warning = idle_devices(recipe.configurations)
    if warning and writes():
        print(warning, file=sys.stderr)
    for report in train(options.run_folder, recipe, options.every):
        if not writes():
            continue
        print(json.dumps(record(report)) if options.json else line_of(report), flush=True)
        draw_training(options.run_folder / "training.png", read_metrics(options.run_folder))
    return 0


def line_of(report: Any) -> str:
    """A report in one line."""
    from jovium.base.units import PRESSURE_GPA

    line = (
        f"step {report.step:5d}  F {report.free_energy:.5f} +- {report.free_energy_error:.5f}  "
        f"E {report.energy:.5f} +- {report.energy_error:.5f} Ha/atom  S {report.entropy:.3f} kB  "
        f"P {PRESSURE_GPA * report.pressure:.0f} GPa  variance {report.variance:.4f}  "
        f"lag {report.lag:.4f} +- {report.lag_error:.4f}  integration {report.integration_error:.0e}  "
        f"acceptance {report.acceptance:.2f}  {report.seconds:.0f} s"
    )
    return f"{line}  [{report.note}]" if report.note else line
