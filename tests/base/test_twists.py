"""Meshes of the Brillouin zone, and twists along the reciprocal vectors of any cell."""

import numpy as np
import pytest

from jovium.base.cell import Cell
from jovium.base.twists import monkhorst_pack, twist_grid

TRICLINIC = Cell(np.array([[5.0, 0.0, 0.0], [1.5, 4.6, 0.0], [0.7, 0.9, 5.2]]))
VECTORS = TRICLINIC.vectors


@pytest.mark.parametrize("n", [1, 2, 3])
def test_twists_are_a_grid_that_is_its_own_opposite(n):
    """n^3 of them; with t there is -t; three of them have no twist among them."""
    grid = twist_grid(VECTORS, n) @ np.linalg.inv(TRICLINIC.reciprocal @ TRICLINIC.reciprocal.T / (2 * np.pi)).T
    assert len(grid) == n**3
    for twist in grid:
        assert np.abs(grid + twist).max(axis=1).min() < 1e-9
    assert (np.abs(grid).max(axis=1) < 1e-9).any() == (n % 2 == 1)


def test_twists_of_two_lie_at_quarters():
    fractional = twist_grid(VECTORS, 2) @ VECTORS.T / (2 * np.pi)
    np.testing.assert_allclose(np.abs(fractional), 0.25, atol=1e-12)


def test_a_mesh_of_one_is_no_twist_and_any_mesh_is_symmetric():
    assert not monkhorst_pack((1, 1, 1)).any()
    points = monkhorst_pack((2, 3, 4))
    assert sorted(map(tuple, points)) == sorted(map(tuple, -points + 0.0))


def test_even_meshes_are_those_shifted_by_half_a_step():
    shifted = monkhorst_pack((2, 4, 4), 0.5)
    wrapped = shifted - np.ceil(shifted - 0.5)
    assert sorted(map(tuple, wrapped)) == sorted(map(tuple, monkhorst_pack((2, 4, 4))))


def test_a_mesh_integrates_every_wave_it_does_not_repeat():
    """sum_k exp(2 pi i k.m) = 0 for 0 < |m_i| < n_i, in any direction."""
    points = monkhorst_pack((3, 4, 2))
    for m in ([1, 0, 0], [2, 3, 1], [0, -3, 0]):
        assert abs(np.exp(2j * np.pi * points @ m).sum()) < 1e-12
