"""Functions of a distance: smooth at r = 0, where only the cusp factors may have a slope."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

SOFTENING = 1.0
"""Distance (bohr) beyond which the softened distance grows like r."""

RADIAL_BASIS_RANGE = 10.0
"""Distance (bohr) up to which the centres of the radial basis are spread."""


def soften(r: Float[Array, "*s"]) -> Float[Array, "*s"]:
    """q = r^2 / (r + SOFTENING): r - SOFTENING far away, without a slope at r = 0. With a cusp factor
    exp(-SOFTENING r / (r + SOFTENING)) the orbital exp(-q) is exp(-r), the ground state of hydrogen."""
    return r**2 / (r + SOFTENING)


def window(r: Float[Array, "*s"], reach: float) -> Float[Array, "*s"]:
    """(1 - (r / reach)^2)^3, zero from there on: two derivatives are continuous. 1 for an infinite reach."""
    return (1 - jnp.minimum(r / reach, 1.0) ** 2) ** 3


def radial_basis(r: Float[Array, "*s"], reach: float, n: int) -> Float[Array, "*s n"]:
    """n Gaussians of ln(1 + q), denser where r is small, that end at the reach.

    They are the same in any box. Functions as narrow as a small cell seems to ask for have kinetic energies of tens
    of hartree, and the natural gradient, a step in imaginary time, is unstable for them."""
    end = float(np.log1p(RADIAL_BASIS_RANGE**2 / (RADIAL_BASIS_RANGE + SOFTENING)))
    # Distances from the centres in units of the width, 1.2 spacings.
    distances = (jnp.log1p(soften(r))[..., None] - jnp.linspace(0, end, n, dtype=r.dtype)) * (n - 1) / (1.2 * end)
    return jnp.exp(-0.5 * distances**2) * window(r, reach)[..., None]
