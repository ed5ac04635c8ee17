"""Refined thresholds: exact saddle values, molecules and their images, invariance, bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torus_fields import Waves, gaussians, painted, random_waves, three_cosines

from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.base.grid import GridField
from jovium.topology.network import hydrogen_network, nearest_voxels

ODD = Cell(np.array([[5.1, 0.3, -0.4], [1.2, 6.3, 0.7], [-0.9, 1.6, 7.2]]))
seeds = st.integers(0, 2**32 - 1)


def values_of(network) -> np.ndarray:
    return np.array([network.phi_1d.value, network.phi_2d.value, network.phi_3d.value])


def test_three_cosines_connect_in_all_directions_at_one(any_cell):
    field = three_cosines((0.11, 0.23, 0.37)).on_grid((21, 23, 26), any_cell)
    network = hydrogen_network(field)
    assert all(phi.refined for phi in (network.phi_1d, network.phi_2d, network.phi_3d))
    np.testing.assert_allclose(values_of(network), 1, atol=4e-5)
    assert abs(network.phi_1d.grid_value - 1) > 1e-3


def test_refinement_finds_the_saddle_where_it_is(any_cell):
    shift = np.array([0.11, 0.23, 0.37])
    network = hydrogen_network(three_cosines(tuple(shift)).on_grid((24, 25, 27), any_cell))
    saddles = any_cell.cartesian(0.5 * np.eye(3) - shift)
    for phi in (network.phi_1d, network.phi_2d, network.phi_3d):
        distance = np.linalg.norm(any_cell.minimum_image(phi.position - saddles), axis=1).min()
        assert distance < 2e-3


def test_refined_value_converges_with_the_fourth_power_of_the_spacing(any_cell):
    # The saddle sits at the same place relative to the grid points on both grids.
    errors = []
    for n in (12, 24):
        shift = tuple(np.array([0.3, 0.2, 0.4]) / n)
        errors.append(abs(hydrogen_network(three_cosines(shift).on_grid((n, n, n), any_cell)).phi_3d.value - 1))
    assert errors[0] / errors[1] > 12


def diagonal_rod() -> Waves:
    """cos 2 pi (s1 - s2) + cos 2 pi s3 + 0.1 cos 2 pi (s1 + s2).

    Ridges of height 2 + 0.1 cos 4 pi s1 run along a + b; the passes between them have the value 0.1.
    """
    return Waves(np.array([1, 1, 0.1]), np.array([[1, -1, 0], [0, 0, 1], [1, 1, 0]]), np.zeros(3))


def test_a_diagonal_rod_is_periodic_in_one_direction(any_cell):
    network = hydrogen_network(diagonal_rod().on_grid((40, 40, 20), any_cell))
    assert network.phi_1d.refined
    np.testing.assert_allclose(values_of(network), [1.9, 0.1, 0.1], atol=1e-3)


def molecule(cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    """Fractional centres of two protons 1.4 bohr apart, and of their bond midpoint, at a general place."""
    midpoint = np.array([0.31, 0.47, 0.22])
    axis = np.array([0.6, -0.5, 0.6244998])
    return midpoint + np.array([[-0.7], [0.7]]) * axis @ np.linalg.inv(cell.vectors), midpoint


def test_a_molecular_crystal_has_high_molecularity_and_no_network(any_cell):
    centres, midpoint = molecule(any_cell)
    grid = GridField(np.zeros((32, 36, 40)), any_cell)
    field = GridField(gaussians(centres, 0.6, any_cell, grid.points()), any_cell)
    network = hydrogen_network(field, any_cell.cartesian(centres))
    # Inversion about the bond midpoint makes it a critical point of the crystal, not only of the molecule.
    exact = gaussians(centres, 0.6, any_cell, any_cell.cartesian(midpoint)[None])[0]
    assert network.phi_star.refined
    assert network.phi_star.value == pytest.approx(exact, abs=2e-4)
    assert network.phi_star.value > 0.9
    assert network.phi_1d.value < 0.1


def test_one_hydrogen_connects_with_its_own_nearest_image(any_cell):
    centre = np.array([[0.31, 0.47, 0.22]])
    grid = GridField(np.zeros((32, 36, 40)), any_cell)
    field = GridField(gaussians(centre, 1.3, any_cell, grid.points()), any_cell)
    network = hydrogen_network(field, any_cell.cartesian(centre))
    halves = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])[1:] / 2
    exact = gaussians(centre, 1.3, any_cell, any_cell.cartesian(centre + halves)).max()
    assert network.phi_star.value == pytest.approx(exact, abs=2e-5)
    assert network.phi_star.value == network.phi_1d.value


def test_molecules_in_empty_space_connect_at_zero_and_not_at_a_ripple_below_it(any_cell):
    centres, _ = molecule(any_cell)
    grid = GridField(np.zeros((20, 21, 22)), any_cell)
    values = np.maximum(gaussians(centres, 0.6, any_cell, grid.points()) - 0.1, 0)
    network = hydrogen_network(GridField(values, any_cell), any_cell.cartesian(centres))
    for phi in (network.phi_1d, network.phi_2d, network.phi_3d):
        assert 0 <= phi.value < 1e-5
    assert network.phi_star.value > 0.8


def test_molecularity_knows_only_hydrogens():
    values = painted((12, 6, 6), 0.0, (0.9, [(slice(2, 5), 3, 3)]), (0.5, [(slice(5, 9), 3, 3)]))
    cell = Cell(np.diag([12.0, 6, 6]))
    bonded = hydrogen_network(GridField(values, cell), np.array([[2.0, 3, 3], [4, 3, 3]]), refine=False)
    apart = hydrogen_network(GridField(values, cell), np.array([[2.0, 3, 3], [8, 3, 3]]), refine=False)
    assert (bonded.phi_star.value, apart.phi_star.value) == (0.9, 0.5)
    assert hydrogen_network(GridField(values, cell)).phi_star is None


def test_a_hydrogen_in_a_void_connects_when_its_own_voxel_is_reached():
    values = painted((8, 8, 8), 0.9, (0.2, [(4, 4, 4)]))
    network = hydrogen_network(GridField(values, Cell(8.0 * np.eye(3))), np.array([[4.1, 3.9, 4.0]]), refine=False)
    assert network.phi_star.value == 0.2


def test_two_hydrogens_in_one_voxel_connect_there():
    values = painted((8, 8, 8), 0.1, (0.9, [(4, 4, 4)]))
    hydrogens = np.array([[4.1, 3.9, 4.0], [12.1, 4, 4]])
    assert hydrogen_network(GridField(values, Cell(8.0 * np.eye(3))), hydrogens).phi_star.grid_value == 0.9


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_refined_thresholds_keep_their_order(seed):
    values = values_of(hydrogen_network(random_waves(seed, 2).on_grid((9, 10, 11), ODD)))
    assert values[0] >= values[1] >= values[2]


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_refined_thresholds_do_not_know_the_supercell(seed):
    field = random_waves(seed, 1).on_grid((10, 11, 12), ODD)
    np.testing.assert_allclose(
        values_of(hydrogen_network(field.supercell((2, 1, 2)))), values_of(hydrogen_network(field)), atol=1e-9
    )


CHANGES_OF_CELL = [
    [[1, 1, 0], [0, 1, 0], [0, 0, 1]],
    [[1, 0, 0], [0, 0, 1], [0, -1, 1]],
    [[0, 1, 0], [1, 0, 0], [0, 0, 1]],
]


def in_two_cells(waves: Waves, unimodular: list, n: int, *, refine: bool) -> tuple[np.ndarray, np.ndarray]:
    """Thresholds of one field on n^3 points of the odd cell and of another cell of the same lattice.

    s = s' U, so m . s = (U m) . s': the voxel graph changes, the saddles do not.
    """
    change = np.array(unimodular)
    sheared = Waves(waves.amplitudes, waves.wave_vectors @ change.T, waves.phases)
    here = hydrogen_network(waves.on_grid((n, n, n), ODD), refine=refine)
    there = hydrogen_network(sheared.on_grid((n, n, n), Cell(change @ ODD.vectors)), refine=refine)
    return values_of(here), values_of(there)


@pytest.mark.parametrize("seed", [3, 4, 5])
@pytest.mark.parametrize("unimodular", CHANGES_OF_CELL)
def test_refined_thresholds_do_not_know_which_cell_of_the_lattice_was_chosen(seed, unimodular):
    here, there = in_two_cells(random_waves(seed, 1), unimodular, 40, refine=True)
    np.testing.assert_allclose(there, here, atol=1e-4)


@given(seeds, st.sampled_from(CHANGES_OF_CELL), st.booleans())
@settings(max_examples=25, deadline=None)
def test_thresholds_in_two_cells_agree_to_second_order_in_the_spacing(seed, unimodular, refine):
    waves = random_waves(seed, 1)
    here, there = in_two_cells(waves, unimodular, 24, refine=refine)
    # |f(s + d) - f(s)| <= 1/2 sum |A| (2 pi m . d)^2 at a saddle, |d| up to one step along each axis.
    steps = 2 * np.pi * np.abs(waves.wave_vectors @ np.array(unimodular).T).sum(axis=1) / 24
    assert np.abs(here - there).max() <= 0.5 * np.sum(np.abs(waves.amplitudes) * steps**2)


def test_a_constant_field_gives_the_constant_and_says_it_is_unrefined(odd_cell):
    network = hydrogen_network(GridField(np.full((5, 6, 7), 0.5), odd_cell), np.array([[0.1, 0.2, 0.3]]))
    for phi in (network.phi_1d, network.phi_2d, network.phi_3d, network.phi_star):
        assert (phi.value, phi.grid_value, phi.refined) == (0.5, 0.5, False)


def test_an_event_without_a_saddle_keeps_the_grid_value(odd_cell):
    values = painted((9, 10, 11), 0.1, (0.9, [(slice(None), 4, 5)]))
    phi = hydrogen_network(GridField(values, odd_cell)).phi_1d
    assert (phi.value, phi.refined) == (0.9, False)


def test_the_nearest_grid_point_is_nearest_in_space_not_in_fractional_coordinates():
    skewed = Cell(np.array([[4.0, 0, 0], [3.2, 2.4, 0], [0, 0, 4.0]]))
    shape = (4, 4, 4)
    points = np.random.default_rng(5).random((50, 3)) @ skewed.vectors
    grid = GridField(np.zeros(shape), skewed).points().reshape(-1, 3)
    distances = np.linalg.norm(skewed.minimum_image(points[:, None] - grid), axis=-1)
    chosen = nearest_voxels(skewed, shape, points)
    np.testing.assert_allclose(distances[np.arange(50), chosen], distances.min(axis=1), atol=1e-12)
    rounded = np.round(skewed.fractional(points) * 4).astype(int) % 4
    assert (np.ravel_multi_index(tuple(rounded.T), shape) != chosen).any()


@pytest.mark.parametrize(
    ("hydrogens", "complaint"),
    [
        ([[0.0, np.nan, 0.0]], "hydrogen 0"),
        ([[0.0, 0.0, 0.0], [np.inf, 0, 0]], "hydrogen 1"),
        ([0.0, 1.0, 2.0], r"shape \(3,\)"),
        (np.empty((0, 3)), r"shape \(0, 3\)"),
    ],
)
@pytest.mark.usefixtures("unchecked_signatures")
def test_hydrogens_that_are_no_positions_are_refused(odd_cell, hydrogens, complaint):
    field = GridField(np.zeros((4, 4, 4)), odd_cell)
    with pytest.raises(InputError, match=complaint):
        hydrogen_network(field, np.array(hydrogens))


def test_a_proton_belongs_to_the_nearest_voxel_also_in_a_skewed_cell():
    """Brute force over every grid point and its images: rounding fractional coordinates is not enough."""
    cell = Cell(np.array([[4.0, 0.0, 0.0], [3.4, 2.2, 0.0], [-3.1, 1.7, 2.4]]))
    shape = (5, 6, 7)
    rng = np.random.default_rng(4)
    points = cell.cartesian(rng.random((200, 3)))
    grid = GridField(np.zeros(shape), cell).points().reshape(-1, 3)
    distances = np.linalg.norm(cell.minimum_image(points[:, None] - grid[None]), axis=-1)
    found = nearest_voxels(cell, shape, points)
    assert distances[np.arange(200), found] == pytest.approx(distances.min(axis=1), abs=1e-12)
