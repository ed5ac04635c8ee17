"""The path of the network: known ridges, one component, the lowest point, and what does not matter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torus_fields import Waves, painted, random_waves, three_cosines

from jovium.base.cell import Cell
from jovium.base.grid import GridField
from jovium.topology.path import network_path
from jovium.topology.sweep import sweep

ODD = Cell(np.array([[5.1, 0.3, -0.4], [1.2, 6.3, 0.7], [-0.9, 1.6, 7.2]]))
ALL = slice(None)
seeds = st.integers(0, 2**32 - 1)


def voxels(field: GridField, points: np.ndarray) -> np.ndarray:
    """Whole grid coordinates of points, not folded into the cell."""
    places = field.cell.fractional(points) * field.shape
    assert np.abs(places - np.rint(places)).max() < 1e-6
    return np.rint(places).astype(int)


def values_on(field: GridField, points: np.ndarray) -> np.ndarray:
    return field.values[tuple((voxels(field, points) % field.shape).T)]


def highest_network(field: GridField) -> float:
    """The exact threshold of the voxel graph in three directions."""
    return field.values.reshape(-1)[sweep(field.values, np.empty(0, dtype=np.int64)).rank_voxels[2]]


def assert_a_path(field: GridField) -> None:
    """What every path is: three independent closed walks of single steps, connected above the threshold."""
    path = network_path(field)
    for cycle, winding in zip(path.cycles, path.windings, strict=True):
        walk = voxels(field, cycle)
        assert (np.abs(np.diff(walk, axis=0)).sum(axis=1) == 1).all()
        assert (walk[-1] - walk[0] == winding * field.shape).all()
    assert np.linalg.matrix_rank(path.windings) == 3
    assert path.lowest == values_on(field, path.points).min() == highest_network(field)
    # The path alone, everything else below it, is a network of the same height: its cycles meet.
    alone = np.full(field.shape, path.lowest - 1)
    alone[tuple((voxels(field, path.points) % field.shape).T)] = 1 + values_on(field, path.points).max()
    assert highest_network(GridField(alone, field.cell)) > path.lowest
    on_the_way = {tuple(place) for place in voxels(field, path.points) % field.shape}
    assert {tuple(place) for place in voxels(field, path.maxima)} <= on_the_way


def test_the_path_of_three_cosines_is_the_axes_through_their_maximum(any_cell):
    shift = np.array([4, 5, 7]) / (24, 25, 28)
    field = three_cosines(tuple(shift)).on_grid((24, 25, 28), any_cell)
    path = network_path(field)
    np.testing.assert_allclose(path.maxima, any_cell.cartesian((1 - shift)[None]), atol=1e-9)
    assert (np.abs(path.windings).sum(axis=0) == 1).all()
    for cycle, winding in zip(path.cycles, path.windings, strict=True):
        axis = np.flatnonzero(winding)[0]
        assert len(cycle) == field.shape[axis] + 1
        off_the_axis = np.delete(any_cell.fractional(cycle - path.maxima[0]), axis, axis=1)
        np.testing.assert_allclose(off_the_axis - np.rint(off_the_axis), 0, atol=1e-9)


def test_the_path_follows_ridges_that_are_no_axes(any_cell):
    """cos 2 pi (s1 - s2) + cos 2 pi (s2 + s3) + 0.9 cos 2 pi s3: along the edges of another cell of the lattice."""
    change = np.array([[1, -1, 0], [0, 1, 1], [0, 0, 1]])
    field = Waves(np.array([1, 1, 0.9]), change, np.zeros(3)).on_grid((40, 40, 40), any_cell)
    path = network_path(field)
    phases = [any_cell.fractional(cycle) @ change.T for cycle in path.cycles]
    for phase in phases:
        # On a ridge one phase varies and two are whole; a staircase strays an eighth from these slopes of cosines.
        off = np.sort(np.abs(phase - np.rint(phase)).max(axis=0))
        assert off[1] <= 1 / 8 + 1e-9
        assert off[2] > 0.45
    assert np.abs(path.windings @ change.T).sum(axis=1).tolist() == [1, 1, 1]


def test_the_lowest_point_is_the_saddle_at_the_threshold(any_cell):
    field = random_waves(3, 1).on_grid((30, 31, 32), any_cell)
    path = network_path(field)
    saddle = field.points().reshape(-1, 3)[sweep(field.values, np.empty(0, dtype=np.int64)).rank_voxels[2]]
    lowest = path.points[np.argmin(values_on(field, path.points))]
    assert np.linalg.norm(any_cell.minimum_image(lowest - saddle)) < 1e-9


def test_crossing_rods_are_the_path_whatever_is_beside_them():
    rods = (0.9, [(ALL, 3, 3)]), (0.8, [(3, ALL, 3)]), (0.7, [(3, 3, ALL)])
    field = GridField(painted((8, 9, 10), 0.1, *rods, (0.95, [(6, 7, ALL)]), (1.0, [(6, 1, 6)])), ODD)
    places = voxels(field, network_path(field).points) % field.shape
    assert {tuple(place) for place in places} == {tuple(p) for p in np.argwhere(field.values > 0.6) if 3 in p[:2]}


@pytest.mark.parametrize("higher", ["net", "rod"])
def test_a_net_and_a_rod_that_meet_make_one_path(higher):
    """The component that joins an older one brings its cycle along."""
    net, rod = [(ALL, 1, 1), (1, ALL, 1)], [(5, 5, ALL)]
    bridge = (0.5, [(slice(2, 6), 5, 1), (5, slice(2, 5), 1), (1, 5, 1)])
    values = painted((8, 9, 10), 0.1, bridge, (0.9 if higher == "net" else 0.8, net), (0.85, rod))
    field = GridField(values, ODD)
    assert_a_path(field)
    assert network_path(field).lowest == 0.5


@given(seeds, st.tuples(*[st.integers(1, 6)] * 3), st.sampled_from([None, 4]))
@settings(max_examples=40, deadline=None)
def test_every_path_is_closed_connected_and_as_low_as_the_threshold(seed, shape, levels):
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=shape) if levels is None else rng.integers(0, levels, size=shape).astype(float)
    assert_a_path(GridField(noise, ODD))


@given(seeds)
@settings(max_examples=15, deadline=None)
def test_every_path_of_a_smooth_field_is_one_too(seed):
    assert_a_path(random_waves(seed, 2).on_grid((15, 16, 18), ODD))


@given(seeds, st.tuples(*[st.integers(-20, 20)] * 3))
@settings(max_examples=15, deadline=None)
def test_the_path_does_not_know_the_origin(seed, shift):
    field = random_waves(seed, 2).on_grid((15, 16, 18), ODD)
    moved = GridField(np.roll(field.values, shift, axis=(0, 1, 2)), field.cell)
    here, there = network_path(field), network_path(moved)

    def places(path, by):
        return {tuple(place) for place in (voxels(field, path.points) + by) % field.shape}

    assert places(here, np.array(shift)) == places(there, 0)
    assert here.lowest == there.lowest


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 3), (2, 2, 2), (4, 5, 6)])
def test_a_constant_field_has_the_axes_as_its_path(shape):
    field = GridField(np.full(shape, 0.5), ODD)
    assert_a_path(field)
    assert sorted(len(cycle) - 1 for cycle in network_path(field).cycles) == sorted(shape)
