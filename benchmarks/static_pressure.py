"""Static pressure of a crystal at several cutoffs: from the stress, and from free energies of fresh calculations.

    python benchmarks/static_pressure.py FILE [--cutoffs 40 55 80] [--mesh N] [--offset 0.5]

The basis of a fixed cutoff grows with the cell: -dF/dV (over +-2 % of V) is too high where the stress, the derivative
at a fixed set of plane waves, is too low. Both have one limit.
"""

import argparse
from dataclasses import replace

from jovium.base.cell import Cell
from jovium.base.structure import Structure
from jovium.base.units import PRESSURE_GPA
from jovium.formats.structures import read_structure
from jovium.reference.engine import ground_state
from jovium.reference.kohn_sham import PRODUCTION
from jovium.reference.state import GroundState


def main() -> None:
    """Print a row per cutoff."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--cutoffs", type=float, nargs="+", default=[40.0, 55.0, 80.0], help="hartree")
    parser.add_argument("--mesh", type=int, default=4, help="k-points along each reciprocal vector")
    parser.add_argument("--offset", type=float, default=0.5)
    options = parser.parse_args()
    crystal = read_structure(options.file)
    mesh = (options.mesh,) * 3
    print("| cutoff (hartree) | P from the stress (GPa) | P from -dF/dV (GPa) |\n|---|---|---|")
    for cutoff in options.cutoffs:
        protocol = replace(PRODUCTION, k_spacing=None, k_mesh=mesh, k_offset=options.offset, cutoff=cutoff)

        def state(strain: float, protocol=protocol) -> GroundState:
            scale = (1 + strain) ** (1 / 3)
            scaled = Structure(Cell(scale * crystal.cell.vectors), scale * crystal.positions, crystal.symbols)
            return ground_state(scaled, protocol, fields=False)

        slope = (state(0.02).free_energy - state(-0.02).free_energy) / (0.04 * crystal.cell.volume)
        pressure = state(0.0).pressure
        print(f"| {cutoff:g} | {pressure * PRESSURE_GPA:.1f} | {-slope * PRESSURE_GPA:.1f} |", flush=True)


if __name__ == "__main__":
    main()
