"""What the browser draws: atoms, cell and a small copy of the ELF, as plain values to embed in the page."""

from __future__ import annotations

import base64
import re
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from jovium.base.errors import InputError
from jovium.base.grid import GridField
from jovium.base.units import BOHR_ANGSTROM
from jovium.report.analysis import number

if TYPE_CHECKING:
    from jovium.base.structure import Structure
    from jovium.report.analysis import Analysis
    from jovium.topology.critical_points import CriticalPoint
    from jovium.topology.network import Threshold

MAX_POINTS_PER_AXIS = 64
"""Largest picture grid: 64^3 points of 16 bits are 0.7 MB of base64, and a surface redraws within a second."""

MIN_POINTS_PER_AXIS = 48
"""Smallest picture grid: straight pieces between fewer points make surfaces and contours kinked."""

MAX_LEVEL = 65535
"""ELF 1 as an unsigned 16-bit integer: values are kept to 8e-6."""

MAX_OVERSHOOT = 0.01
"""How far outside [0, 1] a spline or a network may stray before the field is no ELF."""


def picture(analysis: Analysis) -> dict[str, object]:
    """Everything the page's scripts need, in angstrom. Raises InputError when the field is not an ELF."""
    structure = analysis.structure
    path = _angstrom(analysis.path.path.points) if analysis.path else []
    return {
        "analysis": analysis.to_json(),
        "structure": {
            "symbols": list(structure.symbols),
            "numbers": [_atomic_number(symbol) for symbol in structure.symbols],
            "positions": _angstrom(structure.cell.wrap(structure.positions)),
            "cell": _angstrom(structure.cell.vectors),
        },
        "bohr_angstrom": BOHR_ANGSTROM,
        "grid": _encode(picture_grid(analysis.elf)),
        "levels": [
            {"name": name, **_mark(point, structure)}
            for name, point in analysis.thresholds().items()
            if point is not None and number(point.value) is not None
        ],
        "points": [
            *({"kind": point.kind, **_mark(point, structure)} for point in analysis.critical_points.points),
            *({"kind": "path", "position": position} for position in path),
        ],
    }


def picture_grid(elf: GridField) -> GridField:
    """The ELF on MIN_POINTS_PER_AXIS to MAX_POINTS_PER_AXIS points per axis, clipped to [0, 1].

    By cubic splines, not by Fourier: an ELF is not band-limited and rings when its spectrum is cut.
    Raises InputError when a value lies outside [0, 1] by more than MAX_OVERSHOOT.
    """
    low, high = float(elf.values.min()), float(elf.values.max())
    if low < -MAX_OVERSHOOT or high > 1 + MAX_OVERSHOOT:
        raise InputError(
            f"a field with values from {low:.4g} to {high:.4g}",
            "an electron localization function, between 0 and 1",
            "give the page an ELF; density and other fields are not drawn",
        )
    nx, ny, nz = (min(max(n, MIN_POINTS_PER_AXIS), MAX_POINTS_PER_AXIS) for n in elf.shape)
    return GridField(np.clip(elf.spline((nx, ny, nz)).values, 0.0, 1.0), elf.cell)


def composition(symbols: tuple[str, ...]) -> str:
    """Numbers of atoms, hydrogen last, as hydrides are written: 1 Ca, 1 Y, 18 H."""
    counts = Counter(symbols)
    ordered = sorted(counts, key=lambda symbol: (symbol in ("H", "D", "T"), symbol))
    return ", ".join(f"{counts[symbol]} {symbol}" for symbol in ordered)


def _encode(field: GridField) -> dict[str, object]:
    quantised = np.rint(field.values * MAX_LEVEL).astype("<u2")
    data = base64.b64encode(quantised.tobytes()).decode("ascii")
    return {"shape": list(field.shape), "levels": MAX_LEVEL, "data": data}


def _mark(point: Threshold | CriticalPoint, structure: Structure) -> dict[str, object]:
    """Value of a point and where it is in the cell."""
    position = structure.cell.wrap(np.asarray(point.position, dtype=float)[None])
    return {"value": number(point.value), "position": _angstrom(position)[0]}


def _angstrom(bohr: np.ndarray) -> list[list[float]]:
    return (np.asarray(bohr, dtype=float) * BOHR_ANGSTROM).tolist()


def _atomic_number(symbol: str) -> int:
    from ase.data import atomic_numbers

    # Files label sites ("H1", "Ca_sv"); an unknown label is drawn as element 0.
    match = re.match(r"[A-Z][a-z]?", symbol)
    element = match.group() if match else symbol
    return 1 if element in ("D", "T") else atomic_numbers.get(element, 0)
