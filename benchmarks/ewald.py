"""Ewald energies per second: structure factors and a balanced splitting, beside a plain double loop.

    OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/ewald.py [--atoms 14 54 128]

The plain sum is that of published codes: every pair with every one of 14,146 wave vectors, and the nearest image of the
short-ranged part. Both in double precision, compiled, on batches; their energies are compared.
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erfc

from jovium.base.cell import Cell
from jovium.coulomb.ewald import Ewald

N_WAVES = 14_146


def plain_energy(positions: jax.Array, vectors: np.ndarray, waves: np.ndarray, splitting: float) -> jax.Array:
    """Energy of unit charges (hartree) in a cubic cell: N^2 pairs times all waves, nearest image in real space."""
    length, n = vectors[0, 0], len(positions)
    volume, square = length**3, np.sum(waves**2, axis=1)
    weights = 4 * np.pi / volume * np.exp(-square / (4 * splitting**2)) / square
    pairs = positions[:, None] - positions
    pairs = pairs - length * jnp.round(pairs / length)
    distance = jnp.sqrt(jnp.sum(pairs**2, axis=-1) + jnp.eye(n))
    near = jnp.where(jnp.eye(n, dtype=bool), 0.0, erfc(splitting * distance) / distance)
    far = jax.lax.map(lambda row: jnp.cos(row @ waves.T) @ weights, pairs)
    own = n * 2 * splitting / np.sqrt(np.pi) + n**2 * np.pi / (volume * splitting**2)
    return 0.5 * (jnp.sum(near) + jnp.sum(far) - own)


def seconds(function, batch: jax.Array) -> float:
    """Median wall seconds for a batch of three runs after the first, which compiles."""
    jax.block_until_ready(function(batch))
    times = []
    for _ in range(3):
        started = time.perf_counter()
        jax.block_until_ready(function(batch))
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--atoms", type=int, nargs="+", default=[14, 54, 128])
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    print("| N | waves | images | energies/s | plain energies/s | ratio | largest difference (Ha) |")
    print("|---|---|---|---|---|---|---|")
    for n in options.atoms:
        length = (4 * np.pi * n / 3) ** (1 / 3) * 1.25
        cell = Cell(np.eye(3) * length)
        ewald = Ewald.of(cell, n)
        m = np.stack(np.meshgrid(*[np.arange(-20, 21)] * 3, indexing="ij"), -1).reshape(-1, 3)
        m = m[np.argsort(np.sum(m**2, axis=1), kind="stable")][1 : N_WAVES + 1]
        batch = jnp.asarray(np.random.default_rng(0).random((32, n, 3)) * length)
        ours = jax.jit(jax.vmap(lambda x, e=ewald, k=n: e.energy(x, jnp.ones(k))))
        waves, vectors = 2 * np.pi / length * m, cell.vectors
        plain = jax.jit(
            lambda xs, v=vectors, w=waves, s=10 / length: jax.lax.map(lambda x: plain_energy(x, v, w, s), xs)
        )
        few = batch[:2]
        difference = float(jnp.abs(ours(batch)[:2] - plain(few)).max())
        rates = len(batch) / seconds(ours, batch), len(few) / seconds(plain, few)
        print(
            f"| {n} | {2 * len(ewald.waves)} | {len(ewald.images)} | {rates[0]:.0f} | {rates[1]:.1f} | "
            f"{rates[0] / rates[1]:.0f} | {difference:.1e} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
