"""Settings of a proton density and of its training."""

from dataclasses import dataclass
from typing import ClassVar

from jovium.base.errors import InputError
from jovium.training.settings import FILE, POSITIVE, RUN, Check, Settings, at_least, one_of, setting

OF_SYSTEMS = {
    **{"ocp": "n_atoms coupling crystal", "hydrogen": "n_atoms rs kelvin crystal"},
    **{"yukawa": "n_atoms coupling screening crystal", "lj": "n_atoms density temperature crystal"},
    **{"lj13": "", "dw4": "", "double-well": "side", "harmonic": "n_atoms coupling crystal"},
}
"""Settings that say what a system is; those of the others have no effect on it."""

SYSTEMS = tuple(OF_SYSTEMS)

LOSSES = ("flow-matching", "likelihood", "energy", "score")
"""Losses in the order they are taken: two from data, two from the Hamiltonian (pathwise, and by scores of energies
alone)."""


@dataclass(frozen=True)
class ProtonSettings(Settings):
    """How a density of particles is trained."""

    kind: ClassVar[str] = "protons"

    system: str = setting("ocp", "what the particles are", check=one_of(*SYSTEMS), group="system")
    n_atoms: int = setting(16, "particles", check=at_least(1))
    coupling: float = setting(10.0, "e^2 / (a kT) of charges; stiffness of springs", check=POSITIVE)
    screening: float = setting(2.0, "inverse screening length of yukawa", "1/a", check=POSITIVE)
    density: float = setting(0.5, "N sigma^3 / V of lj", check=POSITIVE)
    temperature: float = setting(2.0, "kT / epsilon of lj", check=POSITIVE)
    rs: float = setting(1.4, "Wigner-Seitz radius of hydrogen", "bohr", check=POSITIVE)
    kelvin: float = setting(6000.0, "temperature of hydrogen", "K", check=POSITIVE)
    side: str = setting("left", "well of double-well", check=one_of("left", "right", "both"))
    crystal: str = setting("", "lattice that particles stay near; none: a fluid", check=one_of("", "sc", "bcc", "fcc"))
    flow_matching_steps: int = setting(
        1000, "steps from data, velocities matched to straight paths", check=at_least(0), group="training"
    )
    likelihood_steps: int = setting(0, "steps from data, maximum likelihood", check=at_least(0))
    energy_steps: int = setting(300, "steps down F, pathwise along forces", check=at_least(0))
    score_steps: int = setting(0, "steps down F from energies alone, by scores", check=at_least(0))
    optimiser: str = setting("adam", "Adam or natural gradient", check=one_of("adam", "natural"))
    learning_rate: float = setting(
        4e-3,
        "learning rate of Adam, falling to zero along a cosine in each stage",
        check=Check("a number between 0 and 1", lambda rate: 0 < rate < 1),
    )
    natural_learning_rate: float = setting(0.2, "learning rate of the natural gradient, likewise", check=POSITIVE)
    batch_size: int = setting(
        128,
        "samples per step",
        check=Check("2 to 16, or a multiple of 32", lambda size: 2 <= size <= 16 or (size > 16 and size % 32 == 0)),
    )
    seed: int = setting(0, "seed of the random numbers")
    init_from: str = setting("", "run to begin with, of the same system and form, with no more channels", names=RUN)
    data: str = setting("", "extxyz file of configurations; none: sampled by the run", group="data", names=FILE)
    chains: int = setting(128, "Markov chains that configurations are sampled by", check=at_least(1))
    frames: int = setting(60, "configurations of each chain", check=at_least(1))
    flow_channels: int = setting(4, "channels of a particle's environment", check=at_least(1), group="flow")
    flow_radial: int = setting(14, "Gaussians of radial functions", check=at_least(3))
    flow_knots: int = setting(4, "times at which the velocity has parameters", check=at_least(2))
    ode_steps: int = setting(6, "Runge-Kutta steps", check=at_least(1))
    torus: bool = setting(False, "distances without an edge at half the cell, for cells of few particles")

    def __post_init__(self):
        super().__post_init__()
        if self.data and not self.flow_matching_steps + self.likelihood_steps:
            raise InputError(
                f"data {self.data} and no steps from data",
                "--flow-matching-steps or --likelihood-steps above 0",
                "add steps from data, or leave --data out",
            )

    @property
    def in_open_space(self) -> bool:
        """Whether the system has no periodic cell."""
        return self.system in ("lj13", "dw4", "double-well")

    @property
    def steps(self) -> int:
        """Steps of all stages."""
        return sum(self.stage_steps.values())

    @property
    def stage_steps(self) -> dict[str, int]:
        """Steps of each stage, in order."""
        counts = self.flow_matching_steps, self.likelihood_steps, self.energy_steps, self.score_steps
        return dict(zip(LOSSES, counts, strict=True))
