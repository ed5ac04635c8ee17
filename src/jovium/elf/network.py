"""The field network: atoms -> invariants -> (pointwise network, convolution) some times -> ELF.

The convolutions are filters W(|G|) on the Fourier series of the hidden fields, so nothing cuts the reach of the model
off and long waves are as natural to it as short ones (a Fourier neural operator, Li et al., arXiv:2010.08895, with
rotation-invariant filters). Some hidden fields are vectors, gradients of such convolutions, of which products enter
what follows: what lies around a point has directions (equivariant message passing, Schuett et al., arXiv:2102.03150).

Hidden fields hold no wave beyond about |G| = 7.5 / bohr and are made of the wider Gaussians alone. So they live on a
grid of INNER_SPACING, coarser than any that is asked for, and have values anywhere. The narrow Gaussians enter the last
network alone, at the points asked for.
"""

from itertools import pairwise
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, PRNGKeyArray

from jovium.base.gaussians import gaussians
from jovium.elf.invariants import FLOOR, WIDTHS, derivative_series, invariants, n_invariants
from jovium.elf.spectrum import Array as AnyArray
from jovium.elf.spectrum import Shape, grid_values, half_spectrum, resize, structure_factor, wave_vectors

INNER_SPACING = 0.40
"""Distance (bohr) of the grid of the hidden fields: it carries waves up to pi / 0.40 = 7.9 / bohr."""

INNER_WIDTHS, HEAD_WIDTHS = (1, 2, 3, 4), (0, 1)
"""Widths, as indices of WIDTHS, of which the hidden fields are made and which the last network is given."""

N_RADIAL = 20
LARGEST_WAVE = 6.5
"""Filters are sums of N_RADIAL Gaussians in |G| between 0 and LARGEST_WAVE (1/bohr): 0.34 / bohr apart, so that a
filter reaches some nine bohr."""

LONGEST_SLOPE = 3.0
"""|grad n| / n^(4/3) beyond which a direction counts no more than this."""

N_SPREAD = 16
"""Width of the network of the expected error."""

SPREAD_OFFSET = 4.0
"""The logarithm of the expected error is what the last layer says minus this: it starts at some per cent."""


class Atoms(NamedTuple):
    """A structure as the network takes it: fractional positions, reciprocal vectors (rows, with 2 pi), volume."""

    fractional_positions: Float[Array, "n 3"]
    reciprocal: Float[Array, "3 3"]
    volume: Float[Array, ""]


def grid_invariants(atoms: Atoms, shape: Shape, widths: tuple[int, ...]) -> Float[Array, "f nx ny nz"]:
    """The invariants of a structure on a grid."""
    factor = structure_factor(atoms.fractional_positions, shape)
    parts = derivative_series(factor, wave_vectors(atoms.reciprocal, shape), atoms.volume, widths)
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


