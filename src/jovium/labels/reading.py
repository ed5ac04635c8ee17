"""Reading labels, wherever they lie: a folder of labels, a packed file or a folder of those, or a single file."""

from collections.abc import Iterator
from pathlib import Path

from jovium.base.errors import InputError
from jovium.labels import packed
from jovium.labels.file import Head, ProtocolFacts, read_head, read_record, record_files, require_same_protocol
from jovium.labels.record import Label, Record, text


def label_files(path: Path) -> list[Path]:
    """The files of labels in a folder, by name, or `path` itself. Raises InputError when there are none."""
    files = [*sorted(path.glob("*" + packed.SUFFIX)), *record_files(path)] if path.is_dir() else [path]
    if not files:
        raise InputError(f"no labels in {path}", "files *.npz or *.labels.xz", "make some: jovium reference label")
    return files


def read_records(file: Path) -> tuple[ProtocolFacts, list[Record]]:
    """Protocol and records of one file of labels, packed ones without density. Raises InputError when it is not there,
    FormatError when it is damaged."""
    if _is_packed(file):
        return packed.read_packed(file)
    protocol, record = read_record(file)
    return protocol, [record]


def read_labels(path: Path) -> Iterator[Label]:
    """The ok labels at `path`, one at a time: packed ones by name of their file, the others by group and step. Raises
    InputError when there are none or of two protocols, FormatError for a damaged file."""
    protocol = read_protocol(path)
    no_head = Head("", 0, "", "", "")
    for file in sorted(label_files(path), key=lambda file: no_head if _is_packed(file) else read_head(file)[1]):
        held, records = read_records(file)
        require_same_protocol(file, held, protocol)
        for record in records:
            if text(record["status"]) == "ok":
                yield Label.from_record(record)


def read_protocol(path: Path) -> ProtocolFacts:
    """The protocol of the labels at `path`: that of the first file. Raises what `read_labels` raises."""
    file = label_files(path)[0]
    return packed.read_packed(file)[0] if _is_packed(file) else read_head(file)[0]


def structure_identities(path: Path) -> set[str]:
    """Identities (`structure_sha256`) of the structures with an ok label at `path`."""
    records = (record for file in label_files(path) for record in read_records(file)[1])
    return {text(record["structure_sha256"]) for record in records if text(record["status"]) == "ok"}


def _is_packed(file: Path) -> bool:
    return file.suffix == ".xz"
