"""The Metropolis method: chains of configurations distributed as exp(-beta U), whatever U is.

Moves displace one particle after the other by a Gaussian step (Metropolis et al., J. Chem. Phys. 21, 1087 (1953)). The
width of the step is tuned to half of the moves accepted while a chain equilibrates, and fixed while it is measured: a
width that follows the chain would bias it.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jovium.base.errors import InputError

ACCEPTANCE = 0.5
"""Share of accepted moves aimed at."""

BetaEnergy = Callable[[Float[Array, "n d"]], Float[Array, ""]]


class Chains(NamedTuple):
    """Independent chains: configurations, their energies in units of kT, width of the step, random state, and the share
    of moves accepted in the last sweeps."""

    positions: Float[Array, "c n d"]
    beta_energies: Float[Array, "c"]
    width: Float[Array, ""]
    key: PRNGKeyArray
    acceptance: Float[Array, ""]


def started(beta_energy: BetaEnergy, positions: Float[np.ndarray, "c n d"], width: float, seed: int = 0) -> Chains:
    """Chains at given configurations. Raises InputError when the energy of one is not finite."""
    placed = jnp.asarray(positions, jnp.float32)
    energies = jax.vmap(beta_energy)(placed)
    if not bool(jnp.isfinite(energies).all()):
        bad = int(jnp.argmin(jnp.isfinite(energies)))
        raise InputError(f"configuration {bad} has no finite energy", "particles apart", "give another start")
    return Chains(placed, energies, jnp.float32(width), jax.random.key(seed), jnp.float32(0))


@functools.partial(jax.jit, static_argnames=("beta_energy", "n_sweeps", "tune"))
def sweeps(beta_energy: BetaEnergy, chains: Chains, n_sweeps: int, tune: bool = False) -> Chains:
    """The chains after so many sweeps, one move per particle each. tune: let the width follow the acceptance."""
    n = chains.positions.shape[1]

    def sweep(chains: Chains, _: None) -> tuple[Chains, Float[Array, ""]]:
        swept, accepted = jax.lax.scan(functools.partial(_move, beta_energy), chains, jnp.arange(n))
        share = accepted.mean()
        width = swept.width * jnp.exp(0.2 * (share - ACCEPTANCE)) if tune else swept.width
        return swept._replace(width=width), share

    after, shares = jax.lax.scan(sweep, chains, None, length=n_sweeps)
    return after._replace(acceptance=shares.mean())


def _move(beta_energy: BetaEnergy, chains: Chains, particle: Array) -> tuple[Chains, Float[Array, "c"]]:
    """Displace one particle of every chain."""
    key, kick, choice = jax.random.split(chains.key, 3)
    count, _, dimensions = chains.positions.shape
    step = chains.width * jax.random.normal(kick, (count, dimensions), chains.positions.dtype)
    proposed = chains.positions.at[:, particle].add(step)
    energies = jax.vmap(beta_energy)(proposed)
    accept = jnp.log(jax.random.uniform(choice, (count,))) < chains.beta_energies - energies
    positions = jnp.where(accept[:, None, None], proposed, chains.positions)
    kept = chains._replace(
        positions=positions, beta_energies=jnp.where(accept, energies, chains.beta_energies), key=key
    )
    return kept, accept.astype(jnp.float32)
