"""Training a proton density in a run folder: up to four losses, one stage after the other.

Beside config.json, state.safetensors and metrics.jsonl the folder holds data.npz, the configurations learned from."""

import functools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jovium.base.errors import InputError
from jovium.observe.reweighting import free_energy
from jovium.protons.data import assign_sites, flow_matching_loss, training_data
from jovium.protons.flow import Flow
from jovium.protons.losses import Loss, MaximumLikelihood, VariationalFreeEnergy
from jovium.protons.settings import ProtonSettings
from jovium.protons.step import judge_program, step_program, step_rule
from jovium.protons.systems import flow_template, initial_flow, target_of
from jovium.protons.thermodynamics import excess_offset
from jovium.sampling.independence import independence_chain
from jovium.training import checkpoint
from jovium.training.devices import single_precision
from jovium.training.loop import Metrics, Report, Stage, Training, TrainingState, run_in_folder
from jovium.training.run_folder import STATE, read_settings

COLLAPSE = 3.0
"""An entropy that falls by more kT per particle than this from one report to the next has collapsed."""

INTEGRATION_TOLERANCE = 0.002
"""Integration error of the free energy, kT per particle, at which the number of Runge-Kutta steps is doubled."""

JUDGED_SAMPLES, JUDGED_SAMPLES_OF_ENGINE = 512, 64
"""Fresh samples in a report; fewer where each is a first-principles calculation."""


def train(folder: Path, settings: ProtonSettings, report_every: int = 25) -> Iterator[Report]:
    """Train in a run folder or continue there; a report, and a save, per `report_every` steps. Raises InputError when
    the folder holds another run, OutputError when nothing can be written, JoviumError when training fails again and
    again."""
    with run_in_folder(folder, settings, report_every) as kept, single_precision():
        yield from ProtonTraining(kept, folder).run(report_every)


@single_precision()
def load_run(folder: Path) -> tuple[ProtonSettings, Flow]:
    """Settings and flow of a run folder. Raises InputError when there is none."""
    settings = read_settings(folder, ProtonSettings)
    facts = checkpoint.read_facts(folder / STATE)
    return settings, checkpoint.load(folder / STATE, _template(settings, facts)).model


@single_precision()
def cost(settings: ProtonSettings) -> dict[str, Any]:
    """What training will take: parameters, memory of the intermediate values (MB), seconds of a step of the Hamiltonian
    and of all of them, measured on a step of 32 samples."""
    target = target_of(settings)
    flow = initial_flow(settings, target)
    few = min(32, settings.batch_size)
    loss = eqx.filter_jit(lambda flow, key: VariationalFreeEnergy(target.beta_energy, few)(flow, key)[:2])
    jax.block_until_ready(loss(flow, jax.random.key(0)))
    begin = time.monotonic()
    jax.block_until_ready(loss(flow, jax.random.key(1)))
    seconds = (time.monotonic() - begin) * settings.batch_size / few
    n, width = target.n_particles, 2 * settings.flow_radial + 20 * settings.flow_channels
    return {
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(flow, eqx.is_inexact_array))),
        "memory_mb": round(few * 4 * n**2 * width * 4 / 1e6),
        "seconds_per_energy_step": round(seconds, 3),
        "minutes_after_flow_matching": round(seconds * (settings.steps - settings.flow_matching_steps) / 60, 1),
    }


