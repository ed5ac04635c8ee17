"""F of training runs against time, and against electron samples beside the published training.

    python benchmarks/free_energy_curve.py RUN [RUN ...] [--out FILE.png]

Left: F per atom with its error as each line of a run reports it, against the minutes of the run. Right: the same for 16
atoms at rs 1.25 and 6000 K against electron samples (steps times --proton-walkers times --electron-walkers); black: the
published training, of 8192 samples an epoch with 4^3 twists, and where it ended with these (dashed) and without a
twist (dotted; Xie, Li, Wang, Zhang and Wang, Phys. Rev. Lett. 131, 126501 (2023)). Prints the last ten reports of
every run as one mean.
"""

import argparse
from pathlib import Path

import numpy as np

from jovium.free_energy.settings import FreeEnergySettings
from jovium.report.data_figures import save
from jovium.report.free_energy_figures import curves
from jovium.training.run_folder import read_metrics, read_settings

PUBLISHED_END = {1: -0.54335, 4: -0.58478}
"""F (Ha per atom) of 16 atoms by twists per reciprocal vector."""

PUBLISHED_TRAINING = np.array([[300, 5e-3], [1000, 1.8e-3], [3000, 0.8e-3]])
"""Epochs, and F above its end (Ha per atom)."""

EPOCH = 8192

NAMES = "step", "seconds", "free_energy", "free_energy_error"


def main() -> None:
    """Draw and print."""
    from matplotlib.figure import Figure

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path("curve.png"))
    options = parser.parse_args()
    figure = Figure(figsize=(9.2, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for number, folder in enumerate(options.runs):
        settings = read_settings(folder, FreeEnergySettings)
        step, seconds, free, error = curves(read_metrics(folder), NAMES)
        twist = f"{settings.twists}$^3$ twists" if settings.twists > 1 else "no twist"
        label, colour = f"N = {settings.n_atoms}, {twist}", f"C{number}"
        left.errorbar(seconds / 60, free, error, fmt="o-", ms=3, color=colour, label=label)
        last = slice(-10, None)
        print(
            f"{folder}: N = {settings.n_atoms}, rs {settings.rs}, {settings.kelvin:g} K, {settings.twists}^3 twists, "
            f"step {step[-1]:.0f}, {seconds[-1]:.0f} s: F {free[last].mean():.5f} +- "
            f"{np.sqrt(np.sum(error[last] ** 2)) / len(error[last]):.5f} Ha per atom over the last ten reports"
        )
        end = PUBLISHED_END.get(settings.twists)
        if settings.n_atoms == 16 and end is not None and (settings.rs, settings.kelvin) == (1.25, 6000.0):
            samples = step * settings.proton_walkers * settings.electron_walkers
            right.errorbar(samples, free, error, fmt="o-", ms=3, color=colour, label=label)
            print(f"  {1e3 * (free[-1] - end):+.1f} mHa from the published end after {samples[-1]:.0f} samples")
    epochs, above = PUBLISHED_TRAINING.T
    right.plot(EPOCH * epochs, PUBLISHED_END[4] + above, "k*", label="published, N = 16, 4$^3$ twists")
    for twists, style, label in ((4, "--", "its end"), (1, ":", "its end, no twist")):
        right.axhline(PUBLISHED_END[twists], color="black", lw=0.8, ls=style, label=label)
    left.set(xlabel="minutes", ylabel="F (Ha per atom)")
    right.set(xscale="log", xlabel="electron samples", ylabel="F (Ha per atom)")
    for axes in (left, right):
        axes.legend(frameon=False, fontsize=8)
    save(figure, options.out)


if __name__ == "__main__":
    main()
