"""Critical points of one field found again in another."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from jovium.base.cell import Cell
from jovium.topology.critical_points import KINDS, CriticalPoints


@dataclass(frozen=True)
class Matching:
    """How many critical points were expected, how many the other field has, and how many of these are the same."""

    expected: int
    found: int
    matched: int


def matching(expected: CriticalPoints, found: CriticalPoints, cell: Cell, within: float) -> Matching:
    """Points of equal kind at most `within` (bohr) apart, every point in one pair at most, as many pairs as can be."""
    pairs = 0
    for kind in KINDS:
        one, other = (np.array([p.position for p in points.points if p.kind == kind]) for points in (expected, found))
        if len(one) and len(other):
            distances = np.linalg.norm(cell.minimum_image(one[:, None] - other), axis=-1)
            close = distances <= within
            rows, columns = linear_sum_assignment(close, maximize=True)
            pairs += int(close[rows, columns].sum())
    return Matching(len(expected.points), len(found.points), pairs)
