"""`jovium sample`: configurations of protons of a free-energy run."""

import argparse
from pathlib import Path

HELP = "configurations of a free-energy run, as extxyz"
DESCRIPTION = """Draw independent configurations of protons from the run in RUN and write them to OUT (any format of ASE
that holds many structures, by its suffix). jovium analyse and jovium screen read them."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    from jovium.cli.measure import KEPT_HELP

    parser.add_argument("run_folder", metavar="RUN", type=Path)
    parser.add_argument("out", metavar="OUT", type=Path)
    parser.add_argument("--samples", type=int, default=100, help="how many (default 100)")
    parser.add_argument("--kept", type=float, default=1.0, metavar="SHARE", help=KEPT_HELP)
    parser.add_argument("--seed", type=int, default=1)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the samples."""
    from jovium.free_energy.measurement import write_samples

    write_samples(options.run_folder, options.out, options.samples, options.seed, options.kept)
    print(f"{options.samples} configurations in {options.out}")
    return 0
