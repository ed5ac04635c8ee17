"""Scalar fields in files: Gaussian cube, VASP ELFCAR and XCrySDen XSF behind one reader and one writer."""

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from jovium.base.errors import FormatError, InputError
from jovium.base.files import write_lines
from jovium.base.grid import GridField
from jovium.base.structure import Structure
from jovium.base.validity import merged
from jovium.formats import cube, elfcar, xsf
from jovium.formats.files import COMPRESSED, CUT, Parsed, read_text, require_plain_name
from jovium.formats.planes import grid_warnings
from jovium.formats.provenance import Provenance, interpret, is_elf_range, stamp
from jovium.formats.quantity import density_signs, stray_hydrogens

KNOWN = "a .cube, .cub, .xsf or ELFCAR file"
LEAST_RANGE = 1e-6
"""Difference of the largest and the least value below which a field is a constant."""

_PARSERS = {"cube": cube.parse_cube, "elfcar": elfcar.parse_elfcar, "xsf": xsf.parse_xsf}
_WRITERS = {"cube": cube.cube_lines, "elfcar": elfcar.elfcar_lines, "xsf": xsf.xsf_lines}


@dataclass(frozen=True)
class FieldFile:
    """The content of a field file: the atoms, the field on the grid of their cell, and where it comes from."""

    structure: Structure
    field: GridField
    provenance: Provenance


def read_field(path: str | os.PathLike[str], *, elf_convention: str = "auto") -> FieldFile:
    """Structure and field of a cube, ELFCAR or XSF file, told apart by content, whatever the name.

    elf_convention: what to do about the wrong unpolarised ELF of Quantum ESPRESSO 7.0 to 7.5, see
    `jovium.formats.provenance.interpret`. Raises FormatError when the file is missing, truncated, not a field, or a
    CHGCAR, StructureError when two elements are at one place.
    """
    parsed = parse_field(path)
    if parsed.refusal:
        raise parsed.refusal
    values, provenance = interpret(parsed.field.values, parsed.header, parsed.code, elf_convention)
    # The warning of a spin-polarised ELFCAR concerns the convention too: its values are not certain.
    if elfcar.SPIN_WARNING in parsed.warnings and elf_convention == "auto":
        provenance = replace(provenance, elf_correction="suspected")
    provenance = replace(provenance, warnings=parsed.warnings + provenance.warnings)
    return FieldFile(parsed.structure, GridField(values, parsed.field.cell), provenance)


def parse_field(path: str | os.PathLike[str]) -> Parsed:
    """What a field file holds, as it stands there, every atom once: for its structure also when the values are no use.

    Raises FormatError when the file is missing, truncated or not a field, StructureError when two elements are at one
    place.
    """
    path = Path(path)
    text = read_text(path)
    kind = _kind_by_content(text) or _kind_by_name(path)
    if kind is None:
        raise FormatError(f"{path} is no field file", KNOWN, "check the file, or rename it to end in .cube or .xsf")
    parsed = _PARSERS[kind](text, path)
    cut = (CUT,) if kind != "xsf" and not text[-1].isspace() else ()
    warnings = parsed.warnings + cut + grid_warnings(parsed.structure, parsed.field)
    return parsed._replace(structure=merged(parsed.structure), warnings=warnings)


def write_field(
    path: str | os.PathLike[str],
    structure: Structure,
    field: GridField,
    *,
    comment: str = "",
    provenance: Provenance | None = None,
) -> None:
    """Write a field in the format that the name of `path` says, ten digits a value, as a whole or not at all.

    comment: one line. provenance: that of the file the field was read from; when its ELF convention is only
    suspected, the new file says so too. Raises InputError for an unknown suffix or a field of another cell,
    OutputError when the disk is full or the place cannot be written.
    """
    path = Path(path)
    require_plain_name(path)
    kind = _kind_by_name(path)
    if kind is None:
        raise FormatError(f"the output name {path.name}", KNOWN, "choose a name that ends in .cube or .xsf, or ELFCAR")
    if not np.allclose(structure.cell.vectors, field.cell.vectors, rtol=0, atol=1e-6 * field.cell.lengths.max()):
        raise InputError("a structure and a field with different cells", "the same cell", "pass the cell of the field")
    line = " ".join(comment.split())
    write_lines(path, _WRITERS[kind](structure, field, stamp(field.values, provenance), line))


