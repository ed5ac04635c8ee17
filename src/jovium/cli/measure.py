"""`jovium measure`: F, E, S and P of a free-energy run."""

import argparse
import json
from pathlib import Path
from typing import Any

HELP = "F, E, S, P with errors of a free-energy run"
DESCRIPTION = """Draw fresh independent protons from the run in RUN, equilibrate electrons among them, and print F, E, S
per atom and P with errors that count independent configurations of protons. Writes measure.json into RUN."""

KEPT_HELP = """share of the flow's configurations to keep, those that the fitted energy surface likes best, by
rejection (default 1: all); F, E, S, P are of those kept, and below 1 F is mostly a lower upper bound"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("run_folder", metavar="RUN", type=Path)
    parser.add_argument("--batches", type=int, default=8, help="of as many protons as it trains with (default 8)")
    parser.add_argument(
        "--looks", type=int, default=32, help="at the electrons of every configuration of protons (default 32)"
    )
    parser.add_argument("--kept", type=float, default=1.0, metavar="SHARE", help=KEPT_HELP)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the figures."""
    from jovium.cli.progress import progress
    from jovium.free_energy.measurement import measure_run

    asked = options.run_folder, options.batches, options.looks, options.seed, progress, options.kept
    record = measure_run(*asked).record()
    if options.json:
        print(json.dumps(record))
        return 0
    for name, value in record.items():
        print(f"{name:28s} {_shown(value)}")
    return 0


def _shown(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    if value["value"] is None:
        return "not known, too few effective samples"
    return f"{value['value']:.5f} +- {value['error']:.5f}"
