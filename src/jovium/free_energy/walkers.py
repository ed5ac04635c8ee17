"""Walkers of dense hydrogen: configurations of protons from a flow, each with several configurations of electrons.

Protons need no Markov chain for their density: the flow pushes latents forward to protons, and latents that take a
random walk on the torus stay uniform there, whatever the step. Walking instead of drawing afresh keeps the electrons
near: they move with the protons around them (Umrigar, Int. J. Quantum Chem. 36, 217 (1989)) and follow |psi|^2."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jovium.electrons.wave_function import WaveFunction
from jovium.protons.flow import Flow
from jovium.sampling.metropolis import Chains, metropolis_sweeps
from jovium.training.devices import map_rows

PROTONS_AT_ONCE, FLOW_ROWS_AT_ONCE = 8, 64
"""Configurations of protons whose electrons are moved at once; that the flow pushes forward at once."""


class Walkers(NamedTuple):
    """b configurations of protons, their latents (where the flow starts) and ln p of each; m of electrons among each;
    width of a move of the electrons and the acceptance of the last moves. Lengths in bohr."""

    latents: Float[Array, "b n 3"]
    protons: Float[Array, "b n 3"]
    log_density: Float[Array, "b"]
    electrons: Float[Array, "b m k 3"]
    width: Float[Array, ""]
    acceptance: Float[Array, ""]


def init_walkers(flow: Flow, key: PRNGKeyArray, b: int, m: int) -> Walkers:
    """b independent configurations of protons, m of electrons near each."""
    latent_key, electron_key = jax.random.split(key)
    latents = jax.vmap(flow.base.sample)(jax.random.split(latent_key, b))
    protons, log_density = push_forward(flow, latents)
    electrons = place_electrons(protons, m, electron_key)
    return Walkers(latents, protons, log_density, electrons, jnp.asarray(0.3, float), jnp.asarray(0.0, float))


def place_electrons(protons: Float[Array, "b n 3"], m: int, key: PRNGKeyArray) -> Float[Array, "b m n 3"]:
    """Electrons of both spins in turn, near protons of their own."""
    order = np.argsort(np.arange(protons.shape[1]) % 2, kind="stable")
    shape = len(protons), m, *protons.shape[1:]
    return protons[:, None, order] + 0.7 * jax.random.normal(key, shape)


def push_forward(flow: Flow, latents: Float[Array, "b n 3"]) -> tuple[Float[Array, "b n 3"], Float[Array, "b"]]:
    """Protons at the end of the flow and ln p of them."""

    def push(latent: Float[Array, "n 3"]) -> tuple[Array, Array]:
        end = flow.forward(latent)
        return end.positions, flow.base.log_density(latent) - end.log_volume

    return map_rows(push, latents, FLOW_ROWS_AT_ONCE)


def move_protons(flow: Flow, psi: WaveFunction, walkers: Walkers, latent_step: float, key: PRNGKeyArray) -> Walkers:
    """Latents after one step of their random walk (bohr), and protons of the flow as it is now; electrons follow."""
    latents = walkers.latents + latent_step * jax.random.normal(key, walkers.latents.shape)
    protons, log_density = push_forward(flow, latents)

    def follow(electrons: Float[Array, "m k 3"], before: Float[Array, "n 3"], after: Float[Array, "n 3"]) -> Array:
        """Each electron moves like the protons around it, by weights 1 / r^4."""
        weights = jax.vmap(lambda x: 1 / (0.01 + jnp.sum(psi.box.displacements(x, before) ** 2, axis=-1)) ** 2)(
            electrons
        )
        return electrons + (weights / weights.sum(axis=-1, keepdims=True)) @ (after - before)

    electrons = jax.vmap(follow)(walkers.electrons, walkers.protons, protons)
    # Latents that walk off through the images would lose digits; their protons go back with them.
    back = _lattice_translations(latents, psi.box.vectors)
    return walkers._replace(
        latents=latents - back, protons=protons - back, log_density=log_density, electrons=electrons
    )


def sample_electrons(
    psi: WaveFunction, walkers: Walkers, twists: Float[Array, "b 3"], n_moves: int, key: PRNGKeyArray, tune: bool
) -> tuple[Walkers, Float[Array, "b m"]]:
    """Electrons after so many moves of all of them at once, protons where they are; ln|psi|^2 as the chains have it."""
    shape = walkers.electrons.shape
    mean_fields = map_rows(lambda pair: psi.mean_field(*pair), (walkers.protons, twists), None)

    def among_protons(group: tuple[Array, ...]) -> Float[Array, "m"]:
        electrons, protons, twist, mean_field = group
        return jax.vmap(lambda x: -2 * jnp.real(psi.log_psi(x, protons, twist, mean_field)))(electrons)

    def energies(positions: Float[Array, "c k 3"]) -> Float[Array, "c"]:
        groups = positions.reshape(shape), walkers.protons, twists, mean_fields
        values = map_rows(among_protons, groups, PROTONS_AT_ONCE).reshape(-1)
        return jnp.where(jnp.isnan(values), jnp.inf, values)

    flat = walkers.electrons.reshape(-1, *shape[2:])
    chains = Chains(flat, energies(flat), walkers.width, key, jnp.asarray(0.0))
    chains = metropolis_sweeps(energies, chains, n_moves, 1, tune, psi.box.reach / 2)
    positions = chains.positions - _lattice_translations(chains.positions, psi.box.vectors)
    walkers = walkers._replace(electrons=positions.reshape(shape), width=chains.width, acceptance=chains.acceptance)
    return walkers, -chains.beta_energies.reshape(shape[:2])


def log_squares(psi: WaveFunction, walkers: Walkers, twists: Float[Array, "b 3"]) -> Float[Array, "b m"]:
    """ln|psi|^2 of all electrons, by a program of its own."""

    def among_protons(group: tuple[Array, ...]) -> Float[Array, "m"]:
        electrons, protons, twist = group
        mean_field = psi.mean_field(protons, twist)
        return jax.lax.map(lambda x: 2 * jnp.real(psi.log_psi(x, protons, twist, mean_field)), electrons)

    return map_rows(among_protons, (walkers.electrons, walkers.protons, twists), None)


def _lattice_translations(
    positions: Float[Array, "*b 3"], vectors: tuple[tuple[float, ...], ...] | None
) -> Float[Array, "*b 3"]:
    """What takes positions back into the cell."""
    rows = jnp.asarray(vectors, positions.dtype)
    return jnp.floor(positions @ jnp.linalg.inv(rows)) @ rows
