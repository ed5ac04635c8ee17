"""`jovium report`: both questions about the fluid of a free-energy run in one page."""

import argparse
import json
from pathlib import Path

HELP = "one page of a measured free-energy run: F, E, S, P, g(r), ELF"
DESCRIPTION = """Draw protons from the run in RUN, predict the ELF of every configuration by the network, and write
RUN/page.html: F, E, S, P of measure.json, F as it was lowered, g(r), the distributions of phi and phi*, an ELF."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("run_folder", metavar="RUN", type=Path)
    parser.add_argument("--samples", type=int, default=40, help="configurations of protons (default 40)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the page, say where it is."""
    from jovium.cli.progress import progress
    from jovium.workflows.fluid_report import PAGE, report_run

    bonding = report_run(options.run_folder, options.samples, options.seed, progress).bonding
    page = options.run_folder / PAGE
    if options.json:
        found = {"phi_3d": bonding.phi_3d.tolist(), "phi_star": bonding.phi_star.tolist(), "warnings": bonding.warnings}
        print(json.dumps({**found, "page": str(page)}))
        return 0
    means = f"phi {bonding.phi_3d.mean():.3f}, phi* {bonding.phi_star.mean():.3f}"
    print(f"{means} of {options.samples} configurations; {page}")
    return 0
