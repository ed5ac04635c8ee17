"""Filled levels: the density matrix of independent electrons in a mean field."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

BISECTIONS = 60


@jax.custom_batching.sequential_vmap
def _diagonalised(h: Num[Array, "k k"]) -> tuple[Float[Array, "k"], Num[Array, "k k"]]:
    """Levels and eigenvectors, one matrix after the other: a batch of large ones waits, in a thread of the pool of the
    processor, for other threads of the pool, and as many batches as there are threads wait forever (jaxlib 0.10)."""
    return tuple(jnp.linalg.eigh(h))


@jax.custom_jvp
def density_matrix(h: Num[Array, "k k"], n: Float[Array, ""] | float) -> Num[Array, "k k"]:
    """f(h - mu) with f(x) = 1 / (1 + e^x) and mu such that the trace is n: the levels of a Hermitian h (in units of the
    temperature) filled with n electrons. Smooth where levels cross, and its derivatives are finite there: they are
    divided differences of f (Daleckii and Krein), not those of eigenvectors."""
    _, vectors, filled = _levels(h, n)
    return (vectors * filled) @ vectors.conj().T


def _levels(
    h: Num[Array, "k k"], n: Float[Array, ""] | float
) -> tuple[Float[Array, "k"], Num[Array, "k k"], Float[Array, "k"]]:
    """Levels less mu, eigenvectors in columns, and fillings."""
    levels, vectors = _diagonalised(h)

    def halved(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = 0.5 * (ends[0] + ends[1])
        enough = jnp.sum(jax.nn.sigmoid(middle - levels)) > n
        return jnp.where(enough, ends[0], middle), jnp.where(enough, middle, ends[1])

    margin = 2 * jnp.log(1.0 * len(levels)) + 2
    low, high = jax.lax.fori_loop(0, BISECTIONS, halved, (levels[0] - margin, levels[-1] + margin))
    levels = levels - 0.5 * (low + high)
    return levels, vectors, jax.nn.sigmoid(-levels)


@density_matrix.defjvp
def _derivative(primals: tuple[Array, Array | float], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    levels, vectors, filled = _levels(*primals)
    change = vectors.conj().T @ tangents[0] @ vectors
    slopes = filled * jax.nn.sigmoid(levels)
    apart = levels[:, None] - levels
    # f(a) - f(b) = -2 sinh((a - b) / 2) sqrt(f(a) (1 - f(a)) f(b) (1 - f(b))): exact between equal levels, where the
    # difference itself would lose its digits.
    close = jnp.abs(apart) < 1
    half = jnp.where(close, 0.5 * apart, 0.0)
    ratio = jnp.where(jnp.abs(half) < 1e-3, 1 + half**2 / 6, jnp.sinh(half) / jnp.where(half == 0, 1.0, half))
    divided = jnp.where(close, 0.0, filled[:, None] - filled) / jnp.where(close, 1.0, apart)
    divided = jnp.where(close, -jnp.sqrt(slopes[:, None] * slopes) * ratio, divided)
    shift = jnp.sum(slopes * jnp.real(jnp.diagonal(change))) / jnp.sum(slopes)
    inner = divided * change + jnp.diag((slopes * shift).astype(change.dtype))
    return (vectors * filled) @ vectors.conj().T, vectors @ inner @ vectors.conj().T
