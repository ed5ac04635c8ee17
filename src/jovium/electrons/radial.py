"""Functions of a distance: smooth at r = 0, where only the cusp factors may have a slope, and gone at the reach."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jovium.base.space import Space

SOFT = 1.0
"""Distance (bohr) beyond which the softened distance grows like r."""


def length(between: Float[Array, "n m d"], itself: bool = False) -> Float[Array, "n m"]:
    """Lengths of differences. itself: of particles among themselves, where that of one to itself becomes 1."""
    square = jnp.sum(between**2, axis=-1)
    return jnp.sqrt(square + np.eye(len(between)).astype(between.dtype) if itself else square)


def softened(r: Float[Array, "*s"]) -> Float[Array, "*s"]:
    """q = r^2 / (r + SOFT): r - SOFT far away, without a slope at r = 0. With a cusp factor exp(-SOFT r / (r + SOFT))
    the orbital exp(-q) is exp(-r), the ground state of hydrogen."""
    return r**2 / (r + SOFT)


def window(r: Float[Array, "*s"], reach: float) -> Float[Array, "*s"]:
    """(1 - (r / reach)^2)^3, zero from there on: two derivatives are continuous. 1 for an infinite reach."""
    return (1 - jnp.minimum(r / reach, 1.0) ** 2) ** 3


def range_of(space: Space) -> float:
    """Where orbitals and cusp factors end (bohr): at the reach of a cell, nowhere in open space, where they decay."""
    return space.reach if space.vectors is not None else np.inf


def basis(r: Float[Array, "*s"], reach: float, n: int) -> Float[Array, "*s n"]:
    """n Gaussians of ln(1 + q), denser where r is small, that end at the reach."""
    x = jnp.log1p(softened(r))
    largest = float(np.log1p(reach**2 / (reach + SOFT)))
    apart = (x[..., None] - jnp.linspace(0, largest, n, dtype=r.dtype)) * (n - 1) / (1.2 * largest)
    return jnp.exp(-0.5 * apart**2) * window(r, reach)[..., None]
