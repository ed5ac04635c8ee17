"""Figures of a proton density: its training, its pair correlation, and a density in the plane beside its data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from jovium.observe.pair_correlation import PairCorrelation
from jovium.report.data_figures import save

EXACT, MODEL, DATA = "#333333", "#c44e52", "#4c72b0"


def draw_training(path: Path, reports: Sequence[dict[str, Any]], label: str) -> None:
    """Free energy in both ways, effective samples and acceptance against the step, a line between two losses."""
    from matplotlib.figure import Figure

    reports = [
        report for report in reports if report["free_energy"] is not None and report["free_energy_error"] is not None
    ]
    if not reports:
        return
    steps = [report["step"] for report in reports]
    figure = Figure(figsize=(6.4, 5.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    bound, error, exact = (
        np.array([r[name] for r in reports]) for name in ("free_energy", "free_energy_error", "reweighted")
    )
    above.errorbar(steps, bound, error, fmt="o-", ms=3, color=MODEL, label="upper bound, E[ln p + U/kT]")
    above.plot(steps, exact, ".", color=EXACT, label="reweighted")
    low, high = np.nanmin(exact), bound[len(bound) // 5 :].max()
    above.set_ylim(low - 0.15 * (high - low) - 0.01, high + 0.3 * (high - low) + 0.01)
    above.set_ylabel(label)
    above.legend(frameon=False)
    below.plot(
        steps, [r["effective_fraction"] for r in reports], "-", color=MODEL, label="effective fraction of samples"
    )
    below.plot(steps, [r["acceptance"] for r in reports], "--", color=DATA, label="acceptance")
    below.set_ylim(0, 1)
    below.set_xlabel("step")
    below.legend(frameon=False)
    for axes in (above, below):
        for i, report in enumerate(reports[1:]):
            if report["stage"] != reports[i]["stage"]:
                axes.axvline(0.5 * (report["step"] + steps[i]), color="0.8", lw=1)
            if report["note"]:
                axes.axvline(report["step"], color=DATA, lw=1, ls=":")
    save(figure, path)


def draw_pairs(
    path: Path,
    exact: PairCorrelation,
    model: PairCorrelation,
    oracle: PairCorrelation | None = None,
    unit: str = "bohr",
) -> None:
    """g(r) of the model, reweighted to the target, and of a Metropolis run where there is one."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 4.0), layout="constrained")
    axes = figure.subplots()
    axes.plot(model.r, model.g, "-", color=MODEL, lw=1.2, label="flow, as sampled")
    axes.errorbar(exact.r, exact.g, exact.error, fmt="o", ms=3, color=EXACT, label="flow, reweighted")
    if oracle is not None:
        axes.errorbar(oracle.r, oracle.g, oracle.error, fmt="-", color=DATA, lw=1, label="Metropolis")
    axes.axhline(1, color="0.85", lw=1, zorder=0)
    axes.set_xlabel(f"r ({unit})")
    axes.set_ylabel("g(r)")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    save(figure, path)


def draw_plane(
    path: Path,
    panels: Sequence[tuple[str, Float[np.ndarray, "m 2"]]],
    density: tuple[Float[np.ndarray, "k"], Float[np.ndarray, "k k"]] | None,
    extent: float,
) -> None:
    """Points in the plane, a panel each, and a density on a square grid of half-width `extent` as the last panel."""
    from matplotlib.figure import Figure

    count = len(panels) + (density is not None)
    figure = Figure(figsize=(3.2 * count, 3.3), layout="constrained")
    for axes, (title, points) in zip(figure.subplots(1, count, sharex=True, sharey=True), panels, strict=False):
        axes.plot(*points[:4000].T, ".", ms=1.2, color=DATA, alpha=0.6, mew=0)
        axes.set_title(title, fontsize=10)
    if density is not None:
        axes = figure.axes[-1]
        axes.imshow(density[1].T, origin="lower", extent=(-extent, extent, -extent, extent), cmap="magma")
        axes.set_title("density p of the flow", fontsize=10)
    for axes in figure.axes:
        axes.set_aspect("equal")
        axes.set_xlim(-extent, extent)
        axes.set_ylim(-extent, extent)
        axes.set_xticks([])
        axes.set_yticks([])
    save(figure, path)
