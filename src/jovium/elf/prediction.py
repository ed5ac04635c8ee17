"""The ELF of a structure from a trained network, on any grid.

Every structure has another grid, and a compiled program fits one only. So the Fourier transforms are left to NumPy, and
what happens at a point is compiled once, for a fixed number of points. Memory beyond the fields asked for depends on
the structure alone.
"""

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Complex, Float

from jovium.base.errors import InputError
from jovium.base.grid import GridField
from jovium.base.memory import keep_freed_memory
from jovium.base.structure import Structure
from jovium.elf.invariants import derivative_series, invariants
from jovium.elf.network import INNER_SPACING, INNER_WIDTHS, FieldNetwork
from jovium.elf.samples import network_atoms
from jovium.elf.spectrum import Shape, grid_values, half_spectrum, plane_values, structure_factor, wave_vectors
from jovium.training.devices import single_precision

MAX_INNER_POINTS = 1e7
"""Points of the inner grid at most: 12 GB of fields. 1e5 atoms at rs 1.4 fit."""

HEAD_SPACING = 0.25
"""Distance (bohr) of the grid whose waves the narrowest Gaussian is made of: it carries 4 pi / bohr."""

POINTS_PER_CALL, POINTS_PER_LAST_CALLS = 2**13, 2**11
"""Points of one call of the compiled network: its intermediate numbers, 20 MB, stay near the processor. What is left in
the end is done in smaller calls, so that few are filled up."""

POINTS_PER_SLAB = 2**16
"""Grid points whose inputs are held in memory together, some hundred bytes each."""

POINTS_BETWEEN = 7
"""Grid points from one to the next whose inputs are compared with those of the training data."""

Fields = Float[np.ndarray, "_ *p"]


class Predicted(NamedTuple):
    """ELF, the scale of its error to expect, and how far the inputs of the hidden fields are from those of the training
    data at the strangest point (`Scales.excess`)."""

    elf: GridField
    spread: GridField
    excess: float


@single_precision()
def predict_fields(network: FieldNetwork, structure: Structure, shape: Shape) -> Predicted:
    """ELF and its expected error on a grid of `shape`. Raises InputError for too large a cell."""
    keep_freed_memory()
    elf, spread = np.empty(shape, np.float32), np.empty(shape, np.float32)
    hidden = _hidden(network, structure)
    for slab, *fields in _slabs(network, structure, shape, hidden):
        elf[slab], spread[slab] = _map_points(_predict, network, *fields)
    return Predicted(GridField(elf, structure.cell), GridField(spread, structure.cell), hidden.excess)


@single_precision()
def head_inputs(network: FieldNetwork, structure: Structure, shape: Shape) -> Fields:
    """What the last network is given on a grid of `shape`."""
    slabs = _slabs(network, structure, shape, _hidden(network, structure))
    return np.concatenate([_map_points(_head_inputs, network, *fields) for _, *fields in slabs], axis=1)


@single_precision()
def structure_invariants(structure: Structure, shape: Shape, widths: tuple[int, ...]) -> Fields:
    """The invariants of a structure on a grid."""
    factor, waves = _factor_and_waves(structure, shape)
    parts = np.concatenate(derivative_series(factor, waves, np.float32(structure.cell.volume), widths))
    return _map_points(functools.partial(_invariants, widths), None, grid_values(parts, shape))


def inner_shape(structure: Structure) -> Shape:
    """The grid of the hidden fields of a structure."""
    return structure.cell.grid_shape(INNER_SPACING)


def _require_small(structure: Structure) -> None:
    """Raise InputError for a cell whose hidden fields would not fit into memory."""
    spacing = INNER_SPACING
    if np.prod(structure.cell.lengths / spacing) > MAX_INNER_POINTS:
        raise InputError(
            f"a cell of {structure.cell.volume:.3g} bohr^3",
            f"at most {MAX_INNER_POINTS * spacing**3:.3g}: the network works on a grid of {spacing} bohr",
            "give a cell without vacuum, the network knows none",
        )


