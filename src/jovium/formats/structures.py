"""Atomic structures in files: everything ASE reads (POSCAR, CIF, extended XYZ, XSF, .res, ...) and field files."""

import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union
from unittest.mock import patch

from jovium.base.errors import FormatError, InputError, JoviumError, reason
from jovium.base.files import atomic_write
from jovium.base.structure import ISOTOPE_MASSES, Structure
from jovium.base.validity import merged
from jovium.formats.cif import cif_frames
from jovium.formats.extxyz import extxyz_frames
from jovium.formats.fields import is_field_file, parse_field, refuse_field
from jovium.formats.files import Frame, open_file, read_text, require_plain_name, require_text
from jovium.formats.occupation import named_occupations, require_ordered
from jovium.formats.poscar import poscar_frames
from jovium.formats.res import res_frames
from jovium.formats.xsf import xsf_frames

if TYPE_CHECKING:
    from ase import Atoms

Source = Union[str, os.PathLike[str], Structure, "Atoms"]
"""A structure: a file, or one in memory."""

FRAMES = {"vasp": poscar_frames, "cif": cif_frames, "res": res_frames, "xsf": xsf_frames}
"""Readers of whole texts by the names of ASE; what is not here and no extended XYZ is read by ASE."""

TEXT_WRITERS = ("vasp", "cif", "extxyz", "xsf", "res", "aims", "castep-cell", "xtd", "gen", "v-sim", "proteindatabank")


def as_structure(source: Source) -> Structure:
    """The structure of a file (the last one of a trajectory), of ASE, or itself, every atom once.

    Raises FormatError when a file cannot be read or holds a field, StructureError for atoms without a periodic cell,
    InputError for what is no structure.
    """
    if isinstance(source, Structure):
        return merged(source)
    if isinstance(source, str | os.PathLike):
        return read_structures(source, "-1")[0]
    if not hasattr(source, "get_chemical_formula"):
        do = "take several structures to jovium.screen" if isinstance(source, list | tuple) else "build ase.Atoms"
        raise InputError(f"a structure of type {type(source).__name__}", "a path, ase.Atoms or jovium.Structure", do)
    return _usable(partial(_ase_frame, source), Path(source.get_chemical_formula()))[0]


def read_structure(path: str | os.PathLike[str], index: int = -1) -> Structure:
    """One structure of a file, the last one of a trajectory unless `index` says otherwise, or that inside a field file.

    Raises FormatError when the file cannot be read, StructureError when it has no periodic cell.
    """
    path = Path(path)
    if is_field_file(path):
        return parse_field(path).structure
    return read_structures(path, str(index))[0]


def read_structures(path: str | os.PathLike[str], index: str = ":") -> tuple[Structure, ...]:
    """The structures of a file or trajectory; `index` is a Python slice such as "::10", or a number."""
    return tuple(structure for structure, _ in read_frames(path, index))


def read_frames(path: str | os.PathLike[str], index: str = ":") -> Iterator[tuple[Structure, dict[str, Any]]]:
    """The structures of a file, each with the values that its comment names."""
    return (read() for read in _readers(Path(path), index))


def structures_or_errors(source: Source | Sequence[Source], index: str = ":") -> Iterator[Structure | JoviumError]:
    """The structures of a file (those at `index`) or in memory; instead of one that cannot be used, the error.

    Of a trajectory that is still being written these are the whole frames and an error for the last."""
    if isinstance(source, str | os.PathLike):
        readers = [lambda read=read: read()[0] for read in _readers(Path(source), index)]
    else:
        readers = [partial(as_structure, item) for item in (source if isinstance(source, Sequence) else [source])]
    for read in readers:
        try:
            yield read()
        except JoviumError as error:
            yield error


def folder_structures(folder: Path, index: str = ":") -> Iterator[tuple[str, Structure | JoviumError]]:
    """The structures of all files of a folder, or errors, by the names of the files, H2 before H10; where a file holds
    several NAME:0, NAME:1, .... Hidden files and folders in it are passed by. Raises FormatError for no files."""
    paths = sorted((path for path in folder.iterdir() if path.is_file() and path.name[0] != "."), key=natural)
    if not paths:
        raise FormatError(f"no files in {folder}", "a folder of structure files", "check the path")
    for path in paths:
        try:
            found = list(structures_or_errors(path, index))
        except JoviumError as error:
            found = [error]
        name = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in path.name)
        for i, structure in enumerate(found):
            yield name if len(found) == 1 else f"{name}:{i}", structure


