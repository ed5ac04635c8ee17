"""Text files of numbers: reading with errors a user can act on, writing that never leaves half a file."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from jaxtyping import Float

from jovium.base.errors import FormatError, JoviumError, reason
from jovium.base.grid import GridField
from jovium.base.structure import Structure

VALUE_FORMAT = " %16.9E"
"""Ten significant digits: a field survives a round trip to 1e-9 of each value. The blank parts wide exponents."""

COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".z", ".zip", ".7z", ".tgz")
_TOUCHING = re.compile(r"(?<=[\d.])(?=[+-]\d*\.)")  # a sign after a digit begins a number that has a point


CUT = "the file ends without a line break: its last number may be cut short"

_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+|nan|inf)(?:[ed][+-]?\d+)?)(?=[\s+-]|$)", re.IGNORECASE)

Frame = Callable[[Path], tuple[Structure, dict[str, Any]]]
"""Reads one structure of a file and the values that its comment names; called with what errors call it."""


class Parsed(NamedTuple):
    """What a file holds: structure, field, header lines that may name its author, the code its format implies, and why
    the values cannot be used although the structure can."""

    structure: Structure
    field: GridField
    header: tuple[str, ...]
    code: str | None
    warnings: tuple[str, ...]
    refusal: FormatError | None = None


def open_file(path: Path) -> BinaryIO:
    """A file opened for reading. Raises FormatError when it is missing, not a file, or unreadable."""
    if not path.exists():
        raise FormatError(f"no file {path}", "an existing file", "check the path")
    if not path.is_file():
        raise FormatError(f"{path} is not a file", "a text file", "name the file inside the directory")
    try:
        return path.open("rb")
    except OSError as error:
        raise FormatError(f"{path}: {reason(error)}", "a readable file", "check its permissions") from error


def read_text(path: Path) -> str:
    """Contents of a text file. Raises FormatError when it is missing, not a file, unreadable, empty or binary."""
    with open_file(path) as stream:
        content = stream.read()
    require_text(content, path)
    return content.decode("utf-8-sig", errors="replace")


def require_text(content: bytes, path: Path) -> None:
    """Raise FormatError for the beginning of a file that is empty or binary."""
    if not content.strip():
        raise FormatError(f"{path} is empty", "a file with data", "run the calculation that writes it again")
    if b"\0" in content:
        raise FormatError(
            f"{path} is a binary file", "text (cube, ELFCAR, XSF or a structure)", "decompress or re-export it"
        )


@contextmanager
def format_errors(path: Path, kind: str) -> Iterator[None]:
    """Turn the IndexError or ValueError of a header that is not what a `kind` file has into a FormatError."""
    try:
        yield
    except JoviumError:
        raise
    except (IndexError, ValueError) as error:
        raise FormatError(
            f"{path}: header that cannot be read ({reason(error)})",
            f"a complete {kind} file",
            "check that the file is complete and of the type its name says",
        ) from error


def numbers(text: str, count: int, path: Path) -> Float[np.ndarray, "count"]:
    """The `count` numbers that `text` consists of. Raises FormatError for a different number or a word."""
    tokens = text.split()
    try:
        values = np.array(tokens, dtype=float)
    except ValueError:
        tokens = split_numbers(text)
        whole = tokens[:-1] if len(tokens) < count else tokens  # a cut goes through the last number
        values = np.array([_grid_number(token, path) for token in whole])
    if len(tokens) != count:
        problem = "truncated: " if len(tokens) < count else ""
        raise FormatError(
            f"{path}: {problem}{len(tokens)} grid values", f"{count} values", "copy or compute the file again"
        )
    return values


def leading_numbers(text: str) -> list[float]:
    """The numbers that a line begins with, some perhaps glued to the sign of the next as Fortran writes them."""
    found, at = [], 0
    while match := _NUMBER.match(text, at):
        found.append(float(re.sub("[Dd]", "E", match.group(1))))
        at = match.end()
    return found


def three_numbers(text: str) -> list[float]:
    """The three numbers that a line begins with. Raises ValueError for another line."""
    found = leading_numbers(text)[:3]
    if len(found) < 3:
        raise ValueError(f"'{text.strip()}' where three numbers should be")
    return found


def split_numbers(text: str) -> list[str]:
    """The words of a text; numbers of a fixed width that touch (0.12E+00-0.34E+00) are parted before their signs."""
    return _TOUCHING.sub(" ", text).split()


def floats(line: str, count: int | None = None) -> list[float]:
    """The numbers of a line of a header, or the first `count`. Raises ValueError for a word."""
    return [fortran_number(word) for word in split_numbers(line)[:count]]


def fortran_number(word: str) -> float:
    """A number as Fortran or C writes it. Raises ValueError for a word."""
    # Fortran drops the E of three-digit exponents (0.12345-104) and writes D for double precision.
    return float(re.sub(r"(?<=\d)([+-]\d{3})$", r"E\1", word.replace("D", "E").replace("d", "e")))


def _grid_number(word: str, path: Path) -> float:
    try:
        return fortran_number(word)
    except ValueError:
        raise FormatError(
            f"{path}: '{word}' where a number should be", "numbers only", "check that the file was not cut or mixed up"
        ) from None


def require_plain_name(path: Path) -> None:
    """Raise FormatError for the name of a compressed file: what is written is plain text."""
    if path.suffix.lower() in COMPRESSED:
        raise FormatError(
            f"the output name {path.name}",
            "a name without the ending of a compressed file: what is written is plain text",
            f"write {path.stem} and compress it afterwards",
        )


def value_lines(flat: Float[np.ndarray, "n"], per_line: int) -> Iterator[str]:
    """Lines of `per_line` numbers each."""
    for start in range(0, len(flat), per_line):
        row = flat[start : start + per_line]
        yield (VALUE_FORMAT * len(row)) % tuple(row) + "\n"


def vector_line(vector: Float[np.ndarray, "3"], width: int = 22, digits: int = 14) -> str:
    """The line of a vector."""
    return "".join(f"{x:{width}.{digits}f}" for x in vector) + "\n"
