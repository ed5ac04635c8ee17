"""Spectra and correlation functions of fields whose own are known."""

import numpy as np
import pytest
from elf_residuals import Correlation, correlation, spectrum

from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.base.grid import wave_numbers

SHAPE = (20, 24, 30)


def test_a_wave_has_its_power_in_its_shell(odd_cell):
    m = np.array([2, -1, 3])
    s = np.stack(np.meshgrid(*(np.arange(n) / n for n in SHAPE), indexing="ij"), -1)
    field = 0.3 + 0.8 * np.cos(2 * np.pi * (s @ m))
    length = np.linalg.norm(m @ odd_cell.reciprocal)
    found = spectrum(field, odd_cell, np.array([0.0, 0.5 * length, 1.01 * length, 100.0]))
    np.testing.assert_allclose(found.power, [0.09, 0.32, 0.0], atol=1e-12)


def test_power_of_all_shells_is_the_mean_square(odd_cell):
    field = np.random.default_rng(0).normal(size=SHAPE)
    found = spectrum(field, odd_cell, np.linspace(0.0, 100.0, 30))
    assert found.power.sum() == pytest.approx(np.mean(field**2))
    with pytest.raises(InputError, match="rise"):
        spectrum(field, odd_cell, np.array([1.0, 0.5]))


def test_noise_smoothed_by_a_gaussian_is_correlated_over_its_width():
    """White noise convolved with exp(-r^2 / 2 w^2) has C(r) = exp(-r^2 / 4 w^2), which is 1/e at r = 2 w."""
    cell = Cell(np.array([[11.0, 0.3, -0.4], [1.2, 12.0, 0.7], [-0.9, 1.6, 12.5]]))
    shape, width = (48, 50, 54), 1.0
    m = wave_numbers(shape)
    square = np.sum((m @ cell.reciprocal) ** 2, -1)
    fields = np.random.default_rng(1).normal(size=(12, *shape))
    smooth = [np.fft.ifftn(np.fft.fftn(f) * np.exp(-(width**2) * square / 2)).real for f in fields]
    found = [correlation(f, cell) for f in smooth]
    mean = Correlation(found[0].r, np.mean([c.value for c in found], axis=0))
    assert mean.value[0] == pytest.approx(1.0, abs=0.03)
    assert mean.length == pytest.approx(2 * width, abs=0.15)
