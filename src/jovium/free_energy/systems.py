"""N protons and N electrons in a cube: cell, twists, and the models that training begins with."""

from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jovium.base.box import Box
from jovium.base.cell import Cell
from jovium.base.twists import twist_grid
from jovium.base.units import DEUTERON_MASS, PROTON_MASS, kelvin_to_hartree
from jovium.electrons.wave_function import WaveFunction, needs_double_precision
from jovium.free_energy.settings import FreeEnergySettings
from jovium.free_energy.thermodynamics import ThermodynamicState
from jovium.protons.flow import Flow
from jovium.protons.systems import fluid_flow

MASSES = {"H": PROTON_MASS, "D": DEUTERON_MASS}
"""Of the nuclei, in electron masses."""


@dataclass(frozen=True)
class FreeEnergySystem:
    """What a run of these settings is about."""

    settings: FreeEnergySettings

    @cached_property
    def cell(self) -> Cell:
        """A cube with the volume 4 pi rs^3 / 3 per atom."""
        return Cell.cubic(self.settings.n_atoms, self.settings.rs)

    @cached_property
    def box(self) -> Box:
        """The cell as the wave function sees it."""
        return Box.periodic(self.cell, 0.0)

    @property
    def in_double_precision(self) -> bool:
        """Whether training and measuring are done in double precision."""
        return needs_double_precision(self.box, self.settings.n_atoms)

    @property
    def state(self) -> ThermodynamicState:
        """N, V, T and the mass of the nuclei."""
        settings = self.settings
        return ThermodynamicState(
            settings.n_atoms, self.cell.volume, kelvin_to_hartree(settings.kelvin), MASSES[settings.isotope]
        )

    @property
    def n_twists(self) -> int:
        """Twists of the whole grid."""
        return self.settings.twists**3

    def twists(self, n: int) -> Float[Array, "n 3"]:
        """Twists (1/bohr) of n configurations: the grid again and again."""
        return jnp.asarray(self._twists(n), float)

    def twist_shells(self, n: int) -> Float[np.ndarray, "n k"]:
        """1 for the length that the twist of a configuration has, 0 for all others: in a cube twists of one length are
        mostly alike."""
        lengths = np.round(np.linalg.norm(self._twists(n), axis=1), 6)
        return (lengths[:, None] == np.unique(lengths)).astype(float)

    def _twists(self, n: int) -> Float[np.ndarray, "n 3"]:
        grid = twist_grid(np.array(self.box.vectors), self.settings.twists)
        return np.tile(grid, (n // self.n_twists, 1))

    def flow(self) -> Flow:
        """Protons before training: anywhere in the cell."""
        settings = self.settings
        sizes = {"n_knots": settings.flow_knots, "n_radial": settings.flow_radial, "n_channels": settings.flow_channels}
        return fluid_flow(self.cell, settings.n_atoms, settings.ode_steps, settings.seed, torus=True, **sizes)

    def wave_function(self) -> WaveFunction:
        """Electrons before training: independent, in the mean field of the protons."""
        settings = self.settings
        return WaveFunction.of(
            self.box,
            settings.n_atoms // 2,
            settings.n_atoms // 2,
            twisted=settings.twists > 1,
            n_determinants=settings.determinants,
            n_features=settings.features,
            key=jax.random.key(settings.seed),
        )
