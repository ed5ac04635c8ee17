"""What every electron sees: protons and other electrons, told in messages, and the backflow that follows from it.

Two rounds of messages. First sums over neighbours of functions of their distance, and squares of sums of their
directions, for electrons of equal and of opposite spin and for protons; then sums of what the neighbours have seen.
In open space functions of distance end at its reach, so that electrons far apart do not notice each other. In a cell
distances and directions are periodic and smooth, without a sphere to end at: in small cells the corners beyond it
matter.
A backflow coordinate x_i = r_i + sum_j eta_ij (r_i - r_j) / (1 + r_ij^2)^(1/2) displaces each electron by what it sees
(Feynman and Cohen, Phys. Rev. 102, 1189 (1956)); message passing for electrons: Pescia et al., Phys. Rev. B 110, 035108
(2024)."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jovium.base.box import Box
from jovium.electrons.radial import basis


class Features(NamedTuple):
    """Features h and backflow coordinates x (bohr) of electrons, and features of protons."""

    electrons: Float[Array, "n f"]
    places: Float[Array, "n 3"]
    protons: Float[Array, "m f"]


class Pairs(NamedTuple):
    """Differences (bohr) for electrons with electrons, electrons with protons, and protons with protons; k functions of
    each; `spins`: 1 for two electrons of equal spin in the first, of opposite spin in the second row, 0 for an electron
    with itself. In a cell all are those of `Box.periodic_displacements`."""

    ee: Float[Array, "n n 3"]
    ep: Float[Array, "n m 3"]
    pp: Float[Array, "m m 3"]
    r_ee: Float[Array, "n n"]
    r_ep: Float[Array, "n m"]
    r_pp: Float[Array, "m m"]
    basis_ee: Float[Array, "n n k"]
    basis_ep: Float[Array, "n m k"]
    basis_pp: Float[Array, "m m k"]
    spins: Float[np.ndarray, "2 n n"]


def pairs_of(
    space: Box, electrons: Float[Array, "n 3"], protons: Float[Array, "m 3"], n_up: int, n_radial: int
) -> Pairs:
    """All pairs of one configuration (bohr), the first n_up electrons with spin up."""
    n, m = len(electrons), len(protons)
    ee, ee_square = space.periodic_displacements(electrons, electrons)
    pp, pp_square = space.periodic_displacements(protons, protons)
    # A particle is at the distance 1 of itself, where the square root has a derivative.
    r_ee, r_pp = jnp.sqrt(ee_square + np.eye(n)), jnp.sqrt(pp_square + np.eye(m))
    # Without protons a constant: the forward Laplacian has no rule for arrays without elements.
    ep, r_ep = jnp.zeros((n, 0, 3), electrons.dtype), jnp.zeros((n, 0), electrons.dtype)
    if m:
        ep, ep_square = space.periodic_displacements(electrons, protons)
        r_ep = jnp.sqrt(ep_square)
    reach = space.reach if space.vectors is None else np.inf
    basis_ee, basis_ep, basis_pp = (basis(r, reach, n_radial) for r in (r_ee, r_ep, r_pp))
    up = np.arange(len(electrons)) < n_up
    equal = up[:, None] == up
    spins = np.stack([equal & ~np.eye(len(up), dtype=bool), ~equal]).astype(float)
    return Pairs(ee, ep, pp, r_ee, r_ep, r_pp, basis_ee, basis_ep, basis_pp, spins)


class MessagePassing(eqx.Module):
    """The network of messages. Sizes: k functions of distance, c directions, f features, g flows."""

    n_radial: int = eqx.field(static=True)
    side: Float[Array, "3 k c"]
    first: Float[Array, "i f"]
    first_bias: Float[Array, "f"]
    proton: Float[Array, "k f"]
    filters: Float[Array, "3 k f"]
    told: Float[Array, "3 f f"]
    second: Float[Array, "j f"]
    second_bias: Float[Array, "f"]
    flow_filters: Float[Array, "3 k g"]
    flow_mine: Float[Array, "3 f g"]
    flow_other: Float[Array, "3 f g"]

    @classmethod
    def of(
        cls,
        *,
        n_radial: int = 8,
        n_sides: int = 4,
        n_features: int = 32,
        n_flows: int = 6,
        key: PRNGKeyArray,
    ) -> "MessagePassing":
        """A network with random messages and without backflow."""
        keys = iter(jax.random.split(key, 8))

        def random(*shape: int) -> Array:
            return jax.random.normal(next(keys), shape) / np.sqrt(shape[-2])

        inputs = 3 * (n_radial + n_sides)
        return cls(
            n_radial,
            side=random(3, n_radial, n_sides),
            first=random(inputs, n_features),
            first_bias=jnp.zeros(n_features),
            proton=random(n_radial, n_features),
            filters=random(3, n_radial, n_features),
            told=random(3, n_features, n_features),
            second=random(4 * n_features, n_features),
            second_bias=jnp.zeros(n_features),
            flow_filters=random(3, n_radial, n_flows),
            flow_mine=jnp.zeros((3, n_features, n_flows)),
            flow_other=jnp.zeros((3, n_features, n_flows)),
        )

    def __call__(self, electrons: Float[Array, "n 3"], pairs: Pairs) -> Features:
        """Features and backflow coordinates of one configuration."""
        spins = jnp.asarray(pairs.spins, electrons.dtype)
        # Electrons of equal spin, of opposite spin, protons, of which a gas has none.
        functions = [pairs.basis_ee * spin[..., None] for spin in spins] + [pairs.basis_ep]
        functions = functions if pairs.ep.shape[1] else functions[:2]
        # Directions that stay bounded far away; even in r where particles meet, or backflow would change the cusps.
        towards = [
            between / jnp.sqrt(1 + r**2)[..., None] for between, r in ((pairs.ee, pairs.r_ee), (pairs.ep, pairs.r_ep))
        ]
        directions = [towards[0], *towards]
        seen = []
        for values, toward, side in zip(functions, directions, self.side, strict=False):
            sides = jnp.sum((values @ side)[..., None] * toward[:, :, None], axis=1)
            seen += [jnp.sum(values, axis=1), jnp.sum(sides**2, axis=-1)]
        heard = jnp.concatenate(seen, axis=-1)
        mine = jnp.tanh(0.5 * heard @ self.first[: heard.shape[1]] + self.first_bias)
        protons = jnp.tanh(jnp.sum(pairs.basis_pp, axis=1) @ self.proton)
        messages, others = [mine], (mine, mine, protons)
        for values, other, filters, told in zip(functions, others, self.filters, self.told, strict=False):
            messages.append(jnp.sum((values @ filters) * (other @ told), axis=1))
        heard = jnp.concatenate(messages, axis=-1)
        features = mine + jnp.tanh(heard @ self.second[: heard.shape[1]] + self.second_bias)
        places, others = electrons, (features, features, protons)
        flows = zip(functions, directions, others, self.flow_filters, self.flow_mine, self.flow_other, strict=False)
        for values, toward, other, filters, of_mine, of_others in flows:
            strength = ((features @ of_mine)[:, None] + other @ of_others) / len(of_mine)
            eta = jnp.sum((values @ filters) * strength, axis=-1)
            places = places + jnp.sum(eta[..., None] * toward, axis=1)
        return Features(features, places, protons)
