"""Filled levels: the density matrix of independent electrons in a mean field."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

BISECTIONS = 60


@jax.custom_batching.sequential_vmap
def _diagonalise(h: Num[Array, "k k"]) -> tuple[Float[Array, "k"], Num[Array, "k k"]]:
    """Levels and eigenvectors, one matrix after the other: a batch of large ones waits, in a thread of the pool of the
    processor, for other threads of the pool, and as many batches as there are threads wait forever (jaxlib 0.10)."""
    return tuple(jnp.linalg.eigh(h))


@jax.custom_jvp
def density_matrix(h: Num[Array, "k k"], n: Float[Array, ""] | float) -> Num[Array, "k k"]:
    """f(h - mu) with f(x) = 1 / (1 + e^x) and mu such that the trace is n: the levels of a Hermitian h (in units of the
    temperature) filled with n electrons. Smooth where levels cross, and its derivatives are finite there: they are
    divided differences of f (Daleckii and Krein), not those of eigenvectors."""
    _, vectors, occupations = _fill_levels(h, n)
    return (vectors * occupations) @ vectors.conj().T


def _fill_levels(
    h: Num[Array, "k k"], n: Float[Array, ""] | float
) -> tuple[Float[Array, "k"], Num[Array, "k k"], Float[Array, "k"]]:
    """Levels less mu, eigenvectors in columns, and occupations."""
    levels, vectors = _diagonalise(h)

    def bisect(_: Array, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = 0.5 * (bounds[0] + bounds[1])
        too_many = jnp.sum(jax.nn.sigmoid(middle - levels)) > n
        return jnp.where(too_many, bounds[0], middle), jnp.where(too_many, middle, bounds[1])

    # k levels hold less than e^-2 / k electrons with mu at the lower bound, and lack as few at the upper one.
    margin = 2 * jnp.log(1.0 * len(levels)) + 2
    low, high = jax.lax.fori_loop(0, BISECTIONS, bisect, (levels[0] - margin, levels[-1] + margin))
    levels = levels - 0.5 * (low + high)
    return levels, vectors, jax.nn.sigmoid(-levels)


@density_matrix.defjvp
def _derivative(primals: tuple[Array, Array | float], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    levels, vectors, occupations = _fill_levels(*primals)
    # dh between eigenvectors, where d f(h) is the divided difference (f_a - f_b) / (e_a - e_b) times dh_ab.
    perturbation = vectors.conj().T @ tangents[0] @ vectors
    # -f' = f (1 - f); the sigmoid of the opposite sign keeps the digits of 1 - f for full levels.
    slopes = occupations * jax.nn.sigmoid(levels)
    gaps = levels[:, None] - levels
    # f(a) - f(b) = -2 sinh((a - b) / 2) sqrt(f(a) (1 - f(a)) f(b) (1 - f(b))): exact between equal levels, where the
    # difference itself would lose its digits.
    close = jnp.abs(gaps) < 1
    # Each branch gets harmless numbers where the other is taken; sinh(x) / x by its series near zero.
    half = jnp.where(close, 0.5 * gaps, 0.0)
    ratio = jnp.where(jnp.abs(half) < 1e-3, 1 + half**2 / 6, jnp.sinh(half) / jnp.where(half == 0, 1.0, half))
    divided = jnp.where(close, 0.0, occupations[:, None] - occupations) / jnp.where(close, 1.0, gaps)
    divided = jnp.where(close, -jnp.sqrt(slopes[:, None] * slopes) * ratio, divided)
    # d mu keeps the trace: sum_a f'_a (dh_aa - d mu) = 0. It fills each level by -f' d mu.
    shift = jnp.sum(slopes * jnp.real(jnp.diagonal(perturbation))) / jnp.sum(slopes)
    change = divided * perturbation + jnp.diag((slopes * shift).astype(perturbation.dtype))
    return (vectors * occupations) @ vectors.conj().T, vectors @ change @ vectors.conj().T
