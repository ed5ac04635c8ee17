"""The field network: atoms -> invariants -> (pointwise network, isotropic convolution) twice -> ELF.

The convolutions are filters W(|G|) on the Fourier series of the hidden fields, so nothing cuts the reach of the model
off and long waves are as natural to it as short ones (a Fourier neural operator, Li et al., arXiv:2010.08895, with
rotation-invariant filters and invariant fields). Filters end at |G| = 9 / bohr: hidden fields are smooth and have
values, gradients and Hessians anywhere.
"""

from itertools import pairwise
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jovium.base.gaussians import gaussians
from jovium.elf.invariants import WIDTHS, derivative_series, invariants, n_invariants
from jovium.elf.spectrum import Shape, grid_values, half_spectrum, structure_factor, wave_vectors

N_RADIAL = 12
LARGEST_WAVE = 8.0
"""Filters are sums of N_RADIAL Gaussians in |G| between 0 and LARGEST_WAVE (1/bohr)."""

SPREAD_OFFSET = 4.0
"""The logarithm of the expected error is what the last layer says minus this: it starts at some per cent."""


class Atoms(NamedTuple):
    """A structure as the network takes it: fractional positions, reciprocal vectors (rows, with 2 pi), volume."""

    fractional_positions: Float[Array, "n 3"]
    reciprocal: Float[Array, "3 3"]
    volume: Float[Array, ""]


def grid_invariants(atoms: Atoms, shape: Shape, n_widths: int) -> Float[Array, "f nx ny nz"]:
    """The invariants of a structure on a grid."""
    factor = structure_factor(atoms.fractional_positions, shape)
    parts = derivative_series(factor, wave_vectors(atoms.reciprocal, shape), atoms.volume, n_widths)
    return invariants([grid_values(part, shape) for part in parts])


class Pointwise(eqx.Module):
    """A small network applied at every point, channels first."""

    weights: list[Float[Array, "o i"]]
    biases: list[Float[Array, "o"]]

    def __init__(self, sizes: list[int], *, key: PRNGKeyArray):
        keys = jax.random.split(key, len(sizes) - 1)
        pairs = list(pairwise(sizes))
        self.weights = [jax.random.normal(k, (o, i)) / np.sqrt(i) for k, (i, o) in zip(keys, pairs, strict=True)]
        self.biases = [jnp.zeros(o) for o in sizes[1:]]

    @classmethod
    def linear(cls, weight: Float[Array, "o i"], bias: Float[Array, "o"]) -> "Pointwise":
        """One layer with these numbers."""
        form = cls([weight.shape[1], weight.shape[0]], key=jax.random.key(0))
        return eqx.tree_at(lambda p: (p.weights, p.biases), form, ([weight], [bias]))

    def __call__(self, x: Float[Array, "i *p"]) -> Float[Array, "o *p"]:
        return self.last(self.hidden(x))

    def hidden(self, x: Float[Array, "i *p"]) -> Float[Array, "h *p"]:
        """What enters the last layer."""
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = jax.nn.silu(_affine(weight, bias, x))
        return x

    def last(self, hidden: Float[Array, "h *p"]) -> Float[Array, "o *p"]:
        """The last layer, which is linear."""
        return _affine(self.weights[-1], self.biases[-1], hidden)


def _affine(weight: Float[Array, "o i"], bias: Float[Array, "o"], x: Float[Array, "i *p"]) -> Float[Array, "o *p"]:
    return jnp.tensordot(weight, x, axes=1) + bias.reshape(-1, *([1] * (x.ndim - 1)))


class Prediction(NamedTuple):
    """ELF and the size of its error to expect, the scale of a Laplace distribution; both in [0, 1] units of the ELF."""

    elf: Float[Array, "*p"]
    spread: Float[Array, "*p"]


