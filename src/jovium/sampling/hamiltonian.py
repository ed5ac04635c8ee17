"""Hamiltonian Monte Carlo: all particles move at once along the forces, and the step is accepted or not as a whole.

Duane, Kennedy, Pendleton and Roweth, Phys. Lett. B 195, 216 (1987). A trajectory of leapfrog steps decorrelates a fluid
that would take many sweeps of single moves. The length of a step is tuned while chains equilibrate and fixed
afterwards; each trajectory takes a random fraction of it, so that none closes on itself."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jovium.sampling.metropolis import BetaEnergies, BetaEnergy, Chains

TARGET_ACCEPTANCE = 0.8
"""Fraction of accepted trajectories aimed at."""

MIN_STEP, MAX_STEP = 0.7, 1.1
"""Fractions of the width between which the step of a trajectory is drawn."""


class _State(NamedTuple):
    """Chains and the gradients of their energies, kept so that no configuration is differentiated twice."""

    chains: Chains
    gradients: Float[Array, "c n d"]


@functools.partial(jax.jit, static_argnames=("beta_energy", "n_trajectories", "n_leaps", "tune"))
def trajectories(
    beta_energy: BetaEnergy, chains: Chains, n_trajectories: int, n_leaps: int = 10, tune: bool = False
) -> Chains:
    """The chains after so many trajectories. tune: let the step follow the acceptance."""
    return hmc_steps(jax.vmap(beta_energy), chains, n_trajectories, n_leaps, tune)


def hmc_steps(
    beta_energies: BetaEnergies,
    chains: Chains,
    n_trajectories: int,
    n_leaps: int = 10,
    tune: bool = False,
    widest: float = np.inf,
) -> Chains:
    """The same for an energy of all chains at once. One leap is a step of Langevin dynamics, accepted or not (Rossky,
    Doll and Friedman, J. Chem. Phys. 69, 4628 (1978)). widest: a step tuning does not go beyond."""

    def step(state: _State, _: None) -> tuple[_State, Float[Array, ""]]:
        chains, gradients = _trajectory(beta_energies, state, n_leaps)
        width = chains.width * jnp.exp(0.3 * (chains.acceptance - TARGET_ACCEPTANCE)) if tune else chains.width
        width = jnp.minimum(width, widest)
        return _State(chains._replace(width=width), gradients), chains.acceptance

    state = _State(chains, _energies_and_gradients(beta_energies, chains.positions)[1])
    state, acceptances = jax.lax.scan(step, state, None, length=n_trajectories)
    return state.chains._replace(acceptance=acceptances.mean())


def _energies_and_gradients(
    beta_energies: BetaEnergies, positions: Float[Array, "c n d"]
) -> tuple[Float[Array, "c"], Float[Array, "c n d"]]:
    energies, pull_back = jax.vjp(beta_energies, positions)
    return energies, pull_back(jnp.ones_like(energies))[0]


def _trajectory(beta_energies: BetaEnergies, state: _State, n_leaps: int) -> _State:
    """One trajectory of every chain."""
    chains = state.chains
    count = len(chains.positions)
    key, kick, stretch, choice = jax.random.split(chains.key, 4)
    # A random step for every chain: a fixed one would return to its start where all springs are alike.
    length = chains.width * jax.random.uniform(stretch, (count, 1, 1), minval=MIN_STEP, maxval=MAX_STEP)
    momenta = jax.random.normal(kick, chains.positions.shape, chains.positions.dtype)

    def leap(phase: tuple[Array, ...], _: None) -> tuple[tuple[Array, ...], None]:
        positions, momenta, _energies, gradients = phase
        # Half a kick, a drift, half a kick: reversible and volume-preserving, so that the energy alone decides.
        momenta = momenta - length / 2 * gradients
        positions = positions + length * momenta
        energies, gradients = _energies_and_gradients(beta_energies, positions)
        return (positions, momenta - length / 2 * gradients, energies, gradients), None

    start = (chains.positions, momenta, chains.beta_energies, state.gradients)
    (positions, final_momenta, energies, gradients), _ = jax.lax.scan(leap, start, None, length=n_leaps)
    change = energies - chains.beta_energies + 0.5 * jnp.sum(final_momenta**2 - momenta**2, axis=(1, 2))
    # A trajectory that runs into infinity is not accepted: the comparison with NaN is false.
    accept = jnp.log(jax.random.uniform(choice, (count,))) < -change
    end = Chains(
        jnp.where(accept[:, None, None], positions, chains.positions),
        jnp.where(accept, energies, chains.beta_energies),
        chains.width,
        key,
        accept.mean(),
    )
    return _State(end, jnp.where(accept[:, None, None], gradients, state.gradients))