def natural(name: object) -> list[object]:
    """A key that sorts numbers in names by their value."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", str(name))]


def _readers(path: Path, index: str) -> list[Callable[[], tuple[Structure, dict[str, Any]]]]:
    """What reads each frame of a file at `index`. Raises FormatError for a file or an index without one."""
    from ase.io.formats import UnknownFileTypeError, filetype
    from ase.utils import string2index

    with open_file(path) as stream:
        require_text(stream.read(4096), path)
    try:
        file_format = filetype(str(path))
    except (UnknownFileTypeError, UnicodeDecodeError):
        file_format = ""
    if file_format in ("extxyz", "xyz"):
        frames = extxyz_frames(path)  # may be long, and holds no grid
    else:
        refuse_field(path)
        if file_format not in FRAMES or "ANIMSTEPS" in (text := read_text(path)):
            return [partial(_usable, partial(_ase_frame, atoms), path) for atoms in _ase_images(path, index)]
        frames = FRAMES[file_format](text)
    names = [Path(f"{path}, frame {i}") for i in range(len(frames))] if len(frames) > 1 else [path]
    readers = [partial(_usable, frame, name) for frame, name in zip(frames, names, strict=False)]
    try:
        picked = string2index(index)
        chosen = readers[picked] if isinstance(picked, slice) else [readers[int(picked)]]
    except (IndexError, ValueError):
        chosen = []
    if not chosen:
        raise FormatError(f"{path}: no structure at index {index} of {len(frames)}", "at least one", "choose another")
    return chosen


def _usable(frame: Frame, name: Path) -> tuple[Structure, dict[str, Any]]:
    """What a frame holds, every atom once. Raises FormatError or StructureError with its name, nothing else."""
    try:
        structure, facts = frame(name)
        return merged(structure), facts
    except JoviumError as error:
        if str(name) in error.got:
            raise
        raise type(error)(f"{name}: {error.got}", error.expected, error.do) from error
    except Exception as error:  # readers raise whatever their parser stumbles over
        raise _unreadable(error, name) from error


def _unreadable(error: Exception, name: Path) -> FormatError:
    return FormatError(
        f"{name}: {reason(error)}",
        "a structure file that ASE knows, with the structures asked for",
        "check the file and its name (POSCAR, .cif, .extxyz, .xsf, .res, ...)",
    )


def _ase_images(path: Path, index: str) -> list["Atoms"]:
    import ase.io
    from ase.data import atomic_numbers, chemical_symbols

    read_text(path)  # the plain errors: missing, a directory, empty, binary
    try:
        known = [*chemical_symbols, *ISOTOPE_MASSES]  # asked for by readers of labels, those of PDB too
        of_isotopes, of_labels = dict.fromkeys(ISOTOPE_MASSES, 1), patch("ase.io.espresso.chemical_symbols", known)
        with warnings.catch_warnings(), patch.dict(atomic_numbers, of_isotopes), of_labels:
            warnings.simplefilter("ignore")
            images = ase.io.read(path, index=index, do_not_split_by_at_sign=True)
    except Exception as error:
        raise _unreadable(error, path) from error
    images = images if isinstance(images, list) else [images]
    if not images:
        raise FormatError(f"{path}: no structure at index {index}", "at least one", "choose another index")
    return images


def _ase_frame(atoms: "Atoms", name: Path) -> tuple[Structure, dict[str, Any]]:
    require_ordered(named_occupations(atoms.info, atoms.arrays), name)
    return Structure.from_ase(atoms), atoms.info


def write_structure(path: str | os.PathLike[str], structure: Structure) -> None:
    """Write a structure in the format that the name of `path` says (POSCAR, .cif, .extxyz, .xsf, .res, ...).

    As a whole or not at all. CIF carries as many digits as ASE gives it. Raises FormatError for a name that no
    writer knows, OutputError when the path cannot be written.
    """
    import ase.io

    path = Path(path)
    require_plain_name(path)
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
