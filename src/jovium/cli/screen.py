"""`jovium screen`: phi, phi*, Tc and how sure they are, of thousands of structures."""

import argparse
import json
import sys
from pathlib import Path

HELP = "networking value and Tc of thousands of structures"
DESCRIPTION = """Predict the ELF of every structure of IN by the network, and write phi, phi*, their intervals, Tc and
warnings to OUT.csv, a line per structure, and OUT.extxyz. Repeat the command to continue after a kill."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("file", metavar="IN", type=Path, help="any file of structures that ASE reads")
    parser.add_argument("out", metavar="OUT", type=Path, help="name of the results without its ending")
    parser.add_argument("--frames", default=":", metavar="SLICE", help="e.g. ::10 (default: all)")
    parser.add_argument(
        "--shard", metavar="i/N", help="every N-th structure from the i-th on, into OUT-i-of-N.csv (job arrays)"
    )
    parser.add_argument("--workers", type=int, default=1, metavar="K", help="processes (default 1)")
    parser.add_argument(
        "--spacing", type=float, default=0.1, metavar="ANGSTROM", help="distance of grid points (default 0.1)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON line per structure")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Screen, one line per structure."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from contextlib import nullcontext

    from jovium.base.units import BOHR_ANGSTROM
    from jovium.formats.structures import structures_or_errors
    from jovium.runs.screening import finite_spacing, screen, shard_of, write_screened
    from jovium.runs.shard import shard

    first, step = shard(options.shard or "0/1")
    name = options.out.name + (f"-{first}-of-{step}" if options.shard else "")
    table, images = options.out.with_name(name + ".csv"), options.out.with_name(name + ".extxyz")
    spacing = finite_spacing(options.spacing) / BOHR_ANGSTROM
    work = shard_of(structures_or_errors(options.file, options.frames), first, step)
    context = multiprocessing.get_context("spawn")  # a forked process inherits the locks of the compiler's threads
    pool = ProcessPoolExecutor(options.workers, mp_context=context) if options.workers > 1 else nullcontext()
    new = failed = 0
    with pool as executor:
        for row in screen(work, table, spacing, executor):
            new, failed = new + 1, failed + (not row["phi"])
            said = f"phi {row['phi']}  phi* {row['phi_star']}" if row["phi"] else ""
            flags = f"  {row['flags']}" if row["flags"] else ""
            print(json.dumps(row) if options.json else f"{row['structure']:>6}  {said}{flags}", flush=True)
    written = write_screened(work, table, images)
    print(f"{table}: {new} new, {failed} of them failed; {images}: {written} structures", file=sys.stderr)
    return 0
