"""The ELF of a ground state on another grid than the engine's."""

import numpy as np

from jovium.base.cell import Cell
from jovium.base.grid import GridField
from jovium.base.localization import THOMAS_FERMI
from jovium.base.structure import Structure
from jovium.reference.kohn_sham import CHEAP
from jovium.reference.state import GroundState


def test_counts_of_a_coarse_elf_are_of_its_own_points():
    """Uniform density and tau = a cos 2 pi s1: D < 0 on half of the points of either grid, vacuum on none."""
    cell = Cell(np.array([[3.0, 0.2, 0.1], [0.1, 2.8, 0.3], [0.2, -0.1, 3.1]]))
    s = cell.fractional(GridField(np.zeros((16, 12, 10)), cell).points())
    tau = GridField(0.1 * THOMAS_FERMI * np.cos(2 * np.pi * (s[..., 0] + 0.02)), cell)
    density = GridField(np.full(tau.shape, 0.1), cell)
    structure = Structure(cell, np.zeros((1, 3)), ("H",))
    state = GroundState(structure, CHEAP, "", 0, 0, None, None, density, density, tau)
    for shape in (tau.shape, (8, 6, 5), (32, 12, 10)):
        localization = state.localization(shape)
        assert localization.elf.shape == shape
        assert localization.n_negative == np.prod(shape) / 2
        assert localization.n_vacuum == 0
