"""A label as a file: a folder holds `<structure_sha256>.npz` for every structure, each whole or not there.

The file holds the columns of the record, their checksum `sha256`, and `about`: a JSON text with the protocol and the
unit and meaning of every column, so that a file away from its folder explains itself. `protocol.json` says the same of
the folder and is written once, before the first label. A finished file takes its place in one step: processes that
label into one folder need no lock, and a kill or a full disk leaves nothing torn.
"""

import io
import json
import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jovium import __version__
from jovium.base.errors import FormatError, InputError, reason
from jovium.base.files import atomic_write, existing_folder
from jovium.labels.record import (
    COLUMNS,
    COMPOUND_COLUMNS,
    Column,
    LabelProtocol,
    Record,
    columns,
    record_sha256,
    text,
)

FORMAT = "jovium labels 1"
SUFFIX = ".npz"
PROTOCOL = "protocol.json"

ProtocolFacts = dict[str, Any]
"""`LabelProtocol.attributes` and the name of the format, as they come out of JSON."""

DAMAGE = (OSError, EOFError, ValueError, KeyError, IndexError, RuntimeError, struct.error)
DAMAGE += (zipfile.BadZipFile, zlib.error, lzma.LZMAError)
"""What reading a damaged archive of arrays can raise."""


class Head(NamedTuple):
    """What a label is of, and whether it is one: status "ok" or "failed". Sorts by group and step."""

    group: str
    step: int
    structure_sha256: str
    split: str
    status: str


def protocol_values(label_protocol: LabelProtocol) -> ProtocolFacts:
    """The protocol as files hold it: two files with equal values hold labels that can be compared."""
    return json.loads(json.dumps({"format": FORMAT, **label_protocol.attributes()}))


def prepare_folder(folder: Path, protocol: ProtocolFacts, *, compounds: bool = False) -> None:
    """Make `folder` where it is missing and write its `protocol.json`, or compare with the one that is there. Of
    several processes that begin at once the first decides. compounds: labels of compounds are to come, and their
    columns to be explained. Raises InputError for a folder of another protocol, FormatError for a damaged
    `protocol.json`, OutputError when the folder cannot be written."""
    path = existing_folder(folder) / PROTOCOL
    content = json.dumps(_about(protocol, COMPOUND_COLUMNS if compounds else COLUMNS), indent=2) + "\n"
    if not path.exists():
        with atomic_write(path) as part:
            part.write_text(content)
            try:
                os.link(part, path)
            except FileExistsError:  # another process was faster: its file stays
                part.unlink()
                os.link(path, part)
            except OSError:  # a file system without links: the last process decides, and every label tells its protocol
                pass
    require_same_protocol(path, read_protocol_file(path), protocol)
    if compounds and COMPOUND_COLUMNS[-1].name not in path.read_text():  # a folder of hydrogen, which compounds join
        with atomic_write(path) as part:
            part.write_text(content)


def read_protocol_file(path: Path) -> ProtocolFacts:
    """The protocol in a `protocol.json`. Raises FormatError when it is damaged."""
    with damage_as_format_error(path, "the protocol of a folder of labels", "delete it and repeat the command"):
        return json.loads(path.read_text())["protocol"]


def require_same_protocol(path: Path, held: ProtocolFacts, asked: ProtocolFacts) -> None:
    """Raises InputError with the values that differ when the labels at `path` are of another protocol."""
    different = [key for key in {**held, **asked} if held.get(key) != asked.get(key)]
    if different:
        there, here = (", ".join(f"{key} {p.get(key, 'unset')}" for key in different) for p in (held, asked))
        raise InputError(
            f"{path} is of another protocol: {there}",
            f"one protocol in a folder: {here}",
            "give another folder, or the protocol the folder was started with",
        )


def write_record(folder: Path, record: Record, protocol: ProtocolFacts) -> None:
    """Write the file of one record: after this returns it is on the disk. A failure never takes the place of a label.
    Raises OutputError when the disk is full."""
    path = folder / (text(record["structure_sha256"]) + SUFFIX)
    if text(record["status"]) == "failed" and path.exists():
        with suppress(FormatError):
            if read_head(path)[1].status == "ok":
                return
    strings = {"sha256": record_sha256(record), "about": json.dumps(_about(protocol, columns(record)))}
    with atomic_write(path) as part:
        part.write_bytes(archive(record | {name: np.array(string.encode()) for name, string in strings.items()}))


