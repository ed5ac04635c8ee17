"""A normalizing flow: a known density transported by a velocity field. Exact densities, independent samples.

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


class ButcherTableau(NamedTuple):
    """An explicit Runge-Kutta method: times of its stages, weights of earlier rates in each, and of all in the step."""

    nodes: Float[np.ndarray, "s"]
    matrix: Float[np.ndarray, "s s"]
    weights: Float[np.ndarray, "s"]


DORMAND_PRINCE = ButcherTableau(
    nodes=np.array([0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0]),
    matrix=np.array(
        [
            [0, 0, 0, 0, 0, 0],
            [1 / 5, 0, 0, 0, 0, 0],
            [3 / 40, 9 / 40, 0, 0, 0, 0],
            [44 / 45, -56 / 15, 32 / 9, 0, 0, 0],
            [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729, 0, 0],
            [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656, 0],
        ]
    ),
    weights=np.array([35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84]),
)
"""The fifth-order method of Dormand and Prince, J. Comput. Appl. Math. 6, 19 (1980), table 2: at equal cost a fifth of
the error of the classical method, for the flows of docs/protons.md."""

MAX_LOOPED_PARTICLES = 4
"""Particles up to which the stages are a loop: six copies of a velocity and its derivatives take the compiler three
times as long, and a loop takes fourteen particles twice as long in every step."""


class Endpoint(NamedTuple):
    """Where a path ends (bohr), and ln of the volume about it over that about its start."""

    positions: Float[Array, "n d"]
    log_volume: Float[Array, ""]


class Sample(NamedTuple):
    """A configuration (bohr) and ln p of it."""

    positions: Float[Array, "n d"]
    log_density: Float[Array, ""]


class FlowSamples(NamedTuple):
    """Independent samples: positions (bohr), ln p, and U / kT of each."""

    positions: Float[np.ndarray, "m n d"]
    log_density: Float[np.ndarray, "m"]
    beta_energy: Float[np.ndarray, "m"]

    @property
    def work(self) -> Float[np.ndarray, "m"]:
        """ln p + beta U."""
        return self.log_density + self.beta_energy


class Flow(eqx.Module):
    """A density of labelled particles: a base density and the field that transports it."""

    base: BaseDensity
    velocity: Velocity
    n_steps: int = eqx.field(static=True)

    def forward(self, start: Float[Array, "n d"]) -> Endpoint:
        """From t = 0 to t = 1."""
        return integrate(self.velocity, start, 0.0, 1.0, self.n_steps)

    def inverse(self, positions: Float[Array, "n d"]) -> Endpoint:
        """From t = 1 to t = 0."""
        return integrate(self.velocity, positions, 1.0, 0.0, self.n_steps)

    def sample(self, key: PRNGKeyArray) -> Sample:
        """One configuration, independent of all others, and ln p of it."""
        start = self.base.sample(key)
        end = self.forward(start)
        return Sample(end.positions, self.base.log_density(start) - end.log_volume)

    def log_density(self, positions: Float[Array, "n d"]) -> Float[Array, ""]:
        """ln p of any configuration."""
        start = self.inverse(self.base.canonicalise(positions))
        return self.base.log_density(start.positions) + start.log_volume

    def with_steps(self, n_steps: int) -> "Flow":
        """The same flow integrated in another number of steps."""
        return Flow(self.base, self.velocity, n_steps)


def reduced_work(
    flow: Flow, beta_energy: Callable[[Float[Array, "n d"]], Float[Array, ""]], batch: Sample, chunk: int = 64
) -> Float[Array, "m"]:
    """ln p + beta U of a batch of samples, infinite where they leave the region that the base density covers."""
    energies = jax.lax.map(beta_energy, batch.positions, batch_size=min(chunk, len(batch.positions)))
    return batch.log_density + jnp.where(jax.vmap(flow.base.covers)(batch.positions), energies, jnp.inf)


def sample_batch(flow: Flow, key: PRNGKeyArray, n: int, chunk: int = 64) -> Sample:
    """n independent samples, `chunk` of them at a time."""
    return jax.lax.map(flow.sample, jax.random.split(key, n), batch_size=min(chunk, n))


def integrate(velocity: Velocity, start: Float[Array, "n d"], begin: float, end: float, n_steps: int) -> Endpoint:
    """Where a configuration goes from t = begin to t = end: Runge-Kutta steps of x and of the logarithm of the volume,
    d ln(volume)/dt = div v."""
    dt = (end - begin) / n_steps

    # Without its memory of intermediate values a step backwards takes half the time: they do not fit the cache.
    @jax.checkpoint
    def step(state: Endpoint, number: Array) -> tuple[Endpoint, None]:
        t = begin + dt * number

        # k_s = v(x + dt sum_r a_sr k_r, t + c_s dt). Rates of later stages are still zero, as their coefficients are.
        def stage(rates: Motion, row: tuple[Array, Array, Array]) -> tuple[Motion, None]:
            index, node, coefficients = row
            rate = velocity(state.positions + dt * jnp.tensordot(coefficients, rates.velocity, 1), t + dt * node)
            return jax.tree.map(lambda rates, rate: rates.at[index].set(rate), rates, rate), None

        nodes, matrix, weights = (jnp.asarray(values, start.dtype) for values in DORMAND_PRINCE)
        rows = jnp.arange(len(nodes)), nodes, matrix
        zero = Motion(jnp.zeros((len(nodes), *start.shape), start.dtype), jnp.zeros(len(nodes), start.dtype))
        # Unrolled, the stages are one program that the compiler fuses; a loop compiles faster.
        rates, _ = jax.lax.scan(stage, zero, rows, unroll=len(start) > MAX_LOOPED_PARTICLES)
        # The divergence never feeds back into x: its rates are summed with the weights of the step alone.
        mean = jax.tree.map(lambda rates: jnp.tensordot(weights, rates, 1), rates)
        return Endpoint(state.positions + dt * mean.velocity, state.log_volume + dt * mean.divergence), None

    zero = jnp.zeros((), start.dtype)
    return jax.lax.scan(step, Endpoint(start, zero), jnp.arange(n_steps, dtype=start.dtype))[0]
