"""Training protons and electrons together on F, in a run folder or in memory."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float

from jovium.base.errors import InputError
from jovium.base.statistics import Estimate, autocorrelation_time
from jovium.electrons.training import load_run as load_electrons
from jovium.electrons.walkers import require_same
from jovium.electrons.wave_function import WaveFunction
from jovium.free_energy.settings import FreeEnergySettings
from jovium.free_energy.step import FreeEnergyStep, first_state, initial_state, integration_errors, parameters
from jovium.free_energy.systems import FreeEnergySystem
from jovium.free_energy.walkers import init_walkers
from jovium.protons.flow import Flow
from jovium.protons.training import load_run as load_protons
from jovium.training import checkpoint
from jovium.training.devices import all_devices, compile_program, replicate
from jovium.training.loop import Metrics, Report, Training, TrainingState, run_in_folder
from jovium.training.run_folder import STATE, read_kind, read_settings

EQUILIBRATION_MOVES = 200
"""Moves of the electrons before the first step."""

INTEGRATION_TOLERANCE, MAX_ODE_STEPS = 5e-4, 64
"""Integration error of F (hartree per atom) at which the Runge-Kutta steps of the flow are doubled, and how far."""

MAX_LOG_DENSITY_GAIN = 10.0
"""Of ln p by better integration: one configuration does not decide."""

CHAINS_FOR_AUTOCORRELATION = 32

Model = TypeVar("Model", Flow, WaveFunction)


def train(folder: Path | None, settings: FreeEnergySettings, report_every: int = 20) -> Iterator[Report]:
    """Train in a run folder or continue there; a report, and a save, per `report_every` steps. Raises InputError when
    the folder holds another run, OutputError when nothing can be written, JoviumError when training fails again and
    again."""
    with run_in_folder(folder, settings, report_every), precision(settings), all_devices():
        yield from FreeEnergyTraining(settings, folder).run(report_every)


@contextmanager
def precision(settings: FreeEnergySettings) -> Iterator[None]:
    """The precision that the cell needs, inside."""
    with jax.enable_x64(FreeEnergySystem(settings).in_double_precision):
        yield


def load_run(folder: Path) -> tuple[FreeEnergySettings, TrainingState]:
    """Settings and state of a run folder. Raises InputError when there is none."""
    settings = read_settings(folder, FreeEnergySettings)
    with precision(settings):
        return settings, checkpoint.load(folder / STATE, _template(settings, checkpoint.read_facts(folder / STATE)))


def cost(settings: FreeEnergySettings) -> dict[str, Any]:
    """What training will take: parameters of both models, memory of the scores of the wave function (MB), and seconds
    of a step and of all of them, measured on a step of about 16 configurations with at most 2^3 twists: of a twist
    there only is or is none, and time goes with the number of configurations."""
    twists = min(2, settings.twists)
    fraction = min(1.0, max(2, 16 // twists**3) * twists**3 / settings.proton_walkers)
    batch_size = max(2, round(fraction * settings.flow_batch_size))
    batch_size = batch_size if batch_size <= 32 else -(-batch_size // 32) * 32
    few = replace(
        settings,
        twists=twists,
        proton_walkers=round(fraction * settings.proton_walkers),
        flow_batch_size=batch_size,
    )
    with precision(settings), all_devices():
        training, key = FreeEnergyTraining(few), jax.random.key(0)
        jax.block_until_ready(training.step(training.state, key)[0].step)
        begin = time.monotonic()
        jax.block_until_ready(training.step(training.state, key)[0].step)
        seconds = (time.monotonic() - begin) / fraction
        models = training.state.model
        n_psi, bytes_each = parameters(models.psi), (8 if training.system.in_double_precision else 4)
    bytes_each *= 2 if settings.twists > 1 else 1
    n_samples = settings.proton_walkers * settings.electron_walkers
    return {
        "atoms": settings.n_atoms,
        "parameters_of_flow": parameters(models.flow),
        "parameters_of_wave_function": n_psi,
        "memory_mb": round(3 * n_samples * n_psi * bytes_each / 1e6),
        "seconds_per_step": round(seconds, 3),
        "minutes": round(seconds * settings.steps / 60, 1),
    }


class FreeEnergyTraining(Training):
    """One training of a flow and a wave function: figures per atom in hartree."""

    jump, spread, unit = 0.05, 5e-3, "Ha per atom"

    def __init__(self, settings: FreeEnergySettings, folder: Path | None = None, state: TrainingState | None = None):
        super().__init__(settings, folder)
        self.system = FreeEnergySystem(settings)
        self.parts = FreeEnergyStep(self.system)
        self._integration = compile_program(integration_errors)
        self.state = replicate(state or self.state or self._initial_state())

    def step(self, state: TrainingState, key: Array) -> tuple[TrainingState, dict[str, Array]]:
        """Protons and electrons moved, energies measured, both models changed: see `FreeEnergyStep`."""
        return self.parts(state, key)

    def template(self, facts: dict[str, Any]) -> TrainingState:
        """Names, shapes and types of a state whose flow takes the Runge-Kutta steps of the facts."""
        return _template(self.settings, facts)

    def facts(self) -> dict[str, Any]:
        """The Runge-Kutta steps that the flow takes by now."""
        return {"ode_steps": self.state.model.flow.n_steps}

    def _initial_state(self) -> TrainingState:
        settings, system = self.settings, self.system
        flow, psi = replicate(eqx.filter_jit(lambda: (system.flow(), system.wave_function()))())
        if settings.init_from:
            models = load_run(Path(settings.init_from))[1].model
            flow = with_parameters_of(flow, models.flow, settings.init_from)
            psi = with_parameters_of(psi, models.psi, settings.init_from)
        if settings.init_flow:
            flow = with_parameters_of(flow, load_protons(Path(settings.init_flow))[1], settings.init_flow)
        if settings.init_wavefunction:
            psi = with_parameters_of(
                psi, load_wave_function(Path(settings.init_wavefunction)), settings.init_wavefunction
            )
        walker_key, move_key = jax.random.split(jax.random.key(settings.seed + 1))
        program = compile_program(
            lambda flow, key: init_walkers(flow, key, settings.proton_walkers, settings.electron_walkers)
        )
        walkers = program(flow, walker_key)
        for key in jax.random.split(move_key, -(-EQUILIBRATION_MOVES // settings.mc_steps)):
            walkers, _ = self.parts.sample_electrons(psi, walkers, key)
        return first_state(system, flow, psi, walkers)

    def objective(self, figures: dict[str, Any]) -> tuple[float, float]:
        """F per atom."""
        return figures["free_energy"], figures["free_energy_error"]

    def diagnose(self, figures: dict[str, Any]) -> str:
        """A flow learns to be integrated badly where that seems to lower F; errors that raise it are unlearnt."""
        error = figures["integration_error"]
        if error < INTEGRATION_TOLERANCE or self.state.model.flow.n_steps >= MAX_ODE_STEPS:
            return ""
        return f"integration error {error:.1e} Ha per atom"

    def recover(self, good: TrainingState, note: str) -> tuple[TrainingState, str]:
        """Half the learning rates; after an integration error the same rates and twice the Runge-Kutta steps."""
        if not note.startswith("integration"):
            return super().recover(good, note)
        flow = good.model.flow.with_steps(2 * good.model.flow.n_steps)
        state = self.reset_momentum(good)._replace(model=good.model._replace(flow=flow))
        return state, f"{flow.n_steps} Runge-Kutta steps"

    def summarise(self, metrics: Metrics) -> dict[str, Any]:
        """Per atom: F, E (hartree), S (k_B), the nuclei's momenta included; the virial pressure (hartree / bohr^3);
        variance of the local energy among the electrons of one configuration of protons (Ha^2); equilibration bias: by
        how much E would change if the electrons had moved three times as long after the protons; integration error: by
        how much F would change with twice the Runge-Kutta steps."""
        state, n = self.system.state, self.settings.n_atoms
        series = {name: np.stack([of_step[name] for of_step in metrics]).astype(float) for name in metrics[0]}

        def estimate(values: Float[np.ndarray, "s b"], mean: Any) -> Estimate:
            uncorrelated = mean(values.ravel())
            usable = len(values) > 3 and np.isfinite(values).all()
            chains = values.T[:CHAINS_FOR_AUTOCORRELATION]
            tau = float(np.mean([autocorrelation_time(chain) for chain in chains])) if usable else 1.0
            return Estimate(uncorrelated.value, uncorrelated.error * np.sqrt(tau), uncorrelated.n_independent / tau)

        free_energy = estimate(series["work"], state.free_energy)
        energy = estimate(series["energy"], state.energy)
        bias = self._equilibration_bias() / n
        return {
            "free_energy": free_energy.value,
            "free_energy_error": free_energy.error,
            "energy": energy.value,
            "energy_error": energy.error,
            "entropy": estimate(series["log_density"], state.entropy).value,
            "virial_pressure": state.pressure(series["kinetic"].ravel(), series["energy"].ravel()).value,
            "variance": float(series["variance"].mean()) / n,
            "equilibration_bias": float(bias.mean()),
            "equilibration_bias_error": float(bias.std(ddof=1) / np.sqrt(len(bias))),
            "integration_error": self._integration_error(),
            "acceptance": float(series["acceptance"].mean()),
            "flow_step_norm": float(series["flow_step_norm"][-1]),
            "psi_step_norm": float(series["psi_step_norm"][-1]),
        }

    def _equilibration_bias(self) -> Float[np.ndarray, "b"]:
        """What E of each configuration (hartree) gains from twice as many moves again after those of a step. Raises
        EngineError when the electrons did not follow |psi|^2."""
        models = self.state.model
        key = jax.random.fold_in(jax.random.key(self.settings.seed + 2), self.state.step)
        proton_key, *electron_keys = jax.random.split(key, 4)
        walkers, energies = self.parts.move_protons(models, self.state.walkers, proton_key), []
        for key in electron_keys:
            walkers, of_chains = self.parts.sample_electrons(models.psi, walkers, key)
            local = self.parts.local_energies(models.psi, walkers)
            energies.append(np.asarray(local.total.real, float).mean(axis=1))
        require_same(of_chains, self.parts.log_squares(models.psi, walkers))
        return energies[2] - energies[0]

    def _integration_error(self) -> float:
        """What F per atom (hartree) of the walkers would gain with twice as many Runge-Kutta steps."""
        flow = self.state.model.flow
        gains = np.asarray(
            self._integration(flow, flow.with_steps(2 * flow.n_steps), self.state.walkers.latents), float
        )
        gain = np.clip(gains, -MAX_LOG_DENSITY_GAIN, MAX_LOG_DENSITY_GAIN).mean()
        return float(gain) * self.system.state.temperature / self.settings.n_atoms


def with_parameters_of(model: Model, other: Model, name: str) -> Model:
    """A model with the parameters of another, of a run of that name: they know nothing of the size of the cell. Raises
    InputError when they do not fit."""
    arrays, static = eqx.partition(model, eqx.is_inexact_array)
    leaves, form = jax.tree.flatten(arrays)
    others = jax.tree.leaves(eqx.filter(other, eqx.is_inexact_array))
    sizes, other_sizes = ([leaf.shape for leaf in each] for each in (leaves, others))
    if sizes != other_sizes or _velocity_kind(model) != _velocity_kind(other):
        raise InputError(
            f"{name} holds models of another form",
            "a run with the sizes of this one, its flow of as many atoms",
            "train it with the same --flow-channels, --flow-radial, --flow-knots, --determinants and --features, a flow"
            " with the same --n-atoms too; a run of jovium protons with --torus",
        )
    leaves = [leaf.astype(own.dtype) for leaf, own in zip(others, leaves, strict=True)]
    return eqx.combine(jax.tree.unflatten(form, leaves), static)


def load_wave_function(folder: Path) -> WaveFunction:
    """The wave function of a free-energy run, or of one of `jovium electrons`. Raises InputError for another folder."""
    if read_kind(folder) == "electrons":
        return load_electrons(folder)[1].model
    return load_run(folder)[1].model.psi


def _velocity_kind(model: Flow | WaveFunction) -> type | None:
    return type(model.velocity) if isinstance(model, Flow) else None


def _template(settings: FreeEnergySettings, facts: dict[str, Any]) -> TrainingState:
    state = eqx.filter_eval_shape(initial_state, FreeEnergySystem(settings))
    flow = state.model.flow.with_steps(facts["ode_steps"])
    return state._replace(model=state.model._replace(flow=flow))
