"""The natural gradient: steps measured by how far they move the distribution, not the parameters.

The change d of the parameters solves (F + damping) d = g with the Fisher matrix F = E[s s^T] of the scores s = d ln p /
d theta (Amari, Neural Comput. 10, 251 (1998)). With b samples and p parameters F has rank b at most, and the solve is
one of b x b: d = (g - S^T (S S^T + b damping)^-1 S g) / damping (Woodbury; minSR, Chen and Heyl, arXiv:2302.01941). A
part of the last step is kept along directions that the present samples do not see (SPRING, Goldshlager, Abrahamsen and
Lin, arXiv:2401.10190)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def natural_direction(
    scores: Float[Array, "b p"],
    gradient: Float[Array, "p"],
    relative_damping: float,
    last: Float[Array, "p"] | None = None,
) -> Float[Array, "p"]:
    """The solution d of (F + damping) d = gradient + damping last, F = S^T S / b of centred scores S. damping =
    relative_damping times the mean diagonal of F means the same for any scale of the parameters: as they, so d."""
    b = len(scores)
    # F is the covariance of the scores: their mean, zero for infinitely many samples, is noise.
    centred = scores - scores.mean(axis=0)
    damping = relative_damping * jnp.mean(jnp.sum(centred**2, axis=0)) / b + 1e-12
    right = gradient if last is None else gradient + damping * last
    # Woodbury: the inverse of a b x b matrix in place of p x p.
    overlap = centred @ centred.T / b
    factor = jax.scipy.linalg.cho_factor(overlap + damping * jnp.eye(b, dtype=scores.dtype))
    # F (F + damping)^-1 right: the part that the samples see.
    seen = centred.T @ jax.scipy.linalg.cho_solve(factor, centred @ right) / b
    return (right - seen) / damping


def sample_space_direction(
    scores: Float[Array, "b p"], residuals: Float[Array, "b"], damping: float, last: Float[Array, "p"]
) -> Float[Array, "p"]:
    """The solution d of (F + damping) d = S^T e / b + damping last for a gradient that is a sum over the samples, as
    that of an energy is: e_i the energy of a sample less the mean, S and F = S^T S / b of centred scores. It is that
    d = last + S^T (S S^T + b damping)^-1 (e - S last) which no cancellation spoils where damping is small.

    damping is absolute, in the units of F: where parameters are multiplied by c, the same d (times c) needs
    damping / c^2. A complex wave function has the real parts of all its scores and energies, then the imaginary parts,
    as rows."""
    # Rows divided by sqrt(b): their overlaps are those of S S^T / b, whose trace is that of F.
    root = jnp.sqrt(jnp.asarray(len(scores), scores.dtype))
    rows, rest = scores / root, residuals / root - scores @ last / root
    overlap = rows @ rows.T
    # What the digits of the overlap cannot resolve is damped: one sample near a node has a score without limit.
    resolved = 10 * jnp.finfo(overlap.dtype).eps * jnp.trace(overlap)
    overlap += (damping + resolved) * jnp.eye(len(scores), dtype=scores.dtype)
    return last + rows.T @ jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(overlap), rest)


def clip_direction(direction: Float[Array, "p"], scores: Float[Array, "b p"], max_norm: float) -> Float[Array, "p"]:
    """The direction, shortened where the distribution would move by more than max_norm: sqrt(d^T F d) <= max_norm."""
    centred = scores - scores.mean(axis=0)
    norm = jnp.sqrt(jnp.mean((centred @ direction) ** 2))
    return direction * jnp.minimum(1.0, max_norm / (norm + 1e-12))


def flatten(tree: Any) -> Float[Array, "p"]:
    """All arrays of a tree in one row."""
    return jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(tree)])


def unflatten(like: Any, row: Float[Array, "p"]) -> Any:
    """A row in the form of a tree of arrays."""
    leaves, structure = jax.tree.flatten(like)
    parts = jnp.split(row, np.cumsum([leaf.size for leaf in leaves])[:-1])
    return jax.tree.unflatten(structure, [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)])
