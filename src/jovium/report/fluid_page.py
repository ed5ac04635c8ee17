"""One page of a fluid of hydrogen: F, E, S and P, their training, g(r), and the ELF of its configurations."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np
from jaxtyping import Float

from jovium.base.grid import GridField
from jovium.base.statistics import round_to_error
from jovium.base.structure import Structure
from jovium.observe.pair_correlation import PairCorrelation
from jovium.report.data_figures import canvas, finish_pairs, png_image
from jovium.report.free_energy_figures import training_figure
from jovium.report.published import published_beside, show_figure

QUANTITIES = {
    "F_Ha_per_atom": ("free energy F, an upper bound", "Ha per atom"),
    "F_reweighted_Ha_per_atom": ("F, reweighted", "Ha per atom"),
    "E_Ha_per_atom": ("internal energy E", "Ha per atom"),
    "S_kB_per_atom": ("entropy S", "k_B per atom"),
    "P_GPa": ("pressure P", "GPa"),
    "K_Ha_per_atom": ("kinetic energy of the electrons", "Ha per atom"),
    "V_pp_Ha_per_atom": ("protons and protons", "Ha per atom"),
    "V_ep_Ha_per_atom": ("electrons and protons", "Ha per atom"),
    "V_ee_Ha_per_atom": ("electrons and electrons", "Ha per atom"),
}
"""Name in measure.json: what it is, and its unit."""


@dataclass(frozen=True)
class Bonding:
    """phi_3d and phi_star of every configuration, the first of them and its ELF, and why a prediction may be wrong."""

    phi_3d: Float[np.ndarray, "s"]
    phi_star: Float[np.ndarray, "s"]
    structure: Structure
    elf: GridField
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class FluidReport:
    """What measure.json and metrics.jsonl of a run hold, g(r) of its protons, the thresholds of its ELF, and what a
    reader has to know before these numbers are taken for hydrogen; is_test_case: that they must not be."""

    measured: dict[str, Any]
    training: Sequence[dict[str, Any]]
    pairs: PairCorrelation
    bonding: Bonding
    notes: Sequence[str] = ()
    is_test_case: bool = False


def fluid_page(report: FluidReport) -> str:
    """The whole HTML page, figures within."""
    measured, bonding = report.measured, report.bonding
    subject = "Test case, not matter:" if report.is_test_case else "Dense hydrogen,"
    title = (
        f"{subject} rs = {measured['rs_bohr']:g} bohr, T = {measured['T_K']:g} K, "
        f"N = {measured['n_atoms']} {'deuterons' if measured['isotope'] == 'D' else 'protons'}"
    )
    warnings = "".join(f"<p>{escape(reason)}</p>" for reason in bonding.warnings)
    head = "<h2>Outside the training data of the ELF network</h2>"
    warning_box = f'<section class="warning">{head}{warnings}</section>' if warnings else ""
    means = [f"{values.mean():.3f} (spread {values.std():.3f})" for values in (bonding.phi_3d, bonding.phi_star)]
    twists = "one twist" if measured["n_twists"] == 1 else f"{measured['n_twists']} twists"
    fraction = measured["accept_fraction"]
    rejection = f", accepted by rejection from {1 / fraction:.1f} times as many of the flow" if fraction < 1 else ""
    notes = "".join(f"<p>{escape(note)}</p>" for note in report.notes)
    training = training_figure(report.training)
    curve = png_image(training, "F, E and S against time") if training else ""
    style = files("jovium.report").joinpath("web/fluid.css").read_text(encoding="utf-8")
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title)}</title><style>{style}</style></head><body>
<h1>{escape(title)}</h1>
<p>{measured["samples"]} independent configurations of protons at {twists}{rejection};
{measured["effective_samples"]:.0f} effective in the reweighted F.</p>
<main>{warning_box}
<section class="wide"><h2>Free energy</h2>{_table(measured)}{notes}</section>
<section><h2>Free energy during training</h2>{curve}</section>
<section><h2>Electron localization</h2><p>phi {means[0]}, phi* {means[1]}, of {len(bonding.phi_3d)} configurations by
the network</p>{png_image(_thresholds(bonding), "distributions of phi and phi*")}</section>
<section><h2>ELF of a configuration</h2>{png_image(_slice(bonding), "ELF in a plane through the protons")}</section>
<section><h2>Pair correlation of the protons</h2>{png_image(_pairs(report.pairs), "g(r)")}</section>
</main></body></html>
"""


