"""What a training run of a proton density is told to do."""

from dataclasses import dataclass, field
from typing import Any

from jovium.base.errors import InputError
from jovium.protons.systems import ProtonSystemSettings

LESSONS = ("matching", "likelihood", "energy", "scores")
"""In the order they are given: two from data, two from the Hamiltonian (pathwise, and by scores of energies alone)."""


@dataclass(frozen=True)
class ProtonSettings:
    """How a density is trained. matching, likelihood, energy, scores: steps of each lesson, in this order. rate: of a
    step, falling to zero along a cosine within each lesson, and halved by every return to a good state. n_steps: of
    Runge and Kutta. n_times, n_radial, n_channels: size of the velocity; torus: that of a torus. n_chains,
    n_frames: configurations sampled to learn from,
    unless the file `data` (extxyz) gives them. start: a run to begin with, of the same system, with as many
    radial functions and times, and no more channels."""

    system: ProtonSystemSettings = field(default_factory=ProtonSystemSettings)
    matching: int = 1000
    likelihood: int = 0
    energy: int = 300
    scores: int = 0
    optimiser: str = "adam"
    rate: float = 4e-3
    batch: int = 128
    n_steps: int = 6
    n_times: int = 4
    n_radial: int = 14
    n_channels: int = 4
    torus: bool = False
    n_chains: int = 128
    n_frames: int = 60
    seed: int = 0
    data: str = ""
    start: str = ""

    def __post_init__(self):
        counts = [getattr(self, name) for name in LESSONS]
        sizes = self.n_steps, self.n_times - 1, self.n_radial - 2, self.n_channels, self.n_chains, self.n_frames
        if min(counts) < 0 or min(sizes) < 1 or self.optimiser not in ("adam", "natural") or not 0 < self.rate < 1:
            raise InputError(f"{self}", "steps >= 0, sizes >= 1, adam or natural, a rate below 1", "check the options")
        if self.batch < 2 or (self.batch > 16 and self.batch % 32):
            raise InputError(f"a batch of {self.batch}", "2 to 16, or a multiple of 32", "take 128")
        if self.data and not self.matching + self.likelihood:
            raise InputError(f"data {self.data} and no lesson from data", "--matching or --likelihood", "leave it out")

    @property
    def form(self) -> dict[str, Any]:
        """Sizes of the velocity, and whether it is that of a torus."""
        sizes = {"n_knots": self.n_times, "n_radial": self.n_radial, "n_channels": self.n_channels}
        return sizes | {"torus": self.torus}

    @property
    def total(self) -> int:
        """Steps of all lessons."""
        return sum(getattr(self, name) for name in LESSONS)

    def lesson_at(self, step: int) -> tuple[str, int, int]:
        """The lesson of a step, its first step and its number of steps."""
        first = 0
        for name in LESSONS:
            count = getattr(self, name)
            if step < first + count:
                return name, first, count
            first += count
        raise IndexError(step)

    @classmethod
    def of_dict(cls, values: dict[str, Any]) -> "ProtonSettings":
        """The recipe that `asdict` made a dictionary of."""
        return cls(**{**values, "system": ProtonSystemSettings(**values["system"])})
