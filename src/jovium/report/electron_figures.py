"""Figures of a wave function: its training, and pair correlation of its electrons."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jovium.observe.pair_correlation import PairCorrelation
from jovium.report.data_figures import save

COLOURS = {"up_up": "#4c72b0", "up_down": "#c44e52", "electron_proton": "#333333"}


def draw_training(path: Path, reports: Sequence[dict[str, Any]]) -> None:
    """Energy with its error and variance of the local energy against the step."""
    from matplotlib.figure import Figure

    good = [report for report in reports if report["energy"] is not None and not report["note"]]
    if not good:
        return
    steps, energy, error, variance = (
        np.array([report[name] for report in good]) for name in ("step", "energy", "energy_error", "variance")
    )
    figure = Figure(figsize=(6.4, 5.0), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    above.errorbar(steps, energy, error, fmt="o-", ms=3, color=COLOURS["up_down"])
    low, late = energy.min(), energy[len(energy) // 4 :].max()
    above.set_ylim(low - 0.3 * (late - low) - error.max(), late + 0.3 * (late - low) + error.max())
    above.set_ylabel("energy (Ha)")
    below.semilogy(steps, variance, "o-", ms=3, color=COLOURS["up_up"])
    below.set_ylabel("variance (Ha$^2$)")
    below.set_xlabel("step")
    for report in reports:
        if report["note"]:
            above.axvline(report["step"], color="0.7", lw=1, ls=":")
    save(figure, path)


def draw_correlations(path: Path, pairs: Mapping[str, PairCorrelation]) -> None:
    """g(r) of pairs of species with error bars."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, g in pairs.items():
        axes.errorbar(g.r, g.g, g.error, color=COLOURS[name], label=name.replace("_", " "), lw=1.2, capsize=1.5)
    axes.axhline(1, color="0.8", lw=1, zorder=0)
    axes.set_xlabel("r (bohr)")
    axes.set_ylabel("g(r)")
    axes.set_xlim(0)
    axes.set_ylim(0)
    axes.legend(frameon=False)
    save(figure, path)
