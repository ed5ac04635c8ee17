"""What a density is to follow: exp(-beta U) on configurations of particles in a periodic cell."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.coulomb.ewald import Ewald


class Target(Protocol):
    """Particles in a cell at a temperature. Lengths in bohr; energies in units of kT."""

    n_particles: int

    @property
    def cell(self) -> Cell:
        """The cell they fill periodically."""
        ...

    def beta_energy(self, positions: Float[Array, "n 3"]) -> Float[Array, ""]:
        """U / kT of one configuration, Cartesian positions."""
        ...


@dataclass(frozen=True)
class OneComponentPlasma:
    """Classical point charges in a neutralising background, in a cubic cell, at rs = 1.

    coupling: Gamma = e^2 / (rs kT). The energy holds that of every charge with its own images, so that u / (Gamma kT)
    of the body-centred cube is -0.89592926 (Ichimaru, Rev. Mod. Phys. 54, 1017 (1982)). Raises InputError for fewer
    than one particle or a coupling that is not positive.
    """

    n_particles: int
    coupling: float

    def __post_init__(self):
        if self.n_particles < 1 or not (np.isfinite(self.coupling) and self.coupling > 0):
            raise InputError(f"{self}", "one particle or more and a positive coupling", "check the system")

    @cached_property
    def cell(self) -> Cell:
        """A cube with a volume of 4 pi / 3 per particle."""
        return Cell(np.eye(3) * (4 * np.pi * self.n_particles / 3) ** (1 / 3))

    @cached_property
    def _ewald(self) -> Ewald:
        # Single precision keeps seven digits: an accuracy beyond would cost terms and give nothing.
        return Ewald.of(self.cell, self.n_particles, accuracy=1e-7)

    def beta_energy(self, positions: Float[Array, "n 3"]) -> Float[Array, ""]:
        """U / kT of one configuration (bohr)."""
        return self.coupling * self._ewald.energy(positions, jnp.ones(self.n_particles, positions.dtype))
