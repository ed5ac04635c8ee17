"""Thresholds on the voxel graph: painted nets with known periodicity, and brute-force twins on random fields."""

import gudhi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torus_fields import highest_periodicity, painted, random_waves

from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.base.grid import GridField
from jovium.topology.network import hydrogen_network
from jovium.topology.sweep import sweep
from jovium.topology.torus_graph import WINDING_X, WINDING_Y, WINDING_Z, flat_values, split_winding

NO_LABELS = np.empty(0, dtype=np.int64)
ALL = slice(None)
CUBE = Cell(6.0 * np.eye(3))

seeds = st.integers(0, 2**32 - 1)
small_shapes = st.tuples(*[st.integers(1, 5)] * 3)


def thresholds(values: np.ndarray) -> list[float]:
    """phi_1d, phi_2d, phi_3d of the voxel graph."""
    return [float(values.reshape(-1)[voxel]) for voxel in sweep(values, NO_LABELS).rank_voxels]


def random_values(seed: int, shape: tuple[int, int, int], levels: int | None = None) -> np.ndarray:
    """White noise, on a few levels when ties are wanted."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape) if levels is None else rng.integers(0, levels, size=shape).astype(float)


def persistence_intervals(values: np.ndarray, dimension: int) -> np.ndarray:
    """GUDHI's intervals of the superlevel sets as (birth, death) in field values."""
    complex_ = gudhi.PeriodicCubicalComplex(vertices=-values, periodic_dimensions=[True] * 3)
    complex_.compute_persistence(homology_coeff_field=2, min_persistence=0)
    return -complex_.persistence_intervals_in_dimension(dimension)


def test_one_rod_is_periodic_in_one_direction():
    values = painted((9, 10, 11), 0.1, (0.9, [(ALL, 4, 5)]))
    assert thresholds(values) == [0.9, 0.1, 0.1]


def test_a_rod_is_as_high_as_its_lowest_voxel():
    values = painted((9, 10, 11), 0.1, (0.9, [(ALL, 4, 5)]), (0.4, [(7, 4, 5)]))
    assert thresholds(values) == [0.4, 0.1, 0.1]


def test_three_disjoint_rods_are_no_network_though_their_homology_has_rank_three():
    rods = (0.9, [(ALL, 1, 1)]), (0.8, [(5, ALL, 5)]), (0.7, [(9, 9, ALL)])
    values = painted((12, 12, 12), 0.1, *rods)
    assert thresholds(values) == [0.9, 0.1, 0.1]
    loops = persistence_intervals(values, 1)
    assert sorted(loops[np.isinf(loops[:, 1]), 0]) == [0.7, 0.8, 0.9]


def test_crossing_rods_are_one_network():
    values = painted((8, 8, 8), 0.1, (0.7, [(3, 3, ALL)]), (0.8, [(3, ALL, 3)]), (0.9, [(ALL, 3, 3)]))
    assert thresholds(values) == [0.9, 0.8, 0.7]


def test_two_periodic_components_that_meet_share_their_directions():
    rods = (0.5, [(5, 1, slice(1, 6))]), (0.8, [(5, ALL, 5)]), (0.9, [(ALL, 1, 1)])
    assert thresholds(painted((12, 12, 12), 0.1, *rods)) == [0.9, 0.5, 0.1]


def net(n: int, directions: str) -> list:
    """Index expressions of the rods through (n, n, n) along some of the axes."""
    return [tuple(ALL if axis == direction else n for axis in "xyz") for direction in directions]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("xyz", "xyz", [0.9, 0.9, 0.9]),
        ("xy", "xyz", [0.9, 0.9, 0.7]),
        ("x", "yz", [0.9, 0.7, 0.1]),
        ("x", "x", [0.9, 0.1, 0.1]),
    ],
)
def test_interpenetrating_nets_do_not_add_their_directions(first, second, expected):
    values = painted((8, 8, 8), 0.1, (0.9, net(0, first)), (0.7, net(4, second)))
    assert thresholds(values) == expected


def doubly_wound_rod() -> list[tuple[int, int, int]]:
    """A closed curve on a 10^3 torus that runs twice around x before it meets itself."""
    first_turn = [(x, 2, 0) for x in range(9)] + [(8, y, 0) for y in range(3, 7)] + [(9, 6, 0)]
    second_turn = [(x, 6, 0) for x in range(6)] + [(5, 6, z) for z in range(1, 4)] + [(x, 6, 3) for x in (6, 7, 8)]
    bridge = [(8, y, 3) for y in range(5, 1, -1)] + [(9, 2, 3)] + [(0, 2, z) for z in (3, 2, 1)]
    return first_turn + second_turn + bridge


@pytest.mark.parametrize("weakest", range(0, 34, 5))
def test_a_rod_that_winds_twice_is_periodic_only_once_it_is_closed(weakest):
    rod = doubly_wound_rod()
    assert len(set(rod)) == len(rod)
    values = painted((10, 10, 10), 0.1, (0.9, rod), (0.4, [rod[weakest]]))
    assert thresholds(values) == [0.4, 0.1, 0.1]
    assert highest_periodicity(values > 0.5, []) == (0, False)


def test_two_windings_along_one_direction_are_one_direction():
    rod = doubly_wound_rod()
    values = painted((10, 10, 10), 0.1, (0.5, [(3, 7, 0), (3, 8, 0), (3, 8, 9)]), (0.8, [(ALL, 8, 8)]), (0.9, rod))
    assert thresholds(values) == [0.9, 0.1, 0.1]


def test_a_field_that_does_not_vary_along_two_axes_spans_them_at_its_maximum():
    values = np.array([5.0, 1, 4, 2, 3, 0]).reshape(6, 1, 1)
    assert thresholds(values) == [5, 5, 0]


