"""A real field on a regular grid of a periodic cell: integrals, spectral calculus, smooth interpolation."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Complex, Float

from jovium.base.cell import Cell
from jovium.base.errors import FormatError, InputError


@dataclass(frozen=True)
class GridField:
    """Values f[i, j, k] at the points (i/nx) a + (j/ny) b + (k/nz) c of a periodic cell.

    The grid is periodic: the point at i = nx is the point at i = 0 and is not stored.
    Raises FormatError when a value is not finite or the array is not three-dimensional.
    """

    values: Float[np.ndarray, "nx ny nz"]
    cell: Cell

    def __post_init__(self):
        values = np.asarray(self.values)
        if values.ndim != 3 or min(values.shape) < 1:
            raise FormatError(f"grid values of shape {values.shape}", "(nx, ny, nz)", "check the field file")
        if not np.isfinite(values).all():
            raise FormatError(
                f"{np.count_nonzero(~np.isfinite(values))} grid values that are NaN or infinite",
                "finite values everywhere",
                "recompute the field, or re-export it from the code that wrote it",
            )
        object.__setattr__(self, "values", values)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of grid points along each lattice vector."""
        nx, ny, nz = self.values.shape
        return nx, ny, nz

    @property
    def spacings(self) -> Float[np.ndarray, "3"]:
        """Distance between neighbouring points along each lattice vector, in bohr."""
        return self.cell.lengths / np.array(self.shape)

    def points(self) -> Float[np.ndarray, "nx ny nz 3"]:
        """Cartesian positions of the grid points, in bohr."""
        return self.cell.cartesian(np.moveaxis(np.indices(self.shape), 0, -1) / np.array(self.shape))

    def mean(self) -> float:
        """Cell average of the field."""
        return float(self.values.mean())

    def integral(self) -> float:
        """Integral over the cell, V/n sum f: spectrally accurate for a smooth periodic field."""
        return self.mean() * self.cell.volume

    @cached_property
    def _coefficients(self) -> Complex[np.ndarray, "nx ny nz"]:
        from scipy.fft import fftn

        return np.asarray(fftn(self.values, norm="forward"))

    def gradient(self) -> Float[np.ndarray, "3 nx ny nz"]:
        """Cartesian gradient by Fourier differentiation (1/bohr), exact for a band-limited field."""
        from scipy.fft import ifftn

        frequencies = [np.fft.fftfreq(n, 1 / n) for n in self.shape]
        for frequency, n in zip(frequencies, self.shape, strict=True):
            if n % 2 == 0:
                frequency[n // 2] = 0.0  # the derivative of the Nyquist cosine vanishes on the grid points
        gradient = np.empty((3, *self.shape))
        for axis in range(3):
            # G_axis at every wave vector m, with m @ reciprocal = G, as three broadcast one-dimensional parts.
            parts = [frequencies[a] * self.cell.reciprocal[a, axis] for a in range(3)]
            wave = parts[0][:, None, None] + parts[1][None, :, None] + parts[2][None, None, :]
            gradient[axis] = np.real(np.asarray(ifftn(1j * wave * self._coefficients, norm="forward")))
        return gradient

    def resample(self, shape: tuple[int, int, int]) -> "GridField":
        """The field on another grid of the same cell by Fourier interpolation, exact for a band-limited field.

        Nyquist terms of even grids are split between +n/2 and -n/2 so that the result is real.
        """
        from scipy.fft import ifftn

        coefficients = self._coefficients
        for axis, target in enumerate(shape):
            coefficients = _resize_spectrum(coefficients, axis, target)
        return GridField(np.real(np.asarray(ifftn(coefficients, norm="forward"))), self.cell)

    def spline(self, shape: tuple[int, int, int]) -> "GridField":
        """`interpolant` on another grid of the same cell: for a field that is not band-limited, such as an ELF."""
        from scipy.interpolate import CubicSpline

        values = np.asarray(self.values, dtype=float)
        for axis, target in enumerate(shape):
            n = values.shape[axis]
            if n != target:
                closed = np.concatenate([values, np.take(values, [0], axis)], axis)
                spline = CubicSpline(np.arange(n + 1) / n, closed, axis, bc_type="periodic")
                values = spline(np.arange(target) / target)
        return GridField(values, self.cell)

    def supercell(self, multiples: tuple[int, int, int]) -> "GridField":
        """The field repeated along each lattice vector."""
        return GridField(np.tile(self.values, multiples), self.cell.supercell(multiples))

    def interpolant(self) -> "Interpolant":
        """A twice continuously differentiable periodic interpolant through the grid values."""
        return Interpolant(self)


def _resize_spectrum(coefficients: np.ndarray, axis: int, target: int) -> np.ndarray:
    n = coefficients.shape[axis]
    if n == target:
        return coefficients
    source = np.moveaxis(coefficients, axis, 0)
    kept = min(n, target)
    positive, negative = (kept + 1) // 2, kept // 2
    resized = np.zeros((target, *source.shape[1:]), dtype=complex)
    resized[:positive] = source[:positive]
    if negative:
        resized[-negative:] = source[-negative:]
    if kept % 2 == 0:
        if target > n:  # split the Nyquist term of the coarse grid
            resized[-negative] = 0.5 * source[-negative]
            resized[negative] = 0.5 * source[-negative]
        else:  # fold both halves of the fine grid onto the Nyquist term
            resized[-negative] = source[-negative] + source[negative]
    return np.moveaxis(resized, 0, axis)


def wave_numbers(shape: tuple[int, ...]) -> Float[np.ndarray, "nx ny nz 3"]:
    """Whole numbers m of the waves G = m @ reciprocal of a grid, in the order of the fast Fourier transform."""
    return np.stack(np.meshgrid(*(np.fft.fftfreq(n, 1 / n) for n in shape), indexing="ij"), -1)


class Interpolant:
    """Periodic tricubic B-spline through grid values: value, gradient and Hessian, continuous everywhere (C2).

    Interpolation error is O(h^4) in the value and O(h^2) in the Hessian for spacing h.
    """

    def __init__(self, field: GridField):
        from scipy.ndimage import spline_filter

        self.cell = field.cell
        self.shape = np.array(field.shape)
        self._splines = spline_filter(np.asarray(field.values, dtype=float), order=3, mode="grid-wrap")

    def value(self, points: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n"]:
        """Field value at Cartesian `points` (bohr)."""
        return self._contract(points, 0)[0]

    def gradient(self, points: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
        """Cartesian gradient (per bohr) at Cartesian `points` (bohr)."""
        return self._contract(points, 1)[1]

    def value_gradient_hessian(
        self, points: Float[np.ndarray, "*n 3"]
    ) -> tuple[Float[np.ndarray, "*n"], Float[np.ndarray, "*n 3"], Float[np.ndarray, "*n 3 3"]]:
        """Value, Cartesian gradient (1/bohr) and Hessian (1/bohr^2) at Cartesian `points` (bohr)."""
        value, gradient, hessian = self._contract(points, 2)
        return value, gradient, hessian

    def _contract(self, points: np.ndarray, order: int) -> list[np.ndarray]:
        points = np.asarray(points, dtype=float)
        scaled = self.cell.fractional(points.reshape(-1, 3)) * self.shape
        base = np.floor(scaled).astype(int)
        indices = (base[:, :, None] + np.arange(-1, 3)) % self.shape[:, None]
        block = self._splines[indices[:, 0, :, None, None], indices[:, 1, None, :, None], indices[:, 2, None, None, :]]
        weights = _cubic_weights(scaled - base)  # (3 derivative orders, n, 3 axes, 4 nodes)

        def along(*derivatives: int | np.integer) -> np.ndarray:
            x, y, z = (weights[d][:, axis] for axis, d in enumerate(derivatives))
            return np.einsum("nijk,ni,nj,nk->n", block, x, y, z, optimize=True)

        # d/dr = (d scaled / dr) d/dscaled, with scaled = shape * fractional(r).
        jacobian = np.linalg.inv(self.cell.vectors) * self.shape
        unit = np.eye(3, dtype=int)
        results = [along(0, 0, 0).reshape(points.shape[:-1])]
        if order >= 1:
            first = np.stack([along(*unit[a]) for a in range(3)], -1)
            results.append((first @ jacobian.T).reshape(points.shape))
        if order >= 2:
            second = np.stack([np.stack([along(*(unit[a] + unit[b])) for b in range(3)], -1) for a in range(3)], -2)
            results.append((jacobian @ second @ jacobian.T).reshape(*points.shape, 3))
        return results


def _cubic_weights(t: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "3 n 3 4"]:
    """Uniform cubic B-spline weights of the nodes -1, 0, 1, 2 and their first and second derivatives at t in [0, 1)."""
    s = 1 - t
    value = np.stack([s**3, 3 * t**3 - 6 * t**2 + 4, 3 * s**3 - 6 * s**2 + 4, t**3], -1) / 6
    first = np.stack([-(s**2), 3 * t**2 - 4 * t, -3 * s**2 + 4 * s, t**2], -1) / 2
    second = np.stack([s, 3 * t - 2, 3 * s - 2, t], -1)
    return np.stack([value, first, second])


def same_grid(*fields: GridField) -> None:
    """Raise InputError unless all fields share one grid and one cell."""
    first = fields[0]
    for field in fields[1:]:
        if field.shape != first.shape or not np.allclose(field.cell.vectors, first.cell.vectors, atol=1e-6):
            raise InputError(
                f"fields on grids {first.shape} and {field.shape}",
                "two fields on the same grid of the same cell",
                "resample one of them, or compute both with the same settings",
            )
