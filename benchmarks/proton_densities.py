"""Free energies of proton densities beside exact and published ones.

    python benchmarks/proton_densities.py [NAME ...] [--folder data/protons] [--samples N]

Trains every run that is not there yet (repeat the command to continue), measures it, and prints a row: upper bound and
reweighted value per particle in kT, the exact value, effective samples, energy. Runs in data/protons are trained
already; to train them again give another folder.
"""

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jovium.base.units import kelvin_to_hartree
from jovium.protons.measurement import ProtonMeasurement, measure_run
from jovium.protons.systems import ProtonSystemSettings, initial_flow
from jovium.protons.training import excess_offset

RS = 1.25


def coupling(kelvin: float) -> float:
    """Gamma of protons at RS."""
    return 1 / (RS * kelvin_to_hartree(kelvin))


def rydberg(value: float, kelvin: float) -> float:
    """Ry per atom in kT."""
    return value / 2 / kelvin_to_hartree(kelvin)


@dataclass(frozen=True)
class Case:
    """Options of `jovium protons train`, samples to measure, exact free energy and its error (per particle in kT, or
    -ln Z of a whole cluster), where it comes from, and the exact energy."""

    options: str
    samples: int
    exact: float
    exact_error: float
    source: str
    energy: float | None = None


def harmonic_exact() -> float:
    """beta F_ex / N of the crystal of springs from its normal modes."""
    system = ProtonSystemSettings(name="harmonic", n=16, coupling=20.0, crystal="bcc")
    target = system.target()
    flow = initial_flow(system, target, 6, 0)
    return (excess_offset(target, flow) - target.exact_log_integral) / 16


def well_exact(side: int) -> float:
    """-ln Z of one side of the double well by quadrature."""
    x = np.linspace(-7, 7, 280001)
    boltzmann = np.exp(-(x**4 / 4 - 3 * x**2 + x))[side * x > 0]
    return float(-np.log(boltzmann.sum() * (x[1] - x[0]) * np.sqrt(2 * np.pi)))


PAIRS = (6000, -1.359353, -1.403657), (20000, -1.300149, -1.351439), (100000, -1.221276, -1.266408)
"""kelvin, F_ex and U in Ry per atom of two protons at RS, by quadrature."""


def pair_case(kelvin: float, free_energy: float, energy: float) -> Case:
    """Two protons; energies in Ry per atom."""
    options = f"--n 2 --coupling {coupling(kelvin):.7f} --matching 400 --energy 200 --frames 20"
    return Case(options, 200_000, rydberg(free_energy, kelvin), 0, "quadrature", rydberg(energy, kelvin))


MONTE_CARLO = "Monte Carlo, thermodynamic integration"
LARGE = "--channels 6 --radial 16 --matching 1500 --energy 500 --rate 0.003"
LARGER = LARGE.replace("500 --rate", "160 --rate")
WELL = "--system double-well --matching 300 --energy 300 --frames 20"
CASES = {
    "ocp_n16_gamma10": Case(f"--n 16 --coupling 10 {LARGE}", 16384, -7.2523, 0.0006, MONTE_CARLO),
    "ocp_n16_gamma20": Case(f"--n 16 --coupling 20 {LARGE}", 16384, -15.4662, 0.0009, MONTE_CARLO),
    "ocp_n32_gamma20": Case(f"--n 32 --coupling 20 {LARGER}", 3072, -15.3938, 0.0012, MONTE_CARLO, -16.6897),
    "ocp_n16_gamma100_bcc": Case(
        "--n 16 --coupling 100 --crystal bcc --matching 600 --energy 200",
        16384, -84.5331, 0.0044, "Monte Carlo, of the stable phase",
    ),
    **{f"n2_{kelvin}K": pair_case(kelvin, f, u) for kelvin, f, u in PAIRS},
    "double_well_left": Case(f"--side left {WELL}", 65536, well_exact(-1), 0, "quadrature"),
    "double_well_right": Case(f"--side right {WELL}", 65536, well_exact(1), 0, "quadrature"),
    "harmonic": Case(
        "--system harmonic --n 16 --coupling 20 --crystal bcc --matching 0 --energy 200",
        16384, harmonic_exact(), 0, "normal modes", 1.5 * 15 / 16,
    ),
    "dw4": Case("--system dw4 --matching 1000 --energy 400", 400_000, -29.6676, 0.0014, "literature", -22.544),
    "lj13": Case(
        "--system lj13 --channels 6 --radial 16 --matching 1500 --energy 300",
        32768, float("nan"), 0, "literature", -43.127,
    ),
}  # fmt: skip


def row(name: str, case: Case, measurement: ProtonMeasurement) -> str:
    """A line of the table."""
    scale = measurement.n_particles if measurement.pairs else 1
    bound, exact = measurement.free_energy.variational, measurement.free_energy.reweighted
    fraction = measurement.free_energy.effective_samples / measurement.free_energy.n_samples
    energy = "" if case.energy is None else f"{case.energy:.4f}"
    return (
        f"| {name} | {bound.value / scale:.4f} +- {bound.error / scale:.4f} | {exact.value / scale:.4f} +- "
        f"{exact.error / scale:.4f} | {case.exact:.4f}({round(1e4 * case.exact_error)}) | {100 * fraction:.1f} % | "
        f"{measurement.chain.acceptance:.2f} | "
        f"{measurement.energy.value / scale:.4f} +- {measurement.energy.error / scale:.4f} | {energy} |"
    )


def main() -> None:
    """Train what is missing, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CASES))
    parser.add_argument("--folder", type=Path, default=Path("data/protons"))
    parser.add_argument("--samples", type=int, help="in place of those of each run")
    options = parser.parse_args()
    print("| run | upper bound | reweighted | exact | effective | acceptance | U, reweighted | U, exact |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for name in options.names or CASES:
        case, folder = CASES[name], options.folder / name
        command = [sys.executable, "-m", "jovium.cli.main", "protons", "train", str(folder), *case.options.split()]
        subprocess.run(command, check=True, stdout=sys.stderr)
        print(row(name, case, measure_run(folder, options.samples or case.samples, 1)), flush=True)


if __name__ == "__main__":
    main()
