"""Settings of a field network and of its training."""

from dataclasses import dataclass
from typing import ClassVar

from jovium.training.settings import FRACTION, RUN, Check, Settings, at_least, setting

N_WIDTHS = 5
"""Gaussian widths that there are, see `jovium.elf.invariants.WIDTHS`."""


@dataclass(frozen=True)
class ElfSettings(Settings):
    """How a field network is trained. The form of the network: see `FieldNetwork`."""

    kind: ClassVar[str] = "elf"

    steps: int = setting(20000, "structures shown, one per step", check=at_least(1), group="training")
    learning_rate: float = setting(
        1e-2,
        "learning rate of SOAP, falling to zero along a cosine",
        check=Check("a number between 0 and 1", lambda rate: 0 < rate < 1),
    )
    weight_average: float = setting(
        0.999,
        "fraction of the running mean of the weights that is retained in a step; the mean is what is evaluated",
        check=FRACTION,
    )
    seed: int = setting(0, "seed of the random numbers")
    init_from: str = setting("", "run or model file of the same form whose weights to begin with", names=RUN)
    field_channels: int = setting(32, "hidden scalar fields", check=at_least(1), group="network")
    vector_channels: int = setting(8, "hidden vector fields", check=at_least(0))
    hidden_width: int = setting(64, "width of the pointwise networks", check=at_least(1))
    convolutions: int = setting(3, "convolutions; 0: a local model", check=at_least(0))
    gaussian_widths: int = setting(
        N_WIDTHS,
        "Gaussian widths of the atoms of a local model, narrowest first",
        check=Check(f"1 to {N_WIDTHS}", lambda n: 1 <= n <= N_WIDTHS),
    )
