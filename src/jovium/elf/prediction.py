"""The ELF of a structure from a trained network: on any grid, a few planes at a time, and at any points."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jovium.base.grid import GridField
from jovium.base.structure import Structure
from jovium.elf.network import Atoms, FieldNetwork, Prediction, Series
from jovium.elf.samples import network_atoms
from jovium.elf.spectrum import Shape

INNER_SPACING = 0.25
"""Distance (bohr) of the grid on which the hidden fields are made; they are smooth and go from there to any grid."""

POINTS_AT_ONCE = 2**16
"""Grid points whose inputs are held in memory together, some hundred bytes each."""


def predicted_fields(network: FieldNetwork, structure: Structure, shape: Shape) -> tuple[GridField, GridField]:
    """ELF and its expected error (`Prediction.spread`) on a grid of `shape`.

    Memory beyond the fields themselves depends on the structure alone, not on the grid.
    """
    atoms, inner = network_atoms(structure.cell, structure.positions), inner_shape(structure)
    series = _series(network, atoms, inner)
    # A grid coarser than the inner one takes every m-th point of a finer one, on which no wave is lost.
    every_y, every_z = (-(-inner[axis] // shape[axis]) for axis in (1, 2))
    target = (shape[1] * every_y, shape[2] * every_z)
    at_once = max(1, POINTS_AT_ONCE // (target[0] * target[1]))
    elf, spread = np.empty(shape, np.float32), np.empty(shape, np.float32)
    for start in range(0, shape[0], at_once):
        x = jnp.arange(start, min(start + at_once, shape[0])) / shape[0]
        planes = _planes(network, series, atoms, x, inner, target)
        elf[start : start + at_once] = planes.elf[:, ::every_y, ::every_z]
        spread[start : start + at_once] = planes.spread[:, ::every_y, ::every_z]
    return GridField(elf, structure.cell), GridField(spread, structure.cell)


def inner_shape(structure: Structure) -> Shape:
    """The grid on which the hidden fields of a structure are made."""
    return structure.cell.grid_shape(INNER_SPACING)


@functools.partial(jax.jit, static_argnames="shape")
def _series(network: FieldNetwork, atoms: Atoms, shape: Shape) -> Series:
    return network.series(atoms, shape)


@functools.partial(jax.jit, static_argnames=("shape", "target"))
def _planes(
    network: FieldNetwork, series: Series, atoms: Atoms, x: Float[Array, "s"], shape: Shape, target: tuple[int, int]
) -> Prediction:
    return network.planes(series, atoms, shape, x, target)
