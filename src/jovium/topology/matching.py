"""Critical points that two fields have in common."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from jovium.base.cell import Cell
from jovium.topology.critical_points import KINDS, CriticalPoints


@dataclass(frozen=True)
class Matching:
    """Numbers of critical points of the reference, of the prediction, and of the pairs at the same place."""

    n_reference: int
    n_predicted: int
    n_matched: int


def match(reference: CriticalPoints, predicted: CriticalPoints, cell: Cell, tolerance: float) -> Matching:
    """Points of equal kind at most `tolerance` (bohr) apart, each in one pair at most, as many pairs as can be."""
    pairs = 0
    for kind in KINDS:
        left, right = (
            np.array([p.position for p in points.points if p.kind == kind]) for points in (reference, predicted)
        )
        if len(left) and len(right):
            distances = np.linalg.norm(cell.minimum_image(left[:, None] - right), axis=-1)
            close = distances <= tolerance
            rows, columns = linear_sum_assignment(close, maximize=True)
            pairs += int(close[rows, columns].sum())
    return Matching(len(reference.points), len(predicted.points), pairs)
