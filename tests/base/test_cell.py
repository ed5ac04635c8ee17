"""Cells: wrapping, minimum images, reciprocal vectors, on triclinic cells with no two edges alike."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jovium.base.cell import Cell
from jovium.base.errors import StructureError

SHEAR = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]], dtype=float)
cells = st.builds(
    lambda edges, shear: Cell(np.diag(edges) + SHEAR * shear),
    arrays(float, 3, elements=st.floats(4.0, 9.0)),
    arrays(float, (3, 3), elements=st.floats(-1.9, 1.9)),
)
points = arrays(float, (4, 3), elements=st.floats(-30, 30, allow_subnormal=False))


@settings(deadline=None, max_examples=60)
@given(cells, points)
def test_wrapped_point_is_a_lattice_image_inside_the_cell(cell, r):
    wrapped = cell.wrap(r)
    shifts = cell.fractional(wrapped - r)
    inside = cell.fractional(wrapped)
    np.testing.assert_allclose(shifts, np.round(shifts), atol=1e-9)
    assert inside.min() > -1e-9
    assert inside.max() < 1 + 1e-9


@settings(deadline=None, max_examples=60)
@given(cells, points)
def test_wrapping_twice_changes_nothing_but_the_side_of_a_face(cell, r):
    once = cell.wrap(r)
    shift = cell.fractional(cell.wrap(once) - once)
    np.testing.assert_allclose(shift, np.round(shift), atol=1e-9)
    settled = np.all(np.abs(cell.fractional(once) - np.round(cell.fractional(once))) > 1e-9, axis=1)
    np.testing.assert_allclose(shift[settled], 0, atol=1e-9)


def test_point_just_outside_a_face_wraps_to_zero(odd_cell):
    wrapped = odd_cell.wrap(odd_cell.cartesian(np.array([[-1e-17, 0.5, 0.25]])))
    assert odd_cell.fractional(wrapped)[0, 0] < 0.5


@settings(deadline=None, max_examples=60)
@given(cells, points)
def test_minimum_image_is_the_shortest_of_five_cubed_images(cell, displacements):
    shortest = np.linalg.norm(cell.minimum_image(displacements), axis=-1)
    within = cell.cartesian(cell.fractional(displacements) - np.round(cell.fractional(displacements)))
    images = np.array(list(product(range(-2, 3), repeat=3))) @ cell.vectors
    brute = np.linalg.norm(within[:, None] + images, axis=-1).min(axis=1)
    np.testing.assert_allclose(shortest, brute, atol=1e-9)


def test_minimum_image_is_exact_in_a_strongly_sheared_cell():
    sheared = Cell(np.array([[4.0, 0, 0], [13.0, 5.0, 0], [-9.0, 11.0, 6.0]]))
    displacements = np.random.default_rng(7).uniform(-20, 20, (50, 3))
    images = np.array(list(product(range(-9, 10), repeat=3))) @ sheared.vectors
    reduced = sheared.cartesian(sheared.fractional(displacements) % 1.0)
    brute = np.linalg.norm(reduced[:, None] + images, axis=-1).min(axis=1)
    np.testing.assert_allclose(np.linalg.norm(sheared.minimum_image(displacements), axis=-1), brute, atol=1e-9)


def test_minimum_image_keeps_the_shape_of_its_argument(odd_cell):
    displacements = np.random.default_rng(0).normal(size=(2, 3, 3)) * 9
    images = odd_cell.minimum_image(displacements)
    assert images.shape == (2, 3, 3)
    np.testing.assert_allclose(images[1, 2], odd_cell.minimum_image(displacements[1, 2]))


@settings(deadline=None, max_examples=60)
@given(cells)
def test_reciprocal_vectors_are_dual_to_the_lattice_rows(cell):
    np.testing.assert_allclose(cell.vectors @ cell.reciprocal.T, 2 * np.pi * np.eye(3), atol=1e-9)


def test_lattice_vectors_are_rows(odd_cell):
    # The point (1, 0, 0) is the first row; with columns it would be (5.1, 1.2, -0.9).
    np.testing.assert_allclose(odd_cell.cartesian(np.array([1.0, 0, 0])), [5.1, 0.3, -0.4])
    np.testing.assert_allclose(odd_cell.fractional(odd_cell.vectors), np.eye(3), atol=1e-14)
    np.testing.assert_allclose(odd_cell.reciprocal[0] @ odd_cell.vectors[1], 0, atol=1e-14)


def test_volume_does_not_depend_on_the_handedness(odd_cell):
    left_handed = Cell(odd_cell.vectors[[1, 0, 2]])
    assert left_handed.volume == pytest.approx(odd_cell.volume)
    a, b, c = odd_cell.vectors
    assert odd_cell.volume == pytest.approx(abs(a @ np.cross(b, c)))


def test_reduced_vectors_span_the_same_lattice(odd_cell):
    transform = odd_cell.fractional(odd_cell.reduced)
    np.testing.assert_allclose(transform, np.round(transform), atol=1e-9)
    assert abs(np.linalg.det(transform)) == pytest.approx(1)


def test_supercell_multiplies_rows(odd_cell):
    double = odd_cell.supercell((1, 2, 3))
    np.testing.assert_allclose(double.vectors[2], 3 * odd_cell.vectors[2])
    assert double.volume == pytest.approx(6 * odd_cell.volume)


def test_grid_is_fine_enough_along_every_axis_and_made_of_small_primes(odd_cell):
    shape = odd_cell.grid_shape(0.23)
    assert np.all(odd_cell.lengths / np.array(shape) <= 0.23 + 1e-12)
    for n in shape:
        for prime in (2, 3, 5):
            while n % prime == 0:
                n //= prime
        assert n == 1


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ([[1, 0, 0], [0, 1, 0], [1, 1, 0]], "span no volume"),
        ([[1, 0, 0], [0, 1, 0], [0, 0, np.nan]], "three finite vectors"),
        ([[1, 0, 0], [0, 0, 0], [0, 0, 1]], "span no volume"),
        ([[1, 0], [0, 1]], "three finite vectors"),
    ],
)
@pytest.mark.usefixtures("unchecked_signatures")
def test_degenerate_cell_is_refused(vectors, message):
    with pytest.raises(StructureError, match=message):
        Cell(np.array(vectors, dtype=float))


def test_cell_cannot_be_changed(odd_cell):
    with pytest.raises(ValueError, match="read-only"):
        odd_cell.vectors[0, 0] = 1.0


def test_heights_are_volume_over_face(odd_cell):
    a, b, c = odd_cell.vectors
    faces = [np.linalg.norm(np.cross(*pair)) for pair in ((b, c), (c, a), (a, b))]
    np.testing.assert_allclose(odd_cell.heights, odd_cell.volume / np.array(faces))


def test_cube_has_the_density_of_its_wigner_seitz_radius():
    assert Cell.cubic(7, 1.3).volume == pytest.approx(7 * 4 * np.pi / 3 * 1.3**3)
