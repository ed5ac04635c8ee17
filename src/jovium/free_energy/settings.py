"""What a free-energy run of dense hydrogen is told to do."""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jovium.base.box import Box
from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.base.units import DEUTERON_MASS, PROTON_MASS, kelvin_to_hartree
from jovium.electrons.wave_function import WaveFunction, needs_double_precision
from jovium.free_energy.thermodynamics import ThermodynamicState
from jovium.protons.flow import Flow
from jovium.protons.losses import ROWS_AT_ONCE
from jovium.protons.systems import fluid_flow

MASSES = {"H": PROTON_MASS, "D": DEUTERON_MASS}
"""Of the nuclei, in electron masses."""


@dataclass(frozen=True)
class FreeEnergySettings:
    """How F of n atoms at rs (bohr) and a temperature is lowered. twists: per reciprocal vector. steps, of which the
    first `waiting` change the wave function alone. configurations of protons per step, each with `electrons`
    configurations of electrons that make `sweeps` moves; stride: of the starts of the flow (bohr).
    lessons: configurations that the flow draws in a step to learn from. rate, damping, keep: of the wave function;
    proton_rate, proton_damping: of the flow; both rates fall as 1 / (1 + step / slowing). channels, radial, times,
    integration_steps: sizes of the flow; determinants, features: of the wave function. protons: a run of
    `jovium protons` with these sizes to begin with; psi: a run of this kind or of `jovium electrons`, of any number of
    atoms, whose wave function to begin with; start: a run of this kind, at any rs and temperature."""

    n: int = 2
    rs: float = 1.25
    kelvin: float = 6000.0
    twists: int = 1
    isotope: str = "H"
    steps: int = 400
    waiting: int = 40
    configurations: int = 128
    electrons: int = 2
    sweeps: int = 15
    stride: float = 0.3
    lessons: int = 256
    rate: float = 0.1
    proton_rate: float = 0.2
    proton_damping: float = 0.1
    slowing: float = 200.0
    damping: float = 1e-3
    keep: float = 0.9
    channels: int = 4
    radial: int = 8
    times: int = 3
    integration_steps: int = 4
    determinants: int = 1
    features: int = 32
    protons: str = ""
    psi: str = ""
    start: str = ""
    seed: int = 0

    def __post_init__(self):
        state = np.array([self.rs, self.kelvin])
        if self.n < 2 or self.n % 2 or not (np.isfinite(state).all() and state.min() > 0):
            raise InputError(
                f"{self.n} atoms, rs {self.rs} bohr, {self.kelvin} K",
                "an even number of atoms, 2 or more; rs and T above zero",
                "check --n, --rs and --kelvin",
            )
        if self.isotope not in MASSES:
            raise InputError(f"isotope '{self.isotope}'", f"one of: {', '.join(MASSES)}", "choose one of them")
        if self.twists < 1:
            raise InputError(f"{self.twists} twists per reciprocal vector", "one or more", "take --twists 1 for none")
        n_twists = self.twists**3
        if self.configurations % n_twists or self.configurations < 2 * n_twists:
            raise InputError(
                f"{self.configurations} configurations for {self.twists}^3 twists",
                f"a multiple of {n_twists}, twice or more",
                f"take --configurations {max(2, 128 // n_twists) * n_twists}",
            )
        sizes = (
            self.sweeps,
            self.electrons - 1,
            self.lessons - 1,
            self.channels,
            self.determinants,
            self.features,
            self.integration_steps,
        )
        if self.lessons > ROWS_AT_ONCE and self.lessons % ROWS_AT_ONCE:
            raise InputError(
                f"{self.lessons} lessons",
                f"at most {ROWS_AT_ONCE}, or a multiple of {ROWS_AT_ONCE}",
                "take --lessons 256",
            )
        rates = self.stride, self.rate, self.proton_rate, self.slowing, self.damping, self.proton_damping
        if min(sizes) < 1 or min(rates) <= 0 or min(self.steps, self.waiting) < 0 or not 0 <= self.keep < 1:
            raise InputError(
                f"{self}", "positive sizes and rates, keep below 1, two electron configurations", "check the options"
            )

    @property
    def cell(self) -> Cell:
        """A cube with the volume 4 pi rs^3 / 3 per atom."""
        return Cell(np.eye(3) * self.rs * (4 * np.pi * self.n / 3) ** (1 / 3))

    @property
    def space(self) -> Box:
        """The cell as the wave function sees it."""
        return Box.periodic(self.cell, 0.0)

    @property
    def in_double_precision(self) -> bool:
        """Whether training and measuring are done in double precision."""
        return needs_double_precision(self.space, self.n)

    @property
    def state(self) -> ThermodynamicState:
        """What is weighed."""
        return ThermodynamicState(self.n, self.cell.volume, kelvin_to_hartree(self.kelvin), MASSES[self.isotope])

    def flow(self) -> Flow:
        """Protons before training: anywhere in the cell."""
        sizes = {"n_knots": self.times, "n_radial": self.radial, "n_channels": self.channels}
        return fluid_flow(self.cell, self.n, self.integration_steps, self.seed, torus=True, **sizes)

    def wave_function(self) -> WaveFunction:
        """Electrons before training: independent, in the mean field of the protons."""
        return WaveFunction.of(
            self.space,
            self.n // 2,
            self.n // 2,
            twisted=self.twists > 1,
            n_determinants=self.determinants,
            n_features=self.features,
            key=jax.random.key(self.seed),
        )

    @classmethod
    def of_dict(cls, values: dict[str, Any]) -> "FreeEnergySettings":
        """The recipe that `asdict` made a dictionary of."""
        return cls(**values)
