"""A small asymmetric field with atoms of two elements."""

import numpy as np
import pytest

from jovium.base.grid import GridField
from jovium.base.structure import Structure


@pytest.fixture
def molecule(odd_cell) -> Structure:
    """Three atoms, hydrogen on both sides of oxygen, inside the odd cell."""
    fractional = np.array([[0.05, 0.11, 0.07], [0.31, 0.52, 0.13], [0.72, 0.21, 0.38]])
    return Structure(odd_cell, odd_cell.cartesian(fractional), ("H", "O", "H"))


@pytest.fixture
def field(odd_cell) -> GridField:
    """Random values in [0, 1] on a 5 x 7 x 9 grid: no axis can be mistaken for another."""
    return GridField(np.random.default_rng(11).random((5, 7, 9)), odd_cell)
