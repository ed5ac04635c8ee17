"""Speed and memory of the topology of one field, beside GUDHI's persistent homology of the same field.

    python benchmarks/topology.py --shape 112 112 144

The field is a sum of random long waves through a logistic function: values in [0, 1] like an ELF, about a thousand
maxima on the default grid.
"""

import argparse
import time
import tracemalloc
from collections.abc import Callable

import numpy as np

from jovium.base.cell import Cell
from jovium.base.grid import GridField
from jovium.topology.critical_points import critical_points
from jovium.topology.network import hydrogen_network
from jovium.topology.sweep import sweep


def smooth_field(shape: tuple[int, int, int], highest: float = 6.0) -> GridField:
    """Filtered noise with wave vectors up to about `highest` per cell, squeezed into [0, 1]."""
    noise = np.fft.fftn(np.random.default_rng(1).normal(size=shape))
    frequencies = [np.fft.fftfreq(n, 1 / n) ** 2 for n in shape]
    square = frequencies[0][:, None, None] + frequencies[1][:, None] + frequencies[2]
    waves = np.fft.ifftn(noise * np.exp(-square / (2 * highest**2))).real
    return GridField(np.ascontiguousarray(1 / (1 + np.exp(-2 * waves / waves.std()))), Cell(10 * np.eye(3)))


def measure(action: Callable[[], object]) -> tuple[float, int]:
    """Wall seconds of one call and, in a second call, the peak of the bytes it allocates."""
    start = time.perf_counter()
    action()
    seconds = time.perf_counter() - start
    tracemalloc.start()
    action()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return seconds, peak


def gudhi_persistence(field: GridField) -> None:
    """Persistence of the superlevel sets by GUDHI's periodic cubical complex."""
    import gudhi

    complex_ = gudhi.PeriodicCubicalComplex(vertices=-field.values, periodic_dimensions=[True] * 3)
    complex_.compute_persistence(homology_coeff_field=2, min_persistence=0)


def main() -> None:
    parser = argparse.ArgumentParser(description="Topology of one field: speed and memory.")
    parser.add_argument("--shape", type=int, nargs=3, default=(112, 112, 144), metavar=("NX", "NY", "NZ"))
    parser.add_argument("--without-gudhi", action="store_true", help="leave the comparison out")
    shape = tuple(parser.parse_args().shape)
    field = smooth_field(shape)
    warm = smooth_field((8, 8, 8))
    hydrogens = field.cell.cartesian(np.random.default_rng(2).random((64, 3)))
    rows = {
        "sweep": lambda f: sweep(f.values, np.arange(2)),
        "network, refined": lambda f: hydrogen_network(f, hydrogens),
        "critical points": lambda f: critical_points(f),
    }
    print(f"grid {shape}, {field.values.size} voxels, one core, after compilation; bytes on top of the field itself")
    print(f"{'':18}{'seconds':>10}{'Mvoxels/s':>12}{'bytes/voxel':>13}")
    for name, action in rows.items():
        action(warm)
        seconds, peak = measure(lambda action=action: action(field))
        rate = field.values.size / seconds / 1e6
        print(f"{name:18}{seconds:10.3f}{rate:12.2f}{peak / field.values.size:13.1f}")
    if not parser.parse_args().without_gudhi:
        start = time.perf_counter()
        gudhi_persistence(field)
        seconds = time.perf_counter() - start
        print(f"{'GUDHI persistence':18}{seconds:10.3f}{field.values.size / seconds / 1e6:12.2f}{'(native)':>13}")


if __name__ == "__main__":
    main()
