"""`jovium screen`: phi, phi*, Tc and how sure they are, of thousands of structures."""

import argparse
import json
import os
import sys
from pathlib import Path

from jovium.base.errors import InputError, JoviumError

HELP = "networking value and Tc of thousands of structures"
DESCRIPTION = """Predict the ELF of every structure of IN by the network, and write phi, phi*, their intervals, Tc and
warnings to OUT.csv, a line per structure, and OUT.extxyz. Repeat the command to continue after a kill."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("file", metavar="IN", type=Path, help="any text file of structures that ASE reads")
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
    from concurrent.futures.process import BrokenProcessPool
    from contextlib import nullcontext

    from jovium.base.units import BOHR_ANGSTROM
    from jovium.formats.structures import structures_or_errors
    from jovium.labels.shard import shard
    from jovium.workflows.screening import finite_spacing, screen, shard_of, write_screened

    if not options.out.name:
        raise InputError(f"no name in '{options.out}'", "a place and a name without ending", "e.g. results/screened")
    first, step = shard(options.shard or "0/1")
    name = options.out.name + (f"-{first}-of-{step}" if options.shard else "")
    table, images = options.out.with_name(name + ".csv"), options.out.with_name(name + ".extxyz")
    spacing = finite_spacing(options.spacing) / BOHR_ANGSTROM
    work = shard_of(structures_or_errors(options.file, options.frames), first, step)
    os.environ["PYTHONSAFEPATH"] = "1"  # a random.py beside the data is not the library of the workers
    context = multiprocessing.get_context("spawn")  # a forked process inherits the locks of the compiler's threads
    pool = ProcessPoolExecutor(options.workers, mp_context=context) if options.workers > 1 else nullcontext()
    new = failed = 0
    try:
        with pool as executor:
            for row in screen(work, table, spacing, executor):
                new, failed = new + 1, failed + (not row["phi"])
                said = f"phi {row['phi']}  phi* {row['phi_star']}" if row["phi"] else ""
                flags = f"  {row['flags']}" if row["flags"] else ""
                print(json.dumps(row) if options.json else f"{row['structure']:>6}  {said}{flags}", flush=True)
    except BrokenProcessPool as error:
        raise JoviumError(
            "a worker was ended from outside, perhaps for lack of memory",
            "workers that live until their work is done",
            f"take fewer workers and repeat the command: what {table} holds is kept",
        ) from error
    written = write_screened(work, table, images)
    print(f"{table}: {new} new, {failed} of them failed; {images}: {written} structures", file=sys.stderr)
    return 0