def is_field_name(path: str | os.PathLike[str]) -> bool:
    """True when the name says a format of `write_field`: .cube, .cub, .xsf, or a name with ELFCAR in it."""
    return _kind_by_name(Path(path)) is not None


def is_field_file(path: str | os.PathLike[str]) -> bool:
    """True when a file is to be read as values on a grid.

    By its name alone for a cube and an ELFCAR, so that a damaged one is reported as such and never read as the atoms
    that are left of it; else by its content.
    """
    path = Path(path)
    if _kind_by_name(path) in ("cube", "elfcar"):
        return True
    try:
        return _kind_by_content(read_text(path)) is not None
    except FormatError:
        return False


def refuse_field(path: Path) -> None:
    """Raise FormatError for a file that holds a field, where a structure is asked for to predict another one."""
    if is_field_file(path):
        raise FormatError(
            f"{path} holds values on a grid",
            "a structure: the ELF in a file is analysed, not predicted again",
            f"run `jovium analyse {path.name}`, or take the structure out with `jovium convert {path.name} POSCAR`",
        )


def elf_of(file: FieldFile, *, is_sure: bool = False) -> tuple[GridField, tuple[str, ...]]:
    """The ELF of a field file, within [0, 1], and warnings of what speaks against its being one.

    is_sure: somebody has said that the file holds an ELF. Raises FormatError for values outside [0, 1], for a constant,
    and, unless it is sure, for a title that names another quantity or for two signs of an electron density.
    """
    signs = density_signs(file.field, file.structure)
    field = require_elf(file.field, signs)
    if np.ptp(field.values) <= LEAST_RANGE:
        got = f"a field that is {field.values.flat[0]:.6g} everywhere"
        raise FormatError(got, "an electron localization function, which varies", "check what was exported")
    title = (f"its title says '{file.provenance.quantity}'",) if file.provenance.quantity else ()
    if not is_sure and (title or len(signs) > 1):
        raise FormatError(
            f"a field that seems to be no ELF: {'; '.join(title + signs)}",
            "an electron localization function",
            "give the ELF; if it is one all the same, read it with the ELF convention true",
        )
    doubts = tuple(f"the field may be no ELF: {sign}" for sign in title + signs)
    return field, doubts + stray_hydrogens(field, file.structure)


def require_elf(field: GridField, signs: tuple[str, ...] = ()) -> GridField:
    """The field with every value in [0, 1]: what lies outside by at most 1e-3 is clipped.

    signs: what else speaks against an ELF. Raises FormatError when a value lies further outside: the field is no ELF.
    """
    if not is_elf_range(field.values):
        raise FormatError(
            "; ".join((f"values from {field.values.min():.6g} to {field.values.max():.6g}", *signs)),
            "an electron localization function, 0 to 1 everywhere",
            "give the ELF, not a density or a potential: ELFCAR of VASP (LELF = .TRUE.), plot_num = 8 of pp.x",
        )
    return GridField(np.clip(field.values, 0.0, 1.0), field.cell)


def _kind_by_name(path: Path) -> str | None:
    if path.suffix.lower() in COMPRESSED:
        return None
    kind = {".cube": "cube", ".cub": "cube", ".xsf": "xsf"}.get(path.suffix.lower())
    return kind or ("elfcar" if "ELFCAR" in path.name.upper() else None)


def _kind_by_content(text: str) -> str | None:
    if re.search(r"^[ \t]*(BEGIN_)?(BLOCK_)?DATAGRID", text, re.MULTILINE | re.IGNORECASE):
        return "xsf"
    if cube.holds_values(text):
        return "cube"
    return "elfcar" if elfcar.holds_grid(text) else None
