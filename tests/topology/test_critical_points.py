"""Critical points: exact counts and places, the homology of the torus, persistence against GUDHI."""

import gudhi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torus_fields import gaussians, random_waves, three_cosines

from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.base.grid import GridField
from jovium.topology.critical_points import critical_points
from jovium.topology.morse_complex import persistent_cells
from jovium.topology.network import hydrogen_network

CUBE = Cell(6.0 * np.eye(3))
seeds = st.integers(0, 2**32 - 1)
shapes = st.tuples(*[st.integers(2, 7)] * 3)


def counts(points) -> tuple[int, int, int, int]:
    return points.maxima, points.bonds, points.rings, points.cages


def noise(seed: int, shape: tuple[int, int, int], levels: int | None) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape) if levels is None else rng.integers(0, levels, size=shape).astype(float)


def test_three_cosines_have_one_maximum_three_bonds_three_rings_one_cage(any_cell):
    shift = (0.11, 0.23, 0.37)
    points = critical_points(three_cosines(shift).on_grid((24, 25, 27), any_cell), persistence=0)
    assert counts(points) == (1, 3, 3, 1)
    assert all(point.refined and point.persistence == np.inf for point in points.points)
    np.testing.assert_allclose([p.value for p in points.points], [3, 1, 1, 1, -1, -1, -1, -3], atol=1e-4)


def test_critical_points_of_three_cosines_lie_at_the_half_cell_points(any_cell):
    shift = np.array([0.11, 0.23, 0.37])
    points = critical_points(three_cosines(tuple(shift)).on_grid((24, 25, 27), any_cell))
    n_halves = {"maximum": 0, "bond": 1, "ring": 2, "cage": 3}
    for point in points.points:
        doubled = 2 * (any_cell.fractional(point.position) + shift)
        assert np.abs(doubled - np.round(doubled)).max() < 1e-3
        assert np.count_nonzero(np.round(doubled).astype(int) % 2) == n_halves[point.kind]


@given(seeds, shapes, st.sampled_from([None, 2, 5]), st.floats(0, 3))
@settings(max_examples=60, deadline=None)
def test_morse_sum_is_exactly_zero(seed, shape, levels, persistence):
    points = critical_points(GridField(noise(seed, shape, levels), CUBE), persistence=persistence)
    assert points.morse_sum == 0
    essential = [point.kind for point in points.points if point.persistence == np.inf]
    assert sorted(essential) == ["bond"] * 3 + ["cage"] + ["maximum"] + ["ring"] * 3


@given(seeds, shapes, st.sampled_from([None, 2, 5]))
@settings(max_examples=60, deadline=None)
def test_persistence_pairs_are_those_of_the_whole_complex(seed, shape, levels):
    values = noise(seed, shape, levels)
    cells = persistent_cells(values.reshape(-1), shape)
    complex_ = gudhi.PeriodicCubicalComplex(vertices=-values, periodic_dimensions=[True] * 3)
    complex_.compute_persistence(homology_coeff_field=2, min_persistence=0)
    intervals = [-complex_.persistence_intervals_in_dimension(d).reshape(-1, 2) for d in range(4)]
    for dimension in range(4):
        # A point opens an interval of its own dimension or closes one of the dimension below.
        opened = intervals[dimension]
        closed = intervals[dimension - 1] if dimension else np.empty((0, 2))
        closed = closed[np.isfinite(closed[:, 1])]
        expected = np.concatenate([opened, closed[:, ::-1]])
        mine = (cells.dimension == dimension) & (cells.persistence > 0)
        np.testing.assert_array_equal(np.sort(cells.value[mine]), np.sort(expected[:, 0]))
        expected_persistence = np.sort(np.abs(expected[:, 0] - expected[:, 1]))
        np.testing.assert_allclose(np.sort(cells.persistence[mine]), expected_persistence, atol=1e-13)


