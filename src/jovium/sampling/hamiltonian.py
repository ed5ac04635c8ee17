"""Hamiltonian Monte Carlo: all particles move at once along the forces, and the step is accepted or not as a whole.

Duane, Kennedy, Pendleton and Roweth, Phys. Lett. B 195, 216 (1987). A trajectory of leapfrog steps decorrelates a fluid
that would take many sweeps of single moves. The length of a step is tuned while chains equilibrate and fixed
afterwards; each trajectory takes a random share of it, so that none closes on itself."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jovium.sampling.metropolis import BetaEnergies, BetaEnergy, Chains

ACCEPTANCE = 0.8
"""Share of accepted trajectories aimed at."""

SHORTEST, LONGEST = 0.7, 1.1
"""Share of the width that a trajectory takes as its step."""


@functools.partial(jax.jit, static_argnames=("beta_energy", "n_trajectories", "n_leaps", "tune"))
def trajectories(
    beta_energy: BetaEnergy, chains: Chains, n_trajectories: int, n_leaps: int = 10, tune: bool = False
) -> Chains:
    """The chains after so many trajectories. tune: let the step follow the acceptance."""
    return carried(jax.vmap(beta_energy), chains, n_trajectories, n_leaps, tune)


def carried(
    beta_energies: BetaEnergies,
    chains: Chains,
    n_trajectories: int,
    n_leaps: int = 10,
    tune: bool = False,
    widest: float = np.inf,
) -> Chains:
    """The same for an energy of all chains at once. One leap is a step of Langevin dynamics, accepted or not (Rossky,
    Doll and Friedman, J. Chem. Phys. 69, 4628 (1978)). widest: a step tuning does not go beyond."""

    def one(chains: Chains, _: None) -> tuple[Chains, Float[Array, ""]]:
        moved = _trajectory(beta_energies, chains, n_leaps)
        width = moved.width * jnp.exp(0.3 * (moved.acceptance - ACCEPTANCE)) if tune else moved.width
        width = jnp.minimum(width, widest)
        return moved._replace(width=width), moved.acceptance

    after, shares = jax.lax.scan(one, chains, None, length=n_trajectories)
    return after._replace(acceptance=shares.mean())


def _trajectory(beta_energies: BetaEnergies, chains: Chains, n_leaps: int) -> Chains:
    """One trajectory of every chain."""
    count = len(chains.positions)
    key, kick, stretch, choice = jax.random.split(chains.key, 4)
    length = chains.width * jax.random.uniform(stretch, (count, 1, 1), minval=SHORTEST, maxval=LONGEST)
    momenta = jax.random.normal(kick, chains.positions.shape, chains.positions.dtype)

    def evaluated(positions: Float[Array, "c n d"]) -> tuple[Array, Array]:
        energies, slopes = jax.vjp(beta_energies, positions)
        return energies, slopes(jnp.ones_like(energies))[0]

    def leap(state: tuple[Array, ...], _: None) -> tuple[tuple[Array, ...], None]:
        positions, momenta, _energies, slope = state
        momenta = momenta - length / 2 * slope
        positions = positions + length * momenta
        energies, slope = evaluated(positions)
        return (positions, momenta - length / 2 * slope, energies, slope), None

    start = (chains.positions, momenta, *evaluated(chains.positions))
    (positions, after, energies, _slope), _ = jax.lax.scan(leap, start, None, length=n_leaps)
    change = energies - chains.beta_energies + 0.5 * jnp.sum(after**2 - momenta**2, axis=(1, 2))
    # A trajectory that runs into infinity is not accepted: the comparison with NaN is false.
    accept = jnp.log(jax.random.uniform(choice, (count,))) < -change
    return Chains(
        jnp.where(accept[:, None, None], positions, chains.positions),
        jnp.where(accept, energies, chains.beta_energies),
        chains.width,
        key,
        accept.mean(),
    )
