"""Seconds for one ELF: the network beside the first-principles label, same structure, same grid, same core.

    OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/elf_vs_dft.py [--atoms 54 128] [--no-label]

A label is the ground state at the production protocol and the ELF on the label grid, from nothing; the network's time
is the median of five predictions after the first, which compiles. The grid of points per second is that of the label,
and one four times as fine as well. Fluid at rs 1.5, 3000 K; 128 atoms are two cells of 64.
"""

import argparse
import resource
import time
from pathlib import Path

import numpy as np
from reference_speed import label_seconds

from jovium.base.structure import Structure
from jovium.elf.model import shipped_model
from jovium.elf.prediction import predict_fields
from jovium.labels.record import DEFAULT_SPACING
from jovium.reference.kohn_sham import PRODUCTION
from jovium.reference.trajectory import read_fluid

TRAJECTORIES = Path(__file__).parents[1] / "data" / "trajectories"
SOURCES = {16: "n16-rs1.55-4000K-1", 54: "n54-rs1.4-3000K-1", 64: "n64-rs1.5-3000K-1", 128: "n64-rs1.5-3000K-1"}


def fluid(n_atoms: int) -> Structure:
    """The last frame of a committed trajectory, twice as long for 128 atoms."""
    frame = read_fluid(TRAJECTORIES / f"{SOURCES[n_atoms]}.extxyz.xz").structures[-1]
    return frame.supercell((2, 1, 1)) if n_atoms == 128 else frame


def network_seconds(structure: Structure, shape: tuple[int, int, int]) -> float:
    """Median wall seconds of a prediction on a grid, after one that compiles."""
    network, seconds = shipped_model().network, []
    for _ in range(6):
        started = time.perf_counter()
        predict_fields(network, structure, shape)
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds[1:]))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--atoms", type=int, nargs="+", default=[16, 54, 128])
    parser.add_argument("--no-label", action="store_true", help="the network alone")
    options = parser.parse_args()
    print("| N | grid | network (s) | points/s | label (s) | ratio | finer grid: points/s | peak memory (MB) |")
    print("|---|---|---|---|---|---|---|---|")
    for n in options.atoms:
        structure = fluid(n)
        shape = structure.cell.grid_shape(DEFAULT_SPACING)
        fine = structure.cell.grid_shape(DEFAULT_SPACING / 4 ** (1 / 3))
        network, finer = network_seconds(structure, shape), network_seconds(structure, fine)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        label = float("nan") if options.no_label else label_seconds(structure, PRODUCTION, DEFAULT_SPACING)
        print(
            f"| {n} | {' x '.join(map(str, shape))} | {network:.3f} | {np.prod(shape) / network:,.0f} | {label:.1f} | "
            f"{label / network:.0f} | {np.prod(fine) / finer:,.0f} | {peak:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
