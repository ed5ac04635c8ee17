"""Fields of a periodic cell as Fourier series: f(r) = sum_G c(G) exp(i G.r), on grids and at points.

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
    return _namespace(reciprocal).asarray(m, dtype=reciprocal.dtype) @ reciprocal


def structure_factor(fractional_positions: Float[Array, "n 3"], shape: Shape) -> Complex[Array, "nx ny nh"]:
    """S(G) = sum_a exp(-i G.R_a): three phases per atom and axis, then one matrix product, 8 n flops per wave."""
    x, y, z = _phases(-fractional_positions, shape)
    n = len(fractional_positions)
    plane = (x[:, :, None] * y[:, None, :]).reshape(n, -1)
    return (plane.T @ z).reshape(x.shape[1], y.shape[1], -1)


def on_grid(coefficients: HalfSpectrum, shape: Shape) -> Float[Array, "*channels nx ny nz"]:
    """Values on the grid of `shape`, which is the one the half spectrum belongs to."""
    return _transforms(coefficients).irfftn(coefficients, s=shape, axes=(-3, -2, -1), norm="forward")


def of_grid(values: Float[Array, "*channels nx ny nz"]) -> HalfSpectrum:
    """Coefficients c(G) of values on a grid."""
    return _transforms(values).rfftn(values, axes=(-3, -2, -1), norm="forward")


def resized(coefficients: HalfSpectrum, shape: Shape, target: Shape) -> Complex[Array, "*channels mx my mh"]:
    """The same series on the half spectrum of another grid; waves that do not fit are dropped."""
    xp = _namespace(coefficients)
    for axis in (-3, -2):
        kept, there = min(shape[axis], target[axis]), shape[axis]
        positive = (kept + 1) // 2
        negative = kept - positive
        turned = xp.moveaxis(coefficients, axis, 0)
        gap = xp.zeros((target[axis] - kept, *turned.shape[1:]), dtype=turned.dtype)
        turned = xp.concatenate([turned[:positive], gap, turned[there - negative :]])
        coefficients = xp.moveaxis(turned, 0, axis)
    want = target[2] // 2 + 1
    kept = coefficients[..., :want]
    return xp.pad(kept, [(0, 0)] * (kept.ndim - 1) + [(0, want - kept.shape[-1])])


def on_planes(
    coefficients: HalfSpectrum, shape: Shape, fractional_x: Float[Array, "s"], target: tuple[int, int]
) -> Float[Array, "*channels s my mz"]:
    """Values on the planes x = const of a grid with `target` points along y and z, finer than `shape` or as fine.

    The sum along the first axis, then a two-dimensional transform: a large grid is made a few planes at a time.
    """
    xp = _namespace(coefficients)
    ny, nz = target
    x = xp.asarray(frequencies(shape)[0], dtype=fractional_x.dtype)
    phases = _unit(fractional_x[:, None] * x)
    planes = xp.moveaxis(xp.tensordot(phases, coefficients, axes=(1, -3)), 0, -3)
    n = len(fractional_x)
    planes = resized(planes, (n, shape[1], shape[2]), (n, ny, nz))
    return _transforms(planes).irfftn(planes, s=(ny, nz), axes=(-2, -1), norm="forward")


def at_points(
    coefficients: HalfSpectrum, fractional_points: Float[Array, "p 3"], shape: Shape
) -> Float[Array, "*channels p"]:
    """Values at any points, by the sum itself: 8 flops per wave, channel and point, one axis after the other."""
    xp = _namespace(coefficients)
    x, y, z = _phases(fractional_points, shape)
    twice = np.full(shape[2] // 2 + 1, 2.0)
    twice[0] = 1.0
    if shape[2] % 2 == 0:
        twice[-1] = 1.0
    along_z = xp.einsum("...xyz,pz->...pxy", coefficients, z * xp.asarray(twice, dtype=fractional_points.dtype))
    return xp.einsum("...pxy,px,py->...p", along_z, x, y).real


def _phases(fractional: Float[Array, "n 3"], shape: Shape) -> list[Complex[Array, "n m"]]:
    """exp(2 pi i m x) along every axis."""
    xp = _namespace(fractional)
    return [
        _unit(fractional[:, axis, None] * xp.asarray(m, dtype=fractional.dtype))
        for axis, m in enumerate(frequencies(shape))
    ]


def _unit(turns: Float[Array, "*n"]) -> Complex[Array, "*n"]:
    """exp(2 pi i turns) in the precision of its argument."""
    xp = _namespace(turns)
    angle = 2 * np.pi * (turns - xp.round(turns))
    return xp.cos(angle) + 1j * xp.sin(angle)


def _transforms(array: Array) -> Any:
    """SciPy's transforms for arrays of NumPy: they handle several at once, twice as fast as NumPy's own."""
    return scipy.fft if isinstance(array, np.ndarray) else _namespace(array).fft


def _namespace(array: Array) -> Any:
    return array.__array_namespace__()
