"""Walkers: electrons that follow |psi|^2 by the moves of the settings."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jovium.electrons.settings import ElectronSettings
from jovium.electrons.wave_function import WaveFunction
from jovium.sampling.hamiltonian import carried
from jovium.sampling.metropolis import Chains, swept

WARMUP_SWEEPS = 300
"""Moves of the walkers before the first step."""

MAX_MOVE_WIDTH = 3.0
"""Longest move (bohr) of an electron in open space; in a cell a quarter of its smallest height."""


def init_chains(positions: Float[Array, "b n 3"], width: Float[Array, ""], key: PRNGKeyArray) -> Chains:
    """Walkers at positions (bohr), their energies still to be computed."""
    return Chains(positions, jnp.zeros(len(positions)), width, key, jnp.asarray(0.0))


def move_walkers(
    settings: ElectronSettings, psi: WaveFunction, protons: Array, chains: Chains, n_sweeps: int, tune: bool
) -> Chains:
    """Walkers of |psi|^2 after so many sweeps of the settings' kind."""

    mean_field = psi.mean_field(protons)

    def energies(positions: Float[Array, "b n 3"]) -> Float[Array, "b"]:
        def energy(x: Float[Array, "n 3"]) -> Float[Array, ""]:
            return -2 * jnp.real(psi.log_psi(x, protons, mean_field=mean_field))

        values = jax.lax.map(energy, positions, batch_size=32)
        return jnp.where(jnp.isnan(values), jnp.inf, values)

    box = psi.box
    max_width = MAX_MOVE_WIDTH if box.vectors is None else box.reach / 2
    chains = chains._replace(beta_energies=energies(chains.positions), width=jnp.minimum(chains.width, max_width))
    if settings.mover == "langevin":
        chains = carried(energies, chains, n_sweeps, 1, tune, max_width)
    else:
        chains = swept(energies, chains, n_sweeps, settings.blocks, tune, max_width)
    if box.vectors is None:
        return chains
    # Electrons that wander off through the images would lose the digits of their positions.
    vectors = jnp.asarray(box.vectors, chains.positions.dtype)
    fractional = chains.positions @ jnp.linalg.inv(vectors)
    return chains._replace(positions=chains.positions - jnp.floor(fractional) @ vectors)


def equilibrate(settings: ElectronSettings, psi: WaveFunction, protons: Array, chains: Chains) -> Chains:
    """Walkers that have forgotten where they began, with a width of moves that fits psi."""
    return move_walkers(settings, psi, protons, chains, WARMUP_SWEEPS, True)
