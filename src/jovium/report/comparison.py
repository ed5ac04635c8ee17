"""The section of the page about a predicted ELF: intervals of the thresholds, and first principles beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from jovium.base.units import BOHR_ANGSTROM
from jovium.report.data_figures import canvas, png_image
from jovium.report.tables import SYMBOLS

if TYPE_CHECKING:
    from jovium.base.grid import GridField
    from jovium.report.analysis import Analysis

EXPLANATION = """The interval holds the threshold of every field within the band of the network, which covers 90 % of
the points of structures it was not trained on."""


def prediction(analysis: Analysis) -> str:
    """The section; empty for an ELF that was not predicted."""
    if analysis.intervals is None:
        return ""
    computed = analysis.computed
    heads = ["threshold", "predicted", "interval"] + (["first principles", "difference"] if computed else [])
    head = "".join(f'<th scope="col">{title}</th>' for title in heads)
    rows = "".join(_row(analysis, name) for name in analysis.intervals)
    return (
        '<section class="full" aria-labelledby="prediction-title">'
        '<h2 id="prediction-title">Prediction of the network</h2>'
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody id="prediction-rows">{rows}</tbody></table>'
        f'</div><p class="hint">{EXPLANATION}</p>{_comparison(analysis, computed) if computed else ""}</section>'
    )


def _row(analysis: Analysis, name: str) -> str:
    assert analysis.intervals is not None
    low, high = analysis.intervals[name]
    predicted = analysis.thresholds()[name]
    cells = [f"<b>{predicted.value:.4f}</b>" if predicted else "–", f"{low:.3f} to {high:.3f}"]
    if analysis.computed:
        true = analysis.computed.thresholds()[name]
        cells += [f"{true.value:.4f}", f"{predicted.value - true.value:+.4f}"] if true and predicted else ["–", "–"]
    numbers = "".join(f'<td class="number">{cell}</td>' for cell in cells)
    return f'<tr><th scope="row">{SYMBOLS[name]}</th>{numbers}</tr>'


def _comparison(analysis: Analysis, computed: Analysis) -> str:
    errors = analysis.errors()
    height = float(analysis.structure.cell.fractional(np.asarray(analysis.network.phi_3d.position)[None])[0, 2] % 1)
    text = f"predicted ELF, computed ELF and their difference in the plane c = {height:.3f}"
    figure = png_image(
        comparison_figure(analysis.elf, computed.elf, height), text, 'id="comparison" style="max-width:100%" '
    )
    return (
        f"<p>Predicted minus computed ELF: root mean square {errors['rmse']:.4f}, mean of the absolute value "
        f"{errors['mae']:.4f}, largest {errors['largest']:.3f}; R² {errors['r2']:.4f}.</p>{figure}"
        f'<p class="hint">The plane at c = {height:.3f}, through the saddle of φ<sub>3D</sub>.</p>'
    )


def comparison_figure(predicted: GridField, computed: GridField, height: float) -> Any:
    """Predicted and computed ELF and their difference in the plane at a fraction `height` of the third lattice
    vector, in true angles."""
    plane = round(height * predicted.shape[2]) % predicted.shape[2]
    nx, ny = predicted.shape[:2]
    a, b = predicted.cell.vectors[0] * BOHR_ANGSTROM, predicted.cell.vectors[1] * BOHR_ANGSTROM
    along = np.linalg.norm(a)
    beside = np.array([b @ a / along, np.linalg.norm(np.cross(a, b)) / along])
    s, t = np.meshgrid(np.arange(nx + 1) / nx, np.arange(ny + 1) / ny, indexing="ij")
    x, y = s * along + t * beside[0], t * beside[1]
    figure, axes = canvas(9.6, 3.1, 1, 3)
    difference = predicted.values - computed.values
    reach = max(0.02, float(np.abs(difference[:, :, plane]).max()))
    fields = [("predicted", predicted.values), ("first principles", computed.values), ("difference", difference)]
    for ax, (title, values) in zip(axes, fields, strict=True):
        style = {"cmap": "RdBu_r", "vmin": -reach, "vmax": reach} if title == "difference" else {"vmin": 0, "vmax": 1}
        drawn = ax.pcolormesh(x, y, values[:, :, plane], **style)
        figure.colorbar(drawn, ax=ax, shrink=0.6)
        ax.set(title=title, xlabel="Å", aspect="equal")
    return figure
