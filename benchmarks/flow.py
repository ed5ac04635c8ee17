"""Samples with exact log-density per second: the flow, beside a residual map with a dense Jacobian.

    OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/flow.py [--atoms 14 32 54 128]

The residual map is that of the published method: x + f(x) with f a permutation-equivariant network of one- and
two-particle streams, three layers, 5,808 parameters, ln |det| of the 3N x 3N Jacobian by automatic
differentiation. It is here to be timed only: it need not be a bijection. Both in single precision, compiled, on the
batch that serves each best."""

import argparse
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jovium.base.box import Box
from jovium.base.cell import Cell
from jovium.protons.base_density import UniformTorus
from jovium.protons.flow import Flow
from jovium.protons.velocity import PairVelocity


class ResidualMap(eqx.Module):
    """x -> x + f(x): streams of particles (width 32) and of pairs (width 16), three layers."""

    length: float = eqx.field(static=True)
    single: list[Float[Array, "i o"]]
    double: list[Float[Array, "i o"]]
    last: Float[Array, "i 3"]

    @classmethod
    def of(cls, length: float, key: Array) -> "ResidualMap":
        """Random weights, small at the end."""
        keys = iter(jax.random.split(key, 8))

        def weight(i: int, o: int, scale: float = 1.0) -> Array:
            return scale * jax.random.normal(next(keys), (i, o)) / np.sqrt(i)

        singles = [weight(7, 32), weight(32 + 32 + 16, 32), weight(32 + 32 + 16, 32)]
        return cls(length, singles, [weight(7, 16), weight(16, 16)], weight(32, 3, 0.01))

    def __call__(self, x: Float[Array, "n 3"]) -> Float[Array, "n 3"]:
        """The image of the positions."""
        n = len(x)
        angle = 2 * np.pi * (x[:, None] - x) / self.length
        distance = jnp.sqrt(jnp.sum(jnp.sin(angle / 2) ** 2, -1) + jnp.eye(n))[..., None]
        pair = jnp.concatenate([jnp.sin(angle), jnp.cos(angle), distance], axis=-1)
        single = jnp.zeros((n, 0))
        for layer, weight in enumerate(self.single):
            means = [jnp.broadcast_to(single.mean(axis=0), single.shape), pair.mean(axis=1)]
            update = jnp.tanh(jnp.concatenate([single, *means], axis=1) @ weight)
            single = update + single if single.shape == update.shape else update
            if layer < len(self.double):
                update = jnp.tanh(pair @ self.double[layer])
                pair = update + pair if pair.shape == update.shape else update
        return x + single @ self.last

    def forward(self, x: Float[Array, "n 3"]) -> tuple[Array, Array]:
        """Positions and ln |det| of the dense Jacobian."""
        jacobian = jax.jacfwd(lambda y: self(y.reshape(x.shape)).ravel())(x.ravel())
        return self(x), jnp.linalg.slogdet(jacobian)[1]


def seconds(function, batch: Array) -> float:
    """Median wall seconds for a batch of three runs after the first, which compiles."""
    jax.block_until_ready(function(batch))
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        jax.block_until_ready(function(batch))
        times.append(time.perf_counter() - begin)
    return float(np.median(times))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--atoms", type=int, nargs="+", default=[14, 32, 54, 128])
    options = parser.parse_args()
    print("| N | flow, samples/s | residual map, samples/s | ratio | ms per sample | growth with N |")
    print("|---|---|---|---|---|---|")
    last: tuple[int, float] | None = None
    for n in options.atoms:
        cell = Cell.cubic(n, 1.0)
        largest_wave = 7.3 / (cell.volume / n) ** (1 / 3)
        velocity = PairVelocity.of(Box.periodic(cell, largest_wave), n_channels=6, n_radial=16, key=jax.random.key(0))
        flow = Flow(UniformTorus.of(cell, n), velocity, 6)
        starts = jax.vmap(flow.base.sample)(jax.random.split(jax.random.key(1), 64))
        residual = ResidualMap.of(float(cell.vectors[0, 0]), jax.random.key(2))
        few = max(2, 64 // max(1, n // 14) ** 2)
        ours = seconds(jax.jit(lambda x, flow=flow: jax.lax.map(flow.forward, x, batch_size=16)), starts) / 64
        theirs = seconds(jax.jit(lambda x, m=residual: jax.lax.map(m.forward, x, batch_size=2)), starts[:few]) / few
        growth = "" if last is None else f"N^{np.log(ours / last[1]) / np.log(n / last[0]):.2f}"
        last = n, ours
        print(
            f"| {n} | {1 / ours:.0f} | {1 / theirs:.1f} | {theirs / ours:.1f} | {1000 * ours:.2f} | {growth} |",
            flush=True,
        )
    count = sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(residual, eqx.is_inexact_array)))
    print(f"\nparameters: flow {sum(leaf.size for leaf in jax.tree.leaves(velocity))}, residual map {count}")


if __name__ == "__main__":
    main()
