"""Features of electrons and protons by messages between them, and the backflow that follows from these.

Two rounds of messages. First sums over neighbours of functions of their distance, and squares of sums of their
directions, for electrons of equal and of opposite spin and for protons; then sums of features of the neighbours.
In open space functions of distance end at its reach, so that electrons far apart do not notice each other. In a cell
distances and directions are periodic and smooth, without a sphere to end at: in small cells the corners beyond it
matter.
A backflow coordinate x_i = r_i + sum_j eta_ij (r_i - r_j) / (1 + r_ij^2)^(1/2) displaces each electron by what is
around it (Feynman and Cohen, Phys. Rev. 102, 1189 (1956)); message passing for electrons: Pescia et al., Phys. Rev. B
110, 035108 (2024)."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jovium.base.box import Box
from jovium.electrons.radial import radial_basis


class Sizes(NamedTuple):
    """Sizes of a wave function: determinants, radial functions of a distance, sums over the directions of neighbours,
    features of a particle, and channels of the backflow."""

    n_determinants: int = 4
    n_radial: int = 8
    n_directions: int = 4
    n_features: int = 32
    n_backflow: int = 6


class Features(NamedTuple):
    """Features h and backflow coordinates x (bohr) of electrons, and features of protons."""

    electrons: Float[Array, "n f"]
    backflow: Float[Array, "n 3"]
    protons: Float[Array, "m f"]


class PairFeatures(NamedTuple):
    """Displacements (bohr), distances and radial basis of electrons from electrons, electrons from protons, and protons
    from protons; `spins`: 1 for two electrons of equal spin in the first matrix, of opposite spin in the second, 0 for
    an electron with itself. In a cell all are those of `Box.periodic_displacements`."""

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


def pair_features(
    box: Box, electrons: Float[Array, "n 3"], protons: Float[Array, "m 3"], n_up: int, n_radial: int
) -> PairFeatures:
    """All pairs of one configuration (bohr), the first n_up electrons with spin up."""
    n, m = len(electrons), len(protons)
    ee, ee_square = box.periodic_displacements(electrons, electrons)
    pp, pp_square = box.periodic_displacements(protons, protons)
    # A particle is at the distance 1 of itself, where the square root has a derivative.
    r_ee, r_pp = jnp.sqrt(ee_square + np.eye(n)), jnp.sqrt(pp_square + np.eye(m))
    # Without protons a constant: the forward Laplacian has no rule for arrays without elements.
    ep, r_ep = jnp.zeros((n, 0, 3), electrons.dtype), jnp.zeros((n, 0), electrons.dtype)
    if m:
        ep, ep_square = box.periodic_displacements(electrons, protons)
        r_ep = jnp.sqrt(ep_square)
    # Periodic distances never meet the edge of a window.
    reach = box.reach if box.vectors is None else np.inf
    basis_ee, basis_ep, basis_pp = (radial_basis(r, reach, n_radial) for r in (r_ee, r_ep, r_pp))
    up = np.arange(len(electrons)) < n_up
    equal = up[:, None] == up
    spins = np.stack([equal & ~np.eye(len(up), dtype=bool), ~equal]).astype(float)
    return PairFeatures(ee, ep, pp, r_ee, r_ep, r_pp, basis_ee, basis_ep, basis_pp, spins)


class MessagePassing(eqx.Module):
    """The network of messages from electrons of equal spin, of opposite spin, and protons: arrays of three. Sizes: k
    radial functions, c directions, f features, g functions of backflow, i and j inputs of the two layers."""

    n_radial: int = eqx.field(static=True)
    direction_filters: Float[Array, "3 k c"]
    first_layer: Float[Array, "i f"]
    first_bias: Float[Array, "f"]
    proton_layer: Float[Array, "k f"]
    message_filters: Float[Array, "3 k f"]
    message_weights: Float[Array, "3 f f"]
    second_layer: Float[Array, "j f"]
    second_bias: Float[Array, "f"]
    backflow_filters: Float[Array, "3 k g"]
    backflow_own: Float[Array, "3 f g"]
    backflow_other: Float[Array, "3 f g"]

    @classmethod
    def of(cls, sizes: Sizes, *, key: PRNGKeyArray) -> "MessagePassing":
        """A network with random messages and without backflow."""
        _, n_radial, n_directions, n_features, n_backflow = sizes
        keys = iter(jax.random.split(key, 8))

        def random(*shape: int) -> Array:
            return jax.random.normal(next(keys), shape) / np.sqrt(shape[-2])

        n_inputs = 3 * (n_radial + n_directions)
        return cls(
            n_radial,
            direction_filters=random(3, n_radial, n_directions),
            first_layer=random(n_inputs, n_features),
            first_bias=jnp.zeros(n_features),
            proton_layer=random(n_radial, n_features),
            message_filters=random(3, n_radial, n_features),
            message_weights=random(3, n_features, n_features),
            second_layer=random(4 * n_features, n_features),
            second_bias=jnp.zeros(n_features),
            backflow_filters=random(3, n_radial, n_backflow),
            backflow_own=jnp.zeros((3, n_features, n_backflow)),
            backflow_other=jnp.zeros((3, n_features, n_backflow)),
        )

    def __call__(self, electrons: Float[Array, "n 3"], pairs: PairFeatures) -> Features:
        """Features and backflow coordinates of one configuration."""
        spins = jnp.asarray(pairs.spins, electrons.dtype)
        # Electrons of equal spin, of opposite spin, protons, of which a gas has none: every zip below ends with these.
        bases = [pairs.basis_ee * spin[..., None] for spin in spins] + [pairs.basis_ep]
        bases = bases if pairs.ep.shape[1] else bases[:2]
        # Directions that stay bounded far away; even in r where particles meet, or backflow would change the cusps.
        pairs_and_distances = (pairs.ee, pairs.r_ee), (pairs.ep, pairs.r_ep)
        ee, ep = (displacements / jnp.sqrt(1 + r**2)[..., None] for displacements, r in pairs_and_distances)
        directions = [ee, ee, ep]
        # First round: how many neighbours are at each distance, and how uneven their directions are. Squares of the
        # sums of vectors do not change when everything is turned.
        sums = []
        for basis, direction, filters in zip(bases, directions, self.direction_filters, strict=False):
            vectors = jnp.sum((basis @ filters)[..., None] * direction[:, :, None], axis=1)
            sums += [jnp.sum(basis, axis=1), jnp.sum(vectors**2, axis=-1)]
        inputs = jnp.concatenate(sums, axis=-1)
        own = jnp.tanh(0.5 * inputs @ self.first_layer[: inputs.shape[1]] + self.first_bias)
        protons = jnp.tanh(jnp.sum(pairs.basis_pp, axis=1) @ self.proton_layer)
        # Second round: features of the neighbours, weighted by functions of their distance; a step on top of the first.
        messages, senders = [own], (own, own, protons)
        weights = self.message_filters, self.message_weights
        for basis, sender, filters, mixing in zip(bases, senders, *weights, strict=False):
            messages.append(jnp.sum((basis @ filters) * (sender @ mixing), axis=1))
        inputs = jnp.concatenate(messages, axis=-1)
        features = own + jnp.tanh(inputs @ self.second_layer[: inputs.shape[1]] + self.second_bias)
        # Backflow: eta_ij = sum_g (basis_ij . filter_g) (h_i . own_g + h_j . other_g) / f along every direction.
        backflow, senders = electrons, (features, features, protons)
        weights = self.backflow_filters, self.backflow_own, self.backflow_other
        for basis, direction, sender, filters, own_weights, other_weights in zip(
            bases, directions, senders, *weights, strict=False
        ):
            amplitudes = ((features @ own_weights)[:, None] + sender @ other_weights) / len(own_weights)
            eta = jnp.sum((basis @ filters) * amplitudes, axis=-1)
            backflow = backflow + jnp.sum(eta[..., None] * direction, axis=1)
        return Features(features, backflow, protons)
