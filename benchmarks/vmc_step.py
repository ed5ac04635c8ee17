"""Seconds of one optimisation step of a wave function, by part, beside the algorithms of a published code.

    python benchmarks/vmc_step.py [N ...] [--walkers B] [--published]

Hydrogen on random positions at rs 1.31, one core when started with OMP_NUM_THREADS=1. Parts: moves (500 of every
walker), local energy split into Laplacian and potential, scores, solve. --published adds the algorithms of the
published code at the same wave function and walkers: a Laplacian by 3N derivatives in a loop, the potential of every
pair by a sum over 14,146 reciprocal vectors, and a dense solve in the space of parameters.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jovium.base.box import Box
from jovium.base.cell import Cell
from jovium.coulomb.hydrogen import CoulombPotential
from jovium.electrons.kinetic import kinetic_energy
from jovium.electrons.local_energy import scores
from jovium.electrons.wave_function import WaveFunction
from jovium.optimise.natural_gradient import sample_space_direction
from jovium.sampling.metropolis import Chains, metropolis_sweeps

RS, MOVES = 1.31, 500
PUBLISHED_WAVES = 14146


def seconds(function: Callable[..., Any], *arguments: Any, repeat: int = 2) -> float:
    """The fastest of some runs after compilation."""
    program = eqx.filter_jit(function)
    jax.block_until_ready(program(*arguments))
    times = []
    for _ in range(repeat):
        begin = time.perf_counter()
        jax.block_until_ready(program(*arguments))
        times.append(time.perf_counter() - begin)
    return min(times)


def log_psi(psi: WaveFunction, x: jax.Array, r: jax.Array) -> jax.Array:
    """ln psi of a model."""
    return psi.log_psi(x, r)


def pairwise_potential(cell: Cell, x: jax.Array, r: jax.Array) -> jax.Array:
    """The energy of all pairs of charges, each by a real-space term and a sum over many reciprocal vectors."""
    splitting = 10.0 / cell.volume ** (1 / 3)
    waves = cell.waves(30 * 2 * np.pi / cell.volume ** (1 / 3))
    waves = jnp.asarray(waves[np.argsort(np.sum(waves**2, axis=1))[: PUBLISHED_WAVES // 2]], jnp.float32)
    square = jnp.sum(waves**2, axis=1)
    weights = 8 * np.pi / cell.volume * jnp.exp(-square / (4 * splitting**2)) / square
    positions, charges = jnp.concatenate([r, x]), jnp.asarray([1.0] * len(r) + [-1.0] * len(x))
    first, second = np.triu_indices(len(positions), 1)

    def pair(i: jax.Array, j: jax.Array) -> jax.Array:
        vector = positions[i] - positions[j]
        distance = jnp.linalg.norm(vector)
        near = jax.scipy.special.erfc(splitting * distance) / distance
        return charges[i] * charges[j] * (near + jnp.sum(weights * jnp.cos(waves @ vector)))

    return jnp.sum(jax.lax.map(lambda pairs: pair(*pairs), (jnp.asarray(first), jnp.asarray(second))))


def dense_direction(scores: jax.Array, residuals: jax.Array, damping: float) -> jax.Array:
    """The natural gradient by a matrix of all parameters."""
    fisher = scores.T @ scores / len(scores) + damping * jnp.eye(scores.shape[1])
    return jax.scipy.linalg.solve(fisher, scores.T @ residuals / len(scores), assume_a="pos")


def parts(n: int, walkers: int, published: bool) -> dict[str, float]:
    """Seconds of each part for n atoms."""
    cell = Cell.cubic(n, RS)
    box = Box.periodic(cell, 2.01 * 2 * np.pi / cell.vectors[0, 0])
    psi = WaveFunction.of(box, n // 2, n // 2, allow_single_precision=True, key=jax.random.key(0))
    electrons, protons = (
        jax.random.uniform(jax.random.key(seed), (walkers, n, 3)) @ jnp.asarray(cell.vectors, jnp.float32)
        for seed in (1, 2)
    )
    potential = CoulombPotential.of(box, 2 * n)

    def map_walkers(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda psi, x, r: jax.lax.map(lambda pair: function(psi, *pair), (x, r), batch_size=8)

    def moves(psi: WaveFunction, x: jax.Array) -> Any:
        chains = Chains(x, jnp.zeros(walkers), jnp.float32(0.2), jax.random.key(0), jnp.float32(0))
        return metropolis_sweeps(
            lambda x: map_walkers(lambda p, x, r: -2 * log_psi(p, x, r))(psi, x, protons), chains, 10
        )

    times = {"moves": seconds(moves, psi, electrons) * MOVES / 10}
    times["Laplacian"] = seconds(
        map_walkers(lambda p, x, r: kinetic_energy(lambda x: log_psi(p, x, r), x)), psi, electrons, protons
    )
    times["potential"] = seconds(map_walkers(lambda p, x, r: potential(x, r).total), psi, electrons, protons)
    rows = scores(log_psi, psi, electrons, protons[0])
    times["scores"] = seconds(lambda psi: scores(log_psi, psi, electrons, protons[0]), psi)
    rows, residuals = rows - rows.mean(axis=0), jax.random.normal(jax.random.key(3), (walkers,))
    times["solve"] = seconds(lambda s, e: sample_space_direction(s, e, 1e-3, jnp.zeros(s.shape[1])), rows, residuals)
    if published:
        n_slow = min(walkers, 16)
        sample, scale = (electrons[:n_slow], protons[:n_slow]), walkers / n_slow
        loop = lambda p, x, r: kinetic_energy(lambda x: log_psi(p, x, r), x, "loop")  # noqa: E731
        times["loop Laplacian"] = scale * seconds(map_walkers(loop), psi, *sample, repeat=1)
        pairwise = lambda p, x, r: pairwise_potential(cell, x, r)  # noqa: E731
        times["pairwise potential"] = scale * seconds(map_walkers(pairwise), psi, *sample, repeat=1)
        times["dense solve"] = seconds(lambda s, e: dense_direction(s, e, 1e-3), rows, residuals, repeat=1)
    return times


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", nargs="*", type=int, default=[2, 8, 14, 16, 32], metavar="N")
    parser.add_argument("--walkers", type=int, default=128)
    parser.add_argument("--published", action="store_true")
    options = parser.parse_args()
    for n in options.numbers:
        times = parts(n, options.walkers, options.published)
        print(f"N = {n}: " + "  ".join(f"{name} {value:.3g} s" for name, value in times.items()), flush=True)


if __name__ == "__main__":
    main()
