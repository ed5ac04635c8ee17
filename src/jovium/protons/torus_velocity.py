"""Pair velocities on a torus, without an edge: for cells so small that their corners matter."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jovium.protons.velocity import CORE, Motion, PairVelocity


class Pairs(NamedTuple):
    """Of every pair: smooth distance s, direction e = w / s with the smooth difference w of
    `Box.periodic_displacements`, the slope ds/dr_i and the turn de/dr_i, the derivative along its first axis. Zero for
    a particle with itself."""

    distances: Float[Array, "n n"]
    directions: Float[Array, "n n d"]
    slopes: Float[Array, "n n d"]
    turns: Float[Array, "n n d d"]


class TorusVelocity(PairVelocity):
    """The velocity of `PairVelocity` with smooth differences and distances in place of those of the nearest image, and
    with functions that reach to the corners of the cell: half of a small cell lies beyond its inscribed sphere."""

    def _from_pairs(self, positions: Float[Array, "n d"]) -> Motion:
        pairs = self._pairs(positions)
        e, k, turns = pairs.directions, pairs.slopes, pairs.turns
        n_channels = self.side.shape[1]
        coefficients = jnp.concatenate([self.pair[:, None], self.side, self.along, self.plain], axis=1)
        values, rates = self._radial(pairs.distances)
        ends = np.cumsum([1, n_channels, n_channels])
        b, a, h, g = jnp.split(values @ coefficients, ends, axis=-1)
        b_rate, a_rate, h_rate, g_rate = jnp.split(rates @ coefficients, ends, axis=-1)
        # Of e and its derivatives, what divergences are made of.
        forward, spread = jnp.sum(k * e, axis=-1), jnp.trace(turns, axis1=-2, axis2=-1)
        turned = jnp.sum(e[..., None] * turns, axis=-2)
        square, across = jnp.sum(e**2, axis=-1), jnp.sum(turned * e, axis=-1)

        sides = jnp.sum(a[..., None] * e[:, :, None], axis=1)
        apart = sides[:, None] - sides
        lengthwise = jnp.sum(apart * e[:, :, None], axis=-1)
        velocity = jnp.sum((b[..., 0] + jnp.sum(h * lengthwise, axis=-1))[..., None] * e, axis=1)
        velocity += jnp.sum(g[..., None] * apart, axis=(1, 2))

        # div v, first of the functions of r_ij, then of A_i and of A_j, in which x_i is one neighbour of many.
        whole = jnp.sum(b_rate[..., 0] * forward + b[..., 0] * spread)
        whole += jnp.sum((h_rate * forward[..., None] + h * spread[..., None]) * lengthwise)
        whole += jnp.sum(h * jnp.sum(apart * turned[:, :, None], axis=-1))
        whole += jnp.sum(g_rate * jnp.sum(apart * k[:, :, None], axis=-1))
        side_spread = a_rate * forward[..., None] + a * spread[..., None]
        whole += jnp.sum(g * side_spread) + jnp.sum(g.sum(axis=1) * side_spread.sum(axis=1))
        whole += jnp.sum(h * (a_rate * (forward * square)[..., None] + a * across[..., None]))
        steep = k[..., :, None] * e[..., None, :]
        lean = jnp.sum(a_rate[..., None, None] * steep[:, :, None] + a[..., None, None] * turns[:, :, None], axis=1)
        axes = jnp.sum(h[..., None, None] * (e[..., :, None] * e[..., None, :])[:, :, None], axis=1)
        return Motion(velocity, whole + jnp.sum(lean * axes))

    def _pairs(self, positions: Float[Array, "n d"]) -> Pairs:
        n = len(positions)
        vectors = jnp.asarray(np.array(self.space.vectors) / (2 * np.pi), positions.dtype)
        to_angles = jnp.asarray(np.linalg.inv(np.array(self.space.vectors)) * 2 * np.pi, positions.dtype)
        angles = (positions[:, None] - positions) @ to_angles
        sines, cosines = jnp.sin(angles), jnp.cos(angles)
        along, short = sines @ vectors, (1 - cosines) @ vectors
        itself = jnp.eye(n, dtype=positions.dtype)
        # A particle is at the distance 1 of itself, where nothing is divided by zero.
        distances = jnp.sqrt(jnp.sum(along**2 + short**2, axis=-1) + itself)
        slopes = (cosines * (along @ vectors.T) + sines * (short @ vectors.T)) @ to_angles.T / distances[..., None]
        directions = along / distances[..., None]
        widths = jnp.einsum("xa,ija,ay->ijxy", to_angles, cosines, vectors)
        turns = (widths - slopes[..., :, None] * directions[..., None, :]) / distances[..., None, None]
        return Pairs(distances, directions, slopes, turns * (1 - itself)[..., None, None])

    def _radial(self, distances: Float[Array, "n n"]) -> tuple[Float[Array, "n n r"], Float[Array, "n n r"]]:
        """Radial functions and their derivatives: Gaussians up to the farthest corner, made to vanish at r = 0 and
        for a particle with itself."""
        n_radial, farthest = len(self.pair), self.space.largest_distance
        others = (1 - jnp.eye(len(distances), dtype=distances.dtype))[..., None]
        x = distances / farthest
        width = 1.0 / (n_radial - 1)
        apart = (x[..., None] - jnp.linspace(0, 1, n_radial)) / width
        inside = x**2
        core = (inside / (inside + CORE**2))[..., None] * others
        core_slope = (2 * x * CORE**2 / (inside + CORE**2) ** 2)[..., None] * others
        bumps = jnp.exp(-0.5 * apart**2)
        return bumps * core, bumps * (core_slope - apart / width * core) / farthest
