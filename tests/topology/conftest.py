"""The two cells every topological statement is checked in."""

import numpy as np
import pytest

from jovium.base.cell import Cell


@pytest.fixture(params=["cubic", "odd"])
def any_cell(request, odd_cell) -> Cell:
    """A cubic cell, where everything looks right, and the odd cell, where it has to be."""
    return odd_cell if request.param == "odd" else Cell(6.0 * np.eye(3))
