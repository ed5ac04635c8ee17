"""Fields of a periodic cell as Fourier series: f(r) = sum_G c(G) exp(i G.r), on grids and on planes.

Everything atoms do to a field goes through their structure factor, exactly periodic in any cell and without a list of
neighbours. A series is held as half spectrum, the layout of `rfftn`: all wave vectors G = m @ reciprocal with
m_z >= 0; the other half is its complex conjugate.

Everything here takes arrays of NumPy and of JAX and gives back the same kind: training compiles these functions,
prediction, where every structure has another grid, does not.
"""

from typing import Any

import numpy as np
import scipy.fft
from jaxtyping import Complex, Float

Shape = tuple[int, int, int]
Array = Any
HalfSpectrum = Complex[Array, "*channels nx ny nh"]


def frequencies(shape: Shape) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whole-number frequencies m along the three axes of the half spectrum of a grid."""
    nx, ny, nz = shape
    return np.fft.fftfreq(nx, 1 / nx), np.fft.fftfreq(ny, 1 / ny), np.arange(nz // 2 + 1.0)


def wave_vectors(reciprocal: Float[Array, "3 3"], shape: Shape) -> Float[Array, "nx ny nh 3"]:
    """Wave vectors G = m @ reciprocal (1/bohr) of the half spectrum.

    On an even axis the Nyquist frequency stands for +n/2 and -n/2 at once; fields here hold nothing at it.
    """
    m = np.stack(np.meshgrid(*frequencies(shape), indexing="ij"), -1)
    return reciprocal.__array_namespace__().asarray(m, dtype=reciprocal.dtype) @ reciprocal


def structure_factor(fractional_positions: Float[Array, "n 3"], shape: Shape) -> Complex[Array, "nx ny nh"]:
    """S(G) = sum_a exp(-i G.R_a): three phases per atom and axis, then one matrix product, 8 n flops per wave."""
    xp = fractional_positions.__array_namespace__()
    waves = [xp.asarray(m, dtype=fractional_positions.dtype) for m in frequencies(shape)]
    x, y, z = (_unit(-fractional_positions[:, axis, None] * m) for axis, m in enumerate(waves))
    n = len(fractional_positions)
    plane = (x[:, :, None] * y[:, None, :]).reshape(n, -1)
    return (plane.T @ z).reshape(x.shape[1], y.shape[1], -1)


def grid_values(coefficients: HalfSpectrum, shape: Shape) -> Float[Array, "*channels nx ny nz"]:
    """Values on the grid of `shape`, which is the one the half spectrum belongs to."""
    return _transforms(coefficients).irfftn(coefficients, s=shape, axes=(-3, -2, -1), norm="forward")


def half_spectrum(values: Float[Array, "*channels nx ny nz"]) -> HalfSpectrum:
    """Coefficients c(G) of values on a grid."""
    return _transforms(values).rfftn(values, axes=(-3, -2, -1), norm="forward")


def resize(coefficients: HalfSpectrum, shape: Shape, target: Shape) -> Complex[Array, "*channels mx my mh"]:
    """The same series on the half spectrum of another grid; waves that do not fit are dropped."""
    xp = coefficients.__array_namespace__()
    for axis in (-3, -2):
        n, common = shape[axis], min(shape[axis], target[axis])
        # Positive frequencies come first, negative ones last: what is cut or filled up lies between them.
        positive = (common + 1) // 2
        negative = common - positive
        series = xp.moveaxis(coefficients, axis, 0)
        gap = xp.zeros((target[axis] - common, *series.shape[1:]), dtype=series.dtype)
        series = xp.concatenate([series[:positive], gap, series[n - negative :]])
        coefficients = xp.moveaxis(series, 0, axis)
    n_half = target[2] // 2 + 1
    coefficients = coefficients[..., :n_half]
    return xp.pad(coefficients, [(0, 0)] * (coefficients.ndim - 1) + [(0, n_half - coefficients.shape[-1])])


def plane_values(
    coefficients: HalfSpectrum, shape: Shape, fractional_x: Float[Array, "s"], target: tuple[int, int]
) -> Float[Array, "*channels s my mz"]:
    """Values on the planes x = const of a grid with `target` points along y and z, finer than `shape` or as fine.

    The sum along the first axis, then a two-dimensional transform: a large grid is made a few planes at a time.
    """
    xp = coefficients.__array_namespace__()
    ny, nz = target
    x = xp.asarray(frequencies(shape)[0], dtype=fractional_x.dtype)
    phases = _unit(fractional_x[:, None] * x)
    planes = xp.moveaxis(xp.tensordot(phases, coefficients, axes=(1, -3)), 0, -3)
    n = len(fractional_x)
    planes = resize(planes, (n, shape[1], shape[2]), (n, ny, nz))
    return _transforms(planes).irfftn(planes, s=(ny, nz), axes=(-2, -1), norm="forward")


def _unit(turns: Float[Array, "*n"]) -> Complex[Array, "*n"]:
    """exp(2 pi i turns) in the precision of its argument."""
    xp = turns.__array_namespace__()
    angle = 2 * np.pi * (turns - xp.round(turns))
    return xp.cos(angle) + 1j * xp.sin(angle)


def _transforms(array: Array) -> Any:
    """SciPy's transforms for arrays of NumPy: they handle several at once, twice as fast as NumPy's own."""
    return scipy.fft if isinstance(array, np.ndarray) else array.__array_namespace__().fft
