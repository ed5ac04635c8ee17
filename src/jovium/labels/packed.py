"""Labels packed for keeping and training: one small file per group, everything of a label but the density.

A folder of labels (`jovium.labels.file`) is the record of the work, 6 bytes per grid point. Packed, a grid point
costs about 0.8 byte: the ELF is rounded to 1/1023 (error at most 5e-4, a tenth of what the k-mesh leaves in a metal),
differences along the three grid axes replace the values, and xz takes what redundancy is left.
"""

import io
import json
import lzma
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from jovium.base.errors import InputError
from jovium.base.files import atomic_write
from jovium.labels.file import (
    ProtocolFacts,
    archive,
    damage_as_format_error,
    head,
    read_head,
    read_record,
    record_files,
    require_same_protocol,
)
from jovium.labels.record import COLUMNS, ELF_SCALE, Column, Record, columns, text

SCALE = 1023
"""The packed ELF is round(1023 ELF)."""

SUFFIX = ".labels.xz"


def pack(folder: Path, out: Path) -> list[Path]:
    """Pack the ok labels in `folder` into one file per group in the folder `out`; the files, by name.

    A packed file that is there already is added to, and replaced as a whole. Raises FormatError for a damaged file,
    InputError for labels without a group, a folder without labels, or labels of another protocol, OutputError when the
    disk is full."""
    heads = sorted((read_head(path)[1], path) for path in record_files(folder))
    heads = [(label, path) for label, path in heads if label.status == "ok"]
    if not heads or not heads[0][0].group:
        got = f"{folder}: no labels, or some without a group"
        raise InputError(got, "labels of named groups", "label with a group")
    groups = groupby(heads, key=lambda item: item[0].group)
    return [_pack_group(group, [path for _, path in members], out) for group, members in groups]


def read_packed(path: Path) -> tuple[ProtocolFacts, list[Record]]:
    """Protocol and records, without density, of one packed file. Raises InputError when it is not there, FormatError
    when it is damaged."""
    with damage_as_format_error(path, f"packed labels (*{SUFFIX})", "copy the file again, or pack it again"):
        content = lzma.decompress(path.read_bytes())
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return json.loads(str(arrays["protocol"])), _unpacked(dict(arrays))


def _pack_group(group: str, files: list[Path], out: Path) -> Path:
    path = out / (group.replace("/", "_") + SUFFIX)
    protocol, records = read_packed(path) if path.exists() else (read_head(files[0])[0], [])
    by_structure = {text(record["structure_sha256"]): record for record in records}
    for file in files:
        held, record = read_record(file)
        require_same_protocol(file, held, protocol)
        by_structure[file.stem] = record
    _write(path, protocol, sorted(by_structure.values(), key=head))
    return path


def _write(path: Path, protocol: ProtocolFacts, records: list[Record]) -> None:
    """Row i of a column per structure is structure i; its atoms are rows atom_offset[i] to atom_offset[i + 1], its grid
    points elements grid_offset[i] to grid_offset[i + 1]."""
    arrays: dict[str, np.ndarray] = {"protocol": np.array(json.dumps(protocol, sort_keys=True))}
    described = columns([name for record in records for name in record])
    for column in _kept(described):
        join = np.stack if column.per == "structure" else np.concatenate
        arrays[column.name] = join([_value(record, column) for record in records])
    for name, counted in (("atom_offset", "positions"), ("grid_offset", "elf")):
        arrays[name] = np.cumsum([0, *(len(record[counted]) for record in records)])
    grids = (record["elf"].reshape(record["grid_shape"]) * (SCALE / ELF_SCALE) for record in records)
    differences = np.concatenate([_differences(np.round(grid).astype(np.uint16)).ravel() for grid in grids])
    arrays["elf_low"] = (differences & 255).astype(np.uint8)
    arrays["elf_high"] = (differences >> 8).astype(np.uint8)
    with atomic_write(path) as part:
        part.write_bytes(lzma.compress(archive(arrays), preset=9))


def _kept(described: tuple[Column, ...]) -> list[Column]:
    """Columns that are not dropped, or packed otherwise."""
    return [column for column in described if column.name not in ("density", "elf")]


def _value(record: Record, column: Column) -> Any:
    """The value of a column. What a record of hydrogen lacks beside compounds: 1 as atomic number of every atom, and
    nothing that is read again."""
    if column.name in record:
        return record[column.name]
    return np.ones(len(record["positions"]) if column.per == "atom" else (), dtype=column.dtype)


def _unpacked(arrays: dict[str, np.ndarray]) -> list[Record]:
    differences = arrays["elf_low"] + (arrays["elf_high"].astype(np.uint16) << 8)
    records = []
    for i in range(len(arrays["step"])):
        atoms, points = (slice(*arrays[name][i : i + 2]) for name in ("atom_offset", "grid_offset"))
        is_compound = (arrays.get("atomic_numbers", np.ones(1))[atoms] > 1).any()
        kept = _kept(columns(arrays) if is_compound else COLUMNS)
        record = {column.name: arrays[column.name][atoms if column.per == "atom" else i] for column in kept}
        elf = _values(differences[points].reshape(record["grid_shape"])) / SCALE
        if elf.max() > 1:
            raise ValueError("an ELF above 1")
        record["elf"] = np.round(ELF_SCALE * elf).astype("<u2").ravel()
        records.append(record)
    return records


def _differences(values: np.ndarray) -> np.ndarray:
    """Mixed third difference, modulo 2^16."""
    for axis in range(3):
        values = np.diff(values, axis=axis, prepend=np.zeros_like(np.take(values, [0], axis)))
    return values


def _values(differences: np.ndarray) -> np.ndarray:
    for axis in range(3):
        differences = np.cumsum(differences, axis=axis, dtype=np.uint16)
    return differences
