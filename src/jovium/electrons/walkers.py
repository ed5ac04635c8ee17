"""Walkers: electrons that follow |psi|^2 by the moves of the settings."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jovium.base.errors import EngineError
from jovium.electrons.settings import ElectronSettings
from jovium.electrons.wave_function import WaveFunction
from jovium.sampling.hamiltonian import hmc_steps
from jovium.sampling.metropolis import Chains, metropolis_sweeps

EQUILIBRATION_MOVES = 300
"""Moves of the walkers before the first step."""

LOG_SQUARE_TOLERANCE = 0.01
"""Largest mean difference between ln|psi|^2 as the chains have it and as it is computed afresh: rounding is a hundredth
of it in single precision."""

MAX_MOVE_WIDTH = 3.0
"""Longest move (bohr) of an electron in open space; in a cell a quarter of its smallest height."""


class Walkers(NamedTuple):
    """Electrons of every walker and the width of their moves (bohr)."""

    positions: Float[Array, "b n 3"]
    width: Float[Array, ""]


def walker_chains(walkers: Walkers, key: PRNGKeyArray) -> Chains:
    """Markov chains of walkers, their energies still to be computed."""
    return Chains(walkers.positions, jnp.zeros(len(walkers.positions)), walkers.width, key, jnp.asarray(0.0))


def move_walkers(
    settings: ElectronSettings, psi: WaveFunction, protons: Array, chains: Chains, n_moves: int, tune: bool
) -> Chains:
    """Walkers of |psi|^2 after so many moves of the settings' kind."""

    mean_field = psi.mean_field(protons)

    def energies(positions: Float[Array, "b n 3"]) -> Float[Array, "b"]:
        def energy(x: Float[Array, "n 3"]) -> Float[Array, ""]:
            return -2 * jnp.real(psi.log_psi(x, protons, mean_field=mean_field))

        values = jax.lax.map(energy, positions, batch_size=32)
        return jnp.where(jnp.isnan(values), jnp.inf, values)

    box = psi.box
    max_width = MAX_MOVE_WIDTH if box.vectors is None else box.reach / 2
    chains = chains._replace(beta_energies=energies(chains.positions), width=jnp.minimum(chains.width, max_width))
    if settings.sampler == "mala":
        chains = hmc_steps(energies, chains, n_moves, 1, tune, max_width)
    else:
        chains = metropolis_sweeps(energies, chains, n_moves, settings.blocks, tune, max_width)
    if box.vectors is None:
        return chains
    # Electrons that wander off through the images would lose the digits of their positions.
    vectors = jnp.asarray(box.vectors, chains.positions.dtype)
    fractional = chains.positions @ jnp.linalg.inv(vectors)
    return chains._replace(positions=chains.positions - jnp.floor(fractional) @ vectors)


@eqx.filter_jit
def log_squares(psi: WaveFunction, positions: Float[Array, "b n 3"], protons: Array) -> Float[Array, "b"]:
    """ln|psi|^2 of every walker, by a program of its own."""
    return jax.lax.map(lambda x: 2 * jnp.real(psi.log_psi(x, protons)), positions)


def require_same(of_chains: Float[Array, "*b"], afresh: Float[Array, "*b"]) -> None:
    """Raise EngineError when chains did not follow the |psi|^2 that energies are measured with, for whatever reason:
    their ln|psi|^2 differs from that computed afresh."""
    difference = np.abs(np.asarray(of_chains, float) - np.asarray(afresh, float))
    mean = difference[np.isfinite(difference)].mean() if np.isfinite(difference).any() else 0.0
    if mean > LOG_SQUARE_TOLERANCE:
        raise EngineError(
            f"electrons whose ln|psi|^2 is {mean:.3g} off that of the wave function",
            f"a difference below {LOG_SQUARE_TOLERANCE}: electrons of another density give no bound",
            "report it with the output of jovium doctor; XLA_FLAGS=--xla_disable_hlo_passes=algsimp may mend it",
        )


def equilibrate(settings: ElectronSettings, psi: WaveFunction, protons: Array, chains: Chains) -> Chains:
    """Walkers that have forgotten where they began, with a width of moves that fits psi."""
    return move_walkers(settings, psi, protons, chains, EQUILIBRATION_MOVES, True)
