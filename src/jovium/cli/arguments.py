"""Subcommands and the arguments that several commands share."""

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from jovium.base.errors import InputError


def add_command(
    commands: Any, name: str, run: Callable[..., int], help_text: str, description: str, **paths: str
) -> argparse.ArgumentParser:
    """A subcommand. paths: its positional arguments by destination, each "METAVAR" or "METAVAR: help"."""
    parser = commands.add_parser(name, help=help_text, description=description)
    for destination, text in paths.items():
        metavar, _, about = text.partition(": ")
        parser.add_argument(destination, metavar=metavar, type=Path, help=about or None)
    parser.set_defaults(run=run)
    return parser


def add_json(parser: argparse.ArgumentParser, what: str = "print one JSON object") -> None:
    """The option --json; what: its help."""
    parser.add_argument("--json", action="store_true", help=what)


def add_number(parser: Any, option: str, default: Any, what: str = "", metavar: str = "N") -> None:
    """An option that is a number of the type of its default, which its help names."""
    text = f"{what} (default {default:g})" if what else None
    parser.add_argument(option, type=type(default), default=default, metavar=metavar, help=text)


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