def _dot(a: Float[Array, "3 *#p"], b: Float[Array, "3 *#p"]) -> Float[Array, "*#p"]:
    """Product of vectors, component by component: one loop over the points."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


class Scales(eqx.Module):
    """What brings invariants to order one: their mean, standard deviation and range over the training data."""

    centre: Float[Array, "f"]
    scale: Float[Array, "f"]
    low: Float[Array, "f"]
    high: Float[Array, "f"]

    @classmethod
    def none(cls, n: int) -> "Scales":
        """Of n numbers that stay as they are."""
        return cls(jnp.zeros(n), jnp.ones(n), jnp.full(n, -1e9), jnp.full(n, 1e9))

    def __call__(self, values: Float[Array, "f *p"]) -> Float[Array, "f *p"]:
        """Standardised values. Beyond the range of the training data nothing is known: they end there."""
        centre, scale, low, high = (x.reshape(-1, *([1] * (values.ndim - 1))) for x in self)
        return (jnp.clip(values, low, high) - centre) / scale

    def excess(self, values: Float[Array, "f *p"]) -> Float[Array, "*p"]:
        """How far a point is from anything trained on: the largest distance of a number to its range, over the length
        of the range; 0 inside."""
        _, _, low, high = (x.reshape(-1, *([1] * (values.ndim - 1))) for x in self)
        return jnp.max(jnp.maximum(low - values, values - high) / (high - low), axis=0, initial=0.0)

    def __iter__(self):
        return iter((self.centre, self.scale, self.low, self.high))


class Prediction(NamedTuple):
    """ELF and the size of its error to expect, the scale of a Laplace distribution; both in [0, 1] units of the ELF."""

    elf: Float[Array, "*p"]
    spread: Float[Array, "*p"]


class FieldNetwork(eqx.Module):
    """ELF of hydrogen at any point of a periodic structure.

    inner, outer: scales of the invariants that the hidden fields are made of, and of those of the last network.
    mixers: pointwise networks before each convolution. filters, vector_filters: coefficients of W(|G|) per scalar and
    per vector channel. head: from invariants and the hidden fields of the last convolution to softplus^-1(chi).
    widths: what the last network is given, as indices of WIDTHS. spread: from everything known of a point to the
    logarithm of the expected error, see `jovium.elf.calibration`. Without convolutions the model is local: a point sees
    the atoms within about three times the largest width.
    """

    inner: Scales
    outer: Scales
    mixers: list[Pointwise]
    filters: list[Float[Array, "c r"]]
    vector_filters: list[Float[Array, "v r"]]
    head: Pointwise
    spread: Pointwise
    widths: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self,
        inner: Scales | None = None,
        outer: Scales | None = None,
        *,
        n_channels: int = 32,
        n_vectors: int = 8,
        n_hidden: int = 64,
        n_layers: int = 3,
        n_widths: int = len(WIDTHS),
        key: PRNGKeyArray,
    ):
        keys = jax.random.split(key, 3 * n_layers + 2)
        self.widths = HEAD_WIDTHS if n_layers else tuple(range(n_widths))
        n_inner, n_outer = n_invariants(INNER_WIDTHS), n_invariants(self.widths)
        n_fields = n_channels + 3 * n_vectors
        self.inner, self.outer = inner or Scales.none(n_inner), outer or Scales.none(n_outer)
        self.mixers = [
            Pointwise([n_inner + (n_fields if layer else 0), n_hidden, n_channels + n_vectors], key=keys[layer])
            for layer in range(n_layers)
        ]
        shapes = (n_channels, N_RADIAL), (n_vectors, N_RADIAL)
        self.filters = [0.3 * jax.random.normal(k, shapes[0]) for k in keys[n_layers : 2 * n_layers]]
        self.vector_filters = [0.3 * jax.random.normal(k, shapes[1]) for k in keys[2 * n_layers : 3 * n_layers]]
        n_seen = n_outer + (n_fields if n_layers else 0)
        self.head = Pointwise([n_seen, n_hidden, n_hidden, 1], key=keys[-2])
        self.spread = Pointwise([n_seen + n_hidden, N_SPREAD, 1], key=keys[-1])

    @property
    def n_vectors(self) -> int:
        """Vectors among the hidden fields."""
        return len(self.vector_filters[0]) if self.vector_filters else 0

    def inner_inputs(
        self, parts: list[Float[Array, "_ *p"]], hidden: Float[Array, "h *p"] | None
    ) -> Float[Array, "f *p"]:
        """What a mixer is given: invariants of derivatives of the wider Gaussians and of the hidden fields before."""
        x = self.inner(invariants(parts))
        # The direction of the first of INNER_WIDTHS and the last of HEAD_WIDTHS, which are the same.
        return x if hidden is None else jnp.concatenate([x, self.contract(hidden, parts[0])])

    def outer_inputs(self, parts: list[Float[Array, "_ *p"]], hidden: Float[Array, "h *p"]) -> Float[Array, "f *p"]:
        """What the last network is given: invariants of derivatives of the atoms and of the last hidden fields."""
        x = self.outer(invariants(parts))
        return jnp.concatenate([x, self.contract(hidden, parts[-1])]) if self.mixers else x

    def contract(self, hidden: Float[Array, "h *p"], parts: Float[Array, "_ *p"]) -> Float[Array, "k *p"]:
        """Invariants of the hidden fields: scalars as they are, of the vectors V_c their squares, their products with
        the direction of grad n and with each other."""
        n_scalars = len(hidden) - 3 * self.n_vectors
        scalars, vectors = hidden[:n_scalars], hidden[n_scalars:].reshape(3, self.n_vectors, *hidden.shape[1:])
        slope = parts[1:4] / (jnp.maximum(parts[0], 0.0) + FLOOR) ** (4 / 3)
        direction = slope / jnp.sqrt(1 + _dot(slope, slope) / LONGEST_SLOPE**2)
        along = _dot(vectors, direction[:, None])
        # Squares grow with the square of the weights: their roots and signed roots are of the order of the scalars.
        products = jnp.concatenate([_dot(vectors, vectors), _dot(vectors, jnp.roll(vectors, 1, axis=1))])
        return jnp.concatenate([scalars, along, products * jax.lax.rsqrt(1 + jnp.abs(products))])

    def filter(self, layer: int, lengths: Float[Array, "*g"]) -> Float[Array, "c *g"]:
        """W(|G|) of a layer, for every scalar and then every vector channel."""
        weights = jnp.concatenate([self.filters[layer], self.vector_filters[layer]])
        return jnp.moveaxis(radial_basis(lengths) @ weights.T, -1, 0)

    def hidden_series(
        self, filtered: Complex[AnyArray, "c *g"], waves: Float[AnyArray, "*g 3"]
    ) -> Complex[AnyArray, "h *g"]:
        """The series of scalars and of vectors, which are gradients, from the filtered ones of all channels. Of NumPy
        or JAX."""
        xp = filtered.__array_namespace__()
        n_scalars = len(filtered) - self.n_vectors
        gradients = filtered[n_scalars:] * (1j * xp.moveaxis(waves, -1, 0))[:, None]
        return xp.concatenate([filtered[:n_scalars], gradients.reshape(-1, *filtered.shape[1:])])

    def features(self, x: Float[Array, "f *p"]) -> Float[Array, "k *p"]:
        """Everything the network knows of a point: what enters the last layer, then its inputs."""
        return jnp.concatenate([self.head.hidden(x), x])

    def prediction(self, x: Float[Array, "f *p"]) -> Prediction:
        """ELF and spread from the inputs of the last network."""
        features = self.features(x)
        # chi >= 0, so that 0 < ELF <= 1 whatever the weights are; the head's features come first.
        chi = jax.nn.softplus(self.head.last(features[: len(self.head.biases[-2])])[0])
        # No error of a number between 0 and 1 is above 1.
        spread = jnp.exp(jnp.minimum(self.spread(features)[0] - SPREAD_OFFSET, 0.0))
        return Prediction(1 / (1 + chi**2), spread)

    def grid(self, atoms: Atoms, shape: Shape, inner: Shape) -> Prediction:
        """ELF on a grid of `shape`, with hidden fields on one of `inner`, no finer along any axis."""
        hidden = jnp.zeros((0, *shape))
        if self.mixers:
            hidden = grid_values(resize(self._last_series(atoms, inner), inner, shape), shape)
        factor = structure_factor(atoms.fractional_positions, shape)
        parts = derivative_series(factor, wave_vectors(atoms.reciprocal, shape), atoms.volume, self.widths)
        return self.prediction(self.outer_inputs([grid_values(part, shape) for part in parts], hidden))

    def _last_series(self, atoms: Atoms, shape: Shape) -> Complex[Array, "h nx ny nh"]:
        factor, waves = structure_factor(atoms.fractional_positions, shape), wave_vectors(atoms.reciprocal, shape)
        series = derivative_series(factor, waves, atoms.volume, INNER_WIDTHS)
        parts, hidden = [grid_values(part, shape) for part in series], jnp.zeros((0, *factor.shape))
        for layer, mixer in enumerate(self.mixers):
            # Pointwise network in real space, then the convolution: a product with W(|G|) in reciprocal space.
            inputs = self.inner_inputs(parts, grid_values(hidden, shape) if layer else None)
            # The small number keeps the derivative of |G| finite at G = 0.
            filters = self.filter(layer, jnp.sqrt(jnp.sum(waves**2, axis=-1) + 1e-12))
            hidden = self.hidden_series(half_spectrum(mixer(inputs)) * filters, waves)
        return hidden


def radial_basis(length: Float[Array, "*g"]) -> Float[Array, "*g r"]:
    """Gaussians in |G| of which filters are made."""
    return gaussians(
        length, jnp.linspace(0.0, LARGEST_WAVE, N_RADIAL, dtype=length.dtype), LARGEST_WAVE / (N_RADIAL - 1)
    )
