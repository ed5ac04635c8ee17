"""How far sites are occupied, in whatever form a file says it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jovium.base.errors import FormatError

TOLERANCE = 1e-3
"""How far an occupation may be from 1."""

NAMES = ("occupancy", "occupancies", "occupation", "occupations", "occ")


def named_occupations(*sources: Mapping[str, Any]) -> list[Any]:
    """The values in `sources` whose name says that they are occupations."""
    return [value for source in sources for name, value in source.items() if name.lower() in NAMES]


def require_ordered(occupations: Any, name: Path | str) -> None:
    """Raise FormatError unless every site is taken by one atom of occupation 1.

    occupations: numbers, their text (. and ? of CIF count as 1) or None, in any nesting of lists, arrays and
    dictionaries. name: of the file, for the message.
    """
    for value in _flat(occupations):
        try:
            share = 1.0 if value in (None, ".", "?") else float(value)
        except (TypeError, ValueError):
            share = float("nan")
        if not abs(share - 1) <= TOLERANCE:
            raise FormatError(
                f"{name}: partly occupied sites: an occupation of {value}",
                "an ordered structure, every occupation 1",
                "choose one ordered configuration",
            )


def _flat(occupations: Any) -> Iterator[Any]:
    if isinstance(occupations, Mapping):
        occupations = list(occupations.values())
    if isinstance(occupations, list | tuple) or np.ndim(occupations) > 0:
        for value in occupations:
            yield from _flat(value)
    else:
        yield occupations