def test_persistence_threshold_drops_noise(any_cell):
    field = three_cosines((0.11, 0.23, 0.37)).on_grid((40, 41, 42), any_cell)
    shaken = GridField(field.values + np.random.default_rng(1).uniform(-0.05, 0.05, field.shape), any_cell)
    assert counts(critical_points(shaken, persistence=0.101)) == (1, 3, 3, 1)
    assert len(critical_points(shaken, persistence=0).points) > 16


def test_two_gaussians_are_two_maxima_that_join_at_their_bond(any_cell):
    centres = np.array([[0.25, 0.4, 0.3], [0.55, 0.5, 0.6]])
    grid = GridField(np.zeros((30, 33, 36)), any_cell)
    field = GridField(gaussians(centres, 0.8, any_cell, grid.points()), any_cell)
    points = critical_points(field, persistence=0.02)
    midpoint = any_cell.cartesian(centres.mean(axis=0))
    bond = min(
        (point for point in points.points if point.kind == "bond"),
        key=lambda point: np.linalg.norm(any_cell.minimum_image(point.position - midpoint)),
    )
    exact = gaussians(centres, 0.8, any_cell, midpoint[None])[0]
    assert points.maxima == 2
    assert np.linalg.norm(any_cell.minimum_image(bond.position - midpoint)) < 1e-2
    assert bond.value == pytest.approx(exact, abs=1e-4)
    assert bond.persistence == pytest.approx(1 - exact, abs=0.05)


@given(seeds)
@settings(max_examples=15, deadline=None)
def test_essential_bonds_bound_the_network_and_thresholds_are_bonds(seed):
    field = random_waves(seed, 1).on_grid((14, 15, 16), CUBE)
    network = hydrogen_network(field, refine=False)
    bonds = persistent_cells(np.ascontiguousarray(field.values).reshape(-1), field.shape)
    bond_values = bonds.value[bonds.dimension == 1]
    essential = np.sort(bonds.value[(bonds.dimension == 1) & np.isinf(bonds.persistence)])[::-1]
    phi = [network.phi_1d.value, network.phi_2d.value, network.phi_3d.value]
    assert (np.array(phi) <= essential).all()
    assert all(value in bond_values for value in phi)


@given(seeds, st.tuples(*[st.integers(-9, 9)] * 3))
@settings(max_examples=20, deadline=None)
def test_critical_points_do_not_know_the_origin(seed, shift):
    field = random_waves(seed, 2).on_grid((9, 10, 11), CUBE)
    moved = GridField(np.roll(field.values, shift, axis=(0, 1, 2)), CUBE)
    here, there = critical_points(field, persistence=0.05), critical_points(moved, persistence=0.05)
    assert counts(here) == counts(there)
    np.testing.assert_allclose(sorted(p.persistence for p in here.points), sorted(p.persistence for p in there.points))


@pytest.mark.parametrize("plateau", [0.0, 1e-12])
def test_a_flat_field_has_the_points_of_the_torus_only(odd_cell, plateau):
    values = 0.5 + plateau * np.random.default_rng(2).normal(size=(30, 31, 32))
    points = critical_points(GridField(values, odd_cell))
    assert counts(points) == (1, 3, 3, 1)


def test_a_field_with_a_plateau_of_zeros_keeps_the_morse_sum(odd_cell):
    values = np.maximum(three_cosines().on_grid((20, 21, 22), odd_cell).values, 0)
    points = critical_points(GridField(values, odd_cell))
    assert counts(points) == (1, 3, 3, 1)
    # The spline through the edge of the plateau rings by 1.5 % of the maximum.
    assert [point.value for point in points.points if point.kind == "cage"] == pytest.approx([0], abs=0.045)


@pytest.mark.parametrize("persistence", [-0.1, np.nan, np.inf])
def test_a_persistence_that_is_no_threshold_is_refused(odd_cell, persistence):
    with pytest.raises(InputError, match="persistence"):
        critical_points(GridField(np.zeros((4, 4, 4)), odd_cell), persistence=persistence)


def test_a_grid_with_a_single_layer_is_refused(odd_cell):
    with pytest.raises(InputError, match="at least 2"):
        critical_points(GridField(np.zeros((4, 1, 4)), odd_cell))
