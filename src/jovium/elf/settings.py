"""Settings of a field network and of its training."""

from dataclasses import dataclass
from typing import ClassVar

from jovium.training.settings import FRACTION, Check, Settings, at_least, setting

N_WIDTHS = 5
"""Gaussian widths that there are, see `jovium.elf.invariants.WIDTHS`."""

TRAINING, NETWORK = "training", "network"


@dataclass(frozen=True)
class ElfSettings(Settings):
    """How a field network is trained. The form of the network: see `FieldNetwork`."""

    kind: ClassVar[str] = "elf"

    steps: int = setting(20000, "structures shown, one per step", check=at_least(1), group=TRAINING)
    learning_rate: float = setting(
        1e-2, "learning rate of SOAP, falling to zero along a cosine",
        check=Check("a number between 0 and 1", lambda rate: 0 < rate < 1), group=TRAINING,
    )  # fmt: skip
    weight_average: float = setting(
        0.999, "fraction of the running mean of the weights that is kept in a step; the mean is what is evaluated",
        check=FRACTION, group=TRAINING,
    )  # fmt: skip
    seed: int = setting(0, "seed of the random numbers", group=TRAINING)
    init_from: str = setting("", "run of the same form whose weights to begin with", group=TRAINING)
    channels: int = setting(24, "hidden fields", check=at_least(1), group=NETWORK)
    hidden: int = setting(48, "width of the pointwise networks", check=at_least(1), group=NETWORK)
    layers: int = setting(2, "convolutions; 0: a local model", check=at_least(0), group=NETWORK)
    widths: int = setting(
        N_WIDTHS, "Gaussian widths of the atoms, narrowest first",
        check=Check(f"1 to {N_WIDTHS}", lambda n: 1 <= n <= N_WIDTHS), group=NETWORK,
    )  # fmt: skip
