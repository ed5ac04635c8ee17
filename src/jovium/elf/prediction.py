"""The ELF of a structure from a trained network, on any grid.

Every structure has another grid, and a compiled program fits one only. So the Fourier transforms are left to NumPy, and
what happens at a point is compiled once, for a fixed number of points. Memory beyond the fields asked for depends on
the structure alone.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Complex, Float

from jovium.base.errors import InputError
from jovium.base.grid import GridField
from jovium.base.structure import Structure
from jovium.elf.invariants import derivative_series
from jovium.elf.network import FieldNetwork
from jovium.elf.samples import network_atoms
from jovium.elf.spectrum import Shape, grid_values, half_spectrum, plane_values, structure_factor, wave_vectors
from jovium.training.devices import single_precision

INNER_SPACING = 0.25
"""Distance (bohr) of the grid on which the hidden fields are made; they are smooth and go from there to any grid."""

MAX_INNER_POINTS = 1e7
"""Points of that grid at most: 12 GB of fields. 4e4 atoms at rs 1.4 fit."""

POINTS_PER_CALL = 2**13
"""Points of one call of the compiled network: its intermediate numbers, 20 MB, stay near the processor."""

MAX_POINTS_RATIO = 1.5
"""A grid with up to this many times the points of the inner one takes its place."""

POINTS_PER_SLAB = 2**16
"""Grid points whose inputs are held in memory together, some hundred bytes each."""

Fields = Float[np.ndarray, "_ *p"]


class InnerGridFields(NamedTuple):
    """What the network makes of a structure on one grid: derivatives of the smoothed atoms, of all widths one after the
    other, and hidden fields of all layers, both as series on its half spectrum; invariants and hidden fields on it."""

    parts: Complex[np.ndarray, "m nx ny nh"]
    hidden: Complex[np.ndarray, "h nx ny nh"]
    invariants_on_grid: Float[np.ndarray, "f nx ny nz"]
    hidden_on_grid: Float[np.ndarray, "h nx ny nz"]


@single_precision()
def predict_fields(network: FieldNetwork, structure: Structure, shape: Shape) -> tuple[GridField, GridField]:
    """ELF and its expected error (`Prediction.spread`) on a grid of `shape`."""
    inner = inner_shape(structure)
    if all(n <= m for n, m in zip(inner, shape, strict=True)) and np.prod(shape) <= MAX_POINTS_RATIO * np.prod(inner):
        fields = inner_grid_fields(network, structure, shape)
        elf, spread = _map_points(_predict_from_inputs, network, fields.invariants_on_grid, fields.hidden_on_grid)
    else:
        elf, spread = _predict_planes(network, inner_grid_fields(network, structure, inner), inner, shape)
    return GridField(elf, structure.cell), GridField(spread, structure.cell)


def inner_shape(structure: Structure) -> Shape:
    """The grid on which the hidden fields of a structure are made."""
    return structure.cell.grid_shape(INNER_SPACING)


def inner_grid_fields(network: FieldNetwork, structure: Structure, shape: Shape) -> InnerGridFields:
    """What `FieldNetwork.grid` gives its head, without compilation for the grid. Raises InputError for too large a
    cell."""
    cell = structure.cell
    if np.prod(shape) > MAX_INNER_POINTS:
        raise InputError(
            f"a cell of {cell.volume:.3g} bohr^3",
            f"at most {MAX_INNER_POINTS * INNER_SPACING**3:.3g}: the network works on a grid of {INNER_SPACING} bohr",
            "give a cell without vacuum, the network knows none",
        )
    waves = wave_vectors(cell.reciprocal.astype(np.float32), shape)
    fractional = np.asarray(network_atoms(cell, structure.positions).fractional_positions)
    factor = structure_factor(fractional, shape).astype(np.complex64)
    parts = np.concatenate(derivative_series(factor, waves, np.float32(cell.volume), network.n_widths))
    x = _map_points(_inputs, network, grid_values(parts, shape))
    lengths = np.sqrt(np.sum(waves**2, axis=-1))
    series, fields = [np.zeros((0, *factor.shape), np.complex64)], [np.zeros((0, *shape), np.float32)]
    for layer in range(len(network.mixers)):
        mixture = _map_points(functools.partial(_mix, layer), network, x, fields[-1])
        series.append(half_spectrum(mixture) * _map_points(functools.partial(_filter, layer), network, lengths[None]))
        fields.append(grid_values(series[-1], shape))
    return InnerGridFields(parts, np.concatenate(series), x, np.concatenate(fields))


def _predict_planes(
    network: FieldNetwork, inner_fields: InnerGridFields, inner: Shape, shape: Shape
) -> tuple[Float[np.ndarray, "nx ny nz"], Float[np.ndarray, "nx ny nz"]]:
    """ELF and spread on any grid, some planes at a time."""
    # A grid coarser than the inner one takes every m-th point of a finer one, on which no wave is lost.
    every_y, every_z = (-(-inner[axis] // shape[axis]) for axis in (1, 2))
    target = (shape[1] * every_y, shape[2] * every_z)
    at_once = max(1, POINTS_PER_SLAB // (target[0] * target[1]))
    elf, spread = np.empty(shape, np.float32), np.empty(shape, np.float32)
    for start in range(0, shape[0], at_once):
        x = np.arange(start, min(start + at_once, shape[0]), dtype=np.float32) / np.float32(shape[0])
        both = (inner_fields.parts, inner_fields.hidden)
        fields = [plane_values(series, inner, x, target)[..., ::every_y, ::every_z] for series in both]
        slab = slice(start, start + at_once)
        elf[slab], spread[slab] = _map_points(_predict_from_derivatives, network, *fields)
    return elf, spread


def _map_points(function: Callable, network: FieldNetwork, *fields: Fields) -> Fields:
    """A pointwise function of fields, POINTS_PER_CALL at a time, the last ones filled up with zeros."""
    shape = fields[0].shape[1:]
    n = int(np.prod(shape))
    flat = [field.reshape(len(field), n) for field in fields]
    result: np.ndarray | None = None
    for start in range(0, n, POINTS_PER_CALL):
        stop = min(start + POINTS_PER_CALL, n)
        padding = ((0, 0), (0, POINTS_PER_CALL - (stop - start)))
        values = np.asarray(function(network, *(np.pad(field[:, start:stop], padding) for field in flat)))
        result = np.empty((len(values), n), np.float32) if result is None else result
        result[:, start:stop] = values[:, : stop - start]
    assert result is not None
    return result.reshape(-1, *shape)


def _split_widths(network: FieldNetwork, parts: jax.Array) -> list[jax.Array]:
    """The derivatives of every width by themselves."""
    lengths = [len(form) for form in _derivative_forms(network.n_widths)]
    return [parts[end - length : end] for length, end in zip(lengths, np.cumsum(lengths), strict=True)]


@functools.cache
def _derivative_forms(n_widths: int) -> list[np.ndarray]:
    return derivative_series(np.ones(1, complex), np.ones((1, 3)), np.ones(()), n_widths)


@jax.jit
def _inputs(network: FieldNetwork, parts: jax.Array) -> jax.Array:
    return network.inputs(_split_widths(network, parts))


@functools.partial(jax.jit, static_argnums=0)
def _mix(layer: int, network: FieldNetwork, x: jax.Array, hidden: jax.Array) -> jax.Array:
    return network.mix(layer, x, hidden)


@functools.partial(jax.jit, static_argnums=0)
def _filter(layer: int, network: FieldNetwork, lengths: jax.Array) -> jax.Array:
    return network.filter(layer, lengths[0])


@jax.jit
def _predict_from_inputs(network: FieldNetwork, x: jax.Array, hidden: jax.Array) -> jax.Array:
    return jnp.stack(network.prediction(x, hidden))


@jax.jit
def _predict_from_derivatives(network: FieldNetwork, parts: jax.Array, hidden: jax.Array) -> jax.Array:
    return jnp.stack(network.prediction(network.inputs(_split_widths(network, parts)), hidden))
