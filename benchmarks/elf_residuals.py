"""What a model leaves over, in waves and in space: where in |G| its error lies and how far it hangs together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.base.grid import wave_numbers
from jovium.base.units import PRESSURE_GPA
from jovium.report.data_figures import panels, save
from jovium.workflows.elf_accuracy import Evaluation, by_state, state_title

COLOURS = ("#4c72b0", "#dd8452", "#55a868", "#c44e52")

WAVE_EDGES = np.linspace(0.0, 10.0, 21)
"""Shells of |G| (1/bohr) of residual spectra."""


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
class Spectrum:
    """Power of a field by wave number: power[i] is the part of the mean square in edges[i] <= |G| < edges[i + 1]
    (1/bohr). The mean, G = 0, is in the first; the sum of all is the mean square when the edges reach far enough."""

    edges: Float[np.ndarray, "edges"]
    power: Float[np.ndarray, "shells"]


@dataclass(frozen=True)
class Correlation:
    """C(r) = <f(x) f(x + r)> / <f^2> averaged over the directions of r (bohr), at the centres of shells."""

    r: Float[np.ndarray, "shells"]
    value: Float[np.ndarray, "shells"]

    @property
    def length(self) -> float:
        """Correlation length: the first r (bohr) at which C falls below 1/e, between shells by a straight line."""
        below = np.flatnonzero(self.value < 1 / np.e)
        if len(below) == 0 or below[0] == 0:
            return float(self.r[0] if len(below) else self.r[-1])
        i = below[0]
        slope = (self.value[i] - self.value[i - 1]) / (self.r[i] - self.r[i - 1])
        return float(self.r[i - 1] + (1 / np.e - self.value[i - 1]) / slope)


def spectrum(field: Float[np.ndarray, "nx ny nz"], cell: Cell, edges: Float[np.ndarray, "edges"]) -> Spectrum:
    """Power of a field in shells of |G|. Raises InputError for edges that do not rise."""
    if len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise InputError(f"edges {edges}", "two or more that rise", "give wave numbers in ascending order")
    power = np.abs(np.fft.fftn(field, norm="forward")) ** 2
    m = wave_numbers(field.shape)
    lengths = np.linalg.norm(m @ cell.reciprocal, axis=-1)
    return Spectrum(edges, np.histogram(lengths, edges, weights=power)[0])


def correlation(field: Float[np.ndarray, "nx ny nz"], cell: Cell, n_shells: int = 24) -> Correlation:
    """Correlation function up to half the shortest height of the cell, shells without a grid vector left out."""
    power = np.abs(np.fft.fftn(field)) ** 2
    values = np.fft.ifftn(power).real
    m = np.stack(np.meshgrid(*(np.fft.fftfreq(n) for n in field.shape), indexing="ij"), -1)
    distances = np.linalg.norm(cell.minimum_image((m @ cell.vectors).reshape(-1, 3)), axis=-1)
    reach = np.pi / np.linalg.norm(cell.reciprocal, axis=1).max()
    edges = np.linspace(0.0, reach, n_shells + 1)
    counts = np.histogram(distances, edges)[0]
    sums = np.histogram(distances, edges, weights=values.ravel())[0]
    centres = np.histogram(distances, edges, weights=distances)[0]
    there = counts > 0
    return Correlation(centres[there] / counts[there], sums[there] / counts[there] / values[0, 0, 0])


def residuals(model: str, evaluations: Sequence[Evaluation]) -> Iterator[Residual]:
    """The residuals of a predictor, one per state."""
    for members in by_state(evaluations).values():
        sample = members[0].label.sample
        pairs = [(j.predicted - j.label.sample.elf, j.label.sample.structure.cell) for j in members]
        power = np.mean([spectrum(field, cell, WAVE_EDGES).power for field, cell in pairs], axis=0)
        correlations = [correlation(field, cell) for field, cell in pairs]
        r = min((c.r for c in correlations), key=lambda r: r[-1])
        mean = Correlation(r, np.mean([np.interp(r, c.r, c.value) for c in correlations], axis=0))
        rmse = float(np.sqrt(np.mean([np.mean(field**2) for field, _ in pairs])))
        pressure = float(np.mean([j.label.sample.pressure for j in members])) * PRESSURE_GPA
        yield Residual(model, state_title(sample), pressure, rmse, WAVE_EDGES, power, mean.r, mean.value, mean.length)


def draw_residuals(residuals: Sequence[Residual], path: Path) -> None:
    """Above: power spectra of the residuals at the lowest, a middle and the highest pressure; below: their correlation
    functions there, and RMSE and correlation length over pressure."""
    models = list(dict.fromkeys(r.model for r in residuals))
    ordered = sorted({(r.pressure_gpa, r.state) for r in residuals})
    chosen = [ordered[0], ordered[len(ordered) // 2], ordered[-1]]
    figure, axes = panels(6, 3, 3.4, 2.7)
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
