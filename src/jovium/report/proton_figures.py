"""Figures of a proton density: its training and its pair correlation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jovium.observe.pair_correlation import PairCorrelation
from jovium.report.data_figures import canvas, finish_pairs, save

EXACT, MODEL, DATA = "#333333", "#c44e52", "#4c72b0"


def draw_training(path: Path, reports: Sequence[dict[str, Any]], label: str) -> None:
    """Free energy in both ways, effective samples and acceptance against the step, a line between two losses."""
    reports = [r for r in reports if r["free_energy"] is not None and r["free_energy_error"] is not None]
    if not reports:
        return
    names = "step", "free_energy", "free_energy_error", "reweighted", "effective_fraction", "acceptance"
    steps, bound, error, exact, effective, acceptance = (np.array([r[name] for r in reports]) for name in names)
    figure, (above, below) = canvas(6.4, 5.4, 2, sharex=True, height_ratios=[2, 1])
    above.errorbar(steps, bound, error, fmt="o-", ms=3, color=MODEL, label="upper bound, E[ln p + U/kT]")
    above.plot(steps, exact, ".", color=EXACT, label="reweighted")
    low, high = np.nanmin(exact), bound[len(bound) // 5 :].max()
    above.set(ylim=(low - 0.15 * (high - low) - 0.01, high + 0.3 * (high - low) + 0.01), ylabel=label)
    below.plot(steps, effective, "-", color=MODEL, label="effective fraction of samples")
    below.plot(steps, acceptance, "--", color=DATA, label="acceptance")
    below.set(ylim=(0, 1), xlabel="step")
    for axes in (above, below):
        axes.legend(frameon=False)
        for i, report in enumerate(reports[1:]):
            if report["stage"] != reports[i]["stage"]:
                axes.axvline(0.5 * (report["step"] + steps[i]), color="0.8", lw=1)
            if report["note"]:
                axes.axvline(report["step"], color=DATA, lw=1, ls=":")
    save(figure, path)


def draw_pairs(path: Path, exact: PairCorrelation, model: PairCorrelation) -> None:
    """g(r) of the model, and reweighted to the target."""
    figure, axes = canvas(5.6, 4.0)
    axes.plot(model.r, model.g, "-", color=MODEL, lw=1.2, label="flow, as sampled")
    axes.errorbar(exact.r, exact.g, exact.error, fmt="o", ms=3, color=EXACT, label="flow, reweighted")
    finish_pairs(axes)
    axes.legend(frameon=False)
    save(figure, path)
