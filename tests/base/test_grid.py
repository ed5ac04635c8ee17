"""Grid fields: spectral calculus is exact for band-limited fields, the spline is C2, in a triclinic cell."""

import numpy as np
import pytest

from jovium.base.errors import FormatError, InputError
from jovium.base.grid import GridField, same_grid

WAVES = np.array([[1, 0, 0], [0, -1, 1], [2, 1, -1], [0, 2, 2]])
AMPLITUDES = np.array([0.7, -0.4, 0.3, 0.2])
PHASES = np.array([0.3, 1.1, -0.8, 2.0])
SHAPES = [(5, 7, 9), (6, 8, 10), (5, 8, 9)]


def analytic(cell, points):
    """1.5 + sum A cos(G . r + phase): value, gradient and Hessian at Cartesian points."""
    vectors = WAVES @ cell.reciprocal
    angles = points @ vectors.T + PHASES
    value = 1.5 + np.cos(angles) @ AMPLITUDES
    gradient = -(np.sin(angles) * AMPLITUDES) @ vectors
    hessian = -np.einsum("...w,wa,wb->...ab", np.cos(angles) * AMPLITUDES, vectors, vectors)
    return value, gradient, hessian


def band_limited(cell, shape):
    grid = GridField(np.zeros(shape), cell)
    return GridField(analytic(cell, grid.points())[0], cell)


def test_first_index_runs_along_the_first_lattice_vector(odd_cell):
    field = GridField(np.zeros((5, 7, 9)), odd_cell)
    np.testing.assert_allclose(field.points()[1, 0, 0], odd_cell.vectors[0] / 5)
    np.testing.assert_allclose(field.points()[2, 3, 4], [2 / 5, 3 / 7, 4 / 9] @ odd_cell.vectors)
    np.testing.assert_allclose(field.spacings, odd_cell.lengths / [5, 7, 9])


@pytest.mark.parametrize("shape", SHAPES)
def test_integral_is_the_constant_times_the_volume(odd_cell, shape):
    assert band_limited(odd_cell, shape).integral() == pytest.approx(1.5 * odd_cell.volume, rel=1e-13)


@pytest.mark.parametrize("shape", SHAPES)
def test_spectral_gradient_is_exact_for_a_band_limited_field(odd_cell, shape):
    field = band_limited(odd_cell, shape)
    expected = np.moveaxis(analytic(odd_cell, field.points())[1], -1, 0)
    np.testing.assert_allclose(field.gradient(), expected, atol=1e-12)


def test_gradient_of_the_nyquist_wave_vanishes_on_the_grid(odd_cell):
    values = np.ones((4, 5, 6)) * np.array([1.0, -1, 1, -1])[:, None, None]
    np.testing.assert_allclose(GridField(values, odd_cell).gradient(), 0, atol=1e-12)


@pytest.mark.parametrize("coarse", SHAPES)
@pytest.mark.parametrize("fine", [(10, 12, 15), (9, 11, 14)])
def test_resampling_a_band_limited_field_is_exact_both_ways(odd_cell, coarse, fine):
    field = band_limited(odd_cell, coarse)
    resampled = field.resample(fine)
    np.testing.assert_allclose(resampled.values, band_limited(odd_cell, fine).values, atol=1e-12)
    np.testing.assert_allclose(resampled.resample(coarse).values, field.values, atol=1e-12)


@pytest.mark.parametrize("shape", [(4, 6, 8), (5, 6, 7)])
def test_any_field_survives_a_finer_grid_and_back(odd_cell, shape):
    values = np.random.default_rng(3).normal(size=shape)  # white noise: all Nyquist terms present
    field = GridField(values, odd_cell)
    back = field.resample((12, 13, 16)).resample(shape)
    np.testing.assert_allclose(back.values, values, atol=1e-12)


def test_resampled_grid_passes_through_shared_points(odd_cell):
    values = np.random.default_rng(4).normal(size=(4, 5, 6))
    np.testing.assert_allclose(
        GridField(values, odd_cell).resample((8, 10, 12)).values[::2, ::2, ::2], values, atol=1e-12
    )


