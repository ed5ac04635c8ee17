"""The kinetic energy of a wave function at one configuration.

T = -1/2 (lap ln psi + grad ln psi . grad ln psi), hartree. The forward Laplacian carries value, gradient and Laplacian
through the network at once (Li et al., Nat. Mach. Intell. 6, 209 (2024)); the loop takes second derivatives along one
coordinate after the other and is the oracle."""

from collections.abc import Callable
from typing import Literal

import folx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

LogPsi = Callable[[Float[Array, "n 3"]], Num[Array, ""]]

MAX_DENSE_ELECTRONS, MAX_SPARSE_COORDINATES = 4, 6
"""With more electrons, derivatives with respect to at most so many coordinates are kept sparse: pairs depend on six.
With fewer there is nothing to gain, and the compiler needs a seventh of the time."""


def kinetic_energy(
    log_psi: LogPsi, electrons: Float[Array, "n 3"], method: Literal["forward", "loop"] = "forward"
) -> Num[Array, ""]:
    """T psi / psi (hartree) at positions in bohr; complex where ln psi is."""
    gradient, laplacian = (_forward if method == "forward" else _loop)(log_psi, electrons)
    return -0.5 * (laplacian + jnp.sum(gradient**2))


def _forward(log_psi: LogPsi, electrons: Float[Array, "n 3"]) -> tuple[Num[Array, "k"], Num[Array, ""]]:
    sparsity = MAX_SPARSE_COORDINATES if len(electrons) > MAX_DENSE_ELECTRONS else 0
    result = folx.forward_laplacian(log_psi, sparsity_threshold=sparsity)(electrons)
    return result.dense_jacobian.reshape(-1), result.laplacian


def _loop(log_psi: LogPsi, electrons: Float[Array, "n 3"]) -> tuple[Num[Array, "k"], Num[Array, ""]]:
    def real_and_imaginary(x: Float[Array, "k"]) -> Float[Array, "2"]:
        value = log_psi(x.reshape(electrons.shape))
        return jnp.stack([jnp.real(value), jnp.imag(value)])

    x = electrons.reshape(-1)
    jacobian = jax.jacrev(real_and_imaginary)

    def derivatives(axis: Array) -> tuple[Array, Array]:
        direction = jax.nn.one_hot(axis, len(x), dtype=x.dtype)
        first, second = jax.jvp(jacobian, (x,), (direction,))
        return first @ direction, second @ direction

    first, second = jax.lax.map(derivatives, jnp.arange(len(x)))
    gradient, curvature = (parts[:, 0] + 1j * parts[:, 1] for parts in (first, second))
    if not jnp.iscomplexobj(log_psi(electrons)):
        gradient, curvature = jnp.real(gradient), jnp.real(curvature)
    return gradient, curvature.sum()