def _table(measured: dict[str, Any]) -> str:
    """Every quantity as measured, beside what is published of the same state."""
    beside = published_beside(measured)
    head = "".join(f"<th>{escape(entry.name)}</th>" for entry in beside)
    rows = [f"<tr><th>quantity</th><th>unit</th><th>this run</th>{head}</tr>"] if beside else []
    for key, (name, unit) in QUANTITIES.items():
        value = measured[key]
        known = value["value"] is not None
        shown = round_to_error(value["value"], value["error"]) if known else "unknown: too few effective samples"
        cells = [name, unit, shown, *(show_figure(entry.figures.get(key)) for entry in beside)]
        rows.append(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
    return f"<table>{''.join(rows)}</table>".replace("+-", "&plusmn;")


def _thresholds(bonding: Bonding) -> Any:
    figure, axes = canvas(6.0, 3.6)
    bins = np.linspace(0, 1, 41).tolist()
    axes.hist(bonding.phi_3d, bins, alpha=0.6, color="#4c72b0", label="phi, the network spans the cell")
    axes.hist(bonding.phi_star, bins, alpha=0.6, color="#c44e52", label="phi*, two atoms connect")
    axes.set(xlabel="ELF", ylabel="configurations")
    axes.legend(frameon=False)
    return figure


def _slice(bonding: Bonding) -> Any:
    """The plane through the closest pair of protons and the proton nearest to it, over one cell and its neighbours."""
    across, up, origin = _plane(bonding.structure)
    size = 0.75 * np.linalg.norm(bonding.structure.cell.vectors, axis=1).mean()
    steps = np.linspace(-size, size, 121)
    x, y = np.meshgrid(steps, steps)
    points = origin + x[..., None] * across + y[..., None] * up
    values = bonding.elf.interpolant().value(points)
    figure, axes = canvas(6.0, 4.8)
    extent = (-size, size, -size, size)
    drawn = axes.imshow(values, "viridis", origin="lower", extent=extent, vmin=0, vmax=1, interpolation="bilinear")
    axes.contour(x, y, values, [float(bonding.phi_3d[0])], colors="white", linewidths=1.0)
    axes.set(xlabel="bohr", ylabel="bohr")
    figure.colorbar(drawn, ax=axes, label="ELF; white: phi of this configuration")
    return figure


def _plane(structure: Structure) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two orthonormal directions and the middle of the closest pair."""
    cell, positions = structure.cell, structure.positions
    apart = cell.minimum_image(positions[1:] - positions[0])
    order = np.argsort(np.linalg.norm(apart, axis=1))
    across = apart[order[0]] / np.linalg.norm(apart[order[0]])
    second = apart[order[1]] if len(order) > 1 else cell.vectors[np.argmin(np.abs(cell.vectors @ across))]
    up = second - (second @ across) * across
    if np.linalg.norm(up) < 1e-3:
        up = np.cross(across, np.eye(3)[np.argmin(np.abs(across))])
    return across, up / np.linalg.norm(up), positions[0] + 0.5 * apart[order[0]]


def _pairs(pairs: PairCorrelation) -> Any:
    figure, axes = canvas(6.0, 3.6)
    axes.errorbar(pairs.r, pairs.g, pairs.error, fmt="o-", ms=3, color="#333333", lw=1.0, capsize=1.5)
    finish_pairs(axes)
    return figure
