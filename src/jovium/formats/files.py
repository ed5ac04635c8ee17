"""Text files of numbers: reading with errors a user can act on, writing that never leaves half a file."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jovium.base.errors import FormatError, JoviumError, reason
from jovium.base.grid import GridField
from jovium.base.structure import Structure

VALUE_FORMAT = " %16.9E"
"""Ten significant digits: a field survives a round trip to 1e-9 of each value. The blank parts wide exponents."""


class Parsed(NamedTuple):
    """What a file holds: structure, field, header lines that may name its author, the code its format implies."""

    structure: Structure
    field: GridField
    header: tuple[str, ...]
    code: str | None
    warnings: tuple[str, ...]


def read_text(path: Path) -> str:
    """Contents of a text file. Raises FormatError when it is missing, not a file, unreadable, empty or binary."""
    if not path.exists():
        raise FormatError(f"no file {path}", "an existing file", "check the path")
    if not path.is_file():
        raise FormatError(f"{path} is not a file", "a text file", "name the file inside the directory")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FormatError(
            f"{path}: {error.strerror or reason(error)}", "a readable file", "check its permissions"
        ) from error
    if not content.strip():
        raise FormatError(f"{path} is empty", "a file with data", "run the calculation that writes it again")
    if b"\0" in content:
        raise FormatError(
            f"{path} is a binary file", "text (cube, ELFCAR, XSF or a structure)", "decompress or re-export it"
        )
    return content.decode("utf-8", errors="replace")


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
    if len(tokens) != count:
        problem = "truncated: " if len(tokens) < count else ""
        raise FormatError(
            f"{path}: {problem}{len(tokens)} grid values", f"{count} values", "copy or compute the file again"
        )
    try:
        return np.array(tokens, dtype=float)
    except ValueError:
        return np.array([fortran_number(token, path) for token in tokens])


def fortran_number(token: str, path: Path) -> float:
    """A number as Fortran or C writes it. Raises FormatError for a word."""
    # Fortran drops the E of three-digit exponents (0.12345-104) and writes D for double precision.
    repaired = re.sub(r"(?<=\d)([+-]\d{3})$", r"E\1", token.replace("D", "E").replace("d", "e"))
    try:
        return float(repaired)
    except ValueError:
        raise FormatError(
            f"{path}: '{token}' where a number should be", "numbers only", "check that the file was not cut or mixed up"
        ) from None


def value_lines(flat: Float[np.ndarray, "n"], per_line: int) -> Iterator[str]:
    """Lines of `per_line` numbers each."""
    for start in range(0, len(flat), per_line):
        row = flat[start : start + per_line]
        yield (VALUE_FORMAT * len(row)) % tuple(row) + "\n"


def vector_line(vector: Float[np.ndarray, "3"], width: int = 22, digits: int = 14) -> str:
    """The line of a vector."""
    return "".join(f"{x:{width}.{digits}f}" for x in vector) + "\n"
