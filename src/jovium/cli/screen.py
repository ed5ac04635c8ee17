"""`jovium screen`: phi, phi*, Tc and how sure they are, of thousands of structures."""

import argparse
import sys

from jovium.base.files import json_text
from jovium.cli.arguments import WORKERS, add_frames, add_json, add_number, named_path
from jovium.training.settings import POSITIVE

HELP = "networking value and Tc of thousands of structures"
DESCRIPTION = """Predict the ELF of every structure of IN by the network, and write phi, phi*, their intervals, Tc and
warnings to OUT.csv, a line per structure, and OUT.extxyz. Repeat the command to continue after a kill, when IN has
grown, and to try again what failed. Exit code 3 when a structure has no numbers; its line says why."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("file", metavar="IN", type=named_path, help="any text file of structures that ASE reads")
    parser.add_argument("out", metavar="OUT", type=named_path, help="name of the results without its ending")
    add_frames(parser)
    into = "every N-th structure from the i-th on, into OUT-i-of-N.csv (job arrays)"
    parser.add_argument("--shard", metavar="i/N", help=into)
    add_number(parser, "--workers", 1, "processes", "K", WORKERS)
    add_number(parser, "--spacing", 0.1, "distance of grid points", "ANGSTROM", POSITIVE)
    add_json(parser, "one JSON line per structure")


def run(options: argparse.Namespace) -> int:
    """Screen, one line per structure; exit code 3 when one has no numbers."""
    from jovium.base.units import BOHR_ANGSTROM
    from jovium.workflows.screening import Row, failed, output_files, screen

    table, images = output_files(options.out, options.shard)
    new: list[Row] = []

    def report(row: Row) -> None:
        new.append(row)
        numbers = "" if failed(row) else f"phi_3d {row['phi_3d']:.5f}  phi_star {row['phi_star']:.5f}"
        flags = f"  {row['flags']}" if row["flags"] else ""
        print(json_text(row) if options.json else f"{row['structure']:>6}  {numbers}{flags}", flush=True)

    how = {name: getattr(options, name) for name in ("frames", "shard", "workers")}
    rows = screen(options.file, options.out, spacing=options.spacing / BOHR_ANGSTROM, progress=report, **how)
    without = sum(map(failed, rows))
    print(f"{table}: {len(new)} new, {without} failed; {images}: {len(rows) - without} structures", file=sys.stderr)
    return 3 if without else 0
