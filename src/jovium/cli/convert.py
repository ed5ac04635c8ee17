"""`jovium convert`: fields and structures between formats."""

import argparse
from pathlib import Path

from jovium.base.errors import InputError
from jovium.cli.arguments import given_grid, refuse_unused, tell

HELP = "convert an ELF field (cube, ELFCAR, XSF) or a structure to another format"
DESCRIPTION = """Convert IN to OUT. A field (cube, ELFCAR, XSF) becomes another field, or the structure inside it; a
structure becomes another structure file. The format of OUT follows its name."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("source", metavar="IN", type=Path)
    parser.add_argument("target", metavar="OUT", type=Path)
    parser.add_argument("--grid", type=int, nargs=3, metavar=("NX", "NY", "NZ"), help="resample the field")
    parser.add_argument("--elf-convention", choices=["auto", "true", "qe"], help="see analyse (default auto)")


def run(options: argparse.Namespace) -> int:
    """Read, convert, write."""
    from jovium.base.validity import plausibility
    from jovium.formats.fields import is_field_file, is_field_name, parse_field, read_field, write_field
    from jovium.formats.structures import read_structure, write_structure

    source, target = options.source, options.target
    if not source.exists():
        raise InputError(f"no file {source}", "a field or a structure file", "check the path")
    if not (is_field_file(source) and is_field_name(target)):
        refuse_unused(
            options, "grid elf_convention", f"from {source} to {target}", "leave them out, or name two field files"
        )
        structure = read_structure(source)
        tell((*plausibility(structure), *(parse_field(source).warnings if is_field_file(source) else ())))
        write_structure(target, structure)
        return 0
    grid = given_grid(options, 1)
    file = read_field(source, elf_convention=options.elf_convention or "auto")
    tell((*plausibility(file.structure), *file.provenance.warnings))
    # The ELF is not band-limited: splines keep it free of Fourier ringing.
    field = file.field.spline(grid) if grid else file.field
    write_field(target, file.structure, field, comment=f"converted from {source.name}", provenance=file.provenance)
    return 0
