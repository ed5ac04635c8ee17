"""The plane of the ELF in the page of a fluid."""

import numpy as np
import pytest

from jovium.base.cell import Cell
from jovium.base.structure import Structure
from jovium.report.fluid_page import _plane


@pytest.mark.parametrize("n", [2, 3, 7])
def test_the_plane_holds_the_closest_proton_and_has_orthonormal_directions(odd_cell, n):
    positions = np.random.default_rng(n).random((n, 3)) @ odd_cell.vectors
    across, up, origin = _plane(Structure(odd_cell, positions, ("H",) * n))
    np.testing.assert_allclose([across @ across, up @ up, across @ up], [1, 1, 0], atol=1e-12)
    apart = odd_cell.minimum_image(positions[1:] - positions[0])
    nearest = apart[np.argmin(np.linalg.norm(apart, axis=1))]
    np.testing.assert_allclose(positions[0] + 0.5 * nearest, origin, atol=1e-12)
    assert abs(nearest @ across) == pytest.approx(np.linalg.norm(nearest))


def test_protons_in_a_row_have_a_plane_too():
    cell = Cell(np.eye(3) * 6.0)
    across, up, _ = _plane(Structure(cell, np.array([[0, 0, 0], [1.4, 0, 0], [-2.0, 0, 0]]), ("H",) * 3))
    assert abs(across @ up) < 1e-12
    assert np.linalg.norm(up) == pytest.approx(1)
