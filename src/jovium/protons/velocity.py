"""Velocities of a continuous flow and their divergences, in one pass.

A density is carried from t = 0 to t = 1 by dx/dt = v(x, t), ln p falls along the way by div v (Chen et al.,
arXiv:1806.07366). A smooth v makes a map that can be inverted, whatever its parameters are. The divergence of a general
network costs 3n derivatives; the fields here are built so that it is known in closed form at the cost of v.
"""

from typing import NamedTuple, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jovium.base.box import Box

FAR = 1e6
"""Distance (bohr) of a particle from itself, as far as pair functions are concerned."""

CORE = 0.1
"""Share of the reach below which pair functions vanish quadratically: a direction has no meaning at r = 0."""


class Motion(NamedTuple):
    """v of every particle and the divergence sum_i d v_i / d x_i, per unit of t."""

    velocity: Float[Array, "n d"]
    divergence: Float[Array, ""]


@runtime_checkable
class Velocity(Protocol):
    """A field that moves all particles."""

    def __call__(self, positions: Float[Array, "n d"], t: Float[Array, ""] | float) -> Motion:
        """Velocity and divergence of one configuration at time t in [0, 1]."""
        ...


class PairVelocity(eqx.Module):
    """Forces between pairs, between the surroundings of pairs, and of long waves.

    v_i = sum_j [b(r_ij) e_ij + sum_c (g_c(r_ij) + h_c(r_ij) e_ij e_ij^T) (A_ic - A_jc)]
          + sum_G f(|G|) G sin(G.(x_i - x_j)),           A_ic = sum_j a_c(r_ij) e_ij,    e_ij = r_ij / |r_ij|.

    A_i says to which side the neighbours of i stand: the second term is what a second step of pair forces would add,
    and the three-body part of the density (docs/protons.md). v does not depend on the order of the particles or on
    their place, and sum v = 0. a, b, g, h are sums of Gaussians that end smoothly at the reach of the space. Parameters
    are values at times evenly spaced over [0, 1] ("k"), interpolated linearly between. Cost O(n^2) with the divergence.
    """

    space: Box = eqx.field(static=True)
    pair: Float[Array, "k r"]
    side: Float[Array, "k r c"]
    along: Float[Array, "k r c"]
    plain: Float[Array, "k r c"]
    wave: Float[Array, "k s"]

    @classmethod
    def of(
        cls, space: Box, *, n_times: int = 4, n_radial: int = 14, n_channels: int = 4, key: PRNGKeyArray
    ) -> "PairVelocity":
        """A field that is at rest, with surroundings seen at random."""
        n_shells = int(space.shells.max(initial=-1)) + 1
        # The same surroundings at all times to begin with: they change smoothly along t.
        side = 0.5 * jax.random.normal(key, (n_radial, n_channels))
        zeros = jnp.zeros((n_times, n_radial, n_channels))
        return cls(space, zeros[..., 0], jnp.tile(side, (n_times, 1, 1)), zeros, zeros, jnp.zeros((n_times, n_shells)))

    def __call__(self, positions: Float[Array, "n d"], t: Float[Array, ""] | float) -> Motion:
        """Velocity and divergence of one configuration at time t."""
        now = self._at(t)
        close, far = now._from_pairs(positions), now._from_waves(positions)
        return Motion(close.velocity + far.velocity, close.divergence + far.divergence)

    def _at(self, t: Float[Array, ""] | float) -> "PairVelocity":
        """The field with its parameters at time t, without the axis of times."""
        n_times = len(self.pair)
        share = jnp.maximum(0, 1 - jnp.abs(jnp.clip(t, 0, 1) * (n_times - 1) - jnp.arange(n_times)))
        return jax.tree.map(lambda values: jnp.tensordot(share, values, 1), self)

    def _from_pairs(self, positions: Float[Array, "n d"]) -> Motion:
        n, dimensions = positions.shape
        between = self.space.pair_displacements(positions)
        distances = jnp.sqrt(jnp.where(jnp.eye(n, dtype=bool), FAR**2, jnp.sum(between**2, axis=-1)))
        directions = between / distances[..., None]
        coefficients = jnp.concatenate([self.pair[:, None], self.side, self.along, self.plain], axis=1)
        values, slopes = self._radial(distances)
        ends = np.cumsum([1, *([self.side.shape[1]] * 2)])
        pair, side, along, plain = jnp.split(values @ coefficients, ends, axis=-1)
        pair_slope, side_slope, along_slope, plain_slope = jnp.split(slopes @ coefficients, ends, axis=-1)
        around = (dimensions - 1) / distances[..., None]
        # Sums of products instead of einsum: contractions this small are loops to the compiler and four times slower.
        sides = jnp.sum(side[..., None] * directions[:, :, None], axis=1)
        apart = sides[:, None] - sides
        lengthwise = jnp.sum(apart * directions[:, :, None], axis=-1)
        velocity = jnp.sum((pair[..., 0] + jnp.sum(along * lengthwise, axis=-1))[..., None] * directions, axis=1)
        velocity += jnp.sum(plain[..., None] * apart, axis=(1, 2))
        # div v, first of the functions of r_ij, then of A_i and of A_j, in which x_i is one neighbour of many.
        spread = jnp.sum(pair_slope + around * pair)
        spread += jnp.sum((along_slope + around * along + plain_slope) * lengthwise)
        side_around = side / distances[..., None]
        turned = side_slope + (dimensions - 1) * side_around
        spread += jnp.sum(along * side_slope + plain * turned)
        outer = (directions[:, :, :, None] * directions[:, :, None])[:, :, None]
        lean = jnp.sum((side_slope - side_around)[..., None, None] * outer, axis=1)
        axes = jnp.sum(along[..., None, None] * outer, axis=1)
        spread += jnp.sum(lean * axes) + jnp.sum(side_around.sum(axis=1) * along.sum(axis=1))
        spread += jnp.sum(turned.sum(axis=1) * plain.sum(axis=1))
        return Motion(velocity, spread)

    def _radial(self, distances: Float[Array, "n n"]) -> tuple[Float[Array, "n n r"], Float[Array, "n n r"]]:
        """Radial functions and their derivatives: Gaussians, made to vanish at the reach and at r = 0."""
        n_radial = len(self.pair)
        x = distances / self.space.reach
        width = 1.2 / (n_radial - 1)
        apart = (x[..., None] - jnp.linspace(0, 1, n_radial)) / width
        inside = jnp.minimum(x, 1.0) ** 2
        end, end_slope = (1 - inside) ** 3, -6 * jnp.sqrt(inside) * (1 - inside) ** 2
        core = inside / (inside + CORE**2)
        core_slope = 2 * jnp.sqrt(inside) * CORE**2 / (inside + CORE**2) ** 2
        window, window_slope = (end * core)[..., None], (end_slope * core + end * core_slope)[..., None]
        bumps = jnp.exp(-0.5 * apart**2)
        return bumps * window, bumps * (window_slope - apart / width * window) / self.space.reach

    def _from_waves(self, positions: Float[Array, "n d"]) -> Motion:
        """By S(G) = sum_j exp(-i G.x_j), so that the cost is n, not n^2, times the waves."""
        waves = jnp.asarray(self.space.waves, positions.dtype)
        strength = self.wave[self.space.shells]
        phases = positions @ waves.T
        cosines, sines = jnp.cos(phases), jnp.sin(phases)
        total_cosine, total_sine = cosines.sum(axis=0), sines.sum(axis=0)
        velocity = ((sines * total_cosine - cosines * total_sine) * strength) @ waves
        factor = total_cosine**2 + total_sine**2 - len(positions)
        return Motion(velocity, jnp.sum(strength * jnp.sum(waves**2, axis=1) * factor))


