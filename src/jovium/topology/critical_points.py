"""Critical points of a periodic field with the persistence that tells features from noise."""

from dataclasses import dataclass
from math import inf

import numpy as np
from jaxtyping import Float

from jovium.base.errors import InputError
from jovium.base.grid import GridField
from jovium.topology.morse_complex import CriticalCells, persistent_cells
from jovium.topology.refine import refine
from jovium.topology.torus_graph import flat_values

KINDS = ("maximum", "bond", "ring", "cage")
"""Names by number of positive Hessian eigenvalues (Bader's (3,-3), (3,-1), (3,+1), (3,+3))."""


@dataclass(frozen=True)
class CriticalPoint:
    """One critical point: position (bohr), field value, kind, and persistence (field units).

    Persistence is the change of isovalue over which the feature the point opens or closes exists; infinite for the
    eight classes of the torus. refined: position and value are those of a zero of the interpolated gradient with the
    signature of the kind; otherwise they are the grid point and the grid value where the feature appears.
    """

    position: Float[np.ndarray, "3"]
    value: float
    kind: str
    persistence: float
    refined: bool


@dataclass(frozen=True)
class CriticalPoints:
    """The critical points that survive a persistence threshold, in descending order of their grid value."""

    points: tuple[CriticalPoint, ...]
    persistence_threshold: float

    def filter(self, persistence: float) -> "CriticalPoints":
        """The points whose persistence is at least this."""
        points = tuple(point for point in self.points if point.persistence >= persistence)
        return CriticalPoints(points, max(persistence, self.persistence_threshold))

    def _count(self, kind: str) -> int:
        return sum(point.kind == kind for point in self.points)

    @property
    def maxima(self) -> int:
        """Number of maxima."""
        return self._count("maximum")

    @property
    def bonds(self) -> int:
        """Number of bond points (saddles that rise in one direction)."""
        return self._count("bond")

    @property
    def rings(self) -> int:
        """Number of ring points (saddles that rise in two directions)."""
        return self._count("ring")

    @property
    def cages(self) -> int:
        """Number of cage points (minima)."""
        return self._count("cage")

    @property
    def morse_sum(self) -> int:
        """maxima - bonds + rings - cages: the Euler characteristic of the torus, 0."""
        return self.maxima - self.bonds + self.rings - self.cages


def critical_points(field: GridField, *, persistence: float = 0.02) -> CriticalPoints:
    """Critical points of `field` whose persistence is at least `persistence` (field units).

    Discrete Morse theory on the periodic cubical complex: the Morse sum is exactly 0 for every field and every
    threshold, and the 1 + 3 + 3 + 1 classes of the torus always remain (a constant field has only those). Pairs of no
    persistence at all, which plateaus can hold, are never reported.
    Raises InputError for a negative or NaN persistence or an axis with fewer than 2 points.
    """
    if not 0 <= persistence < inf:
        raise InputError(f"persistence {persistence}", "a finite number >= 0", "0.02 suits an ELF; 0 keeps everything")
    if min(field.shape) < 2:
        raise InputError(f"a grid of {field.shape} points", "at least 2 points along every axis", "use a finer grid")
    cells = persistent_cells(flat_values(field.values), field.shape)
    selected = np.flatnonzero((cells.persistence >= persistence) & (cells.persistence > 0))
    return CriticalPoints(_refine_cells(field, cells, selected), float(persistence))


def _refine_cells(field: GridField, cells: CriticalCells, selected: np.ndarray) -> tuple[CriticalPoint, ...]:
    indices = np.stack(np.unravel_index(cells.voxel[selected], field.shape), -1)
    events = field.cell.cartesian(indices / np.array(field.shape))
    critical = refine(field, events, cells.value[selected], cells.dimension[selected])
    positions = field.cell.wrap(critical.positions)
    columns = (positions, critical.values, cells.dimension[selected], cells.persistence[selected], critical.success)
    return tuple(
        CriticalPoint(position, float(value), KINDS[dimension], float(persistence), bool(is_refined))
        for position, value, dimension, persistence, is_refined in zip(*columns, strict=True)
    )