class FieldNetwork(eqx.Module):
    """ELF of hydrogen at any point of a periodic structure.

    centre, scale: of the invariants over the training data. mixers: pointwise networks before each convolution.
    filters: coefficients of W(|G|) per channel. head: from invariants and hidden fields to softplus^-1(chi). n_widths:
    how many of the widths, narrowest first, make invariants. spread: from everything known of a point to the logarithm
    of the expected error, see `jovium.elf.calibration`. Without layers the model is local: a point sees
    the atoms within about three times the largest width.
    """

    centre: Float[Array, "f"]
    scale: Float[Array, "f"]
    mixers: list[Pointwise]
    filters: list[Float[Array, "c r"]]
    head: Pointwise
    spread: Pointwise
    n_widths: int = eqx.field(static=True)

    def __init__(
        self,
        centre: Float[Array, "f"],
        scale: Float[Array, "f"],
        *,
        n_channels: int = 24,
        n_hidden: int = 48,
        n_layers: int = 2,
        n_widths: int = len(WIDTHS),
        key: PRNGKeyArray,
    ):
        keys = jax.random.split(key, 2 * n_layers + 2)
        self.centre, self.scale, self.n_widths = centre, scale, n_widths
        inputs = n_invariants(n_widths)
        self.mixers = [
            Pointwise([inputs + (n_channels if layer else 0), n_hidden, n_channels], key=keys[layer])
            for layer in range(n_layers)
        ]
        self.filters = [0.3 * jax.random.normal(k, (n_channels, N_RADIAL)) for k in keys[n_layers:-2]]
        self.head = Pointwise([inputs + n_layers * n_channels, n_hidden, n_hidden, 1], key=keys[-2])
        self.spread = Pointwise([inputs + n_layers * n_channels + n_hidden, 1], key=keys[-1])

    def inputs(self, parts: list[Float[Array, "_ *p"]]) -> Float[Array, "f *p"]:
        """Standardised invariants from the derivatives of the smoothed atoms."""
        values = invariants(parts)
        ones = [1] * (values.ndim - 1)
        return (values - self.centre.reshape(-1, *ones)) / self.scale.reshape(-1, *ones)

    def mix(self, layer: int, x: Float[Array, "f *p"], hidden: Float[Array, "h *p"]) -> Float[Array, "c *p"]:
        """Input of the convolution of a layer; hidden: output of the one before, no channels at first."""
        return self.mixers[layer](jnp.concatenate([x, hidden]))

    def filter(self, layer: int, lengths: Float[Array, "*g"]) -> Float[Array, "c *g"]:
        """W(|G|) of a layer, for every channel."""
        return jnp.moveaxis(radial_basis(lengths) @ self.filters[layer].T, -1, 0)

    def features(self, x: Float[Array, "f *p"], hidden: Float[Array, "h *p"]) -> Float[Array, "k *p"]:
        """Everything the network knows of a point: what enters the last layer, then invariants and hidden fields."""
        inputs = jnp.concatenate([x, hidden])
        return jnp.concatenate([self.head.hidden(inputs), inputs])

    def prediction(self, x: Float[Array, "f *p"], hidden: Float[Array, "h *p"]) -> Prediction:
        """ELF and spread from the invariants and the hidden fields of all layers."""
        features = self.features(x, hidden)
        # chi >= 0, so that 0 < ELF <= 1 whatever the weights are; the head's features come first.
        chi = jax.nn.softplus(self.head.last(features[: len(self.head.biases[-2])])[0])
        spread = jnp.exp(self.spread(features)[0] - SPREAD_OFFSET)
        return Prediction(1 / (1 + chi**2), spread)

    def grid(self, atoms: Atoms, shape: Shape) -> Prediction:
        """ELF on a grid of `shape`."""
        factor = structure_factor(atoms.fractional_positions, shape)
        waves = wave_vectors(atoms.reciprocal, shape)
        parts = derivative_series(factor, waves, atoms.volume, self.n_widths)
        x = self.inputs([grid_values(part, shape) for part in parts])
        # The small number keeps the derivative of |G| finite at G = 0.
        lengths = jnp.sqrt(jnp.sum(waves**2, axis=-1) + 1e-12)
        series, hidden = [jnp.zeros((0, *factor.shape), factor.dtype)], jnp.zeros((0, *shape), x.dtype)
        for layer in range(len(self.mixers)):
            # Pointwise network in real space, then the convolution: a product with W(|G|) in reciprocal space.
            series.append(half_spectrum(self.mix(layer, x, hidden)) * self.filter(layer, lengths))
            hidden = grid_values(series[-1], shape)
        # The head sees the hidden fields of every layer, not of the last alone.
        return self.prediction(x, grid_values(jnp.concatenate(series), shape))


def radial_basis(length: Float[Array, "*g"]) -> Float[Array, "*g r"]:
    """Gaussians in |G| of which filters are made."""
    return gaussians(
        length, jnp.linspace(0.0, LARGEST_WAVE, N_RADIAL, dtype=length.dtype), LARGEST_WAVE / (N_RADIAL - 1)
    )
