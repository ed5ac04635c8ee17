"""Settings of a wave function at fixed protons and of its training."""

from dataclasses import MISSING, dataclass
from typing import ClassVar

from jovium.training.settings import FRACTION, POSITIVE, Settings, at_least, one_of, setting


@dataclass(frozen=True)
class ElectronSettings(Settings):
    """How a wave function is trained. structure: see `jovium.electrons.systems.electron_system`."""

    kind: ClassVar[str] = "electrons"

    structure: str = setting(MISSING, "file of hydrogen atoms, or a name like h2:1.4", group="system")
    unpaired: int | None = setting(None, "electrons of spin up without a partner; automatic: 0 or 1", check=at_least(0))
    twist: tuple[float, float, float] = setting(
        (0.0, 0.0, 0.0), "twist of the boundary conditions", "reciprocal vectors"
    )
    steps: int = setting(500, "optimisation steps", check=at_least(0), group="optimisation", may_change=True)
    optimiser: str = setting("natural", "natural gradient or Adam", check=one_of("natural", "adam"))
    learning_rate: float = setting(0.1, "learning rate of the first step; with adam try 0.002", check=POSITIVE)
    decay_steps: float = setting(
        500.0, "steps after which the learning rate is half: 1 / (1 + step / decay_steps)", check=POSITIVE
    )
    damping: float = setting(1e-3, "damping of the natural gradient", check=POSITIVE)
    momentum: float = setting(0.95, "fraction of the last direction that is retained", check=FRACTION)
    max_norm: float = setting(0.05, "largest change of psi in a step, in the Fisher metric", check=POSITIVE)
    walkers: int = setting(512, "walkers per step", check=at_least(2), group="sampling")
    mc_steps: int = setting(10, "Monte Carlo moves of a walker between two steps", check=at_least(1))
    sampler: str = setting(
        "metropolis", "metropolis, or mala: Langevin moves along grad ln|psi|^2", check=one_of("metropolis", "mala")
    )
    blocks: int = setting(1, "blocks of electrons moved one after the other; 1: all at once", check=at_least(1))
    seed: int = setting(0, "seed of the random numbers")
    determinants: int = setting(4, "determinants", check=at_least(1), group="wave function")
    radial_functions: int = setting(8, "radial functions of a distance", check=at_least(2))
    direction_channels: int = setting(4, "sums over the directions of neighbours", check=at_least(0))
    features: int = setting(32, "features of an electron", check=at_least(1))
    backflow_channels: int = setting(6, "channels of the backflow", check=at_least(1))
    precision: str = setting(
        "auto",
        "single, double, or auto: double in cells of more than four electrons",
        check=one_of("auto", "single", "double"),
    )
