"""A bar on standard error for long work."""

from collections.abc import Iterable, Iterator
from typing import Any


def progress(items: Iterable[Any], name: str = "sampling") -> Iterator[Any]:
    """The items, with a bar when somebody watches."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(list(items), name, console=console, disable=not console.is_terminal, transient=True)
