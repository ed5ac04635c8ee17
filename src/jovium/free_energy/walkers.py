"""Walkers of dense hydrogen: configurations of protons from a flow, each with several configurations of electrons.

Protons need no Markov chain for their density: the flow carries starts to protons, and starts that take a random walk
on the torus stay uniform there, whatever the step. Walking instead of drawing afresh keeps the electrons near: they
ride along with the protons around them (Umrigar, Int. J. Quantum Chem. 36, 217 (1989)) and follow |psi|^2."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jovium.electrons.wave_function import WaveFunction
from jovium.protons.flow import Flow
from jovium.sampling.metropolis import Chains, metropolis_sweeps
from jovium.training.devices import mapped

AT_ONCE = 8
"""Configurations of protons whose electrons are moved at once."""


class Walkers(NamedTuple):
    """b configurations of protons, where the flow starts and where it ends, ln p of each; m of electrons among each;
    width of a move of the electrons and the share of moves accepted. Lengths in bohr."""

    starts: Float[Array, "b n 3"]
    protons: Float[Array, "b n 3"]
    log_density: Float[Array, "b"]
    electrons: Float[Array, "b m k 3"]
    width: Float[Array, ""]
    acceptance: Float[Array, ""]


def grid_of_twists(vectors: tuple[tuple[float, ...], ...], n: int) -> Float[np.ndarray, "t 3"]:
    """The n^3 twists (1/bohr) of Monkhorst and Pack, Phys. Rev. B 13, 5188 (1976): (2 i + 1 - n) / 2 n of each
    reciprocal vector. All weigh the same; n = 1 is no twist."""
    steps = (2 * np.arange(n) + 1 - n) / (2 * n)
    fractional = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    return fractional @ (2 * np.pi * np.linalg.inv(np.array(vectors)).T)


def twist_shells(twists: Float[np.ndarray, "b 3"]) -> Float[np.ndarray, "b k"]:
    """1 for the length that a twist has, 0 for all others: in a cube twists of one length are mostly alike."""
    lengths = np.round(np.linalg.norm(twists, axis=1), 6)
    return (lengths[:, None] == np.unique(lengths)).astype(float)


def drawn(flow: Flow, key: PRNGKeyArray, b: int, m: int) -> Walkers:
    """Independent protons, with electrons."""
    starts, kick = jax.random.split(key)
    starts = jax.vmap(flow.base.sample)(jax.random.split(starts, b))
    protons, log_density = carried(flow, starts)
    electrons = electrons_near(protons, m, kick)
    return Walkers(starts, protons, log_density, electrons, jnp.asarray(0.3, float), jnp.asarray(0.0, float))


def electrons_near(protons: Float[Array, "b n 3"], m: int, key: PRNGKeyArray) -> Float[Array, "b m n 3"]:
    """Electrons of both spins in turn, near protons of their own."""
    order = np.argsort(np.arange(protons.shape[1]) % 2, kind="stable")
    shape = len(protons), m, *protons.shape[1:]
    return protons[:, None, order] + 0.7 * jax.random.normal(key, shape)


def carried(flow: Flow, starts: Float[Array, "b n 3"]) -> tuple[Float[Array, "b n 3"], Float[Array, "b"]]:
    """Protons at the end of the flow and ln p of them."""

    def one(start: Float[Array, "n 3"]) -> tuple[Array, Array]:
        end = flow.forward(start)
        return end.positions, flow.base.log_density(start) - end.log_volume

    return mapped(one, starts, 64)


def move_protons(flow: Flow, psi: WaveFunction, walkers: Walkers, stride: float, key: PRNGKeyArray) -> Walkers:
    """The starts after one step of their walk (bohr) and the protons of the flow as it is now; electrons ride along."""
    starts = walkers.starts + stride * jax.random.normal(key, walkers.starts.shape)
    protons, log_density = carried(flow, starts)

    def shifted(electrons: Float[Array, "m k 3"], before: Float[Array, "n 3"], after: Float[Array, "n 3"]) -> Array:
        nearness = jax.vmap(lambda x: 1 / (0.01 + jnp.sum(psi.space.displacements(x, before) ** 2, axis=-1)) ** 2)(
            electrons
        )
        return electrons + (nearness / nearness.sum(axis=-1, keepdims=True)) @ (after - before)

    electrons = jax.vmap(shifted)(walkers.electrons, walkers.protons, protons)
    # Starts that walk off through the images would lose digits; their protons go back with them.
    back = _whole_cells(starts, psi.space.vectors)
    return walkers._replace(starts=starts - back, protons=protons - back, log_density=log_density, electrons=electrons)


def sample_electrons(
    psi: WaveFunction, walkers: Walkers, twists: Float[Array, "b 3"], n_sweeps: int, key: PRNGKeyArray, tune: bool
) -> Walkers:
    """Electrons after so many moves of all of them at once, protons where they are."""
    shape = walkers.electrons.shape
    fields = mapped(lambda pair: psi.field(*pair), (walkers.protons, twists), None)

    def one(group: tuple[Array, ...]) -> Float[Array, "m"]:
        electrons, protons, twist, field = group
        return jax.vmap(lambda x: -2 * jnp.real(psi.log_psi(x, protons, twist, field)))(electrons)

    def energies(positions: Float[Array, "c k 3"]) -> Float[Array, "c"]:
        groups = positions.reshape(shape), walkers.protons, twists, fields
        values = mapped(one, groups, AT_ONCE).reshape(-1)
        return jnp.where(jnp.isnan(values), jnp.inf, values)

    flat = walkers.electrons.reshape(-1, *shape[2:])
    chains = Chains(flat, energies(flat), walkers.width, key, jnp.asarray(0.0))
    chains = metropolis_sweeps(energies, chains, n_sweeps, 1, tune, psi.space.reach / 2)
    positions = chains.positions - _whole_cells(chains.positions, psi.space.vectors)
    return walkers._replace(electrons=positions.reshape(shape), width=chains.width, acceptance=chains.acceptance)


def _whole_cells(
    positions: Float[Array, "*b 3"], vectors: tuple[tuple[float, ...], ...] | None
) -> Float[Array, "*b 3"]:
    """What takes positions back into the cell."""
    rows = jnp.asarray(vectors, positions.dtype)
    return jnp.floor(positions @ jnp.linalg.inv(rows)) @ rows
