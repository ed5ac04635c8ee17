"""Critical points are found again where they are, whatever cell they are wrapped into, and only there."""

import numpy as np
import pytest

from jovium.base.cell import Cell
from jovium.topology.critical_points import CriticalPoint, CriticalPoints
from jovium.topology.matching import match

CELL = Cell(np.array([[4.0, 0.3, -0.4], [0.8, 4.5, 0.5], [-0.6, 0.9, 4.3]]))


def points(positions, kinds):
    return CriticalPoints(
        tuple(CriticalPoint(np.array(p), 0.5, kind, 0.1, True) for p, kind in zip(positions, kinds, strict=True)), 0.02
    )


def test_every_point_is_itself_and_its_image():
    rng = np.random.default_rng(0)
    positions, kinds = CELL.cartesian(rng.random((8, 3))), ["maximum", "bond", "ring", "cage"] * 2
    moved = positions + rng.integers(-2, 3, (8, 3)) @ CELL.vectors
    order = rng.permutation(8)
    found = match(points(positions, kinds), points(moved[order], np.array(kinds)[order]), CELL, 1e-6)
    assert (found.n_reference, found.n_predicted, found.n_matched) == (8, 8, 8)


@pytest.mark.parametrize(("shift", "matched"), [(0.099, 1), (0.101, 0)])
def test_distance_decides(shift, matched):
    there = points([[0.02, 0.0, 0.0]], ["bond"])
    assert match(there, points([[0.02 - shift, 0.0, 0.0]], ["bond"]), CELL, 0.1).n_matched == matched


def test_another_kind_is_another_point():
    assert match(points([[1.0, 1, 1]], ["bond"]), points([[1.0, 1, 1]], ["ring"]), CELL, 0.5).n_matched == 0


def test_a_point_is_matched_once_and_the_pairs_are_as_many_as_can_be():
    expected = points([[0.0, 0, 0], [0.2, 0, 0]], ["maximum"] * 2)
    assert match(expected, points([[0.1, 0, 0]], ["maximum"]), CELL, 0.15).n_matched == 1
    # The greedy pair (0.2, 0.1) would leave 0 without a partner.
    assert match(expected, points([[0.11, 0, 0], [0.32, 0, 0]], ["maximum"] * 2), CELL, 0.13).n_matched == 2
    assert match(expected, points([], []), CELL, 0.13).n_matched == 0
