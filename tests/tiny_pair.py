"""A free-energy run so small that a test can train it."""

from jovium.free_energy.settings import FreeEnergySettings

TINY = FreeEnergySettings(
    n_atoms=2, twists=1, steps=8, wavefunction_warmup=4, learning_rate=0.1, flow_learning_rate=0.01, proton_walkers=16,
    electron_walkers=2, mc_steps=2, flow_batch_size=16, flow_channels=1, flow_radial=4, flow_knots=2, ode_steps=2,
    features=8,
)  # fmt: skip


def options_of(settings):
    """The options of a command line with these settings."""
    values = settings.to_dict().items()
    return [f"--{name.replace('_', '-')}={value}" for name, value in values if value not in ("", None)]