def record_files(folder: Path) -> list[Path]:
    """The files of single structures in a folder, by name; unfinished ones are hidden and not among them."""
    return sorted(folder.glob("*" + SUFFIX))


def read_record(path: Path) -> tuple[ProtocolFacts, Record]:
    """Protocol and record of a file. Raises InputError when it is not there, FormatError when it is damaged."""
    with _opened(path) as array:
        record, about = {}, json.loads(text(array("about")))
        for column in columns(about["columns"]):
            record[column.name] = array(column.name)
            if record[column.name].dtype != np.dtype(column.dtype):
                raise ValueError(f"{column.name} of type {record[column.name].dtype}")
        if record_sha256(record) != text(array("sha256")):
            raise ValueError("does not match its sha256")
        if text(record["structure_sha256"]) != path.stem:
            raise ValueError("is not named after the structure it holds")
        return about["protocol"], record


def read_head(path: Path) -> tuple[ProtocolFacts, Head]:
    """Protocol and head of a file; grids and checksum are left unread. Raises what `read_record` raises."""
    with _opened(path) as array:
        protocol = json.loads(text(array("about")))["protocol"]
        return protocol, head({name: array(name) for name in Head._fields})


def head(record: Record) -> Head:
    """The head of a record."""
    strings = {name: text(record[name]) for name in Head._fields if name != "step"}
    return Head(step=int(record["step"]), **strings)


def read_heads(
    folder: Path, protocol: ProtocolFacts, asked: Collection[str] = ()
) -> tuple[dict[str, Head], dict[str, str]]:
    """Heads of the files in a folder, and what is wrong with the damaged ones, both by `structure_sha256`. asked:
    structures whose file is read whole and compared with its checksum. Raises InputError for a file of another
    protocol."""
    heads, damage = {}, {}
    for path in record_files(folder):
        try:
            if path.stem in asked:
                held, record = read_record(path)
                heads[path.stem] = head(record)
            else:
                held, heads[path.stem] = read_head(path)
        except FormatError as error:
            damage[path.stem] = error.got
        else:
            require_same_protocol(path, held, protocol)
    return heads, damage


def split_conflicts(heads: Sequence[Head]) -> list[str]:
    """Sentences about structures and groups that lie in two splits: a test that is in the training data is none."""
    splits: dict[str, set[str]] = {}
    for label in heads:
        for name in (f"structure {label.structure_sha256}", *([f"group {label.group}"] if label.group else [])):
            splits.setdefault(name, set()).add(label.split)
    several = {name: sorted(names) for name, names in splits.items() if len(names) > 1}
    return [f"{name} is in the splits {' and '.join(names)}" for name, names in several.items()]


def archive(arrays: dict[str, np.ndarray]) -> bytes:
    """Arrays in the npz format."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


@contextmanager
def damage_as_format_error(path: Path, expected: str, do: str) -> Iterator[None]:
    """Raises InputError when `path` is not there, FormatError for whatever reading a damaged file raises."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{path} is not there", expected, "check the path") from error
    except DAMAGE as error:
        raise FormatError(f"{path}: {str(error) or reason(error)}", expected, do) from error


@contextmanager
def _opened(path: Path) -> Iterator[Callable[[str], np.ndarray]]:
    """A function from the name of an array to the array. Every byte of it passes the checksum before it is parsed."""
    do = "copy it again, or repeat the command that made it: it computes damaged labels again"
    expected = f"a whole label (<structure_sha256>{SUFFIX})"
    with damage_as_format_error(path, expected, do), zipfile.ZipFile(path) as arrays:
        yield lambda name: np.load(io.BytesIO(arrays.read(name + ".npy")), allow_pickle=False)


def _about(protocol: ProtocolFacts, described: Sequence[Column]) -> dict[str, object]:
    matter = "dense hydrogen" if described == COLUMNS else "compounds"
    return {
        "title": f"Labels of {matter}: ELF, density, energies, forces, stress",
        "licence": "CC-BY-4.0",
        "jovium_version": __version__,
        "protocol": protocol,
        "columns": {column.name: {"unit": column.unit, "meaning": column.meaning} for column in described},
    }
