"""What a network has to beat: fits of a few numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import least_squares

from jovium.base.cell import Cell
from jovium.base.grid import GridField, wave_numbers
from jovium.base.localization import elf_from_chi
from jovium.elf.invariants import REDUCED, WIDTHS
from jovium.elf.network import grid_invariants
from jovium.elf.samples import Sample


@dataclass(frozen=True)
class SuperposedAtoms:
    """ELF of the superposed densities of free atoms, by a gradient expansion of D/D0 fitted to labels.

    n(r) = sum_a exp(-2 |r - R_a|) / pi and chi = a + b s^2 + c q with the reduced gradient s and Laplacian q of n;
    (1, -40/27, 20/9) is the second-order gradient expansion, tau = tau_TF + tau_W / 9 + Laplacian n / 6; here all three
    are fitted.
    """

    coefficients: tuple[float, float, float]

    def __call__(self, sample: Sample) -> Float[np.ndarray, "nx ny nz"]:
        chi = np.tensordot(self.coefficients, reduced_derivatives(sample), axes=1)
        return elf_from_chi(np.maximum(chi, 0.0))


@dataclass(frozen=True)
class LinearModel:
    """ELF as a linear function of the invariants a field network is given, cut off at 0 and 1."""

    coefficients: Float[np.ndarray, "f"]
    constant: float
    n_widths: int

    def __call__(self, sample: Sample) -> Float[np.ndarray, "nx ny nz"]:
        fields = np.asarray(grid_invariants(sample.atoms, sample.shape, self.n_widths))
        return np.clip(np.tensordot(self.coefficients, fields, axes=1) + self.constant, 0.0, 1.0)


def fit_linear_model(samples: Sequence[Sample], n_widths: int = len(WIDTHS), every: int = 41) -> LinearModel:
    """Least squares in the ELF over every `every`-th grid point of the samples."""
    fields = [grid_invariants(sample.atoms, sample.shape, n_widths) for sample in samples]
    inputs = np.concatenate([np.asarray(field).reshape(len(field), -1)[:, ::every] for field in fields], axis=1)
    elf = np.concatenate([sample.elf.ravel()[::every] for sample in samples])
    solution = np.linalg.lstsq(np.vstack([inputs, np.ones_like(elf)]).T.astype(float), elf, rcond=None)[0]
    return LinearModel(solution[:-1], float(solution[-1]), n_widths)


def fit_superposed_atoms(samples: Sequence[Sample], every: int = 101) -> SuperposedAtoms:
    """Least squares in the ELF over every `every`-th grid point of the samples."""
    inputs = np.concatenate([reduced_derivatives(sample).reshape(3, -1)[:, ::every] for sample in samples], axis=1)
    elf = np.concatenate([sample.elf.ravel()[::every] for sample in samples])

    def residual(coefficients: Float[np.ndarray, "3"]) -> Float[np.ndarray, "p"]:
        return elf_from_chi(np.maximum(coefficients @ inputs, 0.0)) - elf

    a, b, c = least_squares(residual, [1.0, -0.5, 0.5]).x
    return SuperposedAtoms((float(a), float(b), float(c)))


def reduced_derivatives(sample: Sample) -> Float[np.ndarray, "3 nx ny nz"]:
    """1, s^2 = |grad n|^2 / (4 C n^(8/3)) and q = Laplacian n / (4 C n^(5/3)) of the superposed atoms."""
    density = superposed_density(sample.structure.cell, sample.structure.positions, sample.shape)
    n = np.maximum(density.values, 1e-6)
    laplacian = _laplacian(density)
    s2 = np.sum(density.gradient() ** 2, axis=0) / (REDUCED * n ** (8 / 3))
    return np.stack([np.ones_like(n), s2, laplacian / (REDUCED * n ** (5 / 3))])


def superposed_density(cell: Cell, positions: Float[np.ndarray, "n 3"], shape: tuple[int, int, int]) -> GridField:
    """sum_a exp(-2 |r - R_a|) / pi on a grid, from the form factor (1 + G^2/4)^-2 of the atom."""
    waves = _waves(cell, shape)
    fractional = cell.fractional(positions)
    frequencies = [np.fft.fftfreq(n, 1 / n) for n in shape]
    x, y, z = (np.exp(-2j * np.pi * fractional[:, i, None] * frequencies[i]) for i in range(3))
    factor = np.einsum("ax,ay,az->xyz", x, y, z, optimize=True)
    series = factor / (1 + np.sum(waves**2, -1) / 4) ** 2 / cell.volume
    return GridField(np.fft.ifftn(series, norm="forward").real, cell)


def _laplacian(field: GridField) -> Float[np.ndarray, "nx ny nz"]:
    square = np.sum(_waves(field.cell, field.shape) ** 2, -1)
    return np.fft.ifftn(-square * np.fft.fftn(field.values)).real


def _waves(cell: Cell, shape: tuple[int, int, int]) -> Float[np.ndarray, "nx ny nz 3"]:
    m = wave_numbers(shape)
    return m @ cell.reciprocal