class ProtonTraining(Training):
    """One training of a flow. The objective is the loss of the stage; spread: a single batch may scatter at will."""

    unit, spread = "", np.inf

    def __init__(self, settings: ProtonSettings, folder: Path):
        self.target = target_of(settings)
        self.jump, self.log_density, self.entered = float(self.target.n_particles), None, ""
        super().__init__(settings, folder)
        if self.state is None:
            flow = initial_flow(settings, self.target)
            flow = widen(load_run(Path(settings.init_from))[1], flow) if settings.init_from else flow
            self.state = TrainingState.first(flow, None, None)

    def template(self, facts: dict[str, Any]) -> TrainingState:
        """Names, shapes and types of a state that was saved in the stage, with the Runge-Kutta steps, of its facts."""
        self.log_density = facts["log_density"]
        return _template(self.settings, facts)

    def facts(self) -> dict[str, Any]:
        """Runge-Kutta steps, the stage whose step rule the momentum is of, ln p per particle of the last report."""
        return {"ode_steps": self.state.model.n_steps, "stage": self.entered, "log_density": self.log_density}

    def stage(self, step: int) -> Stage:
        """The stage that a step belongs to."""
        first = 0
        for name, steps in self.settings.stage_steps.items():
            if step < first + steps:
                return Stage(name, first, steps)
            first += steps
        raise IndexError(step)

    def enter_stage(self, stage: Stage, state: TrainingState) -> TrainingState:
        """A new stage begins with a new memory of its step rule."""
        self.entered = stage.name
        if int(state.step) != stage.first and state.momentum is not None:
            return state
        return state._replace(momentum=step_rule(self.settings, stage.name).start(state.model))

    def step(self, state: TrainingState, key: Array) -> tuple[TrainingState, dict[str, Array]]:
        """One step of the stage at hand."""
        name, first, steps = self.stage(int(state.step))
        return self._step_program(name)(state, jnp.float32(first), jnp.float32(steps), key)

    def objective(self, figures: dict[str, Any]) -> tuple[float, float]:
        """The loss of the stage: one bad batch among many is no divergence."""
        return figures["loss"], figures["loss_spread"]

    def diagnose(self, figures: dict[str, Any]) -> str:
        """What is wrong with fresh samples, or nothing."""
        log_density, error, stage = figures["log_density"], figures["integration_error"], figures["stage"]
        if not np.isfinite([log_density, error]).all():
            return "not a number"
        fall = log_density - (log_density if self.log_density is None else self.log_density)
        if stage in ("energy", "score") and fall > COLLAPSE:
            return f"entropy collapsed by {fall:.2f} kT per particle"
        if abs(error) > INTEGRATION_TOLERANCE and stage != "flow-matching":
            return f"integration error {error:.2g} kT per particle"
        self.log_density = log_density
        return ""

    def recover(self, good: TrainingState, note: str) -> tuple[TrainingState, str]:
        """Half the learning rate, the momentum kept, and twice the Runge-Kutta steps where they failed."""
        flow, change = good.model, "half the learning rate"
        if note.startswith("integration"):
            flow = flow.with_steps(2 * flow.n_steps)
            change += f" and {flow.n_steps} Runge-Kutta steps"
        # The memory of a step rule has the form of the flow, which holds its number of steps.
        form = jax.tree.structure(step_rule(self.settings, self.stage(int(good.step)).name).start(flow))
        momentum = jax.tree.unflatten(form, jax.tree.leaves(good.momentum))
        return good._replace(model=flow, momentum=momentum, rollbacks=good.rollbacks + 1), change

    def summarise(self, metrics: Metrics) -> dict[str, Any]:
        """Median and spread of the loss over the steps; of fresh samples per particle beta F - beta F_ideal (without a
        cell: -ln Z), its error, reweighted, the fraction of effective samples, acceptance of independence Metropolis,
        ln p, and the error of integrating it."""
        flow, n = self.state.model, self.target.n_particles
        n_samples = JUDGED_SAMPLES_OF_ENGINE if self.settings.system == "hydrogen" else JUDGED_SAMPLES
        keys = jax.random.split(jax.random.fold_in(jax.random.key(self.settings.seed + 1), self.state.step))
        judged = self._judge_program(n_samples)(flow, *keys)
        work, log_density, error = (np.asarray(values, float) for values in judged)
        possible = np.isfinite(work).any() and not np.isnan(work).any()
        estimate = free_energy(work, excess_offset(self.target, flow)) if possible else None
        losses = np.array([of_step["loss"] for of_step in metrics], float)
        return {
            "stage": self.entered,
            "loss": float(np.median(losses)),
            "loss_spread": float(np.std(losses)),
            "gradient_norm": float(metrics[-1]["gradient_norm"]),
            "free_energy": estimate.variational.value / n if estimate else np.inf,
            "free_energy_error": estimate.variational.error / n if estimate else np.inf,
            "reweighted": estimate.reweighted.value / n if estimate else np.inf,
            "effective_fraction": estimate.effective_samples / estimate.n_samples if estimate else 0.0,
            "acceptance": independence_chain(work).acceptance if possible else 0.0,
            "log_density": float(log_density.mean()) / n,
            "integration_error": float(error) / n,
            "ode_steps": flow.n_steps,
        }

    @functools.lru_cache(maxsize=8)  # noqa: B019 (a run lives as long as the process)
    def _judge_program(self, n_samples: int) -> Any:
        return judge_program(self.target, n_samples)

    @functools.lru_cache(maxsize=8)  # noqa: B019
    def _step_program(self, stage: str) -> Any:
        return step_program(self._loss(stage), step_rule(self.settings, stage))

    def _loss(self, stage: str) -> Loss:
        settings, target = self.settings, self.target
        if stage in ("energy", "score"):
            return VariationalFreeEnergy(target.beta_energy, settings.batch_size, pathwise=stage == "energy")
        assert self.folder is not None
        flow = self.state.model
        configurations = assign_sites(flow, training_data(self.folder, settings, target), target.cell)
        if stage == "likelihood":
            return MaximumLikelihood(configurations, settings.batch_size)
        key = jax.random.key(settings.seed + 2)
        return flow_matching_loss(flow, configurations, target.cell, 2 * settings.batch_size, key)


def widen(trained: Flow, untrained: Flow) -> Flow:
    """The untrained flow with the parameters of the trained one: the same density, with channels to spare. Raises
    InputError when the forms do not allow that."""

    def fill(old: Array, new: Array) -> Array:
        if old.shape[:-1] != new.shape[:-1] or old.shape[-1:] > new.shape[-1:]:
            expected = "the same system, radial functions and knots, and no more channels"
            got = f"a start with parameters of shape {old.shape} for {new.shape}"
            raise InputError(got, expected, "check the options of both runs")
        return new.at[..., : old.shape[-1]].set(old) if old.ndim else old

    old, new = (jax.tree.leaves(eqx.filter(flow, eqx.is_inexact_array)) for flow in (trained, untrained))
    arrays, static = eqx.partition(untrained, eqx.is_inexact_array)
    if len(old) != len(new):
        raise InputError("a start of another kind of flow", "the same system", "check the options of both runs")
    return eqx.combine(jax.tree.unflatten(jax.tree.structure(arrays), list(map(fill, old, new))), static)


def _template(settings: ProtonSettings, facts: dict[str, Any]) -> TrainingState:
    flow = flow_template(settings, facts["ode_steps"])
    momentum = eqx.filter_eval_shape(step_rule(settings, facts["stage"]).start, flow)
    number = jax.ShapeDtypeStruct((), jnp.int32)
    return TrainingState(flow, None, momentum, number, number)  # pyright: ignore[reportArgumentType] (shapes)
