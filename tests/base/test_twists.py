"""Meshes of the Brillouin zone."""

import numpy as np

from jovium.base.twists import monkhorst_pack


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
