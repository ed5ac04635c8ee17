"""The file of labels: one HDF5 file, flat arrays with offsets, written one structure at a time and never torn.

Row i of every per-structure dataset is structure i; its atoms are rows atom_offset[i] to atom_offset[i + 1] of
`positions` and `forces`, its grid points elements grid_offset[i] to grid_offset[i + 1] of `elf` and `density`. Every
dataset carries its unit and meaning, the file its protocol. A failed structure that is tried again gets a new row.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Int

from jovium import __version__
from jovium.base.errors import FormatError, InputError
from jovium.base.files import atomic_write
from jovium.labels.journal import JournalledFile, PagedFile, snapshot
from jovium.labels.record import (
    COLUMNS,
    ELF_SCALE,
    Label,
    LabelProtocol,
    Record,
    label_of,
    record_sha256,
)

FORMAT = "jovium labels 1"
LIBRARY_VERSIONS = ("v110", "v110")
"""HDF5 1.10 and later can read the file."""

CHUNKS = {"structure": 32, "atom": 512, "point": 16384}
OFFSETS = {"atom": "atom_offset", "point": "grid_offset"}
ABOUT_THE_FILE = ("title", "jovium_version", "created", "licence")
"""Attributes in which two files of one protocol may differ."""


Identity = tuple[str, str, str]
"""structure_sha256, group and split of a row."""


class LabelWriter:
    """The one process that adds to a file of labels; makes the file when it is not there.

    Raises InputError when the file holds labels of another protocol or another process writes it, FormatError when it
    is no file of labels or damaged, OutputError when it cannot be written.
    """

    def __init__(self, path: Path, label_protocol: LabelProtocol):
        self.path = path
        self._file = JournalledFile(path)
        try:
            if self._file.length == 0:
                with self._file.transaction() as stream, h5py.File(stream, "w", libver=LIBRARY_VERSIONS) as h5:
                    _lay_out(h5, _about(label_protocol))
            with Labels(path) as labels:
                _require_same_protocol(labels, {"format": FORMAT, **label_protocol.attributes()})
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "LabelWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the file for other writers."""
        self._file.close()

    def append(self, record: Record) -> None:
        """Commit one record: after this returns it is on the disk. Raises OutputError when the disk is full."""
        with self._file.transaction() as stream, h5py.File(stream, "r+") as h5:
            _append(h5, record)


