"""`jovium screen`: phi, phi*, Tc and how sure they are, of thousands of structures."""

import argparse
import sys

from jovium.base.files import json_text
from jovium.cli.arguments import WORKERS, add_frames, add_json, add_number, checked, named_path, refuse_unused
from jovium.training.settings import FINITE, POSITIVE

HELP = "networking value and Tc of thousands of structures"
DESCRIPTION = """Of every structure of IN, a file or a folder of files, write phi, phi*, Tc and warnings to OUT.csv, a
line per structure, and OUT.extxyz. The ELF is predicted by the network, with intervals, for hydrogen; with --engine dft
it is computed from first principles, for any hydride, after a relaxation at a pressure with --relax. Repeat the command
to continue after a kill, when IN has grown, and to try again what failed. Exit code 3 when a structure has no numbers;
its line says why."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "file", metavar="IN", type=named_path, help="any text file of structures that ASE reads, or a folder of such"
    )
    parser.add_argument("out", metavar="OUT", type=named_path, help="name of the results without its ending")
    add_frames(parser)
    about = "the network (default, hydrogen only), or first principles: dft is espresso"
    parser.add_argument("--engine", choices=["network", "dft", "espresso", "pyscf"], default="network", help=about)
    parser.add_argument("--protocol", choices=["production", "cheap"], help="of first principles (default production)")
    about = "first relax each structure at this static pressure, within its space group (espresso)"
    parser.add_argument("--relax", type=checked("--relax", float, FINITE), metavar="GPA", help=about)
    into = "every N-th structure from the i-th on, the first is 0, into OUT-i-of-N.csv (job arrays)"
    parser.add_argument("--shard", metavar="i/N", help=into)
    add_number(parser, "--workers", 1, "processes", "K", WORKERS)
    add_number(parser, "--spacing", 0.1, "distance of grid points", "ANGSTROM", POSITIVE)
    add_json(parser, "one JSON line per structure")


def run(options: argparse.Namespace) -> int:
    """Screen, one line per structure; exit code 3 when one has no numbers."""
    from jovium.base.units import BOHR_ANGSTROM
    from jovium.reference.kohn_sham import PROTOCOLS
    from jovium.workflows.screening import Row, failed, name_of, output_files, screen

    if options.engine == "network":
        refuse_unused(options, "protocol relax", "for the network", "add --engine dft")

    table, images = output_files(options.out, options.shard)
    new: list[Row] = []

    def report(row: Row) -> None:
        new.append(row)
        told = [(name, row.get(name)) for name in ("formula", "pressure_gpa", "phi_3d", "phi_star")]
        numbers = "  ".join(f"{name} {value}" for name, value in told if value is not None)
        flags = f"  {row['flags']}" if row["flags"] else ""
        print(json_text(row) if options.json else f"{name_of(row):>6}  {numbers}{flags}", flush=True)

    how = {name: getattr(options, name) for name in ("frames", "shard", "workers")}
    how |= {"engine": "espresso" if options.engine == "dft" else options.engine, "relax_gpa": options.relax}
    how |= {"protocol": PROTOCOLS[options.protocol or "production"], "spacing": options.spacing / BOHR_ANGSTROM}
    if options.engine != "network":
        print("from first principles: seconds to an hour for each structure, a line when it is done", file=sys.stderr)
    rows = screen(options.file, options.out, progress=report, **how)
    without = sum(map(failed, rows))
    print(f"{table}: {len(new)} new, {without} failed; {images}: {len(rows) - without} structures", file=sys.stderr)
    return 3 if without else 0
