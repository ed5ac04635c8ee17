"""Pair velocities on a torus, without an edge: for cells so small that their corners matter."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jovium.protons.velocity import CORE, Motion, PairVelocity, pair_velocity


class SmoothPairs(NamedTuple):
    """Of every pair: smooth distance s, direction e = w / s with the smooth difference w of
    `Box.periodic_displacements`, the gradient ds/dr_i and the Jacobian de/dr_i, the derivative along its first axis.
    Zero for a particle with itself."""

    distances: Float[Array, "n n"]
    directions: Float[Array, "n n d"]
    gradients: Float[Array, "n n d"]
    jacobians: Float[Array, "n n d d"]


class TorusVelocity(PairVelocity):
    """The velocity of `PairVelocity` with smooth differences and distances in place of those of the nearest image, and
    with functions that reach to the corners of the cell: half of a small cell lies beyond its inscribed sphere.

    Its divergence is longer: e is no unit vector, ds/dr is not e, and de/dr is not (1 - e e^T) / s."""

    def _from_pairs(self, positions: Float[Array, "n d"]) -> Motion:
        distances, e, gradients, jacobians = self._smooth_pairs(positions)
        (b, a, h, g), (b_slope, a_slope, h_slope, g_slope) = self._pair_functions(distances)
        # Of e and its derivatives, what divergences are made of: e.grad s, div e, (de/dr) e, e^2 and e^T (de/dr) e.
        e_grad, div_e = jnp.sum(gradients * e, axis=-1), jnp.trace(jacobians, axis1=-2, axis2=-1)
        turned = jnp.sum(e[..., None] * jacobians, axis=-2)
        e_square, e_turned = jnp.sum(e**2, axis=-1), jnp.sum(turned * e, axis=-1)
        velocity, differences, projections = pair_velocity(e, b, a, h, g)

        # x_i moves b, h and g through s_ij and e_ij; A_i - A_j is held fixed.
        divergence = jnp.sum(b_slope[..., 0] * e_grad + b[..., 0] * div_e)
        divergence += jnp.sum((h_slope * e_grad[..., None] + h * div_e[..., None]) * projections)
        divergence += jnp.sum(h * jnp.sum(differences * turned[:, :, None], axis=-1))
        divergence += jnp.sum(g_slope * jnp.sum(differences * gradients[:, :, None], axis=-1))
        # Then A_i - A_j, by J = a' grad s e^T + a de/dr of one term a e. Through g acts its trace: in -A_j the particle
        # i is one neighbour, and e_ji = -e_ij; in A_i every neighbour counts, summed first to keep the cost O(n^2).
        trace = a_slope * e_grad[..., None] + a * div_e[..., None]
        divergence += jnp.sum(g * trace) + jnp.sum(g.sum(axis=1) * trace.sum(axis=1))
        # Through h acts e^T J e, likewise of A_j and of A_i.
        divergence += jnp.sum(h * (a_slope * (e_grad * e_square)[..., None] + a * e_turned[..., None]))
        steep = gradients[..., :, None] * e[..., None, :]
        jacobian = jnp.sum(
            a_slope[..., None, None] * steep[:, :, None] + a[..., None, None] * jacobians[:, :, None], axis=1
        )
        projector = jnp.sum(h[..., None, None] * (e[..., :, None] * e[..., None, :])[:, :, None], axis=1)
        return Motion(velocity, divergence + jnp.sum(jacobian * projector))

    def _smooth_pairs(self, positions: Float[Array, "n d"]) -> SmoothPairs:
        n = len(positions)
        vectors = jnp.asarray(np.array(self.box.vectors) / (2 * np.pi), positions.dtype)
        to_angles = jnp.asarray(np.linalg.inv(np.array(self.box.vectors)) * 2 * np.pi, positions.dtype)
        angles = (positions[:, None] - positions) @ to_angles
        sines, cosines = jnp.sin(angles), jnp.cos(angles)
        # s^2 = w^2 + u^2: w is odd and vanishes half a cell away, where u is longest.
        w, u = sines @ vectors, (1 - cosines) @ vectors
        identity = jnp.eye(n, dtype=positions.dtype)
        # A particle is at the distance 1 of itself, where nothing is divided by zero.
        distances = jnp.sqrt(jnp.sum(w**2 + u**2, axis=-1) + identity)
        # s grad s = (dw/dr) w + (du/dr) u, with d sin = cos and d(1 - cos) = sin along each lattice vector.
        gradients = (cosines * (w @ vectors.T) + sines * (u @ vectors.T)) @ to_angles.T / distances[..., None]
        directions = w / distances[..., None]
        # de/dr = (dw/dr - grad s e^T) / s, not zero of itself where w = 0: a particle with itself is taken out.
        w_jacobians = jnp.einsum("xa,ija,ay->ijxy", to_angles, cosines, vectors)
        jacobians = (w_jacobians - gradients[..., :, None] * directions[..., None, :]) / distances[..., None, None]
        return SmoothPairs(distances, directions, gradients, jacobians * (1 - identity)[..., None, None])

    def _radial(self, distances: Float[Array, "n n"]) -> tuple[Float[Array, "n n r"], Float[Array, "n n r"]]:
        """Radial functions and their derivatives: Gaussians up to the farthest corner, made to vanish at r = 0 and
        for a particle with itself."""
        n_radial, farthest = len(self.pair), self.box.largest_distance
        distinct = (1 - jnp.eye(len(distances), dtype=distances.dtype))[..., None]
        x = distances / farthest
        width = 1.0 / (n_radial - 1)
        offsets = (x[..., None] - jnp.linspace(0, 1, n_radial)) / width
        square = x**2
        # No window at the end: s is smooth at the corners, where it is largest.
        core = (square / (square + CORE**2))[..., None] * distinct
        core_slope = (2 * x * CORE**2 / (square + CORE**2) ** 2)[..., None] * distinct
        gaussians = jnp.exp(-0.5 * offsets**2)
        return gaussians * core, gaussians * (core_slope - offsets / width * core) / farthest
