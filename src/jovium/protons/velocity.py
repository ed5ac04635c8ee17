"""Velocities of a continuous flow and their divergences, in one pass.

Particles follow dx/dt = v(x, t) from t = 0 to t = 1, and ln p falls along the way by div v (Chen et al.,
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

SELF_DISTANCE = 1e6
"""Distance (bohr) of a particle from itself, as far as pair functions are concerned."""

CORE = 0.1
"""Fraction of the reach below which pair functions vanish quadratically: a direction has no meaning at r = 0."""


Channels = Float[Array, "n n c"]


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
    """Forces between pairs, between the environments of pairs, and of long waves.

    v_i = sum_j [b(r_ij) e_ij + sum_c (g_c(r_ij) + h_c(r_ij) e_ij e_ij^T) (A_ic - A_jc)]
          + sum_G f(|G|) G sin(G.(x_i - x_j)),           A_ic = sum_j a_c(r_ij) e_ij,    e_ij = r_ij / |r_ij|.

    The environment A_i says to which side the neighbours of i stand: the second term is what a second step of pair
    forces would add, and the three-body part of the density (docs/protons.md). v does not depend on the order of the
    particles or on their centroid, and sum v = 0. b (pair), a (environment), h (longitudinal) and g (isotropic) are
    sums of r Gaussians that end smoothly at the reach of the box, in c channels; f (waves) has a value per shell s.
    Parameters are values at k knots evenly spaced in t over [0, 1], interpolated linearly between. Cost O(n^2) with the
    divergence.
    """

    box: Box = eqx.field(static=True)
    pair: Float[Array, "k r"]
    environment: Float[Array, "k r c"]
    longitudinal: Float[Array, "k r c"]
    isotropic: Float[Array, "k r c"]
    waves: Float[Array, "k s"]

    @classmethod
    def of(
        cls, box: Box, *, n_knots: int = 4, n_radial: int = 14, n_channels: int = 4, key: PRNGKeyArray
    ) -> "PairVelocity":
        """A field that is zero, with random environments."""
        n_shells = int(box.shells.max(initial=-1)) + 1
        # The same environments at all knots to begin with: they change smoothly along t.
        environment = 0.5 * jax.random.normal(key, (n_radial, n_channels))
        zeros = jnp.zeros((n_knots, n_radial, n_channels))
        environments = jnp.tile(environment, (n_knots, 1, 1))
        return cls(box, zeros[..., 0], environments, zeros, zeros, jnp.zeros((n_knots, n_shells)))

    def __call__(self, positions: Float[Array, "n d"], t: Float[Array, ""] | float) -> Motion:
        """Velocity and divergence of one configuration at time t."""
        field = self._interpolate(t)
        pairs, waves = field._from_pairs(positions), field._from_waves(positions)
        return Motion(pairs.velocity + waves.velocity, pairs.divergence + waves.divergence)

    def _interpolate(self, t: Float[Array, ""] | float) -> "PairVelocity":
        """The field with its parameters at time t, without the axis of knots."""
        n_knots = len(self.pair)
        weights = jnp.maximum(0, 1 - jnp.abs(jnp.clip(t, 0, 1) * (n_knots - 1) - jnp.arange(n_knots)))
        return jax.tree.map(lambda values: jnp.tensordot(weights, values, 1), self)

    def _from_pairs(self, positions: Float[Array, "n d"]) -> Motion:
        n, dimensions = positions.shape
        displacements = self.box.displacements(positions, positions)
        # A finite distance from itself: no division by zero, and every radial function vanishes there.
        distances = jnp.sqrt(jnp.where(jnp.eye(n, dtype=bool), SELF_DISTANCE**2, jnp.sum(displacements**2, axis=-1)))
        e = displacements / distances[..., None]
        (b, a, h, g), (b_slope, a_slope, h_slope, g_slope) = self._pair_functions(distances)
        velocity, _, projections = pair_velocity(e, b, a, h, g)
        div_e = (dimensions - 1) / distances[..., None]
        # x_i moves b, g and h through r_ij: div(b e) = b' + b div e, and A_i - A_j is held fixed.
        divergence = jnp.sum(b_slope + div_e * b)
        divergence += jnp.sum((h_slope + div_e * h + g_slope) * projections)
        # Then A_i - A_j, by J = a' e e^T + a (1 - e e^T) / r of one term a e, of trace a' + (d - 1) a / r. In -A_j the
        # particle i is one neighbour, and e_ji = -e_ij: plus J. Between e^T and e that is a'.
        a_over_r = a / distances[..., None]
        trace = a_slope + (dimensions - 1) * a_over_r
        divergence += jnp.sum(h * a_slope + g * trace)
        # In A_i every neighbour counts: the two sums over neighbours are made first, which keeps the cost O(n^2).
        outer = (e[:, :, :, None] * e[:, :, None])[:, :, None]
        jacobian = jnp.sum((a_slope - a_over_r)[..., None, None] * outer, axis=1)  # without its isotropic part a / r
        projector = jnp.sum(h[..., None, None] * outer, axis=1)
        divergence += jnp.sum(jacobian * projector) + jnp.sum(a_over_r.sum(axis=1) * h.sum(axis=1))
        divergence += jnp.sum(trace.sum(axis=1) * g.sum(axis=1))
        return Motion(velocity, divergence)

    def _pair_functions(self, distances: Float[Array, "n n"]) -> tuple[list[Array], list[Array]]:
        """b, a, h, g of all pairs and their derivatives, channels last."""
        # One product with all coefficients side by side: the Gaussians are read once.
        functions = [self.pair[:, None], self.environment, self.longitudinal, self.isotropic]
        coefficients = jnp.concatenate(functions, axis=1)
        ends = np.cumsum([1, *([self.environment.shape[1]] * 2)])
        values, slopes = (jnp.split(basis @ coefficients, ends, axis=-1) for basis in self._radial(distances))
        return values, slopes

    def _radial(self, distances: Float[Array, "n n"]) -> tuple[Float[Array, "n n r"], Float[Array, "n n r"]]:
        """Radial functions and their derivatives: Gaussians, made to vanish at the reach and at r = 0."""
        n_radial = len(self.pair)
        x = distances / self.box.reach
        width = 1.2 / (n_radial - 1)
        offsets = (x[..., None] - jnp.linspace(0, 1, n_radial)) / width
        square = jnp.minimum(x, 1.0) ** 2
        # (1 - x^2)^3 has two derivatives at the reach: v and div v are smooth where a pair leaves it.
        end, end_slope = (1 - square) ** 3, -6 * jnp.sqrt(square) * (1 - square) ** 2
        # x^2 at the core: a direction turns by any angle over no distance at r = 0.
        core = square / (square + CORE**2)
        core_slope = 2 * jnp.sqrt(square) * CORE**2 / (square + CORE**2) ** 2
        window, window_slope = (end * core)[..., None], (end_slope * core + end * core_slope)[..., None]
        gaussians = jnp.exp(-0.5 * offsets**2)
        return gaussians * window, gaussians * (window_slope - offsets / width * window) / self.box.reach

    def _from_waves(self, positions: Float[Array, "n d"]) -> Motion:
        """By S(G) = sum_j exp(-i G.x_j), so that the cost is n, not n^2, times the waves."""
        waves = jnp.asarray(self.box.waves, positions.dtype)
        amplitudes = self.waves[self.box.shells]
        phases = positions @ waves.T
        cosines, sines = jnp.cos(phases), jnp.sin(phases)
        total_cosine, total_sine = cosines.sum(axis=0), sines.sum(axis=0)
        # sum_j sin(G.(x_i - x_j)) = sin(G.x_i) sum_j cos(G.x_j) - cos(G.x_i) sum_j sin(G.x_j); j = i adds zero.
        velocity = ((sines * total_cosine - cosines * total_sine) * amplitudes) @ waves
        # Its divergence is G^2 sum_{i != j} cos(G.(x_i - x_j)) = G^2 (|S|^2 - n).
        structure_factor = total_cosine**2 + total_sine**2 - len(positions)
        return Motion(velocity, jnp.sum(amplitudes * jnp.sum(waves**2, axis=1) * structure_factor))


def pair_velocity(
    e: Float[Array, "n n d"], b: Float[Array, "n n 1"], a: Channels, h: Channels, g: Channels
) -> tuple[Float[Array, "n d"], Float[Array, "n n c d"], Channels]:
    """v of the pairs, A_i - A_j, and its projections on e_ij."""
    # Sums of products instead of einsum: contractions this small are loops to the compiler and four times slower.
    environments = jnp.sum(a[..., None] * e[:, :, None], axis=1)
    differences = environments[:, None] - environments
    projections = jnp.sum(differences * e[:, :, None], axis=-1)
    velocity = jnp.sum((b[..., 0] + jnp.sum(h * projections, axis=-1))[..., None] * e, axis=1)
    velocity += jnp.sum(g[..., None] * differences, axis=(1, 2))
    return velocity, differences, projections


class PointVelocity(eqx.Module):
    """Any field in a plane or in space: a network of position and time, for one particle."""

    layers: list[tuple[Float[Array, "_ _"], Float[Array, "_"]]]
    scale: float = eqx.field(static=True)

    @classmethod
    def of(cls, dimensions: int, *, scale: float, n_hidden: int = 32, key: PRNGKeyArray) -> "PointVelocity":
        """Two hidden layers; scale: a typical distance (bohr). The field is zero to begin with."""
        sizes = [dimensions + 1, n_hidden, n_hidden, dimensions]
        keys = jax.random.split(key, len(sizes) - 1)
        layers = [
            (2 * jax.random.normal(k, (i, o)) / np.sqrt(i), jax.random.normal(k, (o,)))
            for k, i, o in zip(keys, sizes[:-1], sizes[1:], strict=True)
        ]
        layers[-1] = (jnp.zeros_like(layers[-1][0]), jnp.zeros_like(layers[-1][1]))
        return cls(layers, scale)

    def __call__(self, positions: Float[Array, "n d"], t: Float[Array, ""] | float) -> Motion:
        """Velocity and divergence; every particle on its own."""
        velocity = jax.vmap(lambda x: self._particle(x, t))(positions)
        divergence = jnp.sum(jax.vmap(lambda x: jnp.trace(jax.jacfwd(self._particle)(x, t)))(positions))
        return Motion(velocity, divergence)

    def _particle(self, position: Float[Array, "d"], t: Float[Array, ""] | float) -> Float[Array, "d"]:
        x = jnp.append(position / self.scale, 2 * t - 1)
        for weight, bias in self.layers[:-1]:
            x = jnp.tanh(x @ weight + bias)
        weight, bias = self.layers[-1]
        return self.scale * (x @ weight + bias)