def test_supercell_repeats_the_field(odd_cell):
    field = band_limited(odd_cell, (5, 7, 9))
    large = field.supercell((2, 1, 3))
    assert large.integral() == pytest.approx(6 * field.integral())
    np.testing.assert_allclose(large.values, analytic(odd_cell, large.points())[0], atol=1e-12)


def test_interpolant_passes_through_the_grid_points(odd_cell):
    field = GridField(np.random.default_rng(5).random((5, 7, 9)), odd_cell)
    np.testing.assert_allclose(field.interpolant().value(field.points()), field.values, atol=1e-12)


def test_interpolant_is_periodic(odd_cell):
    spline = GridField(np.random.default_rng(6).random((5, 7, 9)), odd_cell).interpolant()
    r = np.random.default_rng(1).uniform(-9, 9, (20, 3))
    shifted = r + np.array([2, -1, 3]) @ odd_cell.vectors
    np.testing.assert_allclose(spline.value(shifted), spline.value(r), atol=1e-11)


def test_interpolant_converges_to_the_analytic_value_gradient_and_hessian(odd_cell):
    r = np.random.default_rng(2).uniform(-9, 9, (40, 3))
    exact = analytic(odd_cell, r)
    errors = []
    for n in (24, 48):
        found = band_limited(odd_cell, (n, n, n)).interpolant().value_gradient_hessian(r)
        errors.append([np.abs(f - e).max() for f, e in zip(found, exact, strict=True)])
    coarse, fine = np.array(errors)
    assert np.all(fine < [1e-4, 1e-3, 3e-2])
    # Orders 4, 3 (or better) and 2 of the cubic spline: halving the spacing gains at least 2^(order - 0.7).
    assert np.all(coarse / fine > [10, 5, 2.4])


def test_interpolant_derivatives_are_those_of_its_value(odd_cell):
    spline = GridField(np.random.default_rng(8).random((5, 7, 9)), odd_cell).interpolant()
    r = np.random.default_rng(9).uniform(0, 6, (10, 3))
    _, gradient, hessian = spline.value_gradient_hessian(r)
    step = 1e-5
    for axis in range(3):
        e = step * np.eye(3)[axis]
        slope = (spline.value(r + e) - spline.value(r - e)) / (2 * step)
        curvature = (spline.gradient(r + e) - spline.gradient(r - e)) / (2 * step)
        np.testing.assert_allclose(slope, gradient[:, axis], atol=1e-7)
        np.testing.assert_allclose(curvature, hessian[:, axis], atol=2e-3)  # the third derivative jumps at knots
    np.testing.assert_allclose(hessian, np.swapaxes(hessian, -1, -2), atol=1e-12)


def test_second_derivative_is_continuous_across_a_knot(odd_cell):
    spline = GridField(np.random.default_rng(10).random((5, 7, 9)), odd_cell).interpolant()
    knot = np.array([[2 / 5, 0.31, 0.77]]) @ odd_cell.vectors
    side = 1e-9 * odd_cell.vectors[:1]
    before, after = (spline.value_gradient_hessian(knot + s * side)[2] for s in (-1, 1))
    np.testing.assert_allclose(before, after, atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_counted_and_refused(odd_cell, bad):
    values = np.ones((3, 4, 5))
    values[1, 2, 3] = values[0, 0, 0] = bad
    with pytest.raises(FormatError, match="2 grid values that are NaN or infinite"):
        GridField(values, odd_cell)


@pytest.mark.usefixtures("unchecked_signatures")
def test_flat_array_is_no_field(odd_cell):
    with pytest.raises(FormatError, match="nx, ny, nz"):
        GridField(np.ones(60), odd_cell)


def test_fields_of_different_cells_or_grids_do_not_mix(odd_cell):
    field = GridField(np.ones((3, 4, 5)), odd_cell)
    with pytest.raises(InputError, match="same grid"):
        same_grid(field, GridField(np.ones((3, 5, 4)), odd_cell))
    with pytest.raises(InputError, match="same grid"):
        same_grid(field, GridField(np.ones((3, 4, 5)), odd_cell.supercell((2, 1, 1))))
