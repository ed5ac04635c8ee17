"""Walkers: electrons that follow |psi|^2 by the moves of a recipe."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jovium.electrons.settings import ElectronSettings
from jovium.electrons.wave_function import WaveFunction
from jovium.sampling.hamiltonian import hmc_steps
from jovium.sampling.metropolis import Chains, metropolis_sweeps

FIRST_SWEEPS = 300
"""Moves of the walkers before the first step."""

WIDEST = 3.0
"""Longest step (bohr) of an electron in open space; in a cell a quarter of its smallest height."""


def chains_at(positions: Float[Array, "b n 3"], width: Float[Array, ""], key: PRNGKeyArray) -> Chains:
    """Walkers at positions (bohr), their energies still to be found."""
    return Chains(positions, jnp.zeros(len(positions)), width, key, jnp.asarray(0.0))


def moved_walkers(
    recipe: ElectronSettings, psi: WaveFunction, protons: Array, chains: Chains, n_sweeps: int, tune: bool
) -> Chains:
    """Walkers of |psi|^2 after so many sweeps of the recipe's kind."""

    field = psi.field(protons)

    def energies(positions: Float[Array, "b n 3"]) -> Float[Array, "b"]:
        values = jax.lax.map(lambda x: -2 * jnp.real(psi.log_psi(x, protons, field=field)), positions, batch_size=32)
        return jnp.where(jnp.isnan(values), jnp.inf, values)

    space = psi.space
    widest = WIDEST if space.vectors is None else space.reach / 2
    chains = chains._replace(beta_energies=energies(chains.positions), width=jnp.minimum(chains.width, widest))
    if recipe.mover == "langevin":
        chains = hmc_steps(energies, chains, n_sweeps, 1, tune, widest)
    else:
        chains = metropolis_sweeps(energies, chains, n_sweeps, recipe.blocks, tune, widest)
    if space.vectors is None:
        return chains
    # Electrons that wander off through the images would lose the digits of their positions.
    vectors = jnp.asarray(space.vectors, chains.positions.dtype)
    fractional = chains.positions @ jnp.linalg.inv(vectors)
    return chains._replace(positions=chains.positions - jnp.floor(fractional) @ vectors)


def equilibrated(recipe: ElectronSettings, psi: WaveFunction, protons: Array, chains: Chains) -> Chains:
    """Walkers that have forgotten where they began, with a width of moves that fits psi."""
    return moved_walkers(recipe, psi, protons, chains, FIRST_SWEEPS, True)
