"""The Coulomb energy of protons and electrons, in a cell or in open space, by pairs of species."""

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jovium.base.box import Box
from jovium.base.cell import Cell
from jovium.coulomb.ewald import Ewald


class Coulomb(NamedTuple):
    """Parts of the potential energy (hartree)."""

    pp: Float[Array, "*s"]
    ep: Float[Array, "*s"]
    ee: Float[Array, "*s"]

    @property
    def total(self) -> Float[Array, "*s"]:
        """V_pp + V_ep + V_ee."""
        return self.pp + self.ep + self.ee


@dataclass(frozen=True)
class CoulombPotential:
    """V of m protons and n electrons. In a cell every part has its own background, which cancels in a neutral sum, and
    the energy of each charge with its own images."""

    ewald: Ewald | None

    @classmethod
    def of(cls, box: Box, n_charges: int, accuracy: float = 1e-7) -> "CoulombPotential":
        """For a box and a number of charges of both kinds."""
        return cls(None if box.vectors is None else Ewald.of(Cell(np.array(box.vectors)), n_charges, accuracy))

    def __call__(self, electrons: Float[Array, "n 3"], protons: Float[Array, "m 3"]) -> Coulomb:
        """Energies (hartree) at positions in bohr."""
        if self.ewald is not None:
            pp, pe, ee = self.ewald.parts(protons, electrons)
            return Coulomb(pp, -pe, ee)
        distances = jnp.linalg.norm(electrons[:, None] - protons, axis=-1)
        return Coulomb(_among(protons), -jnp.sum(1 / distances), _among(electrons))


def _among(positions: Float[Array, "n 3"]) -> Float[Array, ""]:
    first, second = np.triu_indices(len(positions), 1)
    return jnp.sum(1 / jnp.linalg.norm(positions[first] - positions[second], axis=-1))
