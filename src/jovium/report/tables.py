"""The tables of the page as HTML: the full-precision numbers, readable with scripts switched off."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np

from jovium.base.units import BOHR_ANGSTROM
from jovium.report.analysis import path_rows, plain
from jovium.report.dos_figure import dos_figure
from jovium.report.picture import composition

if TYPE_CHECKING:
    from jovium.report.analysis import Analysis
    from jovium.topology.network import Threshold

SYMBOLS = {f"phi_{n}d": f"φ<sub>{n}D</sub>" for n in (1, 2, 3)} | {"phi_star": "φ*"}
MEANINGS = {
    "phi_1d": "network spans one direction",
    "phi_2d": "network spans two directions",
    "phi_3d": "networking value: spans the crystal",
    "phi_star": "molecularity index: first two H join",
}
KINDS = {
    "maxima": ("maximum", "nucleus or lone attractor"),
    "bonds": ("bond", "saddle between two maxima"),
    "rings": ("ring", "saddle inside a ring of bonds"),
    "cages": ("cage", "minimum"),
}


def facts(analysis: Analysis, picture_shape: tuple[int, int, int]) -> str:
    """Rows of the structure: atoms, density, cell, grids."""
    from ase.geometry import cell_to_cellpar

    structure = analysis.structure
    pressure = analysis.protocol.get("pressure_gpa")
    density = "mass density", f"{structure.hydrogen_density_g_cc:.4f} g/cm³"
    angles = cell_to_cellpar(structure.cell.vectors)[3:]
    splined = f"{_shape(picture_shape)}, cubic splines through the full grid"
    rows = [
        ("atoms", escape(composition(structure.symbols))),
        ("Wigner–Seitz radius r<sub>s</sub> of the atoms", f"{structure.rs:.4f} bohr"),
        *([density] if set(structure.symbols) == {"H"} else []),
        *([] if pressure is None else [("pressure, static, of the electrons at fixed nuclei", f"{pressure:.1f} GPa")]),
        ("cell volume", f"{structure.cell.volume * BOHR_ANGSTROM**3:.4f} Å³"),
        ("cell lengths a, b, c", ", ".join(f"{x * BOHR_ANGSTROM:.4f}" for x in structure.cell.lengths) + " Å"),
        ("cell angles α, β, γ", ", ".join(f"{x:.2f}" for x in angles) + "°"),
        *(
            (f"lattice vector {letter}", _vector(row * BOHR_ANGSTROM) + " Å")
            for letter, row in zip("abc", structure.cell.vectors, strict=True)
        ),
        ("ELF grid (every number in the tables)", _shape(analysis.elf.shape)),
        ("ELF grid of the pictures", "the same" if picture_shape == analysis.elf.shape else splined),
    ]
    return _rows(rows)


def protocol(analysis: Analysis) -> str:
    """Rows of the protocol, nested names joined by dots; a setting of None was not used and has no row."""
    rows = [(escape(name), escape(text)) for name, text in _flatten("", plain(analysis.protocol))]
    return _rows(rows or [("protocol", "not recorded")])


def warnings(analysis: Analysis) -> str:
    """The box of warnings; empty when there are none."""
    if not analysis.warnings:
        return ""
    items = "".join(f"<li>{escape(str(warning))}</li>" for warning in analysis.warnings)
    heading = "Warning" if len(analysis.warnings) == 1 else "Warnings"
    return f'<section class="warnings" role="note" aria-label="Warnings"><h2>{heading}</h2><ul>{items}</ul></section>'


def thresholds(analysis: Analysis) -> str:
    """One row per threshold: value, value on the grid, whether it was refined to the saddle, where it is."""
    rows = "".join(_threshold_row(name, point) for name, point in analysis.thresholds().items())
    if analysis.protocol_error is None:
        return rows
    head = f'<tr><th scope="row">{SYMBOLS["phi_3d"]}</th><td>what cutoff and k-mesh leave in it</td>'
    return f'{rows}{head}<td class="number">± {analysis.protocol_error:.4f}</td><td colspan="3"></td></tr>'


def path(analysis: Analysis) -> str:
    """The table of the path among the atoms; empty for pure hydrogen."""
    rows = _rows([(escape(what), escape(f"{value} ({meaning})")) for what, value, meaning in path_rows(analysis)])
    return f'<div class="wide"><table class="pairs"><tbody>{rows}</tbody></table></div>' if rows else ""


def critical_points(analysis: Analysis) -> str:
    """One row per kind of critical point, and the Morse sum, the Euler characteristic of the torus."""
    points = analysis.critical_points
    rows = "".join(
        f'<tr><th scope="row">{label}</th><td>{meaning}</td><td class="number">{int(getattr(points, name))}</td></tr>'
        for name, (label, meaning) in KINDS.items()
    )
    return (
        f'{rows}<tr class="sum"><th scope="row">Morse sum</th><td>maxima − bonds + rings − cages</td>'
        f'<td class="number">{int(points.morse_sum)}</td></tr>'
    )


def hydrogen_dos(analysis: Analysis) -> str:
    """The hydrogen fraction of the density of states that the fits were given, and where it is from."""
    dos = analysis.hydrogen_dos
    if dos is None:
        return "H<sub>DOS</sub> is not known."
    value = f"{dos.value:.4f}" if dos.uncertainty is None else f"{dos.value:.2f} ± {dos.uncertainty:.2f}"
    return f"H<sub>DOS</sub> {value}: {escape(str(dos))}."


def states(analysis: Analysis) -> str:
    """The section of the density of states, empty when there is none."""
    if analysis.states is None:
        return ""
    found = f"N(E<sub>F</sub>) = {analysis.states.at_fermi:.3g} states/eV per cell, both spins"
    found += f": {analysis.states.kind}."
    return (
        '<section class="full" aria-labelledby="states-title"><h2 id="states-title">Density of states</h2>'
        f'<p>{found}</p><div class="wide states">{dos_figure(analysis.states)}</div></section>'
    )


def temperatures(analysis: Analysis) -> str:
    """One row per published fit: Tc, its error on the data it was fitted to, the part from H_DOS, source, validity."""
    if not analysis.tc:
        return '<tr><td colspan="6">no estimate was asked for</td></tr>'
    return "".join(
        f'<tr><th scope="row">{escape(fit.name)}</th><td class="number">{_kelvin(fit.kelvin)}</td>'
        f'<td class="number">{_kelvin(fit.rmse_kelvin)}</td><td class="number">{_kelvin(fit.hydrogen_dos_kelvin)}</td>'
        f"<td>{_doi(fit.doi)}</td><td>{escape(fit.note)}</td></tr>"
        for fit in analysis.tc
    )


def _threshold_row(name: str, point: Threshold | None) -> str:
    head = f'<tr><th scope="row">{SYMBOLS[name]}</th><td>{MEANINGS[name]}</td>'
    if point is None:
        return f'{head}<td colspan="4">not present in this field</td></tr>'
    position = _vector(np.asarray(point.position, dtype=float) * BOHR_ANGSTROM)
    return (
        f'{head}<td class="number"><b>{point.value:.4f}</b></td><td class="number">{point.grid_value:.4f}</td>'
        f'<td>{"yes" if point.refined else "no"}</td><td class="number">{position}</td></tr>'
    )


def _rows(rows: list[tuple[str, str]]) -> str:
    return "".join(f'<tr><th scope="row">{name}</th><td>{text}</td></tr>' for name, text in rows)


def _flatten(prefix: str, value: object) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        rows = ((f"{prefix}.{key}" if prefix else str(key), entry) for key, entry in value.items())
        return [row for name, entry in rows for row in _flatten(name, entry)]
    if isinstance(value, list):
        return [(prefix, ", ".join(map(str, value)))]
    if isinstance(value, bool):
        return [(prefix, "yes" if value else "no")]
    return [] if value is None else [(prefix, str(value))]


def _shape(shape: tuple[int, int, int]) -> str:
    return " × ".join(str(n) for n in shape)


def _vector(components: np.ndarray) -> str:
    return "(" + ", ".join(f"{x:z.4f}" for x in components) + ")"


def _kelvin(value: float | None) -> str:
    return "–" if value is None or not np.isfinite(value) else f"{value:.1f}"


def _doi(doi: str | None) -> str:
    if not doi:
        return "–"
    return f'<a href="https://doi.org/{quote(doi, safe="/")}" rel="noopener noreferrer">doi:{escape(doi)}</a>'
