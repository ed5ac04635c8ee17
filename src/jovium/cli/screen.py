"""`jovium screen`: phi, phi*, Tc and how sure they are, of thousands of structures."""

import argparse
import json
import sys
from pathlib import Path

from jovium.cli.arguments import add_json, add_number

HELP = "networking value and Tc of thousands of structures"
DESCRIPTION = """Predict the ELF of every structure of IN by the network, and write phi, phi*, their intervals, Tc and
warnings to OUT.csv, a line per structure, and OUT.extxyz. Repeat the command to continue after a kill."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("file", metavar="IN", type=Path, help="any text file of structures that ASE reads")
    parser.add_argument("out", metavar="OUT", type=Path, help="name of the results without its ending")
    parser.add_argument("--frames", default=":", metavar="SLICE", help="e.g. ::10 (default: all)")
    into = "every N-th structure from the i-th on, into OUT-i-of-N.csv (job arrays)"
    parser.add_argument("--shard", metavar="i/N", help=into)
    add_number(parser, "--workers", 1, "processes", "K")
    add_number(parser, "--spacing", 0.1, "distance of grid points", "ANGSTROM")
    add_json(parser, "one JSON line per structure")


def run(options: argparse.Namespace) -> int:
    """Screen, one line per structure."""
    from jovium.base.units import BOHR_ANGSTROM
    from jovium.workflows.screening import Row, output_files, screen

    table, images = output_files(options.out, options.shard)
    new: list[Row] = []

    def report(row: Row) -> None:
        new.append(row)
        numbers = "" if row["phi_3d"] is None else f"phi_3d {row['phi_3d']:.5f}  phi_star {row['phi_star']:.5f}"
        flags = f"  {row['flags']}" if row["flags"] else ""
        print(json.dumps(row) if options.json else f"{row['structure']:>6}  {numbers}{flags}", flush=True)

    how = {name: getattr(options, name) for name in ("frames", "shard", "workers")}
    rows = screen(options.file, options.out, spacing=options.spacing / BOHR_ANGSTROM, progress=report, **how)
    failed = sum(row["phi_3d"] is None for row in new)
    written = sum(row["phi_3d"] is not None for row in rows)
    print(f"{table}: {len(new)} new, {failed} of them failed; {images}: {written} structures", file=sys.stderr)
    return 0
