"""A normalizing flow: a known density carried along by a velocity field. Exact densities, independent samples.

x(1) = x(0) + int v dt, ln p(x(1)) = ln p_0(x(0)) - int div v dt, integrated in a fixed number of Runge-Kutta steps of
fifth order. `jovium.protons.losses.integration_error` says what these steps cost: a model trained on F would
otherwise learn to lower it by being integrated badly."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jovium.protons.base_density import BaseDensity
from jovium.protons.velocity import Motion, Velocity

STAGES = np.array([0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0])
COUPLINGS = np.array(
    [
        [0, 0, 0, 0, 0, 0],
        [1 / 5, 0, 0, 0, 0, 0],
        [3 / 40, 9 / 40, 0, 0, 0, 0],
        [44 / 45, -56 / 15, 32 / 9, 0, 0, 0],
        [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729, 0, 0],
        [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656, 0],
    ]
)
WEIGHTS = np.array([35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84])
"""The fifth-order method of Dormand and Prince, J. Comput. Appl. Math. 6, 19 (1980), table 2: at equal cost a fifth of
the error of the classical method, for the flows of docs/protons.md."""


FEW = 4
"""Particles up to which the stages are a loop: six copies of a velocity and its derivatives take the compiler three
times as long, and a loop takes fourteen particles twice as long in every step."""


class Carried(NamedTuple):
    """Where a configuration goes, and the logarithm of the volume it takes along."""

    positions: Float[Array, "n d"]
    log_volume: Float[Array, ""]


class Sample(NamedTuple):
    """A configuration (bohr) and ln p of it."""

    positions: Float[Array, "n d"]
    log_density: Float[Array, ""]


class Flow(eqx.Module):
    """A density of labelled particles: a base density and the field that carries it."""

    base: BaseDensity
    velocity: Velocity
    n_steps: int = eqx.field(static=True)

    def forward(self, start: Float[Array, "n d"]) -> Carried:
        """From t = 0 to t = 1."""
        return _carried(self.velocity, start, 0.0, 1.0, self.n_steps)

    def inverse(self, positions: Float[Array, "n d"]) -> Carried:
        """From t = 1 to t = 0."""
        return _carried(self.velocity, positions, 1.0, 0.0, self.n_steps)

    def sample(self, key: PRNGKeyArray) -> Sample:
        """One configuration, independent of all others, and ln p of it."""
        start = self.base.sample(key)
        end = self.forward(start)
        return Sample(end.positions, self.base.log_density(start) - end.log_volume)

    def log_density(self, positions: Float[Array, "n d"]) -> Float[Array, ""]:
        """ln p of any configuration."""
        start = self.inverse(self.base.placed(positions))
        return self.base.log_density(start.positions) + start.log_volume

    def with_steps(self, n_steps: int) -> "Flow":
        """The same flow integrated in another number of steps."""
        return Flow(self.base, self.velocity, n_steps)


def works(
    flow: Flow, beta_energy: Callable[[Float[Array, "n d"]], Float[Array, ""]], found: Sample, chunk: int = 64
) -> Float[Array, "m"]:
    """ln p + beta U of samples, infinite where they leave the region that the base density covers."""
    energies = jax.lax.map(beta_energy, found.positions, batch_size=min(chunk, len(found.positions)))
    return found.log_density + jnp.where(jax.vmap(flow.base.covers)(found.positions), energies, jnp.inf)


def samples(flow: Flow, key: PRNGKeyArray, n: int, chunk: int = 64) -> Sample:
    """n independent samples, `chunk` of them at a time."""
    return jax.lax.map(flow.sample, jax.random.split(key, n), batch_size=min(chunk, n))


def _carried(velocity: Velocity, start: Float[Array, "n d"], begin: float, end: float, n_steps: int) -> Carried:
    """Runge-Kutta steps of x and of the logarithm of the volume."""
    length = (end - begin) / n_steps

    # Without its memory of intermediate values a step backwards takes half the time: they do not fit the cache.
    @jax.checkpoint
    def step(state: Carried, number: Array) -> tuple[Carried, None]:
        t = begin + length * number

        def stage(rates: Motion, plan: tuple[Array, Array, Array]) -> tuple[Motion, None]:
            row, share, weights = plan
            rate = velocity(state.positions + length * jnp.tensordot(weights, rates.velocity, 1), t + length * share)
            return jax.tree.map(lambda all_rates, one: all_rates.at[row].set(one), rates, rate), None

        rows, kind = len(STAGES), start.dtype
        plan = jnp.arange(rows), jnp.asarray(STAGES, kind), jnp.asarray(COUPLINGS, kind)
        none = Motion(jnp.zeros((rows, *start.shape), kind), jnp.zeros(rows, kind))
        rates, _ = jax.lax.scan(stage, none, plan, unroll=len(start) > FEW)
        motion = jax.tree.map(lambda all_rates: jnp.tensordot(jnp.asarray(WEIGHTS, kind), all_rates, 1), rates)
        return Carried(state.positions + length * motion.velocity, state.log_volume + length * motion.divergence), None

    none = jnp.zeros((), start.dtype)
    return jax.lax.scan(step, Carried(start, none), jnp.arange(n_steps, dtype=start.dtype))[0]