class Labels:
    """The committed labels of a file, read one at a time: `labels[i]`, `len(labels)`, `labels.select(split="train")`.

    Indices count the structures with an ok label. `columns` holds every per-structure dataset by row, `ok` the rows of
    the labels, `failed` the rows of structures that have none, `attributes` the protocol and what the file says of
    itself. A label is checked against its sha256 whenever it is read. Raises InputError for a missing file,
    FormatError for a file that is cut off, damaged or something else.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        with ExitStack() as stack:
            stream = stack.enter_context(snapshot(self.path))
            self._h5 = stack.enter_context(_opened(stream, self.path))
            with _damage_as_format_error(self.path):
                self.attributes: dict[str, Any] = {key: _plain(value) for key, value in self._h5.attrs.items()}
                names = [c.name for c in COLUMNS if c.per == "structure"] + ["sha256", *OFFSETS.values()]
                self.columns = {name: _dataset(self._h5, name)[:] for name in names}
                self._require_consistent()
            self._open = stack.pop_all()
        self.ok, self.failed = _latest(self.columns["structure_sha256"], self.columns["status"])

    def __enter__(self) -> "Labels":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._open.close()

    def __len__(self) -> int:
        return len(self.ok)

    def __iter__(self) -> Iterator[Label]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> Label:
        return label_of(self.checked_record(int(self.ok[index])))

    def select(self, *, split: str | None = None, group: str | None = None) -> Int[np.ndarray, "n"]:
        """Indices of the labels in a split or group. Raises InputError when the file has no such split or group."""
        chosen = np.ones(len(self), dtype=bool)
        for name, value in (("split", split), ("group", group)):
            column = self.columns[name][self.ok]
            if value is not None and value.encode() not in column:
                known = ", ".join(sorted(word.decode() for word in set(column.tolist())))
                raise InputError(f"no {name} '{value}' in {self.path}", f"one of: {known}", "choose one of them")
            if value is not None:
                chosen &= column == value.encode()
        return np.flatnonzero(chosen)

    @property
    def n_rows(self) -> int:
        """Rows of the file: labels, failures and failures that were mended later."""
        return len(self.columns["status"])

    def record(self, row: int) -> Record:
        """Everything stored in one row, unchecked. Raises FormatError when it cannot be read."""
        record: Record = {}
        with _damage_as_format_error(self.path):
            for column in COLUMNS:
                if column.per == "structure":
                    record[column.name] = np.array(self.columns[column.name][row], dtype=column.dtype)
                else:
                    start, end = self.columns[OFFSETS[column.per]][row : row + 2]
                    record[column.name] = _dataset(self._h5, column.name)[start:end]
        return record

    def checked_record(self, row: int) -> Record:
        """Everything stored in one row. Raises FormatError when it is not what was written."""
        record = self.record(row)
        if record_sha256(record).encode() != self.columns["sha256"][row]:
            raise FormatError(
                f"{self.path}: row {row} does not match its sha256", "the arrays as written", "copy or label it again"
            )
        return record

    def protocol_attributes(self) -> dict[str, Any]:
        """The attributes that two files of one protocol share."""
        return {key: value for key, value in self.attributes.items() if key not in ABOUT_THE_FILE}

    def identities(self) -> list[Identity]:
        """structure_sha256, group and split of every row."""
        columns = [self.columns[name].tolist() for name in ("structure_sha256", "group", "split")]
        return [(a.decode(), b.decode(), c.decode()) for a, b, c in zip(*columns, strict=True)]

    def _require_consistent(self) -> None:
        if self.attributes.get("format") != FORMAT:
            raise ValueError(f"format {self.attributes.get('format')!r} in place of {FORMAT!r}")
        for name, values in self.columns.items():
            if len(values) != self.n_rows + (name in OFFSETS.values()):
                raise ValueError(f"{len(values)} rows of {name} for {self.n_rows} structures")
        for column in COLUMNS:
            dataset = _dataset(self._h5, column.name)
            if dataset.dtype != np.dtype(column.dtype):
                raise ValueError(f"{column.name} of type {dataset.dtype}")
            if column.per != "structure":
                offsets = self.columns[OFFSETS[column.per]]
                if offsets[0] != 0 or offsets[-1] != len(dataset) or (np.diff(offsets) < 0).any():
                    raise ValueError(f"{OFFSETS[column.per]} that does not fit {len(dataset)} rows of {column.name}")


def merge(path: Path, shards: Sequence[Path]) -> tuple[int, int]:
    """Collect the labels of `shards`, and of `path` itself where it exists, into `path`, as a whole or not at all.

    Every structure once, an ok label before a failed one, in the order of group, step and identity: the result does
    not depend on how the work was divided. Returns the numbers of labels and of failures. Raises InputError for
    different protocols or one structure or group in two splits, FormatError for a damaged shard or record.
    """
    sources = [path] * path.exists() + [shard for shard in shards if shard.resolve() != path.resolve()]
    if not sources:
        raise InputError("no shards", "at least one file of labels", "name the files to merge")
    with ExitStack() as stack:
        opened = [stack.enter_context(Labels(source)) for source in sources]
        for labels in opened[1:]:
            _require_same_protocol(labels, opened[0].protocol_attributes())
        rows = _merged_rows(opened)
        conflicts = split_conflicts([identity for labels in opened for identity in labels.identities()])
        if conflicts:
            raise InputError(conflicts[0], "every structure and group in one split", "mend the splits and label again")
        with atomic_write(path) as part, h5py.File(part, "w", libver=LIBRARY_VERSIONS) as h5:
            _lay_out(h5, {**opened[0].attributes, "created": _now()})
            for labels, row in rows:
                _append(h5, labels.checked_record(row))
    failed = sum(labels.columns["status"][row] == b"failed" for labels, row in rows)
    return len(rows) - failed, failed


def split_conflicts(identities: Sequence[Identity]) -> list[str]:
    """Sentences about structures and groups that lie in two splits: a test that is in the training data is none."""
    found: dict[tuple[str, str], set[str]] = {}
    for structure, group, split in identities:
        found.setdefault(("structure", structure), set()).add(split)
        if group:
            found.setdefault(("group", group), set()).add(split)
    return [
        f"{kind} {name[:96]} is in the splits {' and '.join(sorted(splits))}"
        for (kind, name), splits in found.items()
        if len(splits) > 1
    ]


def _merged_rows(sources: Sequence[Labels]) -> list[tuple[Labels, int]]:
    chosen: dict[bytes, tuple[Labels, int]] = {}
    for kind in ("ok", "failed"):
        for labels in sources:
            for row in getattr(labels, kind):
                chosen.setdefault(labels.columns["structure_sha256"][row], (labels, int(row)))

    def order(item: tuple[Labels, int]) -> tuple[bytes, int, bytes]:
        columns, row = item[0].columns, item[1]
        return columns["group"][row], int(columns["step"][row]), columns["structure_sha256"][row]

    return sorted(chosen.values(), key=order)


def _latest(structures: np.ndarray, status: np.ndarray) -> tuple[Int[np.ndarray, "n_ok"], Int[np.ndarray, "n_failed"]]:
    """Rows that count: for every structure its first ok row, or else its last failed one."""
    first_ok: dict[bytes, int] = {}
    last_failed: dict[bytes, int] = {}
    for row, (structure, word) in enumerate(zip(structures.tolist(), status.tolist(), strict=True)):
        if word == b"ok":
            first_ok.setdefault(structure, row)
        else:
            last_failed[structure] = row
    failed = [row for structure, row in last_failed.items() if structure not in first_ok]
    return np.array(list(first_ok.values()), dtype=int), np.array(sorted(failed), dtype=int)


def _about(label_protocol: LabelProtocol) -> dict[str, object]:
    return {
        "title": "Labels of dense hydrogen: ELF, density, energies, forces, stress",
        "format": FORMAT,
        **label_protocol.attributes(),
        "jovium_version": __version__,
        "created": _now(),
        "licence": "CC-BY-4.0",
    }


def _lay_out(h5: h5py.File, attributes: dict[str, object]) -> None:
    """Empty datasets with their units, and the attributes of the file."""
    for key, value in attributes.items():
        h5.attrs[key] = value
    sha256 = ("sha256", "S64", "structure", "", "checksum of the row, see jovium.labels.record.record_sha256")
    columns = [(c.name, c.dtype, c.per, c.unit, c.meaning, c.shape) for c in COLUMNS]
    for name, dtype, per, unit, meaning, shape in [*columns, (*sha256, ())]:
        dataset = h5.create_dataset(
            name, shape=(0, *shape), maxshape=(None, *shape), dtype=dtype, chunks=(CHUNKS[per], *shape)
        )
        dataset.attrs.update({"unit": unit, "meaning": meaning, "per": per})
    h5["elf"].attrs.update({"scale": 1 / ELF_SCALE, "maximal_error": 0.51 / ELF_SCALE})
    for per, name in OFFSETS.items():
        dataset = h5.create_dataset(name, data=np.zeros(1, "<i8"), maxshape=(None,), chunks=(256,))
        dataset.attrs.update(
            {"unit": "", "meaning": f"first {per} of every structure, and the end", "per": "structure"}
        )


def _append(h5: h5py.File, record: Record) -> None:
    counts = {"atom": len(record["positions"]), "point": len(record["elf"])}
    for column in COLUMNS:
        values = record[column.name]
        _extend(_dataset(h5, column.name), values[None] if column.per == "structure" else values)
    _extend(_dataset(h5, "sha256"), np.array([record_sha256(record).encode()]))
    for per, name in OFFSETS.items():
        dataset = _dataset(h5, name)
        _extend(dataset, np.array([dataset[-1] + counts[per]]))


def _extend(dataset: h5py.Dataset, values: np.ndarray) -> None:
    start = len(dataset)
    dataset.resize(start + len(values), axis=0)
    dataset[start:] = values


def _dataset(h5: h5py.File, name: str) -> h5py.Dataset:
    found = h5[name]
    if not isinstance(found, h5py.Dataset):
        raise ValueError(f"{name} is no dataset")
    return found


def _require_same_protocol(labels: Labels, asked: dict[str, object]) -> None:
    held = labels.protocol_attributes()
    different = [key for key in {**held, **asked} if held.get(key) != asked.get(key)]
    if different:
        raise InputError(
            f"{labels.path} holds labels with " + ", ".join(f"{key} {held.get(key, 'unset')}" for key in different),
            "one protocol: " + ", ".join(f"{key} {asked.get(key, 'unset')}" for key in different),
            "give another file name, or the protocol the file was started with",
        )


@contextmanager
def _opened(stream: PagedFile, path: Path) -> Iterator[h5py.File]:
    with _damage_as_format_error(path):
        if stream.length == 0:
            raise ValueError("empty")
        h5 = h5py.File(stream, "r")
    with h5:
        yield h5


@contextmanager
def _damage_as_format_error(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise FormatError(
            f"{path}: {error}",
            "a whole file of labels (jovium reference label)",
            "copy it again, or move it away and repeat the labels",
        ) from error


def _plain(value: object) -> object:
    """An attribute as the plain value it was written from."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
