"""Figures of predicted beside computed ELF: parity, thresholds, and residuals of the models."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from jovium.report.data_figures import panels, save

COLOURS = ("#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860")


@dataclass(frozen=True)
class Residual:
    """The residual of a model at one state: root mean square, power by wave number (1/bohr; power[i] between edges[i]
    and edges[i + 1]), correlation function over r (bohr) and correlation length (bohr)."""

    model: str
    state: str
    pressure_gpa: float
    rmse: float
    edges: Float[np.ndarray, "edges"]
    power: Float[np.ndarray, "shells"]
    r: Float[np.ndarray, "r"]
    correlation: Float[np.ndarray, "r"]
    correlation_length: float


@dataclass(frozen=True)
class Phi:
    """phi of one structure, predicted by a model and computed."""

    model: str
    state: str
    predicted: float
    computed: float


def draw_parity(fields: Sequence[tuple[str, np.ndarray, np.ndarray]], path: Path) -> None:
    """Predicted over computed ELF, one panel per state: (title, predicted, computed) of all grid points."""
    columns = min(4, max(1, len(fields)))
    figure, axes = panels(-(-len(fields) // columns), columns, 2.3, 2.3)
    for ax, (title, predicted, computed) in zip(axes.flat, fields, strict=False):
        error = np.sqrt(np.mean((predicted - computed) ** 2))
        ax.hist2d(computed, predicted, bins=120, range=[[0, 1], [0, 1]], cmap="viridis", norm="log")
        ax.plot([0, 1], [0, 1], color="0.6", lw=0.6)
        ax.set_title(f"{title}, RMSE {error:.4f}", fontsize=8)
        ax.set_aspect("equal")
        ax.tick_params(labelsize=7)
    for ax in axes.flat[len(fields) :]:
        ax.set_visible(False)
    figure.supxlabel("computed ELF", fontsize=9)
    figure.supylabel("predicted ELF", fontsize=9)
    save(figure, path)


def draw_phi(points: Sequence[Phi], path: Path) -> None:
    """phi predicted over phi computed, one panel per model, states by colour."""
    models, states = list(dict.fromkeys(p.model for p in points)), sorted({p.state for p in points})
    figure, axes = panels(1, len(models), 3.0, 3.2)
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
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=6, frameon=False)
    save(figure, path)


def draw_residuals(residuals: Sequence[Residual], path: Path) -> None:
    """Above: power spectra of the residuals at the lowest, a middle and the highest pressure; below: their correlation
    functions there, and RMSE and correlation length over pressure."""
    models = list(dict.fromkeys(r.model for r in residuals))
    ordered = sorted({(r.pressure_gpa, r.state) for r in residuals})
    chosen = [ordered[0], ordered[len(ordered) // 2], ordered[-1]]
    figure, axes = panels(2, 3, 3.4, 2.7)
    for colour, model in zip(COLOURS, models, strict=False):
        own = sorted((r for r in residuals if r.model == model), key=lambda r: r.pressure_gpa)
        for ax, (_, state) in zip(axes[0], chosen, strict=True):
            residual = next(r for r in own if r.state == state)
            density = residual.power / np.diff(residual.edges)
            ax.stairs(density, residual.edges, color=colour, label=model)
        highest = next(r for r in own if r.state == chosen[-1][1])
        axes[1][0].plot(highest.r, highest.correlation, color=colour)
        pressures = [r.pressure_gpa for r in own]
        axes[1][1].plot(pressures, [r.rmse for r in own], "o-", ms=3, lw=1, color=colour)
        axes[1][2].plot(pressures, [r.correlation_length for r in own], "o-", ms=3, lw=1, color=colour)
    for ax, (pressure, state) in zip(axes[0], chosen, strict=True):
        ax.set(yscale="log", xlabel="|G| (1/bohr)", ylabel="power per 1/bohr")
        ax.set_title(f"{state}, {pressure:.0f} GPa", fontsize=8)
    axes[1][0].axhline(0, color="0.7", lw=0.6)
    axes[1][0].axvline(1.4, color="0.7", lw=0.6, ls="--")
    axes[1][0].set(xlabel="r (bohr); dashed: H-H bond", ylabel="correlation of the residual")
    axes[1][0].set_title(f"{chosen[-1][1]}, {chosen[-1][0]:.0f} GPa", fontsize=8)
    axes[1][1].set(ylabel="RMSE of the ELF")
    axes[1][2].axhline(1.4, color="0.7", lw=0.6, ls="--")
    axes[1][2].set(ylabel="correlation length (bohr)")
    for ax in axes[1][1:]:
        ax.set(xlabel="P (GPa)", xlim=(0, None), ylim=(0, None))
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, fontsize=8, frameon=False)
    save(figure, path)
