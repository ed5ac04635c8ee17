"""Scalar fields in files: Gaussian cube, VASP ELFCAR and XCrySDen XSF behind one reader and one writer."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from jovium.base.errors import FormatError, InputError
from jovium.base.files import write_lines
from jovium.base.grid import GridField
from jovium.base.structure import Structure
from jovium.base.validity import merged
from jovium.formats import cube, elfcar, xsf
from jovium.formats.files import read_text
from jovium.formats.provenance import Provenance, interpret, is_elf_range, stamp

KNOWN = "a .cube, .cub, .xsf or ELFCAR file"
_PARSERS = {"cube": cube.parse_cube, "elfcar": elfcar.parse_elfcar, "xsf": xsf.parse_xsf}
_WRITERS = {"cube": cube.cube_lines, "elfcar": elfcar.elfcar_lines, "xsf": xsf.xsf_lines}


@dataclass(frozen=True)
class FieldFile:
    """The content of a field file: the atoms, the field on the grid of their cell, and where it comes from."""

    structure: Structure
    field: GridField
    provenance: Provenance


def read_field(path: str | os.PathLike[str], *, elf_convention: str = "auto") -> FieldFile:
    """Structure and field of a cube, ELFCAR or XSF file, told apart by name, or by content when the name is mute.

    elf_convention: what to do about the wrong unpolarised ELF of Quantum ESPRESSO 7.0 to 7.5, see
    `jovium.formats.provenance.interpret`. Raises FormatError when the file is missing, truncated or not a field,
    StructureError when two elements are at one place.
    """
    path = Path(path)
    text = read_text(path)
    kind = _kind_by_name(path) or _kind_by_content(text)
    if kind is None:
        raise FormatError(f"{path} is no field file", KNOWN, "check the file, or rename it to end in .cube or .xsf")
    parsed = _PARSERS[kind](text, path)
    values, provenance = interpret(parsed.field.values, parsed.header, parsed.code, elf_convention)
    # The warning of a spin-polarised ELFCAR concerns the convention too: its values are not certain.
    if parsed.warnings == (elfcar.SPIN_WARNING,) and elf_convention == "auto":
        provenance = replace(provenance, elf_correction="suspected")
    provenance = replace(provenance, warnings=parsed.warnings + provenance.warnings)
    return FieldFile(merged(parsed.structure), GridField(values, parsed.field.cell), provenance)


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
    kind = _kind_by_name(path)
    if kind is None:
        raise FormatError(f"the output name {path.name}", KNOWN, "choose a name that ends in .cube or .xsf, or ELFCAR")
    if not np.allclose(structure.cell.vectors, field.cell.vectors, rtol=0, atol=1e-6 * field.cell.lengths.max()):
        raise InputError("a structure and a field with different cells", "the same cell", "pass the cell of the field")
    line = " ".join(comment.split())
    write_lines(path, _WRITERS[kind](structure, field, stamp(field.values, provenance), line))


def is_field_name(path: str | os.PathLike[str]) -> bool:
    """True when `write_field` knows a format for the name: .cube, .cub, .xsf, or a name with ELFCAR in it."""
    return _kind_by_name(Path(path)) is not None


def is_field_file(path: str | os.PathLike[str]) -> bool:
    """True when a file is to be read as values on a grid.

    By its name alone for a cube and an ELFCAR, so that a damaged one is reported as such and never read as the atoms
    that are left of it; by the word DATAGRID for an XSF, which may hold a structure only; else by its content.
    """
    path = Path(path)
    kind = _kind_by_name(path)
    if kind in ("cube", "elfcar"):
        return True
    try:
        text = read_text(path)
    except FormatError:
        return False
    return "DATAGRID" in text if kind == "xsf" else _kind_by_content(text) is not None


def require_elf(field: GridField) -> GridField:
    """The field with every value in [0, 1]: what lies outside by at most 1e-3 is clipped.

    Raises FormatError when a value lies further outside: the field is no ELF.
    """
    if not is_elf_range(field.values):
        raise FormatError(
            f"values from {field.values.min():.6g} to {field.values.max():.6g}",
            "an electron localization function, 0 to 1 everywhere",
            "give the ELF, not a density: ELFCAR of VASP (LELF = .TRUE.), pp.x of Quantum ESPRESSO with plot_num = 8",
        )
    return GridField(np.clip(field.values, 0.0, 1.0), field.cell)


def _kind_by_name(path: Path) -> str | None:
    kind = {".cube": "cube", ".cub": "cube", ".xsf": "xsf"}.get(path.suffix.lower())
    return kind or ("elfcar" if "ELFCAR" in path.name.upper() else None)


def _kind_by_content(text: str) -> str | None:
    if "DATAGRID_3D" in text:
        return "xsf"
    return "cube" if cube.holds_values(text) else None
