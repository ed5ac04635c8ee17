"""`jovium eos`: the equation of state of dense hydrogen."""

import argparse
import json
from pathlib import Path

HELP = "equation of state: F, E, S, P over rs and T"
DESCRIPTION = """Train and measure a free-energy run at every rs and temperature in the folder FOLDER, each begun where
its neighbour ended, the first with --start, --protons or --psi. Repeat the command to continue after a kill. FOLDER
gets eos.csv and eos.h5 (columns with errors, units in their names), eos.png beside published points, and a run folder
of every state."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    from jovium.cli.free_energy import add_recipe_options
    from jovium.cli.measure import KEPT_HELP

    parser.add_argument("folder", metavar="FOLDER", type=Path)
    parser.add_argument("--rs", type=float, nargs="+", required=True, metavar="RS", help="bohr")
    parser.add_argument("--kelvin", type=float, nargs="+", required=True, metavar="T", help="temperatures")
    parser.add_argument("--later", type=int, default=120, help="steps of every state but the first (default 120)")
    parser.add_argument("--batches", type=int, default=8, help="of the measurement (default 8)")
    parser.add_argument("--looks", type=int, default=32, help="at electrons, of the measurement (default 32)")
    parser.add_argument("--kept", type=float, default=1.0, metavar="SHARE", help=KEPT_HELP)
    parser.add_argument("--every", type=int, default=20, help="steps per report and save (default 20)")
    parser.add_argument("--json", action="store_true", help="one JSON line per report and per state")
    add_recipe_options(parser, leave_out=("rs", "kelvin"))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Scan, one line per report and per state."""
    from dataclasses import fields

    from jovium.cli.free_energy import line_of
    from jovium.free_energy.equation_of_state import Scan, scan
    from jovium.free_energy.settings import FreeEnergySettings
    from jovium.report.free_energy_figures import draw_equation_of_state
    from jovium.training.run_folder import record

    chosen = {field.name: getattr(options, field.name, field.default) for field in fields(FreeEnergySettings)}
    recipe = FreeEnergySettings(**{**chosen, "rs": options.rs[0], "kelvin": options.kelvin[0]})
    measuring = options.batches, options.looks, options.kept
    plan = Scan(recipe, tuple(options.rs), tuple(options.kelvin), options.later, *measuring)
    rows = []
    for name, found in scan(options.folder, plan, options.every, 1):
        if isinstance(found, dict):
            rows.append(found)
            draw_equation_of_state(options.folder / "eos.png", rows)
            line = "  ".join(
                f"{key} {found[key]:.5g} +- {found[key + '_error']:.2g}"
                for key in ("F_Ha_per_atom", "E_Ha_per_atom", "S_kB_per_atom", "P_GPa")
            )
            print(json.dumps(found) if options.json else f"{name}  {line}", flush=True)
        else:
            print(
                json.dumps({"state": name, **record(found)}) if options.json else f"{name}  {line_of(found)}",
                flush=True,
            )
    return 0
