"""The page as the value of a notebook cell."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from jovium.report.page import page

if TYPE_CHECKING:
    from jovium.report.analysis import Analysis


@dataclass(frozen=True)
class Page:
    """Shows an analysis in a notebook: the same self-contained page, in a frame `height` pixels high."""

    analysis: Analysis
    height: int = 900

    def _repr_html_(self) -> str:
        source = escape(page(self.analysis), quote=True)
        title = escape(f"Jovium: {self.analysis.name}", quote=True)
        return (
            f'<iframe title="{title}" srcdoc="{source}" width="100%" height="{self.height}" style="border:0"></iframe>'
        )
