"""A free-energy run so small that a test can train it."""

from jovium.free_energy.settings import FreeEnergySettings

TINY = FreeEnergySettings(
    steps=8, waiting=4, proton_rate=0.01, configurations=16, electrons=2, sweeps=2, lessons=16, channels=1,
    radial=4, times=2, integration_steps=2, features=8,
)  # fmt: skip