def _slabs(
    network: FieldNetwork, structure: Structure, shape: Shape, hidden: "Hidden"
) -> Iterator[tuple[slice, Fields, Fields]]:
    """Planes of a grid, as many at a time as POINTS_PER_SLAB allows, with derivatives of the smoothed atoms and hidden
    fields on them."""
    # The narrow Gaussians need more waves than the hidden fields.
    outer = structure.cell.grid_shape(HEAD_SPACING)
    factor, waves = _factor_and_waves(structure, outer)
    parts = np.concatenate(derivative_series(factor, waves, np.float32(structure.cell.volume), network.widths))
    # A grid coarser than the waves takes every m-th point of a finer one, on which none is lost.
    every_y, every_z = (-(-outer[axis] // shape[axis]) for axis in (1, 2))
    target = (shape[1] * every_y, shape[2] * every_z)
    at_once = max(1, POINTS_PER_SLAB // (target[0] * target[1]))
    for start in range(0, shape[0], at_once):
        x = np.arange(start, min(start + at_once, shape[0]), dtype=np.float32) / np.float32(shape[0])
        both = (parts, outer), (hidden.series, hidden.shape)
        fields = [plane_values(series, grid, x, target)[..., ::every_y, ::every_z] for series, grid in both]
        yield slice(start, start + at_once), *fields


class Hidden(NamedTuple):
    """Hidden fields of the last convolution as series on the half spectrum of a grid of `shape`, and their excess."""

    series: Complex[np.ndarray, "h nx ny nh"]
    shape: Shape
    excess: float


def _hidden(network: FieldNetwork, structure: Structure) -> Hidden:
    """What `FieldNetwork.grid` gives its head, without compilation for the grid."""
    _require_small(structure)
    shape = inner_shape(structure)
    factor, waves = _factor_and_waves(structure, shape)
    hidden = np.zeros((0, *factor.shape), np.complex64)
    field = np.zeros((0, *shape), np.float32)
    if not network.mixers:
        return Hidden(hidden, shape, 0.0)
    atoms = derivative_series(factor, waves, np.float32(structure.cell.volume), INNER_WIDTHS)
    parts = grid_values(np.concatenate(atoms), shape)
    lengths = np.sqrt(np.sum(waves**2, axis=-1))[None]
    for layer in range(len(network.mixers)):
        mixture = _map_points(functools.partial(_mix, layer), network, parts, field)
        filters = _map_points(functools.partial(_filter, layer), network, lengths)
        hidden = network.hidden_series(half_spectrum(mixture) * filters, waves)
        if layer + 1 < len(network.mixers):
            field = grid_values(hidden, shape)
    some = parts.reshape(len(parts), -1)[:, ::POINTS_BETWEEN]
    return Hidden(hidden, shape, float(_map_points(_excess, network, some).max()))


def _factor_and_waves(
    structure: Structure, shape: Shape
) -> tuple[Complex[np.ndarray, "nx ny nh"], Float[np.ndarray, "nx ny nh 3"]]:
    cell = structure.cell
    fractional = np.asarray(network_atoms(cell, structure.positions).fractional_positions)
    return structure_factor(fractional, shape).astype(np.complex64), wave_vectors(
        cell.reciprocal.astype(np.float32), shape
    )


def _map_points(function: Callable, network: FieldNetwork | None, *fields: Fields) -> Fields:
    """A pointwise function of fields, many at a time, the last ones filled up with zeros."""
    shape = fields[0].shape[1:]
    n = int(np.prod(shape))
    flat = [field.reshape(len(field), n) for field in fields]
    result: np.ndarray | None = None
    start = 0
    while start < n:
        size = POINTS_PER_CALL if n - start > POINTS_PER_CALL - POINTS_PER_LAST_CALLS else POINTS_PER_LAST_CALLS
        stop = min(start + size, n)
        chunks = [field[:, start:stop] for field in flat]
        if stop - start < size:
            chunks = [np.pad(chunk, ((0, 0), (0, size - (stop - start)))) for chunk in chunks]
        values = np.asarray(function(network, *chunks))
        result = np.empty((len(values), n), np.float32) if result is None else result
        result[:, start:stop] = values[:, : stop - start]
        start = stop
    assert result is not None
    return result.reshape(-1, *shape)


def _split(widths: tuple[int, ...], parts: jax.Array) -> list[jax.Array]:
    """The derivatives of every width by themselves."""
    forms = derivative_series(np.ones(1, complex), np.ones((1, 3)), np.ones(()), widths)
    lengths = [len(form) for form in forms]
    return [parts[end - length : end] for length, end in zip(lengths, np.cumsum(lengths), strict=True)]


@functools.partial(jax.jit, static_argnums=0)
def _invariants(widths: tuple[int, ...], network: None, parts: jax.Array) -> jax.Array:
    return invariants(_split(widths, parts))


@jax.jit
def _excess(network: FieldNetwork, parts: jax.Array) -> jax.Array:
    return network.inner.excess(invariants(_split(INNER_WIDTHS, parts)))[None]


@functools.partial(jax.jit, static_argnums=0)
def _mix(layer: int, network: FieldNetwork, parts: jax.Array, hidden: jax.Array) -> jax.Array:
    return network.mixers[layer](network.inner_inputs(_split(INNER_WIDTHS, parts), hidden if layer else None))


@functools.partial(jax.jit, static_argnums=0)
def _filter(layer: int, network: FieldNetwork, lengths: jax.Array) -> jax.Array:
    return network.filter(layer, lengths[0])


@jax.jit
def _head_inputs(network: FieldNetwork, parts: jax.Array, hidden: jax.Array) -> jax.Array:
    return network.outer_inputs(_split(network.widths, parts), hidden)


@jax.jit
def _predict(network: FieldNetwork, parts: jax.Array, hidden: jax.Array) -> jax.Array:
    return jnp.stack(network.prediction(network.outer_inputs(_split(network.widths, parts), hidden)))
