"""What a point of the fluid sees of the atoms around it: rotation-invariant numbers of smoothed atoms.

Atoms are spread to Gaussians of several widths, n_w(r) = sum_a exp(-|r - R_a|^2 / 2 w^2) / (2 pi w^2)^(3/2). Of each
n_w, its gradient and its Hessian H come the numbers that enter gradient expansions of the kinetic-energy density,
reduced by powers of the density so that they have no dimension (n^(1/3) sets the length):

    log n,  s2 = |grad n|^2 / (4 C n^(8/3)),  q = tr H / (4 C n^(5/3)),  C = (3 pi^2)^(2/3),

for the narrower widths also tr H^2 and grad n . H . grad n / (|grad n|^2 + SMOOTH^2 n^(-2/3) tr H^2) in the same
units, and between neighbouring widths grad n_v . grad n_w. Logarithms and inverse hyperbolic sines keep all of them
of order one.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Complex, Float

from jovium.elf.spectrum import Array

WIDTHS = (0.45, 0.65, 0.95, 1.45, 2.3)
"""Gaussian widths, bohr, to beyond the second shell of neighbours. The first is the narrowest that a grid of 0.25 bohr
carries: the waves beyond that grid, exp(-(w G)^2 / 2) at G = 4 pi / bohr, are 1e-7 of the long ones."""

N_WITH_HESSIAN = 3
"""The narrower widths, of which the whole Hessian is used."""

FLOOR = 0.01
"""Added to every n_w (1/bohr^3): far from all atoms the numbers fade away, where they would be ratios of nothing."""

SMOOTH = 0.15
"""Distance from a critical point of n_w, in units of n_w^(-1/3) (0.3 bohr at 0.1 / bohr^3), within which the curvature
along the gradient fades away: where the gradient vanishes, at the very saddles that matter, it has no direction."""

REDUCED = 4 * (3 * np.pi**2) ** (2 / 3)
"""4 C: |grad n|^2 / (REDUCED n^(8/3)) is the square of the reduced density gradient s."""

N_WITHOUT_HESSIAN = 5
"""Derivatives of a width without its Hessian: value, three of the gradient, Laplacian."""

PAIRS = ((0, 0), (1, 1), (0, 1), (0, 2), (1, 2))
"""Components of the Hessian besides zz, which is the trace minus the first two."""


def n_invariants(widths: Sequence[int]) -> int:
    """How many numbers come from these widths, indices of WIDTHS."""
    return 4 * len(widths) - 1 + 2 * sum(index < N_WITH_HESSIAN for index in widths)


def derivative_series(
    structure_factor: Complex[Array, "*g"], waves: Float[Array, "*g 3"], volume: Float[Array, ""], widths: Sequence[int]
) -> list[Complex[Array, "_ *g"]]:
    """For every width, an index of WIDTHS, the coefficients of n_w, its gradient, its Laplacian and, for the narrower
    ones, xx, yy, xy, xz, yz. Of NumPy or JAX, as the arguments are."""
    xp = structure_factor.__array_namespace__()
    square = xp.sum(waves**2, axis=-1)
    all_series = []
    for index in widths:
        series = structure_factor * xp.exp(-0.5 * WIDTHS[index] ** 2 * square) / volume
        # A derivative is a factor i G; the Laplacian -|G|^2 holds the zz that is not stored.
        parts = [series, *(1j * waves[..., i] * series for i in range(3)), -square * series]
        if index < N_WITH_HESSIAN:
            parts += [-waves[..., i] * waves[..., j] * series for i, j in PAIRS]
        all_series.append(xp.stack(parts))
    return all_series


def invariants(derivatives: list[Float[Array, "_ *p"]]) -> Float[Array, "f *p"]:
    """The numbers of the module's first lines from value, gradient, Laplacian and Hessian of every width."""
    numbers, gradients, densities = [], [], []
    for parts in derivatives:
        density, gradient, laplacian = jnp.maximum(parts[0], 0.0) + FLOOR, parts[1:4], parts[4]
        square = jnp.sum(gradient**2, axis=0)
        # The powers of the density that take the dimension off |grad n|^2 and off second derivatives.
        slope = REDUCED * density ** (8 / 3)
        curvature = REDUCED * density ** (5 / 3)
        numbers += [jnp.log(density), jnp.log1p(square / slope), jnp.arcsinh(laplacian / curvature)]
        if len(parts) > N_WITHOUT_HESSIAN:
            along, norm = _hessian_numbers(gradient, laplacian, parts[5:])
            # Where the gradient vanishes it has no direction: the denominator stays above zero there.
            smooth = (SMOOTH * density ** (-1 / 3)) ** 2 * norm + 1e-12
            numbers.append(jnp.arcsinh(along / (square + smooth) / curvature))
            numbers.append(jnp.log1p(norm / curvature**2))
        gradients.append(gradient)
        densities.append(density)
    # How far the gradients of neighbouring widths are aligned.
    for i in range(len(derivatives) - 1):
        product = jnp.sum(gradients[i] * gradients[i + 1], axis=0)
        numbers.append(jnp.arcsinh(product / (REDUCED * (densities[i] * densities[i + 1]) ** (4 / 3))))
    return jnp.stack(numbers)


def _hessian_numbers(
    gradient: Float[Array, "3 *p"], laplacian: Float[Array, "*p"], parts: Float[Array, "5 *p"]
) -> tuple[Float[Array, "*p"], Float[Array, "*p"]]:
    """grad n . H . grad n and tr H^2."""
    x, y, z = gradient
    xx, yy, xy, xz, yz = parts
    zz = laplacian - xx - yy
    along = x**2 * xx + y**2 * yy + z**2 * zz + 2 * (x * y * xy + x * z * xz + y * z * yz)
    return along, xx**2 + yy**2 + zz**2 + 2 * (xy**2 + xz**2 + yz**2)
