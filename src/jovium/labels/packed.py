"""Labels packed for keeping and training: one small file per group, everything of a label but the density.

The file of labels (`jovium.labels.file`) is the record of the work, 6 bytes per grid point. Packed, a grid point
costs about 0.8 byte: the ELF is rounded to 1/1023 (error at most 5e-4, a tenth of what the k-mesh leaves in a metal),
differences along the three grid axes replace the values, and xz takes what redundancy is left.
"""

import io
import json
import lzma
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from jovium.base.errors import FormatError, InputError
from jovium.base.files import atomic_write
from jovium.labels.file import OFFSETS, Labels
from jovium.labels.record import COLUMNS, ELF_SCALE, Label, Record, label_of, text

SCALE = 1023
"""The packed ELF is round(1023 ELF)."""

SUFFIX = ".labels.xz"

LEFT_OUT = ("density", "elf")
"""Columns that are dropped, or packed otherwise."""


def pack(path: Path, folder: Path) -> list[Path]:
    """Pack the ok labels of the file `path` into one file per group in `folder`; the files, by name.

    A packed file that is there already is added to, and replaced as a whole. Raises FormatError for a damaged file,
    InputError for labels without a group, a file without labels, or packed labels of another protocol, OutputError when
    the disk is full.
    """
    with Labels(path) as labels:
        groups = sorted({text(name) for name in labels.columns["group"][labels.ok]})
        if not groups or "" in groups:
            raise InputError(f"{path}: labels without a group", "labels of named groups", "label them with a group")
        return [_pack_group(labels, group, folder) for group in groups]


def packed_files(path: Path) -> list[Path]:
    """A packed file itself, or the packed files of a folder by name. Raises InputError when there are none."""
    files = sorted(path.glob("*" + SUFFIX)) if path.is_dir() else [path]
    if not files:
        raise InputError(f"no files *{SUFFIX} in {path}", "packed labels", "pack some: jovium reference pack")
    return files


def read_packed(path: Path) -> list[Label]:
    """The labels of a packed file, or of all packed files in a folder, by name of the file; their density is None.

    Raises InputError when there are none, FormatError for a damaged file.
    """
    return [label_of(record) for file in packed_files(path) for record in read_records(file)[1]]


def read_records(path: Path) -> tuple[dict[str, Any], list[Record]]:
    """Protocol (`LabelProtocol.attributes`) and records, without density, of one packed file.

    Raises InputError when it is not there, FormatError when it is damaged.
    """
    try:
        content = lzma.decompress(path.read_bytes())
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return json.loads(str(arrays["protocol"])), _unpacked(dict(arrays))
    except FileNotFoundError as error:
        raise InputError(f"{path} is not there", "a packed file of labels", "check the path") from error
    except (lzma.LZMAError, zipfile.BadZipFile, OSError, ValueError, KeyError, EOFError, IndexError) as error:
        expected = f"packed labels (*{SUFFIX})"
        raise FormatError(f"{path}: {error}", expected, "copy the file again, or pack it again") from error


def packed_structures(path: Path) -> set[str]:
    """Identities (`structure_sha256`) of the structures in a packed file or folder."""
    return {text(record["structure_sha256"]) for file in packed_files(path) for record in read_records(file)[1]}


def _pack_group(labels: Labels, group: str, folder: Path) -> Path:
    path = folder / (group.replace("/", "_") + SUFFIX)
    protocol = _plain(labels.protocol_attributes())
    there, records = read_records(path) if path.exists() else (protocol, [])
    if there != protocol:
        raise InputError(f"{path} holds labels of another protocol", "one protocol", "pack into another folder")
    by_name = {text(record["structure_sha256"]): record for record in records}
    for index in labels.select(group=group):
        record = labels.checked_record(int(labels.ok[index]))
        by_name[text(record["structure_sha256"])] = record
    _write(path, protocol, sorted(by_name.values(), key=_place))
    return path


def _place(record: Record) -> tuple[int, str]:
    return int(record["step"]), text(record["structure_sha256"])


def _write(path: Path, protocol: dict[str, object], records: list[Record]) -> None:
    arrays: dict[str, np.ndarray] = {"protocol": np.array(json.dumps(protocol))}
    for column in COLUMNS:
        if column.name not in LEFT_OUT:
            join = np.stack if column.per == "structure" else np.concatenate
            arrays[column.name] = join([record[column.name] for record in records])
    for per, name in OFFSETS.items():
        arrays[name] = np.cumsum([0, *(_count(record, per) for record in records)])
    differences = np.concatenate([_differences(_quantised(record)).ravel() for record in records])
    arrays["elf_low"] = (differences & 255).astype(np.uint8)
    arrays["elf_high"] = (differences >> 8).astype(np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    with atomic_write(path) as part:
        part.write_bytes(lzma.compress(buffer.getvalue(), preset=9))


def _unpacked(arrays: dict[str, np.ndarray]) -> list[Record]:
    differences = arrays["elf_low"] + (arrays["elf_high"].astype(np.uint16) << 8)
    records = []
    for i in range(len(arrays["step"])):
        record: Record = {}
        for column in COLUMNS:
            if column.name not in LEFT_OUT:
                inside = slice(*arrays[OFFSETS[column.per]][i : i + 2]) if column.per in OFFSETS else i
                record[column.name] = arrays[column.name][inside]
        first, end = arrays["grid_offset"][i : i + 2]
        elf = _values(differences[first:end].reshape(record["grid_shape"])) / SCALE
        if elf.max() > 1:
            raise ValueError("an ELF above 1")
        record["elf"] = np.round(ELF_SCALE * elf).astype("<u2").ravel()
        records.append(record)
    return records


def _quantised(record: Record) -> np.ndarray:
    return np.round(record["elf"].reshape(record["grid_shape"]) * (SCALE / ELF_SCALE)).astype(np.uint16)


def _differences(values: np.ndarray) -> np.ndarray:
    """Mixed third difference, modulo 2^16."""
    for axis in range(3):
        values = np.diff(values, axis=axis, prepend=np.zeros_like(np.take(values, [0], axis)))
    return values


def _values(differences: np.ndarray) -> np.ndarray:
    for axis in range(3):
        differences = np.cumsum(differences, axis=axis, dtype=np.uint16)
    return differences


def _count(record: Record, per: str) -> int:
    return len(record["positions"] if per == "atom" else record["elf"])


def _plain(attributes: dict[str, object]) -> dict[str, object]:
    return {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in attributes.items()}
