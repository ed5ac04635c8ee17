"""Subcommands and the arguments that several commands share."""

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jovium.base.errors import InputError, reason
from jovium.training.settings import FINITE, SEED, Check

if TYPE_CHECKING:
    from rich.console import Console


def named_path(text: str) -> Path:
    """The path that an argument names. Raises InputError for none, which would be the folder at hand, and for a name
    that no file can have."""
    if not text:
        raise InputError("an empty name of a file or folder", "a name", "check the names on the command line")
    try:
        Path(text).exists()
    except OSError as error:
        raise InputError(
            f"{text[:40]}...: {reason(error)}"[:160], "the name of a file or folder", "shorten it"
        ) from error
    return Path(text)


def refuse_unused(options: argparse.Namespace, names: str, case: str, do: str) -> None:
    """Raise InputError for those of the options that the command line holds: in this case they have no effect."""
    given = [name for name in names.split() if getattr(options, name, None) not in (None, False)]
    if given:
        written = ", ".join("--" + name.replace("_", "-") for name in given)
        raise InputError(f"{written} {case}", "options that have an effect", do)


def add_command(
    commands: Any, name: str, run: Callable[..., int], help_text: str, description: str, **paths: str
) -> argparse.ArgumentParser:
    """A subcommand. paths: its positional arguments by destination, each "METAVAR" or "METAVAR: help"."""
    parser = commands.add_parser(name, help=help_text, description=description)
    for destination, text in paths.items():
        metavar, _, about = text.partition(": ")
        parser.add_argument(destination, metavar=metavar, type=named_path, help=about or None)
    parser.set_defaults(run=run)
    return parser


def add_json(parser: argparse.ArgumentParser, what: str = "print one JSON object") -> None:
    """The option --json; what: its help."""
    parser.add_argument("--json", action="store_true", help=what)


def add_number(
    parser: Any, option: str, default: Any, what: str = "", metavar: str = "N", check: Check = FINITE
) -> None:
    """An option that is a number of the type of its default, which its help names."""
    text = f"{what} (default {default:g})" if what else None
    number = checked(option, type(default), check)
    parser.add_argument(option, type=number, default=default, metavar=metavar, help=text)


NOT_NEGATIVE = Check("a finite number, 0 or more", lambda value: value >= 0 and FINITE.holds(value))
WORKERS = Check("1 to 1000", lambda value: 1 <= value <= 1000)


def add_seed(parser: Any, default: int = 1) -> None:
    """The option --seed."""
    add_number(parser, "--seed", default, "of the random numbers", check=SEED)


def add_frames(parser: Any) -> None:
    """The option --frames: which structures of a file."""
    parser.add_argument("--frames", type=_frames, default=":", metavar="SLICE", help="e.g. ::10 (default: all)")


def _frames(text: str) -> str:
    try:
        parts = [int(part) if part.strip() else None for part in text.split(":")]
        slice(*parts).indices(0)
        if text.strip():
            return text
    except (ValueError, TypeError):
        pass
    raise InputError(f"--frames '{text}'", "a number or a slice of Python", "e.g. --frames -1, --frames ::10")


def checked(option: str, kind: Callable[[str], Any], check: Check) -> Callable[[str], Any]:
    """What makes the value of an option of its text. It raises InputError for a value that the check refuses."""

    def number(text: str) -> Any:
        value = kind(text)
        if not check.holds(value):
            raise InputError(f"{option} {value}", check.expected, f"give {option} another value, see --help")
        return value

    return number


def terminal(**how: Any) -> "Console":
    """Where tables and bars are shown. Names of files and groups may look like markup and are printed as they are."""
    from rich.console import Console

    return Console(markup=False, emoji=False, highlight=False, **how)


def tell(warnings: Iterable[str]) -> None:
    """Print warnings to standard error."""
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)


def given_grid(options: argparse.Namespace, least: int = 4) -> tuple[int, int, int] | None:
    """What --grid asks for, None without. Raises InputError for a grid that is too coarse or too large."""
    import math

    from jovium.base.cell import LARGEST_GRID

    if not options.grid:
        return None
    if min(options.grid) < least or math.prod(options.grid) > LARGEST_GRID:
        expected = f"three numbers >= {least}, {LARGEST_GRID:.0e} points together at most"
        raise InputError(f"--grid {' '.join(map(str, options.grid))}", expected, "e.g. --grid 48 48 48")
    return tuple(options.grid)
