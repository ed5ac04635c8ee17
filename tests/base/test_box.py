"""Differences of places in a cell: the nearest image, and smooth periodic functions of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jovium.base.box import Box, nearest_images
from jovium.base.cell import Cell
from jovium.base.errors import InputError

CELLS = {
    "cubic": Cell(np.eye(3) * 4.2),
    "triclinic": Cell(np.array([[5.0, 0.0, 0.0], [1.5, 4.6, 0.0], [0.7, 0.9, 5.2]])),
}


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


@pytest.fixture(params=CELLS)
def cell(request):
    return CELLS[request.param]


@pytest.fixture
def box(cell):
    return Box.periodic(cell, 0.0)


def test_pairs_within_the_reach_are_nearest_images(cell, box):
    places = np.random.default_rng(0).normal(size=(2, 40, 3)) * 6
    displacements = np.asarray(box.displacements(*places), float).reshape(-1, 3)
    expected = cell.minimum_image((places[0][:, None] - places[1]).reshape(-1, 3))
    near = np.linalg.norm(expected, axis=1) < box.reach
    assert near.sum() > 50
    np.testing.assert_allclose(displacements[near], expected[near], atol=1e-5)


def test_smooth_differences_are_those_of_close_particles(box):
    """Vector and square are r and r^2, but for terms of order r^3 and r^4."""
    directions = np.random.default_rng(1).normal(size=(20, 3))
    for size, tolerance in ((0.1, 2e-2), (0.01, 2e-3)):
        r = size * directions / np.linalg.norm(directions, axis=1)[:, None]
        displacements, squares = box.periodic_displacements(r, np.zeros((1, 3)))
        np.testing.assert_allclose(displacements[:, 0], r, atol=tolerance * size)
        np.testing.assert_allclose(squares[:, 0], size**2, rtol=tolerance)


def test_smooth_differences_do_not_know_which_cell_a_particle_is_in(cell, box):
    places = np.random.default_rng(2).random((2, 5, 3)) @ cell.vectors
    shift = np.array([2, -1, 3]) @ cell.vectors
    for found, expected in zip(
        box.periodic_displacements(places[0] + shift, places[1]), box.periodic_displacements(*places), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_smooth_square_is_zero_at_images_alone(cell, box):
    places = np.random.default_rng(3).random((2000, 3)) @ cell.vectors
    _, squares = box.periodic_displacements(places, np.zeros((1, 3)))
    far = np.linalg.norm(cell.minimum_image(places), axis=1) > 0.5
    assert np.asarray(squares)[far].min() > 0.05


def test_open_space_has_plain_differences():
    one, other = np.random.default_rng(4).normal(size=(2, 4, 3))
    displacements, squares = Box.open(3, 5.0).periodic_displacements(one, other)
    np.testing.assert_allclose(displacements, one[:, None] - other, atol=1e-6)
    np.testing.assert_allclose(squares, np.sum((one[:, None] - other) ** 2, axis=-1), rtol=1e-5)


@pytest.mark.parametrize("reach", [0.0, -1.0, float("nan"), float("inf")])
def test_a_space_needs_a_reach(reach):
    with pytest.raises(InputError, match="positive reach"):
        Box.open(3, reach)


def test_nearest_images_of_a_triclinic_cell_are_those_of_the_reduced_one(cell):
    """Within half the smallest height a displacement has one image that rounding finds, whatever cells it spans."""
    short = np.random.default_rng(3).normal(size=(50, 3))
    short *= 0.49 * cell.heights.min() / np.linalg.norm(short, axis=1).max()
    cells = np.random.default_rng(4).integers(-3, 4, (50, 3)) @ cell.vectors
    np.testing.assert_allclose(nearest_images(jnp.asarray(short + cells), cell.vectors), short, atol=1e-10)
