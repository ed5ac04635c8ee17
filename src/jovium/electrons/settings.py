"""Settings of a wave function at fixed protons and of its training."""

from dataclasses import MISSING, dataclass
from typing import ClassVar

from jovium.training.settings import FRACTION, POSITIVE, Settings, at_least, one_of, setting

SYSTEM, OPTIMISATION, SAMPLING, MODEL = "system", "optimisation", "sampling", "wave function"


@dataclass(frozen=True)
class ElectronSettings(Settings):
    """How a wave function is trained. structure: see `jovium.electrons.systems.electron_system`."""

    kind: ClassVar[str] = "electrons"

    structure: str = setting(MISSING, "file of hydrogen atoms, or a name like h2:1.4", group=SYSTEM)
    unpaired: int | None = setting(
        None, "electrons of spin up without a partner; automatic: 0 or 1", check=at_least(0), group=SYSTEM
    )
    twist: tuple[float, float, float] = setting(
        (0.0, 0.0, 0.0), "twist of the boundary conditions", "reciprocal vectors", group=SYSTEM
    )
    steps: int = setting(500, "optimisation steps", check=at_least(0), group=OPTIMISATION, may_change=True)
    optimiser: str = setting("natural", "natural gradient or Adam", check=one_of("natural", "adam"), group=OPTIMISATION)
    learning_rate: float = setting(
        0.1, "learning rate of the first step; with adam try 0.002", check=POSITIVE, group=OPTIMISATION
    )
    decay_steps: float = setting(
        500.0, "steps after which the learning rate is half: 1 / (1 + step / decay_steps)", check=POSITIVE,
        group=OPTIMISATION,
    )  # fmt: skip
    damping: float = setting(1e-3, "damping of the natural gradient", check=POSITIVE, group=OPTIMISATION)
    momentum: float = setting(0.95, "fraction of the last direction that is kept", check=FRACTION, group=OPTIMISATION)
    max_norm: float = setting(
        0.05, "largest change of psi in a step, in the Fisher metric", check=POSITIVE, group=OPTIMISATION
    )
    walkers: int = setting(512, "walkers per step", check=at_least(2), group=SAMPLING)
    mc_steps: int = setting(10, "Monte Carlo moves of a walker between two steps", check=at_least(1), group=SAMPLING)
    sampler: str = setting(
        "metropolis", "metropolis, or mala: Langevin moves along grad ln|psi|^2", check=one_of("metropolis", "mala"),
        group=SAMPLING,
    )  # fmt: skip
    blocks: int = setting(
        1, "blocks of electrons moved one after the other; 1: all at once", check=at_least(1), group=SAMPLING
    )
    seed: int = setting(0, "seed of the random numbers", group=SAMPLING)
    determinants: int = setting(4, "determinants", check=at_least(1), group=MODEL)
    radial: int = setting(8, "radial functions of a distance", check=at_least(2), group=MODEL)
    direction_channels: int = setting(4, "sums over the directions of neighbours", check=at_least(0), group=MODEL)
    features: int = setting(32, "features of an electron", check=at_least(1), group=MODEL)
    backflow_channels: int = setting(6, "channels of the backflow", check=at_least(1), group=MODEL)
    precision: str = setting(
        "auto", "single, double, or auto: double in cells of more than four electrons",
        check=one_of("auto", "single", "double"), group=MODEL,
    )  # fmt: skip