class PointVelocity(eqx.Module):
    """Any field in a plane or in space: a network of position and time, for one particle."""

    layers: list[tuple[Float[Array, "_ _"], Float[Array, "_"]]]
    scale: float = eqx.field(static=True)

    @classmethod
    def of(cls, dimensions: int, *, scale: float, n_hidden: int = 32, key: PRNGKeyArray) -> "PointVelocity":
        """Two hidden layers; scale: a typical distance (bohr). The field begins at rest."""
        sizes = [dimensions + 1, n_hidden, n_hidden, dimensions]
        keys = jax.random.split(key, len(sizes) - 1)
        layers = [
            (2 * jax.random.normal(k, (i, o)) / np.sqrt(i), jax.random.normal(k, (o,)))
            for k, i, o in zip(keys, sizes[:-1], sizes[1:], strict=True)
        ]
        layers[-1] = (jnp.zeros_like(layers[-1][0]), jnp.zeros_like(layers[-1][1]))
        return cls(layers, scale)

    def __call__(self, positions: Float[Array, "n d"], t: Float[Array, ""] | float) -> Motion:
        """Velocity and divergence; every particle for itself."""
        velocity = jax.vmap(lambda x: self._one(x, t))(positions)
        divergence = jnp.sum(jax.vmap(lambda x: jnp.trace(jax.jacfwd(self._one)(x, t)))(positions))
        return Motion(velocity, divergence)

    def _one(self, position: Float[Array, "d"], t: Float[Array, ""] | float) -> Float[Array, "d"]:
        x = jnp.append(position / self.scale, 2 * t - 1)
        for weight, bias in self.layers[:-1]:
            x = jnp.tanh(x @ weight + bias)
        weight, bias = self.layers[-1]
        return self.scale * (x @ weight + bias)
