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

from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.base.grid import GridField
from jovium.base.structure import Structure
from jovium.elf.invariants import derivative_series
from jovium.elf.network import Atoms, FieldNetwork, Series
from jovium.elf.samples import network_atoms
from jovium.elf.spectrum import Shape, of_grid, on_grid, on_planes, structure_factor, wave_vectors

INNER_SPACING = 0.25
"""Distance (bohr) of the grid on which the hidden fields are made; they are smooth and go from there to any grid."""

LARGEST_INNER_GRID = 1e7
"""Points of that grid at most: 12 GB of fields. 4e4 atoms at rs 1.4 fit."""

POINTS_AT_ONCE = 2**13
"""Points of one call of the compiled network: its intermediate numbers, 20 MB, stay near the processor."""

LITTLE_FINER = 1.5
"""A grid with up to this many times the points of the inner one takes its place."""

PLANES_POINTS = 2**16
"""Grid points whose inputs are held in memory together, some hundred bytes each."""

Fields = Float[np.ndarray, "_ *p"]


class OnInnerGrid(NamedTuple):
    """A structure as the network sees it on one grid: derivatives of the smoothed atoms, of all widths one after the
    other, and hidden fields of all layers, both as series on its half spectrum; invariants and hidden fields on it."""

    parts: Complex[np.ndarray, "m nx ny nh"]
    hidden: Complex[np.ndarray, "h nx ny nh"]
    invariants_on_grid: Float[np.ndarray, "f nx ny nz"]
    hidden_on_grid: Float[np.ndarray, "h nx ny nz"]


def predicted_fields(network: FieldNetwork, structure: Structure, shape: Shape) -> tuple[GridField, GridField]:
    """ELF and its expected error (`Prediction.spread`) on a grid of `shape`."""
    inner = inner_shape(structure)
    if all(n <= m for n, m in zip(inner, shape, strict=True)) and np.prod(shape) <= LITTLE_FINER * np.prod(inner):
        seen = on_inner_grid(network, structure, shape)
        elf, spread = _by_points(_from_inputs, network, seen.invariants_on_grid, seen.hidden_on_grid)
    else:
        elf, spread = _by_planes(network, on_inner_grid(network, structure, inner), inner, shape)
    return GridField(elf, structure.cell), GridField(spread, structure.cell)


def inner_shape(structure: Structure) -> Shape:
    """The grid on which the hidden fields of a structure are made."""
    return structure.cell.grid_shape(INNER_SPACING)


def on_inner_grid(network: FieldNetwork, structure: Structure, shape: Shape) -> OnInnerGrid:
    """What `FieldNetwork.series` gives, without compilation for the grid. Raises InputError for too large a cell."""
    cell = structure.cell
    if np.prod(shape) > LARGEST_INNER_GRID:
        raise InputError(
            f"a cell of {cell.volume:.3g} bohr^3",
            f"at most {LARGEST_INNER_GRID * INNER_SPACING**3:.3g}: the network works on a grid of {INNER_SPACING} bohr",
            "give a cell without vacuum, the network knows none",
        )
    waves = wave_vectors(cell.reciprocal.astype(np.float32), shape)
    factor = structure_factor(_wrapped(cell, structure.positions), shape).astype(np.complex64)
    parts = np.concatenate(derivative_series(factor, waves, np.float32(cell.volume), network.n_widths))
    x = _by_points(_inputs, network, on_grid(parts, shape))
    lengths = np.sqrt(np.sum(waves**2, axis=-1))
    series, fields = [np.zeros((0, *factor.shape), np.complex64)], [np.zeros((0, *shape), np.float32)]
    for layer in range(len(network.mixers)):
        mixed = _by_points(functools.partial(_mixed, layer), network, x, fields[-1])
        series.append(of_grid(mixed) * _by_points(functools.partial(_filter, layer), network, lengths[None]))
        fields.append(on_grid(series[-1], shape))
    return OnInnerGrid(parts, np.concatenate(series), x, np.concatenate(fields))


