"""The table of a screening: which columns it has, its lines, and how a file of them is read and written."""

import csv
import io
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from jovium.base.errors import InputError
from jovium.base.files import write_lines
from jovium.formats.structures import natural
from jovium.reference.kohn_sham import PRODUCTION, KohnShamSettings
from jovium.superconductivity.fits import FITS

TC_COLUMNS = tuple(f"tc_{fit.name.lower().replace(' ', '_')}_kelvin" for fit in FITS)
FORMATS = {
    **{"structure": "", "n_atoms": "d", "rs_bohr": ".6f"},
    **{f"{name}{end}": ".5f" for name in ("phi_3d", "phi_star") for end in ("", "_low", "_high")},
    **dict.fromkeys(TC_COLUMNS, ".1f"),
    **{"flags": "", "spacing_bohr": ".6f", "sha256": ""},
}
"""Columns of the network and their digits, in the table as in memory. structure: index in the source, from 0; of a
folder the first column is `file` instead, the name of the file. low, high: the interval of `threshold_intervals`. Tc of
pure hydrogen, taken to be a metal. flags: why the numbers may be wrong, or "failed: " and why there are none."""

ENGINE_FORMATS = {
    **{"structure": "", "formula": "", "n_atoms": "d", "rs_bohr": ".6f", "pressure_gpa": ".2f"},
    **{"phi_3d": ".5f", "phi_star": ".5f", "h_f": ".5f", "h_dos": ".4f", "h_dos_error": ".4f"},
    **dict.fromkeys(TC_COLUMNS, ".1f"),
    **{"enthalpy_ev_per_atom": ".5f", "relaxation_steps": "d", "flags": ""},
    **{"engine": "", "protocol": "", "relax_gpa": ".3f", "spacing_bohr": ".6f", "sha256": "", "relaxed": ""},
}
"""Columns of a first-principles engine. pressure_gpa: static. h_f, h_dos: share of hydrogen in the atoms and in the
states at the Fermi level, and the error of that. enthalpy, relaxation_steps: of a relaxation at relax_gpa, all empty
without one, and relaxed, the structure it led to: lattice vectors in angstrom and fractional coordinates as JSON.
sha256: of the given one."""

TEXTS = ("formula", "flags", "engine", "protocol", "sha256", "relaxed", "file")
HIDDEN = ("protocol", "sha256", "relaxed")
"""Columns that are words, and those that a notebook does not show."""

Row = dict[str, Any]
Name = int | str
"""What a structure is called in a table: its index in the source, or its file in a folder."""


@dataclass(frozen=True)
class Method:
    """How the numbers of all structures of a table are made. spacing: of the ELF grid, bohr. engine: "network", or that
    of `protocol`. relax_gpa: the pressure of a relaxation before, None without. by_file: structures have names."""

    spacing: float
    engine: str = "network"
    protocol: KohnShamSettings = PRODUCTION
    relax_gpa: float | None = None
    by_file: bool = False

    @property
    def formats(self) -> dict[str, str]:
        """The columns and their digits."""
        formats = FORMATS if self.engine == "network" else ENGINE_FORMATS
        return {"file": "", **dict(list(formats.items())[1:])} if self.by_file else formats

    @property
    def head(self) -> str:
        """The first line of a table."""
        return ",".join(self.formats) + "\n"

    def identity(self, name: Name, sha256: str) -> Row:
        """What a row must agree on to be taken as that of a structure by this method."""
        facts = {"engine": self.engine, "protocol": described(self.protocol), "relax_gpa": self.relax_gpa}
        facts |= {next(iter(self.formats)): name, "spacing_bohr": self.spacing, "sha256": sha256}
        return {column: fact for column, fact in facts.items() if column in self.formats}

    def row(self, values: Row) -> Row:
        """A whole row, values rounded to the digits of the table, None where there are none."""
        return {column: self.value(column, self.text(column, values.get(column))) for column in self.formats}

    def text(self, column: str, value: Any) -> str:
        """A value as it stands in the table."""
        return "" if value is None else format(value, self.formats[column])

    def value(self, column: str, text: str) -> Any:
        """What stands in the table. Raises ValueError for a text that is none."""
        if column in TEXTS:
            return text
        if column == "structure":
            return int(text)
        number = float(text or "nan")
        return None if not np.isfinite(number) else int(text) if self.formats[column] == "d" else number

    def line(self, row: Row) -> str:
        """A row as a line of the table."""
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerow(self.text(column, row[column]) for column in self.formats)
        return text.getvalue()


def described(protocol: KohnShamSettings) -> str:
    """All settings of a protocol in one cell of a table."""
    return " ".join(str(value).replace(" ", "") for value in protocol.to_dict().values())


def name_of(row: Row) -> Name:
    """The structure of a row: its index, or its file."""
    return next(iter(row.values()))


def failed(row: Row) -> bool:
    """Whether a structure has no numbers."""
    return row["phi_3d"] is None


class Screening(list[Row]):
    """The rows of a screening, in the order of the structures; a notebook shows them as a table."""

    def _repr_html_(self) -> str:
        def cells(row: Row, tag: str) -> str:
            return "".join(f"<{tag}>{escape(text)}</{tag}>" for name, text in row.items() if name not in HIDDEN)

        formats = FORMATS | ENGINE_FORMATS | {"file": ""}
        lines = [{name: "" if x is None else format(x, formats[name]) for name, x in row.items()} for row in self]
        head = cells({name: name for name in (self[0] if self else FORMATS)}, "th")
        body = "</tr><tr>".join([head, *(cells(line, "td") for line in lines)])
        return f"<table><tr>{body}</tr></table>"


def read_table(table: Path, method: Method) -> dict[Name, Row]:
    """The whole lines of a table, by structure, of several of one the last. Raises InputError when the file is another
    one, or of another kind, or holds lines that no screening wrote."""
    text = table.read_text(encoding="utf-8", errors="replace")
    head = method.head
    if not text.startswith(head[: len(text)]):
        what = "something else"
        if text.startswith(("structure,", "file,")) and text.partition("\n")[0].endswith(("sha256", "relaxed")):
            what = "a screening of another kind (network or engine, file or folder)"
        raise InputError(f"{table} holds {what}", "a table of jovium screen", "give another name")
    rows: dict[Name, Row] = {}
    for line in text[len(head) :].split("\n")[:-1]:
        try:
            words = zip(method.formats, *csv.reader([line]), strict=True)
            row = {column: method.value(column, word) for column, word in words}
            rows[name_of(row)] = row
        except (ValueError, TypeError, csv.Error) as error:
            got = f"{table}: the line '{line[:60]}'"
            raise InputError(got, "a line of jovium screen", "delete that line and repeat the command") from error
    return rows


def write_table(table: Path, rows: dict[Name, Row], method: Method) -> None:
    """The rows as the whole table, in the order of the structures; an equal table is left alone."""
    lines = [method.head, *(method.line(rows[name]) for name in sorted(rows, key=natural))]
    if table.read_bytes() != "".join(lines).encode():
        write_lines(table, lines)
