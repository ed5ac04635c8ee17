"""Figures of a data set: pair correlations, pressures, and every number against every other."""

import base64
import io
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from jovium.base.files import atomic_write
from jovium.base.statistics import Estimate
from jovium.base.units import PRESSURE_GPA
from jovium.observe.pair_correlation import PairCorrelation

SPLIT_COLOURS = {"train": "#4c72b0", "validation": "#dd8452", "test": "#c44e52"}
CRYSTAL_COLOUR = "#55a868"
"""Of tests of their own: crystals, stretched bonds, random structures, sealed families."""

OTHERS = "other tests, sealed"


@dataclass(frozen=True)
class LabelPoint:
    """The numbers of one label, atomic units: pressure with the ideal-gas part, internal and free energy per atom,
    shortest proton distance, cell average of the ELF, networking value and molecularity index."""

    group: str
    split: str
    step: int
    n_atoms: int
    rs: float
    kelvin: float
    pressure: float
    energy: float
    free_energy: float
    shortest_distance: float
    mean_elf: float
    phi: float
    phi_star: float


@dataclass(frozen=True)
class StateCorrelation:
    """g(r) at a state (rs in bohr, temperature in kelvin) in a cell of n_atoms."""

    rs: float
    kelvin: float
    n_atoms: int
    correlation: PairCorrelation


def draw_pair_correlations(fluids: list[StateCorrelation], path: Path) -> None:
    """g(r) with error bands, one panel per (rs, T), cell sizes over each other."""
    states = sorted({(fluid.rs, fluid.kelvin) for fluid in fluids})
    figure, axes = panels(max(1, len(states)), min(5, max(1, len(states))), 2.5, 1.9)
    for ax, (rs, kelvin) in zip(axes.flat, states, strict=False):
        for fluid in fluids:
            if (fluid.rs, fluid.kelvin) == (rs, kelvin):
                g = fluid.correlation
                ax.plot(g.r, g.g, lw=1.2, label=f"N = {fluid.n_atoms}")
                ax.fill_between(g.r, g.g - g.error, g.g + g.error, alpha=0.3, lw=0)
        ax.axhline(1.0, color="0.7", lw=0.6, zorder=0)
        ax.set_title(f"rs {rs:g}, {kelvin:g} K", fontsize=8)
        ax.legend(fontsize=6, frameon=False, loc="lower right")
        ax.set(xlim=(0, 5), ylim=(0, None))
    figure.supxlabel("r (bohr)", fontsize=9)
    figure.supylabel("g(r)", fontsize=9)
    save(figure, path)


def draw_pressures(points: list[tuple[float, float, Estimate]], path: Path) -> None:
    """Pressure with error bars against density, coloured by temperature."""
    figure, ax = canvas(5.0, 3.6)
    rs, kelvin, estimates = ([point[i] for point in points] for i in range(3))
    pressure, error = (np.array([getattr(p, name) for p in estimates]) * PRESSURE_GPA for name in ("value", "error"))
    ax.errorbar(rs, pressure, error, fmt="none", ecolor="0.5", elinewidth=0.8, zorder=1)
    scatter = ax.scatter(rs, pressure, c=kelvin, cmap="plasma", s=26, zorder=2)
    figure.colorbar(scatter, label="T (K)")
    ax.set(yscale="log", xlabel="rs (bohr)", ylabel="P (GPa), static + ideal")
    save(figure, path)


def draw_pairs(points: list[LabelPoint], path: Path) -> None:
    """Every number of the labels against every other, histograms on the diagonal, coloured by split."""
    columns = {
        "rs (bohr)": [p.rs for p in points],
        "T (K)": [p.kelvin for p in points],
        "P (GPa)": [p.pressure * PRESSURE_GPA for p in points],
        "E (Ha/atom)": [p.energy for p in points],
        "shortest H-H (bohr)": [p.shortest_distance for p in points],
        "mean ELF": [p.mean_elf for p in points],
        "phi": [p.phi for p in points],
        "phi*": [p.phi_star for p in points],
    }
    names, values = list(columns), np.array(list(columns.values()))
    kinds = np.array([p.split if p.split in SPLIT_COLOURS else OTHERS for p in points])
    colours = {**SPLIT_COLOURS, OTHERS: CRYSTAL_COLOUR}
    figure, axes = panels(len(names) ** 2, len(names), 1.35, 1.2)
    for i, row in enumerate(axes):
        for j, ax in enumerate(row):
            edges = np.linspace(np.nanmin(values[j]), np.nanmax(values[j]) + 1e-9, 25)
            for kind, colour in colours.items():
                x, y = values[j][kinds == kind], values[i][kinds == kind]
                if i == j:
                    ax.hist(x[np.isfinite(x)], bins=edges, color=colour, alpha=0.6, label=kind)
                else:
                    ax.scatter(x, y, s=2, color=colour, lw=0, label=kind)
            margin = 0.05 * (edges[-1] - edges[0])
            ax.set(xlim=(edges[0] - margin, edges[-1] + margin))
            ax.tick_params(labelsize=5, labelleft=j == 0, labelbottom=i == len(names) - 1)
            if i == j:
                ax.set_yticks([])
        row[0].set_ylabel(names[i], fontsize=6)
    for j, name in enumerate(names):
        axes[-1][j].set_xlabel(name, fontsize=6)
    legend_outside(figure, axes[0][0], "upper", 4, 7)
    save(figure, path)


def canvas(width: float, height: float, rows: int = 1, columns: int = 1, **style: Any) -> tuple[Any, Any]:
    """A figure of this size in inches, and its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **style)


def panels(count: int, columns: int, width: float, height: float) -> tuple[Any, Any]:
    """A figure of `count` axes in so many columns, each of this size in inches; the axes by row and column."""
    rows = -(-count // columns)
    figure, axes = canvas(columns * width, rows * height, rows, columns, squeeze=False)
    for ax in axes.flat[count:]:
        ax.set_visible(False)
    return figure, axes


def finish_pairs(axes: Any) -> None:
    """Labels and limits of a figure of g(r), and a line where particles are independent."""
    axes.axhline(1, color="0.8", lw=1, zorder=0)
    axes.set(xlabel="r (bohr)", ylabel="g(r)", xlim=(0, None), ylim=(0, None))


def legend_outside(figure: Any, axes: Any, place: str, columns: int, size: float) -> None:
    """One legend for all panels, the one of these axes."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc=f"outside {place} center", ncols=columns, fontsize=size, frameon=False)


def save(figure: Any, path: Path) -> None:
    """Write a figure as PNG, as a whole or not at all."""
    with atomic_write(path) as part:
        figure.savefig(part, format="png", dpi=130)


def png_image(figure: Any, text: str, attributes: str = "") -> str:
    """A figure as an HTML element that holds its PNG; text: what it shows, for those who do not see it."""
    with io.BytesIO() as data:
        figure.savefig(data, format="png", dpi=110)
        encoded = base64.b64encode(data.getvalue()).decode()
    return f'<img {attributes}alt="{escape(text)}" src="data:image/png;base64,{encoded}">'
