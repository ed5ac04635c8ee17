"""Labels as the field network takes them: atoms and the ELF on the label grid, in single precision."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jovium.base.cell import Cell
from jovium.base.structure import Structure
from jovium.elf.network import Atoms
from jovium.elf.spectrum import Shape


@dataclass(frozen=True)
class Sample:
    """One labelled structure. group: trajectory or family; kelvin: NaN when it has no temperature; pressure: of
    the label, hartree/bohr^3."""

    structure: Structure
    elf: Float[np.ndarray, "nx ny nz"]
    split: str
    group: str
    step: int
    kelvin: float
    pressure: float = float("nan")

    @property
    def shape(self) -> Shape:
        """The label grid."""
        nx, ny, nz = self.elf.shape
        return nx, ny, nz

    @property
    def atoms(self) -> Atoms:
        """What the network is given."""
        return network_atoms(self.structure.cell, self.structure.positions)


def network_atoms(cell: Cell, positions: Float[np.ndarray, "n 3"]) -> Atoms:
    """Cell and protons (bohr) in single precision. Positions are wrapped first, so that no digits are lost."""
    fractional = cell.fractional(positions)
    fractional -= np.floor(fractional)
    return Atoms(
        jnp.asarray(fractional, jnp.float32),
        jnp.asarray(cell.reciprocal, jnp.float32),
        jnp.asarray(cell.volume, jnp.float32),
    )
