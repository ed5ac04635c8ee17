"""The Metropolis method: chains of configurations distributed as exp(-beta U), whatever U is.

Moves displace one particle or one block of them after the other by a Gaussian step (Metropolis et al., J. Chem. Phys.
21, 1087 (1953)). The width of the step is tuned to half of the moves accepted while a chain equilibrates, and fixed
while it is measured: a width that follows the chain would bias it.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from jovium.base.errors import InputError

TARGET_ACCEPTANCE = 0.5
"""Fraction of accepted moves aimed at."""

BetaEnergy = Callable[[Float[Array, "n d"]], Float[Array, ""]]
BetaEnergies = Callable[[Float[Array, "c n d"]], Float[Array, "c"]]


class Chains(NamedTuple):
    """Independent chains: configurations, their energies in units of kT, width of the step, random state, and the
    fraction of moves accepted in the last sweeps."""

    positions: Float[Array, "c n d"]
    beta_energies: Float[Array, "c"]
    width: Float[Array, ""]
    key: PRNGKeyArray
    acceptance: Float[Array, ""]


def init_chains(beta_energy: BetaEnergy, positions: Float[np.ndarray, "c n d"], width: float, seed: int = 0) -> Chains:
    """Chains at given configurations. Raises InputError when the energy of one is not finite."""
    start = jnp.asarray(positions, jnp.float32)
    energies = jax.vmap(beta_energy)(start)
    if not bool(jnp.isfinite(energies).all()):
        bad = int(jnp.argmin(jnp.isfinite(energies)))
        raise InputError(f"configuration {bad} has no finite energy", "particles apart", "give another start")
    return Chains(start, energies, jnp.float32(width), jax.random.key(seed), jnp.float32(0))


@functools.partial(jax.jit, static_argnames=("beta_energy", "n_sweeps", "tune"))
def sweep_chains(beta_energy: BetaEnergy, chains: Chains, n_sweeps: int, tune: bool = False) -> Chains:
    """The chains after so many sweeps, one move per particle each. tune: let the width follow the acceptance."""
    return metropolis_sweeps(jax.vmap(beta_energy), chains, n_sweeps, chains.positions.shape[1], tune)


def metropolis_sweeps(
    beta_energies: BetaEnergies,
    chains: Chains,
    n_sweeps: int,
    n_blocks: int = 1,
    tune: bool = False,
    widest: float = np.inf,
) -> Chains:
    """The same for an energy of all chains at once, particles moved in n_blocks of neighbours in their order: one block
    moves all of them at once. widest: step beyond which tuning does not go, where any step is accepted."""
    n = chains.positions.shape[1]
    blocks = jnp.asarray(np.arange(n) * n_blocks // n == np.arange(n_blocks)[:, None])

    def sweep(chains: Chains, _: None) -> tuple[Chains, Float[Array, ""]]:
        chains, accepted = jax.lax.scan(functools.partial(_move, beta_energies), chains, blocks)
        fraction = accepted.mean()
        tuned = jnp.minimum(chains.width * jnp.exp(0.2 * (fraction - TARGET_ACCEPTANCE)), widest)
        return chains._replace(width=tuned if tune else chains.width), fraction

    chains, fractions = jax.lax.scan(sweep, chains, None, length=n_sweeps)
    return chains._replace(acceptance=fractions.mean())


def _move(beta_energies: BetaEnergies, chains: Chains, block: Bool[Array, "n"]) -> tuple[Chains, Float[Array, "c"]]:
    """Displace the particles of a block of every chain."""
    key, kick, choice = jax.random.split(chains.key, 3)
    step = chains.width * jax.random.normal(kick, chains.positions.shape, chains.positions.dtype)
    proposed = chains.positions + jnp.where(block[:, None], step, 0)
    energies = beta_energies(proposed)
    accept = jnp.log(jax.random.uniform(choice, energies.shape)) < chains.beta_energies - energies
    positions = jnp.where(accept[:, None, None], proposed, chains.positions)
    energies = jnp.where(accept, energies, chains.beta_energies)
    return chains._replace(positions=positions, beta_energies=energies, key=key), accept.astype(energies.dtype)
