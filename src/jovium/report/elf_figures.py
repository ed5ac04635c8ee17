"""Figures of predicted beside computed ELF: parity, thresholds, and residuals of the models."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from jovium.report.data_figures import canvas, legend_outside, panels, save

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
    legend_outside(figure, axes[0][0], "lower", 4, 6)
    save(figure, path)


def draw_residuals(residuals: Sequence[Residual], path: Path) -> None:
    """Above: power spectra of the residuals at the lowest, a middle and the highest pressure; below: their correlation
    functions there, and RMSE and correlation length over pressure."""
    models = list(dict.fromkeys(r.model for r in residuals))
    ordered = sorted({(r.pressure_gpa, r.state) for r in residuals})
    chosen = [ordered[0], ordered[len(ordered) // 2], ordered[-1]]
    figure, (spectra, (correlation, rmse, length)) = canvas(10.2, 5.4, 2, 3)
    for colour, model in zip(COLOURS, models, strict=False):
        own = sorted((r for r in residuals if r.model == model), key=lambda r: r.pressure_gpa)
        by_state = {r.state: r for r in own}
        for ax, (_, state) in zip(spectra, chosen, strict=True):
            residual = by_state[state]
            ax.stairs(residual.power / np.diff(residual.edges), residual.edges, color=colour, label=model)
        highest = by_state[chosen[-1][1]]
        correlation.plot(highest.r, highest.correlation, color=colour)
        pressures = [r.pressure_gpa for r in own]
        rmse.plot(pressures, [r.rmse for r in own], "o-", ms=3, lw=1, color=colour)
        length.plot(pressures, [r.correlation_length for r in own], "o-", ms=3, lw=1, color=colour)
    for ax, (pressure, state) in zip([*spectra, correlation], [*chosen, chosen[-1]], strict=True):
        ax.set_title(f"{state}, {pressure:.0f} GPa", fontsize=8)
    for ax in spectra:
        ax.set(yscale="log", xlabel="|G| (1/bohr)", ylabel="power per 1/bohr")
    correlation.axhline(0, color="0.7", lw=0.6)
    correlation.axvline(1.4, color="0.7", lw=0.6, ls="--")
    correlation.set(xlabel="r (bohr); dashed: H-H bond", ylabel="correlation of the residual")
    length.axhline(1.4, color="0.7", lw=0.6, ls="--")
    rmse.set(xlabel="P (GPa)", xlim=(0, None), ylim=(0, None), ylabel="RMSE of the ELF")
    length.set(xlabel="P (GPa)", xlim=(0, None), ylim=(0, None), ylabel="correlation length (bohr)")
    legend_outside(figure, spectra[0], "upper", 3, 8)
    save(figure, path)
