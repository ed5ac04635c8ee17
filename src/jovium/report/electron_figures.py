"""Figures of a wave function: its training, and pair correlation of its electrons."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jovium.observe.pair_correlation import PairCorrelation
from jovium.report.data_figures import canvas, finish_pairs, save

COLOURS = {"up_up": "#4c72b0", "up_down": "#c44e52", "electron_proton": "#333333"}


def draw_training(path: Path, reports: Sequence[dict[str, Any]]) -> None:
    """Energy with its error and variance of the local energy against the step."""
    good = [report for report in reports if report["energy"] is not None and not report["note"]]
    if not good:
        return
    steps, energy, error, variance = (
        np.array([report[name] for report in good]) for name in ("step", "energy", "energy_error", "variance")
    )
    figure, (above, below) = canvas(6.4, 5.0, 2, sharex=True, height_ratios=[2, 1])
    above.errorbar(steps, energy, error, fmt="o-", ms=3, color=COLOURS["up_down"])
    low, late = energy.min(), energy[len(energy) // 4 :].max()
    margin = 0.3 * (late - low) + error.max()
    above.set(ylim=(low - margin, late + margin), ylabel="energy (Ha)")
    below.semilogy(steps, variance, "o-", ms=3, color=COLOURS["up_up"])
    below.set(xlabel="step", ylabel="variance (Ha$^2$)")
    for report in reports:
        if report["note"]:
            above.axvline(report["step"], color="0.7", lw=1, ls=":")
    save(figure, path)


def draw_correlations(path: Path, pairs: Mapping[str, PairCorrelation]) -> None:
    """g(r) of pairs of species with error bars."""
    figure, axes = canvas(6.0, 4.2)
    for name, g in pairs.items():
        axes.errorbar(g.r, g.g, g.error, color=COLOURS[name], label=name.replace("_", " "), lw=1.2, capsize=1.5)
    finish_pairs(axes)
    axes.legend(frameon=False)
    save(figure, path)
