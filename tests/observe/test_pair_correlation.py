"""g(r) of ideal gases and crystals, on cubic and triclinic cells."""

import numpy as np
import pytest

from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.base.structure import Structure
from jovium.crystals import crystal
from jovium.observe.pair_correlation import pair_correlation, pair_histogram, radial_distribution


@pytest.mark.parametrize("triclinic", [False, True])
def test_ideal_gas_has_g_equal_to_one(odd_cell, triclinic):
    cell = odd_cell if triclinic else Cell(np.eye(3) * 6.0)
    rng = np.random.default_rng(5)
    gases = [Structure(cell, cell.cartesian(rng.random((20, 3))), ("H",) * 20) for _ in range(300)]
    result = pair_correlation(gases, 10)
    assert np.abs((result.g - 1) / result.error)[2:].max() < 4.5
    assert result.g[3:] == pytest.approx(np.ones(7), abs=0.05)


def test_simple_cubic_crystal_has_six_neighbours_at_the_lattice_constant():
    lattice = crystal("sc", 1.4).supercell((4, 4, 4))
    a = crystal("sc", 1.4).cell.lengths[0]
    edges = np.linspace(0, 2 * a, 41)
    g = pair_histogram(lattice, edges)
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    neighbours = g * shells * (lattice.n_atoms - 1) / lattice.cell.volume
    assert np.cumsum(neighbours)[np.searchsorted(edges, 1.2 * a) - 1] == pytest.approx(6)
    assert np.cumsum(neighbours)[np.searchsorted(edges, 1.6 * a) - 1] == pytest.approx(18)


def test_distances_beyond_half_the_cell_are_refused(odd_structure):
    with pytest.raises(InputError, match="half the height"):
        pair_histogram(odd_structure, np.linspace(0, 10, 5))


def test_one_configuration_is_no_average(odd_structure):
    with pytest.raises(InputError, match="at least two"):
        pair_correlation([odd_structure])


@pytest.mark.parametrize("triclinic", [False, True])
def test_uniform_pairs_of_walkers_have_g_equal_to_one(odd_cell, triclinic):
    cell = odd_cell if triclinic else Cell(np.eye(3) * 6.0)
    between = np.random.default_rng(6).random((20, 8, 40, 3)) - 0.5
    images = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    distances = np.linalg.norm((between[..., None, :] + images) @ cell.vectors, axis=-1).min(axis=-1)
    found = radial_distribution(distances, cell, 10)
    assert np.abs((found.g - 1) / found.error)[2:].max() < 4.5
    assert found.g[4:].mean() == pytest.approx(1, abs=0.03)
