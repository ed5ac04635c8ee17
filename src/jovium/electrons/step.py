"""One step of variational Monte Carlo: walkers move, local energies are measured, psi follows their gradient."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jovium.base.errors import InputError
from jovium.coulomb.hydrogen import CoulombPotential
from jovium.electrons.local_energy import clip_energies, local_energies, scores, stack_real_imag
from jovium.electrons.settings import ElectronSettings
from jovium.electrons.systems import ElectronSystem, electron_system
from jovium.electrons.walkers import Walkers, move_walkers, walker_chains
from jovium.electrons.wave_function import WaveFunction, needs_double_precision
from jovium.optimise.natural_gradient import flatten, unflatten
from jovium.optimise.step_rules import Adam, NaturalEnergy
from jovium.training.loop import TrainingState


def in_double_precision(settings: ElectronSettings, system: ElectronSystem) -> bool:
    """Whether training and measuring are done in double precision."""
    needed = needs_double_precision(system.box, system.n_up + system.n_down)
    return settings.precision == "double" or (settings.precision == "auto" and needed)


def log_psi(psi: WaveFunction, electrons: Float[Array, "n 3"], protons: Float[Array, "m 3"]) -> Array:
    """ln psi as a function of the model."""
    return psi.log_psi(electrons, protons)


def initial_wave_function(settings: ElectronSettings, system: ElectronSystem) -> WaveFunction:
    """psi before training. Raises InputError for a twist in open space."""
    if system.cell is None and any(settings.twist):
        raise InputError(f"twist {settings.twist} in open space", "twists only in a periodic cell", "leave it out")
    wave = np.zeros(3) if system.cell is None else np.array(settings.twist) @ system.cell.reciprocal
    return WaveFunction.of(
        system.box,
        system.n_up,
        system.n_down,
        with_protons=len(system.protons) > 0,
        twist=(float(wave[0]), float(wave[1]), float(wave[2])),
        n_determinants=settings.determinants,
        n_radial=settings.radial_functions,
        n_directions=settings.direction_channels,
        n_features=settings.features,
        n_backflow=settings.backflow_channels,
        allow_single_precision=settings.precision == "single",
        key=jax.random.key(settings.seed),
    )


def initial_state(settings: ElectronSettings) -> TrainingState:
    """Untrained, electrons near protons of their own or anywhere in the cell."""
    system = electron_system(settings.structure, settings.unpaired)
    psi = initial_wave_function(settings, system)
    uniform, displacement = jax.random.split(jax.random.key(settings.seed + 1))
    shape = settings.walkers, psi.n_electrons, 3
    if len(system.protons):
        nearest = system.protons[np.arange(psi.n_electrons) % len(system.protons)]
        if psi.n_down == psi.n_up:
            nearest = nearest[np.argsort(np.arange(psi.n_electrons) % 2, kind="stable")]
        positions = jnp.asarray(nearest, float) + 0.7 * jax.random.normal(displacement, shape)
    else:
        assert system.cell is not None
        positions = jax.random.uniform(uniform, shape) @ jnp.asarray(system.cell.vectors, float)
    parameters = flatten(eqx.filter(psi, eqx.is_inexact_array))
    momentum = jnp.zeros_like(parameters) if settings.optimiser == "natural" else Adam(1.0).start(psi)
    return TrainingState.first(psi, Walkers(positions, jnp.asarray(0.3, float)), momentum)


def step(
    settings: ElectronSettings, potential: CoulombPotential, state: TrainingState, protons: Array, key: Array
) -> tuple[TrainingState, dict[str, Array]]:
    """The state after one step down E = <E_loc>, and its metrics."""
    psi, walkers = state.model, state.walkers
    chains = move_walkers(settings, psi, protons, walker_chains(walkers, key), settings.mc_steps, True)
    local = local_energies(log_psi, psi, potential, chains.positions, protons)
    # dE/dtheta = 2 Re <(E_loc - E) (d ln psi / dtheta)*>: scores and energies, both less their means.
    derivatives = scores(log_psi, psi, chains.positions, protons)
    energies = clip_energies(local.total)
    centred = stack_real_imag(derivatives - derivatives.mean(axis=0))
    residuals = stack_real_imag(energies - energies.mean())
    lr_scale = 0.5**state.rollbacks / (1 + state.step / settings.decay_steps)
    if settings.optimiser == "natural":
        rule = NaturalEnergy(settings.learning_rate, settings.damping, settings.max_norm, settings.momentum)
        new_psi, momentum = rule.step(psi, state.momentum, centred, residuals, lr_scale)
    else:
        gradient = unflatten(eqx.filter(psi, eqx.is_inexact_array), 2 * residuals @ centred / settings.walkers)
        rule = Adam(settings.learning_rate, max_gradient_norm=1.0)
        new_psi, momentum = rule.step(psi, state.momentum, gradient, None, lr_scale)
    before, after = (flatten(eqx.filter(model, eqx.is_inexact_array)) for model in (psi, new_psi))
    metrics = {
        "energies": local.total.real,
        "log_squares": -chains.beta_energies,
        "kinetic": local.kinetic.real.mean(),
        "acceptance": chains.acceptance,
        "width": chains.width,
        # How far psi moved in the Fisher metric.
        "step_norm": jnp.sqrt(jnp.sum((centred @ (after - before)) ** 2) / settings.walkers),
    }
    walkers = Walkers(chains.positions, chains.width)
    return TrainingState(new_psi, walkers, momentum, state.step + 1, state.rollbacks), metrics
