"""Gaussians on a line: a smooth basis of functions of one variable."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def gaussians(
    x: Float[Array, "*n"], centres: Float[Array, "k"], width: Float[Array, ""] | float
) -> Float[Array, "*n k"]:
    """exp(-(x - c)^2 / 2 width^2) for every centre c."""
    return jnp.exp(-0.5 * ((x[..., None] - centres) / width) ** 2)
