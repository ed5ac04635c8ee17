"""Training protons and electrons together on F, in a run directory: saved, watched, continued.

`state.safetensors` holds the flow, the wave function, the walkers, the last directions and the step."""

import functools
import json
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float

from jovium.base.errors import InputError
from jovium.base.files import existing_folder, sole_writer
from jovium.base.statistics import Estimate, autocorrelation_time
from jovium.coulomb.hydrogen import CoulombPotential
from jovium.electrons.wave_function import WaveFunction
from jovium.free_energy.estimate import local_energies
from jovium.free_energy.settings import FreeEnergySettings
from jovium.free_energy.step import State, first_state, initial_state, integration_errors, learned, twists_of
from jovium.free_energy.walkers import (
    drawn,
    move_protons,
    sample_electrons,
)
from jovium.protons.flow import Flow
from jovium.protons.losses import ROWS_AT_ONCE
from jovium.training import checkpoint
from jovium.training.devices import all_devices, compiled, everywhere, writes
from jovium.training.loop import WatchedTraining
from jovium.training.run_folder import METRICS, STATE, check_config, keep_config, read_config

FIRST_SWEEPS = 200
"""Moves of the electrons before the first step."""

INTEGRATION_TOLERANCE, MOST_INTEGRATION_STEPS, STEPS_KEPT = 5e-4, 64, "integration_steps"
"""Integration error of F (hartree per atom) at which the steps of the flow are doubled; where they are kept."""

LARGEST_GAIN = 10.0
"""Of ln p by better integration: one configuration does not decide."""

Model = TypeVar("Model", Flow, WaveFunction)


@dataclass(frozen=True)
class Progress:
    """Where training is, over the steps of a report. Per atom: F, E (hartree), S (k_B), the nuclei's momenta included;
    P in hartree / bohr^3. variance: of the local energy among the electrons of one configuration of protons (Ha^2 per
    atom); lag: by how much E (hartree per atom) would change if the electrons had moved three times as long after the
    protons, with its error; integration_error: by how much F (hartree per atom) would change with twice the steps of
    the flow."""

    step: int
    free_energy: float
    free_energy_error: float
    energy: float
    energy_error: float
    entropy: float
    pressure: float
    variance: float
    lag: float
    lag_error: float
    integration_error: float
    acceptance: float
    moved_protons: float
    moved_electrons: float
    seconds: float
    note: str = ""


def train(folder: Path, recipe: FreeEnergySettings, every: int = 20) -> Iterator[Progress]:
    """Train in a run directory or continue there; a report, and a save, per `every` steps. Raises InputError when the
    folder holds another run, OutputError when nothing can be written, JoviumError when training fails again and
    again."""
    if every < 2:
        raise InputError(f"a report every {every} steps", "two or more", "take 20")
    existing_folder(folder)
    check_config(folder, recipe, growing=("steps",))  # by every process: none is left waiting for one that refuses
    alone = sole_writer(folder / METRICS) if writes() else nullcontext()
    with alone, jax.enable_x64(recipe.in_double_precision), all_devices():
        if writes():
            keep_config(folder, recipe, growing=("steps",))
        yield from _Run(folder, recipe).until_done(every)


