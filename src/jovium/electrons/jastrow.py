"""The symmetric factor exp(J): cusps, features of the surroundings, and long waves.

Where two charges meet the kinetic energy must cancel 1/r (Kato, Commun. Pure Appl. Math. 10, 151 (1957)): ln|psi| has
the slope 1/2 for electrons of opposite spin, 1/4 for those of equal spin (whose determinant vanishes), -1 at a proton.
Everything else in the wave function has none, so these slopes are exact whatever the parameters are."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jovium.base.space import Space
from jovium.electrons.radial import SOFT, range_of, window
from jovium.electrons.surroundings import Pairs, Seen

OPPOSITE, EQUAL = 0.5, 0.25
"""Slopes of ln|psi| where electrons meet."""


class Jastrow(eqx.Module):
    """J of one configuration.

    J = sum_pairs -s b^2 / (r + b) w(r) + sum_iI SOFT^2 / (r + SOFT) w(r) + sum_i tanh(h_i A) a
        + sum_G [c(|G|) |rho_e(G)|^2 + d(|G|) Re rho_e(G) rho_p(G)*] / n.
    """

    space: Space = eqx.field(static=True)
    log_ranges: Float[Array, "2"]
    inner: Float[Array, "f f"]
    outer: Float[Array, "f"]
    wave_ee: Float[Array, "s"]
    wave_ep: Float[Array, "s"]

    @classmethod
    def of(cls, space: Space, *, n_features: int = 32, spacing: float = 1.5, key: PRNGKeyArray) -> "Jastrow":
        """Cusps alone to begin with, those of electrons with a range like their spacing (bohr)."""
        n_shells = int(space.shells.max(initial=-1)) + 1
        inner = jax.random.normal(key, (n_features, n_features)) / np.sqrt(n_features)
        zeros = jnp.zeros(n_shells)
        return cls(space, jnp.full(2, np.log(spacing)), inner, jnp.zeros(n_features), zeros, zeros)

    def __call__(
        self, electrons: Float[Array, "n 3"], protons: Float[Array, "m 3"], pairs: Pairs, seen: Seen
    ) -> Float[Array, ""]:
        """ln of the factor."""
        total = jnp.sum(jnp.tanh(seen.electrons @ self.inner) @ self.outer)
        ends = window(pairs.r_ee, range_of(self.space))
        for slope, reach, among in zip((EQUAL, OPPOSITE), jnp.exp(self.log_ranges), pairs.spins, strict=True):
            total -= 0.5 * slope * jnp.sum(reach**2 / (pairs.r_ee + reach) * ends * among)
        if len(protons):
            total += jnp.sum(proton_cusp(pairs.r_ep, range_of(self.space)))
        return total + self._from_waves(electrons, protons)

    def _from_waves(self, electrons: Float[Array, "n 3"], protons: Float[Array, "m 3"]) -> Float[Array, ""]:
        if not len(self.space.waves):
            return jnp.zeros((), electrons.dtype)
        waves = jnp.asarray(self.space.waves, electrons.dtype)
        of_electrons = _densities(waves, electrons)
        terms = self.wave_ee[self.space.shells] * jnp.sum(of_electrons**2, 0)
        if len(protons):
            terms += self.wave_ep[self.space.shells] * jnp.sum(of_electrons * _densities(waves, protons), 0)
        return jnp.sum(terms) / len(electrons)


def proton_cusp(r: Float[Array, "*s"], reach: float) -> Float[Array, "*s"]:
    """ln of the factor between an electron and a proton: slope -1 at r = 0, then flat."""
    return SOFT**2 / (r + SOFT) * window(r, reach)


def _densities(waves: Float[Array, "g 3"], positions: Float[Array, "n 3"]) -> Float[Array, "2 g"]:
    """Real and imaginary part of rho(G) = sum_i exp(i G.r_i)."""
    phases = positions @ waves.T
    return jnp.stack([jnp.sum(jnp.cos(phases), axis=0), jnp.sum(jnp.sin(phases), axis=0)])
