"""SOAP: Adam in the eigenbasis of the gradient's own covariances (Vyas et al., arXiv:2409.11321, algorithm 3).

Of the gradient g of a matrix the running means of g g^T and g^T g are updated; their eigenvectors turn the gradient to
axes along which its components are nearly independent, and there Adam is run. For matrices of some dozens of rows the
rotation costs nothing beside the gradient.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

DECAY = 0.95
"""Weight of the old value in every running mean, per step."""

STEPS_PER_BASIS = 10
"""Steps between updates of the eigenbasis."""

DENOMINATOR_FLOOR = 1e-8


class Basis(NamedTuple):
    """Running means of g g^T (left) and g^T g (right) of one matrix, and their eigenvectors as columns."""

    left: Float[Array, "m m"]
    right: Float[Array, "n n"]
    left_vectors: Float[Array, "m m"]
    right_vectors: Float[Array, "n n"]


class SoapState(NamedTuple):
    """Means of the gradient and of its square in the eigenbasis, the eigenbases (None: not a matrix), the steps done.
    Lists go over the leaves of the parameters."""

    mean: list[Array]
    square: list[Array]
    bases: list[Basis | None]
    count: Array


def scale_by_soap() -> optax.GradientTransformation:
    """The transformation; vectors and numbers are left to Adam with the same decay."""

    def init(params: Any) -> Any:
        leaves = jax.tree.leaves(params)
        zeros = [jnp.zeros_like(leaf) for leaf in leaves]
        return SoapState(zeros, zeros, [_basis(leaf) for leaf in leaves], jnp.zeros((), jnp.int32))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        leaves, form = jax.tree.flatten(updates)
        count = state.count + 1
        leaf_updates = [
            _leaf_update(gradient, mean, square, basis, count)
            for gradient, mean, square, basis in zip(leaves, state.mean, state.square, state.bases, strict=True)
        ]
        steps, means, squares, bases = (list(column) for column in zip(*leaf_updates, strict=True))
        return jax.tree.unflatten(form, steps), SoapState(means, squares, bases, count)

    return optax.GradientTransformation(init, update)


def _basis(leaf: Array) -> Basis | None:
    if leaf.ndim != 2 or min(leaf.shape) == 1:
        return None
    m, n = leaf.shape
    return Basis(jnp.zeros((m, m)), jnp.zeros((n, n)), jnp.eye(m), jnp.eye(n))


def _leaf_update(
    gradient: Array, mean: Array, square: Array, basis: Basis | None, count: Array
) -> tuple[Array, Array, Array, Basis | None]:
    mean = _update_mean(mean, gradient)
    unbias = 1 - DECAY**count
    if basis is None:
        square = _update_mean(square, gradient**2)
        return mean / unbias / (jnp.sqrt(square / unbias) + DENOMINATOR_FLOOR), mean, square, None
    basis = _update_basis(basis, gradient, count)
    left, right = basis.left_vectors, basis.right_vectors
    square = _update_mean(square, (left.T @ gradient @ right) ** 2)
    step = (left.T @ mean @ right) / unbias / (jnp.sqrt(square / unbias) + DENOMINATOR_FLOOR)
    return left @ step @ right.T, mean, square, basis


def _update_basis(basis: Basis, gradient: Array, count: Array) -> Basis:
    """Covariances with this gradient; the eigenvectors from the covariance at first, by one power iteration later."""
    left, right = _update_mean(basis.left, gradient @ gradient.T), _update_mean(basis.right, gradient.T @ gradient)

    def eigenvectors() -> tuple[Array, Array]:
        return jnp.linalg.eigh(left)[1], jnp.linalg.eigh(right)[1]

    def power_iteration() -> tuple[Array, Array]:
        return jnp.linalg.qr(left @ basis.left_vectors)[0], jnp.linalg.qr(right @ basis.right_vectors)[0]

    def old_vectors() -> tuple[Array, Array]:
        return basis.left_vectors, basis.right_vectors

    choice = jnp.where(count == 1, 0, jnp.where(count % STEPS_PER_BASIS == 1, 1, 2))
    return Basis(left, right, *jax.lax.switch(choice, [eigenvectors, power_iteration, old_vectors]))


def _update_mean(old: Array, new: Array) -> Array:
    return DECAY * old + (1 - DECAY) * new