def test_a_constant_field_is_a_network_at_its_value():
    assert thresholds(np.full((4, 5, 6), 0.5)) == [0.5, 0.5, 0.5]


@given(seeds, small_shapes, st.sampled_from([None, 4]))
@settings(max_examples=40, deadline=None)
def test_thresholds_are_those_of_a_walk_through_the_universal_cover(seed, shape, levels):
    values = random_values(seed, shape, levels)
    labels = [tuple(int(n) for n in label) for label in np.random.default_rng(seed).integers(0, shape, size=(2, 3))]
    swept = sweep(values, np.array([np.ravel_multi_index(label, shape) for label in labels]))
    walks = [(t, *highest_periodicity(values >= t, labels)) for t in np.unique(values)]
    expected = [max(t for t, rank, _ in walks if rank >= r) for r in (1, 2, 3)]
    assert [values.reshape(-1)[voxel] for voxel in swept.rank_voxels] == expected
    assert values.reshape(-1)[swept.label_voxel] == max(t for t, _, connected in walks if connected)


@given(seeds, st.tuples(*[st.integers(2, 8)] * 3), st.sampled_from([None, 5]))
@settings(max_examples=40, deadline=None)
def test_merge_tree_has_the_persistence_of_the_zeroth_homology(seed, shape, levels):
    values = random_values(seed, shape, levels)
    tree = sweep(values, NO_LABELS).merge_tree
    mine = np.stack([tree.birth_value, tree.merge_value], 1)[tree.persistence > 0]
    reference = persistence_intervals(values, 0)
    np.testing.assert_array_equal(mine[np.lexsort(mine.T)], reference[np.lexsort(reference.T)])


@given(seeds, st.tuples(*[st.integers(2, 8)] * 3))
@settings(max_examples=40, deadline=None)
def test_homology_rank_of_the_whole_set_is_an_upper_bound(seed, shape):
    values = random_values(seed, shape)
    loops = persistence_intervals(values, 1)
    bounds = np.sort(loops[np.isinf(loops[:, 1]), 0])[::-1]
    assert (np.array(thresholds(values)) <= bounds).all()


def test_merge_tree_of_a_chain_is_the_one_drawn_by_hand():
    tree = sweep(np.array([5.0, 1, 4, 2, 3, 0]).reshape(6, 1, 1), NO_LABELS).merge_tree
    assert tree.birth_voxel.tolist() == [0, 2, 4]
    assert tree.birth_value.tolist() == [5, 4, 3]
    assert tree.merge_voxel.tolist() == [-1, 1, 3]
    assert tree.parent.tolist() == [-1, 0, 1]
    assert tree.persistence.tolist() == [np.inf, 3, 1]


@given(seeds, st.floats(1e-6, 2.0), st.sampled_from([None, 4]))
@settings(max_examples=60, deadline=None)
def test_thresholds_move_by_no_more_than_the_largest_error_of_the_field(seed, size, levels):
    values = random_values(seed, (6, 5, 7), levels)
    error = size * np.random.default_rng(seed + 1).uniform(-1, 1, size=values.shape)
    labels = np.array([17, 120])
    before, after = sweep(values, labels), sweep(values + error, labels)
    for old, new in zip(
        (*before.rank_voxels, before.label_voxel), (*after.rank_voxels, after.label_voxel), strict=True
    ):
        moved = abs((values + error).reshape(-1)[new] - values.reshape(-1)[old])
        assert moved <= np.abs(error).max() * (1 + 1e-12) + 1e-12


@given(seeds, st.tuples(*[st.integers(-9, 9)] * 3), st.permutations(range(3)))
@settings(max_examples=30, deadline=None)
def test_thresholds_do_not_know_the_origin_or_the_order_of_the_axes(seed, shift, axes):
    values = random_waves(seed, 2).on_grid((7, 8, 9), CUBE).values
    assert thresholds(np.roll(values, shift, axis=(0, 1, 2)).transpose(axes)) == thresholds(values)


@given(seeds, st.tuples(*[st.integers(1, 3)] * 3))
@settings(max_examples=30, deadline=None)
def test_thresholds_do_not_know_the_supercell(seed, multiples):
    field = random_waves(seed, 2).on_grid((7, 8, 9), CUBE)
    hydrogens = field.cell.cartesian(np.random.default_rng(seed).random((2, 3)))
    shifts = np.stack(np.meshgrid(*map(np.arange, multiples), indexing="ij"), -1).reshape(-1, 1, 3)
    copies = (hydrogens + field.cell.cartesian(shifts)).reshape(-1, 3)
    small = hydrogen_network(field, hydrogens, refine=False)
    large = hydrogen_network(field.supercell(multiples), copies, refine=False)
    for name in ("phi_1d", "phi_2d", "phi_3d", "phi_star"):
        assert getattr(small, name).grid_value == getattr(large, name).grid_value


@given(*[st.integers(-(2**19), 2**19)] * 3)
@settings(deadline=None)
def test_windings_add_and_split_into_their_components(x, y, z):
    winding = x * WINDING_X + y * WINDING_Y + z * WINDING_Z
    assert split_winding(winding) == (x, y, z)
    assert split_winding(-winding) == (-x, -y, -z)


def test_a_complex_field_is_refused():
    with pytest.raises(InputError, match="complex128"):
        flat_values(np.ones((2, 2, 2), dtype=complex))


def test_single_precision_gives_the_same_thresholds():
    values = random_values(3, (6, 7, 8)).astype(np.float32)
    assert (
        hydrogen_network(GridField(values, CUBE), refine=False).phi_3d.grid_value == thresholds(values.astype(float))[2]
    )
