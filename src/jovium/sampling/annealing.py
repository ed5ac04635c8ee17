"""Annealing: samples of a model are moved towards the target in stages, and the work of the stages bounds F again.

Between p and exp(-beta U) stand pi_k ~ p^(1 - k/K) exp(-beta U k/K). A sample x_0 of p takes one Hamiltonian
trajectory in each pi_k, and

    W = 1/K sum_{k=0}^{K-1} w(x_k),    w = ln p + beta U,     beta F <= E[W],     beta F = -ln E[exp(-W)]

(Jarzynski, Phys. Rev. Lett. 78, 2690 (1997); annealed importance sampling, Neal, Stat. Comput. 11, 125 (2001)). With
one stage W is the w of the model alone; the gap of the bound falls with the number of stages. Trajectories follow the
forces of U in every stage, which p resembles, so that the gradient of ln p is never needed: the step is accepted with
the true pi_k. Each costs one ln p."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

LogDensity = Callable[[Float[Array, "n d"]], Float[Array, ""]]
Positions = Float[Array, "b n d"]

N_LEAPS = 8
"""Leapfrog steps of a trajectory."""


class AnnealedSamples(NamedTuple):
    """Configurations at the end, the work W of their way, and the fraction of trajectories accepted."""

    positions: Float[Array, "b n d"]
    work: Float[Array, "b"]
    acceptance: Float[Array, ""]


class _Walk(NamedTuple):
    positions: Float[Array, "b n d"]
    log_density: Float[Array, "b"]
    beta_energy: Float[Array, "b"]
    work: Float[Array, "b"]
    width: Float[Array, ""]


def anneal(
    log_density: LogDensity,
    beta_energy: LogDensity,
    positions: Positions,
    key: PRNGKeyArray,
    n_stages: int,
    width: Float[Array, ""],
    tune: bool = False,
) -> tuple[AnnealedSamples, Float[Array, ""]]:
    """Samples of exp(log_density) taken through n_stages, and the width (bohr) of a leap afterwards. beta_energy may be
    infinite where the target does not reach. tune: let the width follow the acceptance; works found that way are for
    tuning only."""
    energies, densities = jax.vmap(beta_energy), jax.vmap(log_density)

    def run_stage(walk: _Walk, stage: tuple[Array, PRNGKeyArray]) -> tuple[_Walk, Float[Array, ""]]:
        number, key = stage
        fraction = number / n_stages
        work = walk.work + (walk.log_density + walk.beta_energy) / n_stages
        kick, choice = jax.random.split(key)
        momenta = jax.random.normal(kick, walk.positions.shape, walk.positions.dtype)
        proposed, final_momenta = _trajectories(beta_energy, walk.positions, momenta, walk.width)
        p, u = densities(proposed), energies(proposed)
        rise = (1 - fraction) * (walk.log_density - p) + fraction * (u - walk.beta_energy)
        rise += 0.5 * jnp.sum(final_momenta**2 - momenta**2, axis=(1, 2))
        # Comparisons with NaN are false: a trajectory that ran away is not accepted.
        accept = (jnp.log(jax.random.uniform(choice, work.shape)) < -rise) & jnp.isfinite(u)
        acceptance = accept.mean()
        width = walk.width * jnp.exp(0.5 * (acceptance - 0.8)) if tune else walk.width
        walk = _Walk(
            jnp.where(accept[:, None, None], proposed, walk.positions),
            jnp.where(accept, p, walk.log_density),
            jnp.where(accept, u, walk.beta_energy),
            work,
            width,
        )
        return walk, acceptance

    start = _Walk(positions, densities(positions), energies(positions), jnp.zeros(len(positions)), width)
    stages = jnp.arange(1, n_stages + 1, dtype=positions.dtype), jax.random.split(key, n_stages)
    walk, acceptances = jax.lax.scan(run_stage, start, stages)
    return AnnealedSamples(walk.positions, walk.work, acceptances.mean()), walk.width


def _trajectories(
    beta_energy: LogDensity, positions: Positions, momenta: Positions, width: Float[Array, ""]
) -> tuple[Positions, Positions]:
    """Leapfrog steps along the forces of U: any force makes a step that keeps volumes and can be reversed."""
    gradients = jax.vmap(jax.grad(beta_energy))

    def leap(state: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        positions, momenta = state
        positions = positions + 0.5 * width * momenta
        momenta = momenta - width * gradients(positions)
        return (positions + 0.5 * width * momenta, momenta), None

    return jax.lax.scan(leap, (positions, momenta), None, length=N_LEAPS)[0]
