"""Figures of a free-energy run: F and E as they fall, and what entropy is left."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jovium.report.data_figures import save


def draw_training(path: Path, reports: Sequence[dict[str, Any]]) -> None:
    """F and E per atom with their errors, and the entropy, against the time of the run; nothing without a report."""
    figure = training_figure(reports)
    if figure is not None:
        save(figure, path)


def training_figure(reports: Sequence[dict[str, Any]]) -> Any:
    """The figure of `draw_training`, None without a good report."""
    from matplotlib.figure import Figure

    good = [report for report in reports if report["free_energy"] is not None and not report["note"]]
    if not good:
        return None
    names = "seconds", "free_energy", "free_energy_error", "energy", "energy_error", "entropy"
    seconds, free, free_error, energy, energy_error, entropy = (
        np.array([report[name] for report in good]) for name in names
    )
    # A run that was continued counts its seconds anew.
    restarts = np.flatnonzero(np.diff(seconds) < 0)
    for place in restarts:
        seconds[place + 1 :] += seconds[place]
    figure = Figure(figsize=(6.4, 5.4), layout="constrained")
    above, middle, below = figure.subplots(3, 1, sharex=True, height_ratios=[2, 2, 1])
    for axes, values, errors, label, colour in (
        (above, free, free_error, "F (Ha per atom)", "#c44e52"),
        (middle, energy, energy_error, "E (Ha per atom)", "#4c72b0"),
    ):
        axes.errorbar(seconds, values, errors, fmt="o-", ms=3, color=colour)
        late = values[len(values) // 4 :]
        margin = 0.3 * (late.max() - late.min()) + errors[len(errors) // 4 :].max()
        axes.set_ylim(late.min() - margin, late.max() + margin)
        axes.set_ylabel(label)
    below.plot(seconds, entropy, "o-", ms=3, color="#333333")
    below.set_ylabel("S ($k_B$ per atom)")
    below.set_xlabel("seconds")
    return figure
