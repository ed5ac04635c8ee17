"""What a training run of a wave function is told to do."""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jovium.base.errors import InputError
from jovium.electrons.systems import ElectronSystem, electron_system
from jovium.electrons.wave_function import WaveFunction, needs_double_precision


@dataclass(frozen=True)
class ElectronSettings:
    """How a wave function is trained. structure: a file or a name. twist: in units of the reciprocal vectors. steps: of
    optimisation. rate: of the first step, falling as 1 / (1 + step / slowing). damping, keep, largest: of the natural
    gradient. walkers: configurations per step; sweeps: moves of each between steps; mover: metropolis or langevin;
    blocks: parts of a configuration moved one after the other. determinants, radial, sides, features, flows: sizes of
    the wave function. precision: single, double, or auto: double in cells of more than four electrons, where the
    matrices of pairs are too ill conditioned for single precision."""

    structure: str
    unpaired: int | None = None
    twist: tuple[float, float, float] = (0.0, 0.0, 0.0)
    steps: int = 500
    optimiser: str = "natural"
    rate: float = 0.1
    slowing: float = 500.0
    damping: float = 1e-3
    keep: float = 0.95
    largest: float = 0.05
    walkers: int = 512
    sweeps: int = 10
    mover: str = "metropolis"
    blocks: int = 1
    determinants: int = 4
    radial: int = 8
    sides: int = 4
    features: int = 32
    flows: int = 6
    precision: str = "auto"
    seed: int = 0

    def __post_init__(self):
        sizes = (
            self.walkers - 1,
            self.sweeps,
            self.blocks,
            self.determinants,
            self.radial - 1,
            self.features,
            self.flows,
        )
        rates = self.rate, self.slowing, self.damping
        if min(sizes) < 1 or min(rates) <= 0 or self.steps < 0 or not 0 <= self.keep < 1:
            raise InputError(
                f"{self}", "positive sizes and rates, keep below 1, two walkers or more", "check the options"
            )
        if self.optimiser not in ("natural", "adam") or self.mover not in ("metropolis", "langevin"):
            raise InputError(
                f"optimiser {self.optimiser}, mover {self.mover}", "natural or adam; metropolis or langevin", "choose"
            )
        if self.precision not in ("auto", "single", "double"):
            raise InputError(f"precision {self.precision}", "auto, single or double", "leave it out")

    @property
    def system(self) -> ElectronSystem:
        """What the electrons are among."""
        return electron_system(self.structure, self.unpaired)

    @property
    def in_double_precision(self) -> bool:
        """Whether training and measuring are done in double precision."""
        system = self.system
        needed = needs_double_precision(system.box, system.n_up + system.n_down)
        return self.precision == "double" or (self.precision == "auto" and needed)

    def wave_function(self) -> WaveFunction:
        """The wave function before training."""
        system = self.system
        if system.cell is None and any(self.twist):
            raise InputError(f"twist {self.twist} in open space", "twists only in a periodic cell", "leave it out")
        wave = np.zeros(3) if system.cell is None else np.array(self.twist) @ system.cell.reciprocal
        return WaveFunction.of(
            system.box,
            system.n_up,
            system.n_down,
            with_protons=len(system.protons) > 0,
            twist=(float(wave[0]), float(wave[1]), float(wave[2])),
            n_determinants=self.determinants,
            n_radial=self.radial,
            n_directions=self.sides,
            n_features=self.features,
            n_backflow=self.flows,
            allow_single_precision=self.precision == "single",
            key=jax.random.key(self.seed),
        )

    @classmethod
    def of_dict(cls, values: dict[str, Any]) -> "ElectronSettings":
        """The recipe that `asdict` made a dictionary of."""
        return cls(**{**values, "twist": tuple(values["twist"])})
