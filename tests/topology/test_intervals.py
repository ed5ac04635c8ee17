"""No field inside the band has a threshold outside the interval."""

import numpy as np
import pytest

from jovium.base.cell import Cell
from jovium.base.grid import GridField, wave_numbers
from jovium.topology.intervals import threshold_intervals
from jovium.topology.network import THRESHOLDS, hydrogen_network

CELL = Cell(np.array([[4.0, 0.3, -0.4], [0.8, 4.5, 0.5], [-0.6, 0.9, 4.3]]))
HYDROGENS = CELL.cartesian(np.array([[0.1, 0.2, 0.3], [0.6, 0.5, 0.9]]))


def smooth(rng, shape=(14, 15, 16)):
    m = wave_numbers(shape)
    field = np.fft.ifftn(np.fft.fftn(rng.normal(size=shape)) * np.exp(-0.3 * (m**2).sum(-1))).real
    return 0.5 + 0.15 * field / field.std()


@pytest.mark.parametrize("seed", range(8))
def test_thresholds_of_fields_inside_the_band_lie_inside_the_interval(seed):
    rng = np.random.default_rng(seed)
    values = np.clip(smooth(rng), 0, 1)
    band = 0.02 + 0.05 * rng.random(values.shape)
    inside = np.clip(values + band * rng.uniform(-1, 1, values.shape), 0, 1)
    network = hydrogen_network(GridField(values, CELL), HYDROGENS, refine=False)
    intervals = threshold_intervals(network, GridField(values, CELL), GridField(band, CELL), HYDROGENS)
    disturbed = hydrogen_network(GridField(inside, CELL), HYDROGENS, refine=False)
    for name in THRESHOLDS:
        low, high = intervals[name]
        assert low <= getattr(network, name).value <= high
        assert low <= getattr(disturbed, name).value <= high


def test_a_uniform_band_moves_every_threshold_by_its_width():
    values = np.clip(smooth(np.random.default_rng(9)), 0.1, 0.9)
    field = GridField(values, CELL)
    network = hydrogen_network(field)
    intervals = threshold_intervals(network, field, GridField(np.full(values.shape, 0.03), CELL))
    assert set(intervals) == {"phi_1d", "phi_2d", "phi_3d"}
    for name, (low, high) in intervals.items():
        value = getattr(network, name).value
        assert (low, high) == pytest.approx((value - 0.03, value + 0.03), abs=1e-12)
