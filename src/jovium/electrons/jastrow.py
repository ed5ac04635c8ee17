"""The symmetric factor exp(J): cusps, functions of pairs, and features of the surroundings.

Where two charges meet the kinetic energy must cancel 1/r (Kato, Commun. Pure Appl. Math. 10, 151 (1957)): ln|psi| has
the slope 1/2 for electrons of opposite spin, 1/4 for those of equal spin (whose determinant vanishes), -1 at a proton.
Everything else in the wave function has none, so these slopes are exact whatever the parameters are."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jovium.electrons.message_passing import Features, PairFeatures, Sizes
from jovium.electrons.radial import SOFTENING

OPPOSITE_SPINS, EQUAL_SPINS = 0.5, 0.25
"""Slopes of ln|psi| where electrons meet."""


class Jastrow(eqx.Module):
    """J of one configuration.

    J = sum_pairs [-s b^2 / (r + b) + p(r)] + sum_iI [SOFTENING^2 / (r + SOFTENING) + p(r)] + sum_i tanh(h_i A) a,

    ln b `log_cusp_ranges`, p(r) a sum of the radial basis with `pair_weights`, both for electrons of equal and of
    opposite spin (p also for electrons and protons), A `hidden_weights`, a `output_weights`."""

    log_cusp_ranges: Float[Array, "2"]
    pair_weights: Float[Array, "3 k"]
    hidden_weights: Float[Array, "f f"]
    output_weights: Float[Array, "f"]

    @classmethod
    def of(cls, sizes: Sizes, *, spacing: float, key: PRNGKeyArray) -> "Jastrow":
        """Cusps alone to begin with, those of electrons with a range like their spacing (bohr)."""
        n = sizes.n_features
        hidden_weights = jax.random.normal(key, (n, n)) / np.sqrt(n)
        return cls(jnp.full(2, np.log(spacing)), jnp.zeros((3, sizes.n_radial)), hidden_weights, jnp.zeros(n))

    def __call__(self, pairs: PairFeatures, features: Features) -> Float[Array, ""]:
        """ln of the factor."""
        total = jnp.sum(jnp.tanh(features.electrons @ self.hidden_weights) @ self.output_weights)
        # Matrices of electrons hold every pair twice: hence the factors 0.5.
        ranges = jnp.exp(self.log_cusp_ranges)
        for slope, b, mask in zip((EQUAL_SPINS, OPPOSITE_SPINS), ranges, pairs.spins, strict=True):
            total -= 0.5 * slope * jnp.sum(b**2 / (pairs.r_ee + b) * mask)
        for weights, mask in zip(self.pair_weights, pairs.spins, strict=False):
            total += 0.5 * jnp.sum((pairs.basis_ee @ weights) * mask)
        if pairs.r_ep.shape[1]:
            total += jnp.sum(pairs.basis_ep @ self.pair_weights[2])
            total += jnp.sum(proton_cusp(pairs.r_ep))
        return total


def proton_cusp(r: Float[Array, "*s"]) -> Float[Array, "*s"]:
    """ln of the factor between an electron and a proton: slope -1 at r = 0, then flat."""
    return SOFTENING**2 / (r + SOFTENING)