def _by_planes(
    network: FieldNetwork, seen: OnInnerGrid, inner: Shape, shape: Shape
) -> tuple[Float[np.ndarray, "nx ny nz"], Float[np.ndarray, "nx ny nz"]]:
    """ELF and spread on any grid, some planes at a time."""
    # A grid coarser than the inner one takes every m-th point of a finer one, on which no wave is lost.
    every_y, every_z = (-(-inner[axis] // shape[axis]) for axis in (1, 2))
    target = (shape[1] * every_y, shape[2] * every_z)
    at_once = max(1, PLANES_POINTS // (target[0] * target[1]))
    elf, spread = np.empty(shape, np.float32), np.empty(shape, np.float32)
    for start in range(0, shape[0], at_once):
        x = np.arange(start, min(start + at_once, shape[0]), dtype=np.float32) / np.float32(shape[0])
        both = (seen.parts, seen.hidden)
        fields = [on_planes(series, inner, x, target)[..., ::every_y, ::every_z] for series in both]
        elf[start : start + at_once], spread[start : start + at_once] = _by_points(_from_parts, network, *fields)
    return elf, spread


class PredictedField:
    """The ELF of a structure at any points, with gradient and Hessian by automatic differentiation: no grid between the
    network and its saddles. A sum over all waves per point: for some hundred points, not for grids."""

    def __init__(self, network: FieldNetwork, structure: Structure):
        self.cell, self.shape, self._network = structure.cell, inner_shape(structure), network
        seen = on_inner_grid(network, structure, self.shape)
        factor = structure_factor(_wrapped(structure.cell, structure.positions), self.shape)
        self._series = Series(jnp.asarray(factor, jnp.complex64), jnp.asarray(seen.hidden))
        self._atoms = network_atoms(structure.cell, structure.positions)

    def value_gradient_hessian(
        self, points: Float[np.ndarray, "n 3"]
    ) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3 3"]]:
        """Value, Cartesian gradient (1/bohr) and Hessian (1/bohr^2) at Cartesian `points` (bohr)."""
        found = [
            _at_point(self._network, self._series, self._atoms, jnp.asarray(point, jnp.float32), self.shape)
            for point in self.cell.fractional(np.asarray(points, float))
        ]
        value, gradient, hessian = (np.array(column, float) for column in zip(*found, strict=True))
        to_fractional = np.linalg.inv(self.cell.vectors)
        return value, gradient @ to_fractional.T, to_fractional @ hessian @ to_fractional.T


@functools.partial(jax.jit, static_argnames="shape")
def _at_point(
    network: FieldNetwork, series: Series, atoms: Atoms, fractional: jax.Array, shape: Shape
) -> tuple[jax.Array, jax.Array, jax.Array]:
    def value(point: jax.Array) -> jax.Array:
        return network.points(series, atoms, shape, point[None]).elf[0]

    return value(fractional), jax.grad(value)(fractional), jax.hessian(value)(fractional)


def _wrapped(cell: Cell, positions: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    fractional = cell.fractional(positions)
    return (fractional - np.floor(fractional)).astype(np.float32)


def _by_points(function: Callable, network: FieldNetwork, *fields: Fields) -> Fields:
    """A pointwise function of fields, POINTS_AT_ONCE at a time, the last ones filled up with zeros."""
    shape = fields[0].shape[1:]
    n = int(np.prod(shape))
    flat = [field.reshape(len(field), n) for field in fields]
    found: np.ndarray | None = None
    for start in range(0, n, POINTS_AT_ONCE):
        stop = min(start + POINTS_AT_ONCE, n)
        missing = ((0, 0), (0, POINTS_AT_ONCE - (stop - start)))
        values = np.asarray(function(network, *(np.pad(field[:, start:stop], missing) for field in flat)))
        found = np.empty((len(values), n), np.float32) if found is None else found
        found[:, start:stop] = values[:, : stop - start]
    assert found is not None
    return found.reshape(-1, *shape)


def _by_width(network: FieldNetwork, parts: jax.Array) -> list[jax.Array]:
    """The derivatives of every width by themselves."""
    lengths = [len(one) for one in _part_forms(network.n_widths)]
    return [parts[end - length : end] for length, end in zip(lengths, np.cumsum(lengths), strict=True)]


@functools.cache
def _part_forms(n_widths: int) -> list[np.ndarray]:
    return derivative_series(np.ones(1, complex), np.ones((1, 3)), np.ones(()), n_widths)


@jax.jit
def _inputs(network: FieldNetwork, parts: jax.Array) -> jax.Array:
    return network.inputs(_by_width(network, parts))


@functools.partial(jax.jit, static_argnums=0)
def _mixed(layer: int, network: FieldNetwork, x: jax.Array, hidden: jax.Array) -> jax.Array:
    return network.mixed(layer, x, hidden)


@functools.partial(jax.jit, static_argnums=0)
def _filter(layer: int, network: FieldNetwork, lengths: jax.Array) -> jax.Array:
    return network.filter(layer, lengths[0])


@jax.jit
def _from_inputs(network: FieldNetwork, x: jax.Array, hidden: jax.Array) -> jax.Array:
    return jnp.stack(network.prediction(x, hidden))


@jax.jit
def _from_parts(network: FieldNetwork, parts: jax.Array, hidden: jax.Array) -> jax.Array:
    return jnp.stack(network.prediction(network.inputs(_by_width(network, parts)), hidden))
