"""Functions of a distance: smooth at r = 0, where only the cusp factors may have a slope."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

SOFT = 1.0
"""Distance (bohr) beyond which the softened distance grows like r."""

FARTHEST = 10.0
"""Distance (bohr) up to which functions of a distance are laid out."""


def softened(r: Float[Array, "*s"]) -> Float[Array, "*s"]:
    """q = r^2 / (r + SOFT): r - SOFT far away, without a slope at r = 0. With a cusp factor exp(-SOFT r / (r + SOFT))
    the orbital exp(-q) is exp(-r), the ground state of hydrogen."""
    return r**2 / (r + SOFT)


def window(r: Float[Array, "*s"], reach: float) -> Float[Array, "*s"]:
    """(1 - (r / reach)^2)^3, zero from there on: two derivatives are continuous. 1 for an infinite reach."""
    return (1 - jnp.minimum(r / reach, 1.0) ** 2) ** 3


def basis(r: Float[Array, "*s"], reach: float, n: int) -> Float[Array, "*s n"]:
    """n Gaussians of ln(1 + q), denser where r is small, that end at the reach.

    They are the same in any space. Functions as narrow as a small cell seems to ask for have kinetic energies of tens
    of hartree, and the natural gradient, a step in imaginary time, is unstable for them."""
    largest = float(np.log1p(FARTHEST**2 / (FARTHEST + SOFT)))
    apart = (jnp.log1p(softened(r))[..., None] - jnp.linspace(0, largest, n, dtype=r.dtype)) * (n - 1) / (1.2 * largest)
    return jnp.exp(-0.5 * apart**2) * window(r, reach)[..., None]
