"""Atomic structures in files: everything ASE reads (POSCAR, CIF, extended XYZ, XSF, .res, ...) and field files."""

import os
import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Union

from jovium.base.errors import FormatError, InputError, JoviumError, StructureError, reason
from jovium.base.files import atomic_write
from jovium.base.structure import Structure
from jovium.formats.fields import is_field_file, read_field
from jovium.formats.files import read_text

if TYPE_CHECKING:
    from ase import Atoms

Source = Union[str, os.PathLike[str], Structure, "Atoms"]
"""A structure: a file, or one in memory."""

TEXT_WRITERS = ("vasp", "cif", "extxyz", "xsf", "res", "aims", "castep-cell", "xtd", "gen", "v-sim", "proteindatabank")


def as_structure(source: Source) -> Structure:
    """The structure of a file (the last one of a trajectory), of ASE, or itself.

    Raises FormatError when a file cannot be read, StructureError for atoms without a periodic cell, InputError for what
    is no structure.
    """
    if isinstance(source, Structure):
        return source
    if isinstance(source, str | os.PathLike):
        return read_structure(source)
    if not hasattr(source, "get_chemical_formula"):
        do = "take several structures to jovium.screen" if isinstance(source, list | tuple) else "build ase.Atoms"
        raise InputError(f"a structure of type {type(source).__name__}", "a path, ase.Atoms or jovium.Structure", do)
    return _from_ase(source, source.get_chemical_formula())


def read_structure(path: str | os.PathLike[str], index: int = -1) -> Structure:
    """One structure of a file, the last one of a trajectory unless `index` says otherwise.

    Raises FormatError when the file cannot be read, StructureError when it has no periodic cell.
    """
    path = Path(path)
    if is_field_file(path):
        return read_field(path, elf_convention="true").structure
    return read_structures(path, str(index))[0]


def read_structures(path: str | os.PathLike[str], index: str = ":") -> tuple[Structure, ...]:
    """The structures of a file or trajectory; `index` is a Python slice such as "::10", or a number."""
    path = Path(path)
    return tuple(_from_ase(atoms, str(path)) for atoms in _ase_images(path, index))


def structures_or_errors(source: Source | Sequence[Source], index: str = ":") -> Iterator[Structure | JoviumError]:
    """The structures of a file (those at `index`) or in memory; instead of one that cannot be used, the error."""
    if isinstance(source, str | os.PathLike):
        readers = [partial(_from_ase, atoms, str(source)) for atoms in _ase_images(Path(source), index)]
    else:
        readers = [partial(as_structure, item) for item in (source if isinstance(source, Sequence) else [source])]
    for read in readers:
        try:
            yield read()
        except JoviumError as error:
            yield error


def _ase_images(path: Path, index: str) -> list["Atoms"]:
    import ase.io

    read_text(path)  # the plain errors: missing, a directory, empty, binary
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            images = ase.io.read(path, index=index, do_not_split_by_at_sign=True)
    except Exception as error:  # ASE readers raise whatever their parser stumbles over
        raise FormatError(
            f"{path}: {reason(error)}",
            "a structure file that ASE knows, with the structures asked for",
            "check the file and its name (POSCAR, .cif, .extxyz, .xsf, .res, ...)",
        ) from error
    images = images if isinstance(images, list) else [images]
    if not images:
        raise FormatError(f"{path}: no structure at index {index}", "at least one", "choose another index")
    return images


def _from_ase(atoms: "Atoms", name: str) -> Structure:
    occupancies = (atoms.info.get("occupancy") or {}).values()
    if any(abs(sum(site.values()) - 1) > 1e-3 or len(site) > 1 for site in occupancies):
        raise FormatError(f"{name}: partly occupied sites", "an ordered structure", "choose one ordered configuration")
    try:
        return Structure.from_ase(atoms)
    except StructureError as error:
        raise StructureError(f"{name}: {error.got}", error.expected, error.do) from error


def write_structure(path: str | os.PathLike[str], structure: Structure) -> None:
    """Write a structure in the format that the name of `path` says (POSCAR, .cif, .extxyz, .xsf, .res, ...).

    As a whole or not at all. CIF carries as many digits as ASE gives it. Raises FormatError for a name that no
    writer knows, OutputError when the path cannot be written.
    """
    import ase.io

    path = Path(path)
    file_format = _writable_format(path)
    with atomic_write(path) as part:
        ase.io.write(part, structure.to_ase(), format=file_format)


def write_structures(
    path: str | os.PathLike[str], structures: Sequence[Structure], facts: Sequence[dict[str, float]]
) -> None:
    """Write a trajectory as extended XYZ, with named numbers in the comment of every frame.

    As a whole or not at all. Raises FormatError for another ending, OutputError when the path cannot be written.
    """
    import ase.io

    path = Path(path)
    if path.suffix not in (".extxyz", ".xyz"):
        raise FormatError(f"the output name {path.name}", "a trajectory: .extxyz", "choose another name")
    images = [structure.to_ase() for structure in structures]
    for image, numbers in zip(images, facts, strict=True):
        image.info.update(numbers)
    with atomic_write(path) as part:
        ase.io.write(part, images, format="extxyz")


def _writable_format(path: Path) -> str:
    from ase.io.formats import UnknownFileTypeError, filetype

    try:
        file_format = filetype(path.name, read=False, guess=False)
    except UnknownFileTypeError:
        file_format = ""
    if file_format == "xyz":
        file_format = "extxyz"  # plain XYZ has no cell
    if file_format not in TEXT_WRITERS:
        raise FormatError(
            f"the output name {path.name}",
            "a structure format with a cell: POSCAR, .cif, .extxyz, .xsf, .res",
            "choose another name",
        )
    return file_format
