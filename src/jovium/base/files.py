"""Files that are either whole or not there."""

import json
import math
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from jovium.base.errors import InputError, OutputError, reason


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block succeeds and vanishes when it does not.

    Raises OutputError when the disk is full or the place cannot be written; the old file is then untouched.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")  # process ids repeat on other machines
    try:
        if path.is_dir():
            raise IsADirectoryError(21, "is a directory", str(path))
        yield part
        with open(part, "rb") as written:
            os.fsync(written.fileno())
        os.replace(part, path)
    except OSError as error:
        raise _output_error(path, error) from error
    finally:
        with suppress(OSError):
            part.unlink()


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a text file as a whole or not at all. Raises OutputError."""
    with atomic_write(path) as part, open(part, "w", encoding="utf-8") as stream:
        stream.writelines(lines)


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented JSON, as a whole or not at all. Raises OutputError."""
    write_lines(path, [json_text(value, indent=2), "\n"])


def json_text(value: object, **style: Any) -> str:
    """JSON, in which a number that is not finite is null: there is no other one that every reader takes."""
    return json.dumps(_finite(value), allow_nan=False, **style)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def append_durably(path: Path, text: str) -> None:
    """Append `text` and wait until it is on the disk; half a line that a kill or a full disk left at the end goes.
    Raises OutputError when it cannot be written."""
    try:
        with path.open("ab+") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
            if file.read() not in (b"", b"\n"):
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _output_error(path, error) from error


def read_journal(path: Path, what: str = "a journal") -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """The JSON objects of a file, one a line, and a warning where lines are broken, which are left out; half a line at
    the end is not there yet. Raises InputError when there is no such file; what: it is, for the message."""
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", what, "check the path") from error
    rows = []
    for line in lines:
        with suppress(ValueError):
            row = json.loads(line)
            rows += [row] if isinstance(row, dict) else []
    n_broken = len(lines) - len(rows)
    return rows, ((f"{n_broken} of {len(lines)} lines of {path} are broken and left out",) if n_broken else ())


@contextmanager
def sole_writer(path: Path) -> Iterator[None]:
    """Hold an advisory lock on the file `path` (made empty when it is not there) while the block runs.

    Raises InputError when another process holds it, OutputError when the file cannot be opened for writing.
    """
    import fcntl

    try:
        file = path.open("a")
    except OSError as error:
        raise _output_error(path, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(file.fileno()), path.stat()):
                raise OSError("replaced while it was opened")
        except OSError as error:
            raise InputError(
                f"{path} is being written by another process", "one writer at a time", "wait for it or end it"
            ) from error
        yield


def existing_folder(path: Path) -> Path:
    """The folder `path`, made when it is not there yet. Raises OutputError when it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _output_error(path, error) from error
    return path


def require_other_file(output: Path, source: Path) -> None:
    """Raise InputError when writing `output` would replace `source`, what it is made from."""
    with suppress(OSError):
        if os.path.samefile(output, source):
            raise InputError(
                f"{output} as the output is the input {source} itself", "another file", "give another name"
            )


def _output_error(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{path}: {error.strerror or reason(error)}",
        "a place with room that can be written",
        "free some space, or write to another folder",
    )
