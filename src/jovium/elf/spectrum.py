"""Fields of a periodic cell as Fourier series: f(r) = sum_G c(G) exp(i G.r), on grids and at points.

Everything atoms do to a field goes through their structure factor, exactly periodic in any cell and without a list of
neighbours. A series is held as half spectrum, the layout of `rfftn`: all wave vectors G = m @ reciprocal with
m_z >= 0; the other half is its complex conjugate.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

Shape = tuple[int, int, int]
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
    return jnp.asarray(m, dtype=reciprocal.dtype) @ reciprocal


def structure_factor(fractional_positions: Float[Array, "n 3"], shape: Shape) -> Complex[Array, "nx ny nh"]:
    """S(G) = sum_a exp(-i G.R_a): three phases per atom and axis, then one matrix product, 8 n flops per wave."""
    x, y, z = (
        jnp.exp(-2j * jnp.pi * fractional_positions[:, axis, None] * jnp.asarray(m, fractional_positions.dtype))
        for axis, m in enumerate(frequencies(shape))
    )
    n = len(fractional_positions)
    plane = (x[:, :, None] * y[:, None, :]).reshape(n, -1)
    return (plane.T @ z).reshape(len(x[0]), len(y[0]), -1)


def on_grid(coefficients: HalfSpectrum, shape: Shape) -> Float[Array, "*channels nx ny nz"]:
    """Values on the grid of `shape`, which is the one the half spectrum belongs to."""
    return jnp.fft.irfftn(coefficients, s=shape, axes=(-3, -2, -1), norm="forward")


def of_grid(values: Float[Array, "*channels nx ny nz"]) -> HalfSpectrum:
    """Coefficients c(G) of values on a grid."""
    return jnp.fft.rfftn(values, axes=(-3, -2, -1), norm="forward")


def resized(coefficients: HalfSpectrum, shape: Shape, target: Shape) -> HalfSpectrum:
    """The same series on the half spectrum of another grid; waves that do not fit are dropped."""
    for axis in (0, 1):
        kept = min(shape[axis], target[axis])
        positive, negative = (kept + 1) // 2, kept - (kept + 1) // 2
        axis_in_array = coefficients.ndim - 3 + axis
        low = jax.lax.slice_in_dim(coefficients, 0, positive, axis=axis_in_array)
        high = jax.lax.slice_in_dim(coefficients, shape[axis] - negative, shape[axis], axis=axis_in_array)
        gap = list(coefficients.shape)
        gap[axis_in_array] = target[axis] - kept
        coefficients = jnp.concatenate([low, jnp.zeros(gap, coefficients.dtype), high], axis=axis_in_array)
    have, want = shape[2] // 2 + 1, target[2] // 2 + 1
    kept = coefficients[..., : min(have, want)]
    return jnp.pad(kept, [(0, 0)] * (kept.ndim - 1) + [(0, want - kept.shape[-1])])


def on_planes(
    coefficients: HalfSpectrum, shape: Shape, fractional_x: Float[Array, "s"], target: tuple[int, int]
) -> Float[Array, "*channels s ny nz"]:
    """Values on the planes x = const of a grid with `target` points along y and z, finer than `shape` or as fine.

    The sum along the first axis, then a two-dimensional transform: a large grid is made a few planes at a time.
    """
    ny, nz = target
    x = jnp.asarray(frequencies(shape)[0], fractional_x.dtype)
    phases = jnp.exp(2j * jnp.pi * fractional_x[:, None] * x)
    planes = jnp.einsum("...xyz,sx->...syz", resized(coefficients, shape, (shape[0], ny, nz)), phases)
    return jnp.fft.irfftn(planes, s=(ny, nz), axes=(-2, -1), norm="forward")


def at_points(
    coefficients: HalfSpectrum, fractional_points: Float[Array, "p 3"], shape: Shape
) -> Float[Array, "*channels p"]:
    """Values at any points, by the sum itself: 8 flops per wave, channel and point, one axis after the other."""
    x, y, z = (
        jnp.exp(2j * jnp.pi * fractional_points[:, axis, None] * jnp.asarray(m, fractional_points.dtype))
        for axis, m in enumerate(frequencies(shape))
    )
    twice = np.full(shape[2] // 2 + 1, 2.0)
    twice[0] = 1.0
    if shape[2] % 2 == 0:
        twice[-1] = 1.0
    along_z = jnp.einsum("...xyz,pz->...pxy", coefficients, z * jnp.asarray(twice, fractional_points.dtype))
    return jnp.einsum("...pxy,px,py->...p", along_z, x, y).real
