"""The c/a of Cs-IV hydrogen that minimises the PBE energy: the numbers in `jovium.crystals.cs_iv_axial_ratio`.

python benchmarks/cs_iv_axial_ratio.py --rs 1.30 1.23
"""

import argparse
from dataclasses import replace

import numpy as np

from jovium.base.cell import Cell
from jovium.base.structure import Structure
from jovium.reference.espresso import Espresso
from jovium.reference.kohn_sham import PRODUCTION

RATIOS = (2.2, 2.3, 2.4, 2.5, 2.6, 2.7, 2.8)


def cs_iv(rs: float, ratio: float) -> Structure:
    """The primitive cell of I4_1/amd hydrogen with a given c/a."""
    cell = Cell(np.array([[-0.5, 0.5, ratio / 2], [0.5, -0.5, ratio / 2], [0.5, 0.5, -ratio / 2]]))
    return Structure(cell, np.array([[0, 0, 0], [0, 0.5, ratio / 4]]), ("H", "H")).at_rs(rs)


def main() -> None:
    """Print the energies and the minimum of a cubic through them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rs", type=float, nargs="+", default=[1.30, 1.23])
    protocol = replace(PRODUCTION, cutoff=30.0)
    for rs in parser.parse_args().rs:
        energies = []
        for ratio in RATIOS:
            with Espresso() as engine:
                state = engine.ground_state(cs_iv(rs, ratio), protocol, fields=False, stress=False)
            energies.append(state.free_energy / 2)
            print(f"rs {rs:.2f}  c/a {ratio:.1f}  {energies[-1]:.6f} hartree per atom", flush=True)
        fine = np.linspace(RATIOS[0], RATIOS[-1], 601)
        print(f"rs {rs:.2f}  minimum at c/a {fine[np.argmin(np.polyval(np.polyfit(RATIOS, energies, 3), fine))]:.3f}")


if __name__ == "__main__":
    main()
