"""Figures of predicted beside computed ELF: parity and thresholds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jovium.report.data_figures import legend_outside, panels, save


@dataclass(frozen=True)
class Phi:
    """phi of one structure, predicted by a model and computed."""

    model: str
    state: str
    predicted: float
    computed: float


def draw_parity(fields: Sequence[tuple[str, np.ndarray, np.ndarray]], path: Path) -> None:
    """Predicted over computed ELF, one panel per state: (title, predicted, computed) of all grid points."""
    figure, axes = panels(len(fields), min(4, max(1, len(fields))), 2.3, 2.3)
    for ax, (title, predicted, computed) in zip(axes.flat, fields, strict=False):
        error = np.sqrt(np.mean((predicted - computed) ** 2))
        ax.hist2d(computed, predicted, bins=120, range=[[0, 1], [0, 1]], cmap="viridis", norm="log")
        ax.plot([0, 1], [0, 1], color="0.6", lw=0.6)
        ax.set_title(f"{title}, RMSE {error:.4f}", fontsize=8)
        ax.set_aspect("equal")
        ax.tick_params(labelsize=7)
    figure.supxlabel("computed ELF", fontsize=9)
    figure.supylabel("predicted ELF", fontsize=9)
    save(figure, path)


def draw_phi(points: Sequence[Phi], path: Path) -> None:
    """phi predicted over phi computed, one panel per model, states by colour."""
    models, states = list(dict.fromkeys(p.model for p in points)), sorted({p.state for p in points})
    figure, axes = panels(len(models), len(models), 3.0, 3.2)
    span = [p.computed for p in points] + [p.predicted for p in points]
    low, high = min(span) - 0.02, max(span) + 0.02
    for ax, model in zip(axes.flat, models, strict=True):
        for i, state in enumerate(states):
            members = [p for p in points if (p.model, p.state) == (model, state)]
            x, y = [p.computed for p in members], [p.predicted for p in members]
            ax.scatter(x, y, s=12, marker="os^D"[i // 10 % 4], color=f"C{i % 10}", label=state, lw=0)
        ax.plot([low, high], [low, high], color="0.6", lw=0.6)
        ax.set(xlim=(low, high), ylim=(low, high), xlabel="phi computed")
        ax.set_title(model, fontsize=9)
    axes[0][0].set_ylabel("phi predicted")
    legend_outside(figure, axes[0][0], "lower", 2 * len(models), 6)  # two columns fit below a panel
    save(figure, path)
