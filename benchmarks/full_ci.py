"""Full CI energies of singlets of small hydrogen clusters near the limit of a complete basis, by PySCF.

    python benchmarks/full_ci.py [STRUCTURE ...] [--largest 3]

Prints total energies (hartree) in cc-pVDZ, TZ and, with --largest 4, QZ (hours and gigabytes for four atoms), and
extrapolations of the correlation energy with X^-3 on top of Hartree-Fock in the larger basis of two, good to a
millihartree or two.
"""

import argparse

from pyscf import fci, gto, scf

from jovium.electrons.systems import electron_system

BASES = {2: "cc-pvdz", 3: "cc-pvtz", 4: "cc-pvqz"}
DEFAULT = "h2:1.401", "h2:2.0", "h2:3.0", "chain:4:1.8", "square:2.0"


def energies(structure: str, basis: str) -> tuple[float, float]:
    """Hartree-Fock and full CI in one basis."""
    protons = electron_system(structure).protons
    molecule = gto.M(atom=[("H", tuple(r)) for r in protons], unit="bohr", basis=basis, verbose=0)
    hartree_fock = scf.RHF(molecule).newton().run(conv_tol=1e-10)
    solver = fci.FCI(hartree_fock)
    solver.conv_tol = 1e-9
    fci.addons.fix_spin_(solver, ss=0)  # the lowest state of a square is a triplet
    return hartree_fock.e_tot, solver.kernel()[0]


def limit(small: int, large: int, energies: dict[int, tuple[float, float]]) -> float:
    """Correlation energy extrapolated with X^-3, on top of Hartree-Fock in the larger basis."""
    correlation = {x: energies[x][1] - energies[x][0] for x in (small, large)}
    return energies[large][0] + (large**3 * correlation[large] - small**3 * correlation[small]) / (large**3 - small**3)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("structures", nargs="*", default=DEFAULT, metavar="STRUCTURE")
    parser.add_argument("--largest", type=int, default=3, choices=[3, 4], help="3: cc-pVTZ, 4: cc-pVQZ (default 3)")
    options = parser.parse_args()
    bases = {x: basis for x, basis in BASES.items() if x <= options.largest}
    pairs = [(x - 1, x) for x in bases if x - 1 in bases]
    titles = ["structure", *bases.values(), *(f"limit of {a}, {b}" for a, b in pairs)]
    print("| " + " | ".join(titles) + " |")
    print("|---" * len(titles) + "|", flush=True)
    for structure in options.structures:
        values = {x: energies(structure, basis) for x, basis in bases.items()}
        row = [values[x][1] for x in bases] + [limit(a, b, values) for a, b in pairs]
        print(f"| {structure} | " + " | ".join(f"{value:.6f}" for value in row) + " |", flush=True)


if __name__ == "__main__":
    main()
