"""The long waves of a residual: those of the label itself, and predicted from the structure.

A local model misses what atoms beyond its reach do; that residual is smooth, so a few Fourier coefficients
|G| < `largest_wave` hold most of it (arXiv:2604.26445). `low_pass` of the true residual is the most any correction
can do. `LongWaves` predicts them, from the long waves of fields that the structure alone gives, by isotropic filters:
r(G) = sum_c W_c(|G|) x_c(G), each W_c a sum of Gaussians in |G|, fitted by regularised least squares.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float

from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.base.grid import wave_numbers

N_RADIAL = 6


@dataclass(frozen=True)
class Waves:
    """The wave vectors |G| < largest_wave of a grid, G = 0 included: a mask of the spectrum and their lengths."""

    inside: np.ndarray
    lengths: Float[np.ndarray, "g"]

    @classmethod
    def from_grid(cls, cell: Cell, shape: tuple[int, ...], largest_wave: float) -> "Waves":
        """Waves of a grid of `shape` in `cell`."""
        lengths = np.linalg.norm(wave_numbers(shape) @ cell.reciprocal, axis=-1)
        inside = lengths < largest_wave
        return cls(inside, lengths[inside])


def low_pass(field: Float[np.ndarray, "nx ny nz"], cell: Cell, largest_wave: float) -> Float[np.ndarray, "nx ny nz"]:
    """The part of a field in waves shorter in |G| than `largest_wave` (1/bohr)."""
    spectrum = np.fft.fftn(field)
    spectrum[~Waves.from_grid(cell, field.shape, largest_wave).inside] = 0
    return np.fft.ifftn(spectrum).real


@dataclass(frozen=True)
class LongWaves:
    """Predicted long waves: coefficients of every filter, channels by radial functions."""

    coefficients: Float[np.ndarray, "c r"]
    largest_wave: float

    def __call__(self, channels: Float[np.ndarray, "c nx ny nz"], cell: Cell) -> Float[np.ndarray, "nx ny nz"]:
        """The correction to a field from the fields it is predicted by."""
        shape = channels[0].shape
        waves = Waves.from_grid(cell, shape, self.largest_wave)
        filters = self.coefficients @ radial_functions(waves.lengths, self.largest_wave).T
        spectrum = np.zeros(shape, dtype=complex)
        spectrum[waves.inside] = np.sum(filters * _spectra(channels, waves), axis=0)
        return np.fft.ifftn(spectrum, norm="forward").real


Example = tuple[Float[np.ndarray, "c nx ny nz"], Float[np.ndarray, "nx ny nz"], Cell]
"""Channels, residual and cell of one structure."""


def fit_long_waves(examples: Iterable[Example], largest_wave: float, ridge: float = 1e-4) -> LongWaves:
    """Filters with the least mean square error of the residuals' long waves, every structure with the same weight.

    ridge: penalty on squared coefficients, as a fraction of the mean square of the inputs. Raises InputError for no
    examples.
    """
    matrix = vector = None
    for channels, residual, cell in examples:
        waves = Waves.from_grid(cell, residual.shape, largest_wave)
        radial = radial_functions(waves.lengths, largest_wave)
        inputs = (_spectra(channels, waves)[:, None] * radial.T[None]).reshape(len(channels) * N_RADIAL, -1)
        target = np.fft.fftn(residual, norm="forward")[waves.inside]
        gram, moment = np.real(inputs @ inputs.conj().T), np.real(inputs @ target.conj())
        matrix = gram if matrix is None else matrix + gram
        vector = moment if vector is None else vector + moment
    if matrix is None or vector is None:
        raise InputError("no examples", "at least one structure to fit to", "check the splits")
    matrix = matrix + ridge * np.diag(np.diag(matrix)) + 1e-300 * np.eye(len(matrix))
    return LongWaves(np.linalg.solve(matrix, vector).reshape(-1, N_RADIAL), largest_wave)


def radial_functions(lengths: Float[np.ndarray, "g"], largest_wave: float) -> Float[np.ndarray, "g r"]:
    """Gaussians in |G| between 0 and largest_wave."""
    centres = np.linspace(0.0, largest_wave, N_RADIAL)
    return np.exp(-0.5 * ((lengths[:, None] - centres) * (N_RADIAL - 1) / largest_wave) ** 2)


def _spectra(channels: Float[np.ndarray, "c nx ny nz"], waves: Waves) -> Complex[np.ndarray, "c g"]:
    return np.fft.fftn(channels, axes=(1, 2, 3), norm="forward")[:, waves.inside]
