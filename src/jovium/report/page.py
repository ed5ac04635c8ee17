"""One self-contained HTML page per analysis: 3-D view, slices, profiles, tables, downloads; no network needed."""

from __future__ import annotations

import json
import re
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from jovium.base.files import write_lines
from jovium.report import tables
from jovium.report.comparison import prediction
from jovium.report.picture import picture

if TYPE_CHECKING:
    from jovium.report.analysis import Analysis

SCRIPTS = ("field", "surface", "markers", "labels", "scene", "slice", "profile", "downloads", "page")
"""The page's own scripts in the order they build on each other."""

SMALL_CELL = 8
"""Atoms of a cell that is shown with its neighbours at first: alone it cuts the network into pieces."""


def page(analysis: Analysis) -> str:
    """The whole HTML page of an analysis. Raises InputError when its field is not an ELF."""
    drawn = picture(analysis)
    small = analysis.structure.n_atoms <= SMALL_CELL
    return Template(_asset("web/page.html")).substitute(
        name=escape(analysis.name),
        style=_asset("web/page.css"),
        facts=tables.facts(analysis, tuple(drawn["grid"]["shape"])),  # pyright: ignore
        warnings=tables.warnings(analysis),
        protocol=tables.protocol(analysis),
        thresholds=tables.thresholds(analysis),
        path=tables.path(analysis),
        prediction=prediction(analysis),
        critical_points=tables.critical_points(analysis),
        hydrogen_dos=tables.hydrogen_dos(analysis),
        states=tables.states(analysis),
        temperatures=tables.temperatures(analysis),
        one_cell="" if small else "checked",
        eight_cells="checked" if small else "",
        data=escape_json(drawn),
        library=escape_script(_asset("vendor/3Dmol-min.js")),
        script=escape_script("\n".join(_asset(f"web/{name}.js") for name in SCRIPTS)),
    )


def write_page(path: str | Path, analysis: Analysis) -> Path:
    """Write the page to `path`, whole or not at all. Raises OutputError when the file cannot be written."""
    path = Path(path)
    write_lines(path, [page(analysis)])
    return path


def escape_json(value: object) -> str:
    """`value` as JSON that is safe inside a script element: no `<` is left that could open or close a tag."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def escape_script(source: str) -> str:
    """JavaScript that cannot close the script element it stands in: `</script` and `<!--` only occur in strings."""
    return re.sub(r"<(?=/script|!--)", r"\\x3c", source, flags=re.IGNORECASE)


def _asset(name: str) -> str:
    return files("jovium.report").joinpath(name).read_text(encoding="utf-8")
