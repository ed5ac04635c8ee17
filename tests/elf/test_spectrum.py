"""Fourier series of a triclinic cell: grids, planes and atoms agree with sums done by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jovium.base.grid import GridField
from jovium.elf.spectrum import grid_values, half_spectrum, plane_values, resize, structure_factor, wave_vectors

SHAPES = [(8, 9, 10), (9, 10, 7)]


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def smooth(shape, seed=0):
    """Values without anything at or near the Nyquist frequency."""
    rng = np.random.default_rng(seed)
    s = np.stack(np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij"), -1)
    return sum(
        a * np.cos(2 * np.pi * (s @ m) + p)
        for a, m, p in zip(rng.normal(size=6), rng.integers(-2, 3, size=(6, 3)), rng.uniform(0, 6, 6), strict=True)
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_structure_factor_is_the_sum_over_atoms(odd_structure, shape):
    cell = odd_structure.cell
    s = cell.fractional(odd_structure.positions)
    waves = np.asarray(wave_vectors(jnp.asarray(cell.reciprocal), shape))
    direct = np.exp(-1j * waves @ odd_structure.positions.T).sum(-1)
    np.testing.assert_allclose(structure_factor(jnp.asarray(s), shape), direct, atol=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
def test_series_of_a_grid_has_the_values_of_the_grid(shape):
    values = smooth(shape)
    np.testing.assert_allclose(grid_values(half_spectrum(jnp.asarray(values)), shape), values, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_planes_of_a_finer_grid_are_those_of_the_field(odd_cell, shape):
    values = smooth(shape)
    target = (15, 12, 16)
    expected = GridField(values, odd_cell).resample(target).values[4:7]
    values = plane_values(half_spectrum(jnp.asarray(values)), shape, jnp.arange(4, 7) / target[0], target[1:])
    np.testing.assert_allclose(values, expected, atol=1e-12)


@pytest.mark.parametrize("target", [(12, 15, 16), (5, 6, 6), (8, 15, 6)])
@pytest.mark.parametrize("shape", SHAPES)
def test_resized_series_is_the_same_field(odd_cell, shape, target):
    values = smooth(shape)
    expected = GridField(values, odd_cell).resample(target).values
    values = grid_values(resize(half_spectrum(jnp.asarray(values)), shape, target), target)
    np.testing.assert_allclose(values, expected, atol=1e-12)