def cost(recipe: FreeEnergySettings) -> dict[str, Any]:
    """What training will take: parameters of both models, memory of the scores of the wave function (MB), and seconds
    of a step and of all of them, measured on a step of few configurations."""
    n_twists = recipe.twists**3
    share = min(1.0, max(2, -(-16 // n_twists)) * n_twists / recipe.configurations)
    lessons = max(2, round(share * recipe.lessons))
    lessons = lessons if lessons <= ROWS_AT_ONCE else -(-lessons // ROWS_AT_ONCE) * ROWS_AT_ONCE
    few = replace(recipe, configurations=round(share * recipe.configurations), lessons=lessons)
    with TemporaryDirectory() as folder, jax.enable_x64(recipe.in_double_precision), all_devices():
        run, seed = _Run(Path(folder), few), jax.random.key(0)
        jax.block_until_ready(run.advanced(seed)[0].step)
        begin = time.monotonic()
        jax.block_until_ready(run.advanced(seed)[0].step)
        seconds = (time.monotonic() - begin) / share
        of_flow, of_psi = len(run.state.flow_last), len(run.state.psi_last)
    digits = (8 if recipe.in_double_precision else 4) * (2 if recipe.twists > 1 else 1)
    return {
        "atoms": recipe.n,
        "parameters_of_flow": of_flow,
        "parameters_of_wave_function": of_psi,
        "memory_mb": round(3 * recipe.configurations * recipe.electrons * of_psi * digits / 1e6),
        "seconds_per_step": round(seconds, 3),
        "minutes": round(seconds * recipe.steps / 60, 1),
    }


def trained(folder: Path) -> tuple[FreeEnergySettings, State]:
    """The recipe and the state of a run directory. Raises InputError when there is none."""
    recipe = read_recipe(folder)
    with jax.enable_x64(recipe.in_double_precision):
        return recipe, checkpoint.load(folder / STATE, _form(folder, recipe))


def read_recipe(folder: Path) -> FreeEnergySettings:
    """What a run directory trains. Raises InputError when it is none."""
    return read_config(folder, FreeEnergySettings.of_dict, "free-energy run")


def _form(folder: Path, recipe: FreeEnergySettings) -> State:
    form = eqx.filter_eval_shape(initial_state, recipe)
    steps = checkpoint.read_facts(folder / STATE).get(STEPS_KEPT, recipe.integration_steps)
    return form._replace(flow=form.flow.with_steps(steps))


class _Run(WatchedTraining):
    """One training of a flow and a wave function."""

    jump, spread, unit = 0.05, 5e-3, "Ha per atom"

    def __init__(self, folder: Path, recipe: FreeEnergySettings):
        super().__init__(folder, recipe)
        potential = CoulombPotential.of(recipe.space, 2 * recipe.n)
        twists = twists_of(recipe, recipe.configurations)
        # The parts of a step, compiled one by one: the first state and the lag are made of the same ones.
        self._protons = compiled(
            lambda state, key: move_protons(state.flow, state.psi, state.walkers, recipe.stride, key)
        )
        self._electrons = compiled(
            lambda psi, walkers, key: sample_electrons(psi, walkers, twists, recipe.sweeps, key, True)
        )
        self._energies = compiled(lambda psi, walkers: local_energies(psi, potential, walkers, twists))
        self._integration = compiled(integration_errors)
        self._lesson = compiled(functools.partial(learned, recipe))
        self.state = everywhere(self.state or self._begun())

    def form(self) -> State:
        """The form of a state."""
        return _form(self.folder, self.recipe)

    def facts(self) -> dict[str, Any]:
        """The steps the flow is integrated in by now."""
        return {STEPS_KEPT: self.state.flow.n_steps}

    def _begun(self) -> State:
        recipe = self.recipe
        flow, psi = everywhere(eqx.filter_jit(lambda: (recipe.flow(), recipe.wave_function()))())
        if recipe.start:
            other = trained(Path(recipe.start))[1]
            flow = with_parameters_of(flow, other.flow, recipe.start)
            psi = with_parameters_of(psi, other.psi, recipe.start)
        if recipe.protons:
            from jovium.protons.training import trained_flow

            flow = with_parameters_of(flow, trained_flow(Path(recipe.protons))[1], recipe.protons)
        if recipe.psi:
            psi = with_parameters_of(psi, wave_function_of(Path(recipe.psi)), recipe.psi)
        place, move = jax.random.split(jax.random.key(recipe.seed + 1))
        program = compiled(lambda flow, key: drawn(flow, key, recipe.configurations, recipe.electrons))
        walkers = program(flow, place)
        for key in jax.random.split(move, -(-FIRST_SWEEPS // recipe.sweeps)):
            walkers = self._electrons(psi, walkers, key)
        return first_state(recipe, flow, psi, walkers)

    def advanced(self, seed: Array) -> tuple[State, dict[str, Array]]:
        """Protons and electrons moved, energies measured, both models changed."""
        state = self.state
        key = jax.random.fold_in(jax.random.fold_in(seed, state.step), state.rollbacks)
        of_protons, of_electrons = jax.random.split(key)
        walkers = self._electrons(state.psi, self._protons(state, of_protons), of_electrons)
        return self._lesson(state, walkers, self._energies(state.psi, walkers))

    def _lag(self) -> Float[np.ndarray, "b"]:
        """What E of each configuration (hartree) gains from twice as many moves again after those of a step."""
        psi, key = self.state.psi, jax.random.fold_in(jax.random.key(self.recipe.seed + 2), self.state.step)
        of_protons, *of_electrons = jax.random.split(key, 4)
        walkers, found = self._protons(self.state, of_protons), []
        for key in of_electrons:
            walkers = self._electrons(psi, walkers, key)
            found.append(np.asarray(self._energies(psi, walkers).total.real, float).mean(axis=1))
        return found[2] - found[0]

    def forgetful(self, state: State) -> State:
        """Without the last directions."""
        return state._replace(flow_last=0 * state.flow_last, psi_last=0 * state.psi_last)

    def objection(self, report: Progress) -> str:
        """A flow learns to be integrated badly where that seems to lower F; errors that raise it are unlearnt."""
        if report.integration_error < INTEGRATION_TOLERANCE or self.state.flow.n_steps >= MOST_INTEGRATION_STEPS:
            return ""
        return f"integration error {report.integration_error:.1e} Ha per atom"

    def mended(self, good: State, note: str) -> tuple[State, str]:
        """As always; after an integration error the same rate and twice the steps of integration."""
        if not note.startswith("integration"):
            return super().mended(good, note)
        steps = 2 * good.flow.n_steps
        return self.forgetful(good)._replace(flow=good.flow.with_steps(steps)), f"{steps} steps of integration"

    def minimised(self, report: Progress) -> tuple[float, float]:
        """F per atom."""
        return report.free_energy, report.free_energy_error

    def _integration_error(self) -> float:
        """What F per atom (hartree) of the walkers would gain with twice as many steps of integration."""
        flow = self.state.flow
        better = flow.with_steps(2 * flow.n_steps)
        gained = np.asarray(self._integration(flow, better, self.state.walkers.starts), float)
        gained = np.clip(gained, -LARGEST_GAIN, LARGEST_GAIN).mean()
        return float(gained) * self.recipe.state.temperature / self.recipe.n

    def report(self, found: list[dict[str, np.ndarray]], note: str = "") -> Progress:
        """Over the steps since the last report."""
        state, n = self.recipe.state, self.recipe.n
        gathered = {name: np.stack([told[name] for told in found]).astype(float) for name in found[0]}

        def along(values: Float[np.ndarray, "s b"], estimate: Any) -> Estimate:
            whole = estimate(values.ravel())
            usable = len(values) > 3 and np.isfinite(values).all()
            tau = float(np.mean([autocorrelation_time(chain) for chain in values.T[:32]])) if usable else 1.0
            return Estimate(whole.value, whole.error * np.sqrt(tau), whole.n_independent / tau)

        free = along(gathered["works"], state.free_energy)
        energy = along(gathered["energies"], state.energy)
        entropy = along(gathered["log_densities"], state.entropy)
        pressure = state.pressure(gathered["kinetic"].ravel(), gathered["energies"].ravel())
        lag = self._lag() / n
        return Progress(
            step=int(self.state.step),
            free_energy=free.value,
            free_energy_error=free.error,
            energy=energy.value,
            energy_error=energy.error,
            entropy=entropy.value,
            pressure=pressure.value,
            variance=float(gathered["variance"].mean()) / n,
            lag=float(lag.mean()),
            lag_error=float(lag.std(ddof=1) / np.sqrt(len(lag))),
            integration_error=self._integration_error(),
            acceptance=float(gathered["acceptance"].mean()),
            moved_protons=float(found[-1]["moved_protons"]),
            moved_electrons=float(found[-1]["moved_electrons"]),
            seconds=time.monotonic() - self.started,
            note=note,
        )


def with_parameters_of(model: Model, other: Model, name: str) -> Model:
    """A model with the parameters of another, of a run of that name: they know nothing of the size of the cell. Raises
    InputError when they do not fit."""
    arrays, rest = eqx.partition(model, eqx.is_inexact_array)
    leaves, form = jax.tree.flatten(arrays)
    others = jax.tree.leaves(eqx.filter(other, eqx.is_inexact_array))
    sizes, other_sizes = ([leaf.shape for leaf in found] for found in (leaves, others))
    if sizes != other_sizes or velocity_of(model) != velocity_of(other):
        raise InputError(
            f"{name} holds models of another form",
            "a run of as many atoms with the sizes of this one",
            "train it with the same --channels, --radial, --times, --determinants and --features, a flow with the same"
            " --n too; a run of jovium protons with --torus",
        )
    leaves = [leaf.astype(mine.dtype) for leaf, mine in zip(others, leaves, strict=True)]
    return eqx.combine(jax.tree.unflatten(form, leaves), rest)


def wave_function_of(folder: Path) -> WaveFunction:
    """The wave function of a free-energy run, or of one of `jovium electrons`. Raises InputError for another folder."""
    from jovium.electrons import training as electron_training
    from jovium.training.run_folder import CONFIG

    path = folder / CONFIG
    of_electrons = path.exists() and "structure" in json.loads(path.read_text())
    return electron_training.trained(folder)[1].psi if of_electrons else trained(folder)[1].psi


def velocity_of(model: Flow | WaveFunction) -> type | None:
    """The kind of velocity that a flow has."""
    return type(model.velocity) if isinstance(model, Flow) else None
