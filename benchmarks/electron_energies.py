"""Energies of wave functions beside exact and published ones.

    python benchmarks/electron_energies.py [NAME ...] [--folder data/electrons] [--steps K]

Trains every run that is not there yet (repeat the command to continue), measures it, and prints a row: energy of all
particles, the exact one, their difference in units of a thousandth of a hartree, the variance of the local energy. Runs
in data/electrons are trained already; to train them again give another folder.
"""

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from jovium.electrons.measurement import ElectronMeasurement, measure_run


@dataclass(frozen=True)
class Case:
    """Arguments of `jovium electrons train`, the exact energy (hartree) with its error, and where it comes from."""

    arguments: str
    exact: float
    error: float
    source: str


LARGE = "--walkers 1024 --learning-rate 0.2 --decay-steps 150"
CASES = {
    "h": Case("h --steps 20 --walkers 256", -0.5, 0, "exact"),
    "h2_1.401": Case(f"h2:1.401 --steps 340 {LARGE}", -1.17447593, 0, "published, explicitly correlated"),
    "h2_2.0": Case(f"h2:2.0 --steps 340 {LARGE}", -1.1381329571, 0, "published, explicitly correlated"),
    "h2_3.0": Case(f"h2:3.0 --steps 340 {LARGE}", -1.057326, 0, "published, explicitly correlated"),
    "chain4_1.8": Case("chain:4:1.8 --steps 340 --decay-steps 150", float("nan"), 0, "benchmarks/full_ci.py"),
    "square4_2.0": Case("square:2.0 --steps 600 --momentum 0.9", float("nan"), 0, "benchmarks/full_ci.py"),
    "chain10_1.8": Case("chain:10:1.8 --steps 240 --decay-steps 150", -5.66537, 0.00052, "Motta et al. 2017"),
    "chain10_1.4": Case("chain:10:1.4 --steps 240 --decay-steps 150", -5.49174, 0.00116, "Motta et al. 2017"),
    "chain10_2.4": Case("chain:10:2.4 --steps 240 --decay-steps 150", -5.51869, 0.00009, "Motta et al. 2017"),
    "gas14": Case(
        "gas:14:5 --steps 200 --decay-steps 150 --determinants 1 --precision single",
        -1.110199,
        0.000032,
        "diffusion Monte Carlo",
    ),
    "bcc2_1.31": Case(
        "bcc:2:1.31 --steps 120 --decay-steps 150 --momentum 0.9 --determinants 1",
        -2.54865,
        0.00016,
        "benchmarks/diffusion.py",
    ),
    "bcc16_1.31": Case(
        "bcc:16:1.31 --steps 400 --walkers 512 --learning-rate 0.03 --decay-steps 300 --max-norm 0.1",
        -0.4894 * 16,
        0.00004 * 16,
        "published network, not exact",
    ),
}


def row(name: str, case: Case, measurement: ElectronMeasurement) -> str:
    """A line of what is printed."""
    energy = measurement.energy
    return (
        f"| {name} | {energy.value:.5f} +- {energy.error:.5f} | {case.exact:.6g} +- {case.error:.2g} | "
        f"{1000 * (energy.value - case.exact):.2f} | {measurement.variance:.5f} | {case.source} |"
    )


def main() -> None:
    """Train what is missing, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CASES))
    parser.add_argument("--folder", type=Path, default=Path("data/electrons"))
    parser.add_argument("--steps", type=int, default=100, help="over which walkers are measured (default 100)")
    options = parser.parse_args()
    print(
        "| run | E (Ha) | exact | difference (mHa) | variance (Ha^2) | source |\n|---|---|---|---|---|---|", flush=True
    )
    for name in options.names or CASES:
        case, folder = CASES[name], options.folder / name
        command = [sys.executable, "-m", "jovium.cli.main", "electrons", "train", str(folder), *case.arguments.split()]
        subprocess.run(command, check=True, stdout=sys.stderr)
        print(row(name, case, measure_run(folder, options.steps, 1)), flush=True)


if __name__ == "__main__":
    main()
