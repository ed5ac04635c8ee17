"""Settings of a free-energy run of dense hydrogen."""

from dataclasses import dataclass
from typing import ClassVar

from jovium.base.errors import InputError
from jovium.training.settings import EVEN, FRACTION, POSITIVE, Check, Settings, at_least, one_of, setting


@dataclass(frozen=True)
class FreeEnergySettings(Settings):
    """How F of n_atoms hydrogen atoms at rs and a temperature is lowered."""

    kind: ClassVar[str] = "free_energy"

    n_atoms: int = setting(16, "atoms in the cell", check=EVEN, group="system")
    rs: float = setting(1.25, "Wigner-Seitz radius", "bohr", check=POSITIVE)
    kelvin: float = setting(6000.0, "temperature", "K", check=POSITIVE)
    twists: int = setting(4, "twists per reciprocal vector, the grid of Monkhorst and Pack; 1: none", check=at_least(1))
    isotope: str = setting("H", "nuclei", check=one_of("H", "D"))
    steps: int = setting(400, "optimisation steps", check=at_least(0), group="optimisation", may_change=True)
    wavefunction_warmup: int = setting(40, "first steps, in which the wave function alone changes", check=at_least(0))
    learning_rate: float = setting(0.05, "learning rate of the wave function", check=POSITIVE)
    flow_learning_rate: float = setting(0.2, "learning rate of the flow", check=POSITIVE)
    decay_steps: float = setting(
        200.0, "steps after which both learning rates are half: 1 / (1 + step / decay_steps)", check=POSITIVE
    )
    damping: float = setting(1e-3, "damping of the natural gradient of the wave function", check=POSITIVE)
    flow_damping: float = setting(
        0.1,
        "damping of the natural gradient of the flow, a fraction of the mean diagonal of its Fisher matrix",
        check=POSITIVE,
    )
    momentum: float = setting(0.9, "fraction of the wave function's last direction that is retained", check=FRACTION)
    proton_walkers: int = setting(
        128,
        "configurations of protons per step, a multiple of the number of twists",
        check=at_least(2),
        group="sampling",
    )
    electron_walkers: int = setting(2, "configurations of electrons for each of protons", check=at_least(2))
    mc_steps: int = setting(15, "Monte Carlo moves of the electrons after their protons have moved", check=at_least(1))
    latent_step: float = setting(0.3, "step of the random walk in the latent space of the flow", "bohr", check=POSITIVE)
    flow_batch_size: int = setting(
        256,
        "samples of the flow in a step of its training",
        check=Check("2 to 32, or a multiple of 32", lambda n: 2 <= n <= 32 or (n > 32 and n % 32 == 0)),
    )
    seed: int = setting(0, "seed of the random numbers")
    flow_channels: int = setting(4, "channels of a proton's environment", check=at_least(1), group="flow")
    flow_radial: int = setting(8, "Gaussians of a distance", check=at_least(3))
    flow_knots: int = setting(3, "times at which the velocity has parameters", check=at_least(2))
    ode_steps: int = setting(4, "Runge-Kutta steps", check=at_least(1))
    determinants: int = setting(1, "determinants", check=at_least(1), group="wave function")
    features: int = setting(32, "features of an electron", check=at_least(1))
    init_from: str = setting("", "free-energy run of the same sizes, at any rs and temperature", group="start")
    init_flow: str = setting("", "run of `jovium protons train --torus` of the same sizes")
    init_wavefunction: str = setting(
        "", "run whose wave function to begin with, of any number of atoms; of `jovium electrons` too"
    )

    def __post_init__(self):
        super().__post_init__()
        n_twists = self.twists**3
        if self.proton_walkers % n_twists or self.proton_walkers < 2 * n_twists:
            raise InputError(
                f"proton_walkers {self.proton_walkers} for {self.twists}^3 twists",
                f"a multiple of {n_twists}, twice or more",
                f"take --proton-walkers {max(2, 128 // n_twists) * n_twists}",
            )


@dataclass(frozen=True)
class MeasurementSettings(Settings):
    """How a trained run is measured."""

    kind: ClassVar[str] = "measurement"

    samples: int | None = setting(
        None,
        "configurations of protons, in whole batches of as many as a step of training has; automatic: 8 batches",
        check=at_least(1),
    )
    electron_samples: int = setting(32, "samples of the electrons of every configuration of protons", check=at_least(2))
    accept_fraction: float = setting(
        1.0,
        "fraction of the flow's samples to accept by rejection, those of lowest kT ln p + fitted surface; below 1 the"
        " bound F is mostly lower",
        check=Check("a number from 0.01 to 1", lambda value: 0.01 <= value <= 1),
    )
    seed: int = setting(1, "seed of the random numbers")
