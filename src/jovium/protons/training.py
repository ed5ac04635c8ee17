"""Training a proton density in a run directory: lessons one after the other, saved, watched, continued.

`config.json` says what is trained, `state.safetensors` holds the flow, the step rule and the step, `metrics.jsonl` has
a line per report, `data.npz` the configurations that were learnt from. Random numbers depend on the seed, the step and
the number of roll-backs alone: a run that was killed and repeated is the run that was not."""

import functools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jovium.base.errors import InputError, JoviumError
from jovium.base.files import existing_folder, sole_writer
from jovium.observe.reweighting import free_energy
from jovium.optimise.natural_gradient import flatten
from jovium.optimise.step_rules import Adam, Natural, StepRule
from jovium.protons.assignment import shortest_displacements
from jovium.protons.base_density import Lattice
from jovium.protons.data import DATA, flow_matching_loss, training_data
from jovium.protons.flow import Flow, samples, works
from jovium.protons.losses import (
    Gradient,
    Loss,
    MaximumLikelihood,
    VariationalFreeEnergy,
    integration_error,
)
from jovium.protons.settings import ProtonSettings
from jovium.protons.systems import form_of, initial_flow
from jovium.protons.targets import Target
from jovium.protons.thermodynamics import excess_term
from jovium.sampling.independence import independence_chain
from jovium.training import checkpoint
from jovium.training.loop import MOST_ROLLBACKS
from jovium.training.run_folder import CONFIG, METRICS, STATE, keep_config, keep_report, read_config

JUMP = 10.0
"""A median of what is minimised above that of the last good steps by so many of their standard deviations, and by a kT
per particle, diverges."""

COLLAPSE = 3.0
"""An entropy that falls by more kT per particle than this from one report to the next has collapsed."""

TOLERANCE = 0.002
"""Integration error of the free energy, kT per particle, at which the number of steps is doubled."""


class State(NamedTuple):
    """Everything training continues from."""

    flow: Flow
    rule: Any
    step: Array
    rollbacks: Array


@dataclass(frozen=True)
class Progress:
    """Where training is. value: of the last batch, of what the lesson minimises. free_energy: beta F - beta F_ideal
    (without a cell: -ln Z) per particle of fresh samples, its error, reweighted, the share of effective samples, the
    acceptance of independence Metropolis, ln p per particle, and the error of integration per particle."""

    step: int
    lesson: str
    value: float
    gradient_norm: float
    free_energy: float
    free_energy_error: float
    reweighted: float
    effective_share: float
    acceptance: float
    log_density: float
    integration_error: float
    integration_steps: int
    seconds: float
    note: str = ""


def train(folder: Path, recipe: ProtonSettings, every: int = 25) -> Iterator[Progress]:
    """Train in a run directory or continue there; a report, and a save, per `every` steps. Raises InputError when the
    folder holds another run, OutputError when nothing can be written, JoviumError when training fails again and
    again."""
    existing_folder(folder)
    with sole_writer(folder / METRICS):
        run = _Run(folder, recipe)
        _forget_data_of_another(folder, recipe)
        keep_config(folder, recipe)
        yield from run.until_done(every)


def cost(recipe: ProtonSettings) -> dict[str, Any]:
    """What training will take: parameters, memory of the intermediate values (MB), seconds of a step of the Hamiltonian
    and of all of them, measured on a step of 32 samples."""
    target = recipe.system.target()
    flow = initial_flow(recipe.system, target, recipe.form, recipe.n_steps, recipe.seed)
    few = min(32, recipe.batch)
    lesson = eqx.filter_jit(lambda flow, key: VariationalFreeEnergy(target.beta_energy, few)(flow, key)[:2])
    jax.block_until_ready(lesson(flow, jax.random.key(0)))
    begin = time.monotonic()
    jax.block_until_ready(lesson(flow, jax.random.key(1)))
    seconds = (time.monotonic() - begin) * recipe.batch / few
    n, width = target.n_particles, 2 * recipe.n_radial + 20 * recipe.n_channels
    return {
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(flow, eqx.is_inexact_array))),
        "memory_mb": round(few * 4 * n**2 * width * 4 / 1e6),
        "seconds_per_energy_step": round(seconds, 3),
        "minutes_of_lessons_after_matching": round(
            seconds * (recipe.energy + recipe.likelihood + recipe.scores) / 60, 1
        ),
    }


def trained_flow(folder: Path) -> tuple[ProtonSettings, Flow]:
    """The recipe and the flow of a run directory. Raises InputError when there is none."""
    recipe = read_recipe(folder)
    facts = checkpoint.read_facts(folder / STATE)
    return recipe, checkpoint.load(folder / STATE, _state_form(recipe, facts["n_steps"], facts["lesson"])).flow


def read_recipe(folder: Path) -> ProtonSettings:
    """What a run directory trains. Raises InputError when it is none."""
    return read_config(folder, ProtonSettings.of_dict, "run")


def _forget_data_of_another(folder: Path, recipe: ProtonSettings) -> None:
    """Configurations sampled for a recipe that never trained are not those of this one."""
    if not (folder / STATE).exists() and (folder / CONFIG).exists() and read_recipe(folder) != recipe:
        (folder / DATA).unlink(missing_ok=True)


class _Run:
    """One training: the state, the last good one, and what a step needs."""

    def __init__(self, folder: Path, recipe: ProtonSettings):
        self.folder, self.recipe = folder, recipe
        self.target = recipe.system.target()
        self.started, self.last_good, self.last_values = time.monotonic(), None, None
        self._programs: dict[Any, Any] = {}
        if (folder / STATE).exists():
            facts = checkpoint.read_facts(folder / STATE)
            self.state = checkpoint.load(folder / STATE, _state_form(recipe, facts["n_steps"], facts["lesson"]))
            self.last_good, self.last_values = facts["log_density"], facts.get("values")
        else:
            flow = initial_flow(recipe.system, self.target, recipe.form, recipe.n_steps, recipe.seed)
            flow = widened(trained_flow(Path(recipe.start))[1], flow) if recipe.start else flow
            self.state = State(flow, None, jnp.int32(0), jnp.int32(0))

    @property
    def done(self) -> int:
        return int(self.state.step)

    def until_done(self, every: int) -> Iterator[Progress]:
        """Steps and reports until the recipe is at its end."""
        if every < 1:
            raise InputError(f"a report every {every} steps", "one or more", "take 25")
        while self.done < self.recipe.total:
            name, first, count = self.recipe.lesson_at(self.done)
            rule = self._rule(name)
            if self.done == first or self.state.rule is None:
                self.state = self.state._replace(rule=rule.start(self.state.flow))
            stop = min(first + count, (self.done // every + 1) * every)
            good, values = self.state, []
            while self.done < stop:
                self.state, value, norm = self._step(name, rule, first, count)
                values.append(float(value))
                if not np.isfinite(values[-1] + float(norm)):
                    break
            yield self._judged(name, good, values, float(norm))

    def _judged(self, name: str, good: State, values: list[float], norm: float) -> Progress:
        """Save a state that is sound; go back to the last good one from any other. Either is reported."""
        note, report = self._verdict(name, values), None
        if not note:
            report = self._report(name, values[-1], norm)
            note = self._verdict_of(report)
        if note:
            self._roll_back(name, good, note, doubled="integration" in note)
            report = self._report(name, values[-1], norm, note + f"; back to step {self.done}")
        assert report is not None
        self.last_good = report.log_density
        if not note:
            self.last_values = [name, float(np.median(values)), float(np.std(values))]
        facts = {"n_steps": self.state.flow.n_steps, "lesson": name, "log_density": report.log_density}
        checkpoint.save(self.folder / STATE, self.state, {**facts, "values": self.last_values})
        keep_report(self.folder, report)
        return report

    def _verdict(self, name: str, values: list[float]) -> str:
        """What is wrong with the values of the last steps beside those of the last good ones, or nothing."""
        if not np.isfinite(values[-1]):
            return "not a number"
        lesson, before, spread = self.last_values or ("", 0.0, 0.0)
        now = float(np.median(values))
        if lesson == name and now - before > max(self.target.n_particles, JUMP * spread):
            return f"diverging: {before:.4g} -> {now:.4g}"
        return ""

    def _verdict_of(self, report: Progress) -> str:
        """What is wrong with fresh samples, or nothing."""
        if not np.isfinite([report.log_density, report.integration_error]).all():
            return "not a number"
        gone = report.log_density - (report.log_density if self.last_good is None else self.last_good)
        if report.lesson in ("energy", "scores") and gone > COLLAPSE:
            return f"entropy collapsed by {gone:.2f} kT per particle"
        if abs(report.integration_error) > TOLERANCE and report.lesson in ("energy", "scores", "likelihood"):
            return f"integration error {report.integration_error:.2g} kT per particle"
        return ""

    def _roll_back(self, name: str, good: State, note: str, doubled: bool) -> None:
        if int(good.rollbacks) >= MOST_ROLLBACKS:
            raise JoviumError(
                f"{self.folder}: {note}, after {MOST_ROLLBACKS} returns to a good state",
                "training that stays finite",
                "the last good state is kept; train with a lower --rate in another folder",
            )
        flow = good.flow.with_steps(2 * good.flow.n_steps) if doubled else good.flow
        # The means of a step rule have the form of the flow, which holds its number of steps.
        form = jax.tree.structure(self._rule(name).start(flow))
        kept = jax.tree.unflatten(form, jax.tree.leaves(good.rule))
        self.state = good._replace(flow=flow, rule=kept, rollbacks=good.rollbacks + 1)

    def _rule(self, name: str) -> StepRule:
        """The step rule of a lesson."""
        if self.recipe.optimiser == "natural" and name != "matching":
            return Natural(50 * self.recipe.rate)
        return Adam(self.recipe.rate, max_gradient_norm=1.0 if name == "matching" else 20.0)

    def _step(self, name: str, rule: StepRule, first: int, count: int) -> tuple[State, Array, Array]:
        lesson = self._lesson(name)
        program = self._program(("step", name, self.state.flow.n_steps), lambda: _step_program(lesson, rule))
        return program(self.state, jnp.float32(first), jnp.float32(count), jax.random.key(self.recipe.seed))

    def _report(self, name: str, value: float, norm: float, note: str = "") -> Progress:
        n, few = self.target.n_particles, 64 if self.recipe.system.name == "hydrogen" else 512
        key = jax.random.fold_in(jax.random.key(self.recipe.seed + 1), self.done)
        judge = self._program(("judge", self.state.flow.n_steps), lambda: _judge_program(self.target, few))
        work, log_density, error = (np.asarray(found, float) for found in judge(self.state.flow, key))
        offset = offset_of(self.target, self.state.flow)
        possible = np.isfinite(work).any() and not np.isnan(work).any()
        found = free_energy(work, offset) if possible else None
        chain = independence_chain(work) if possible else None
        return Progress(
            step=self.done,
            lesson=name,
            value=value,
            gradient_norm=norm,
            free_energy=found.variational.value / n if found else float("inf"),
            free_energy_error=found.variational.error / n if found else float("inf"),
            reweighted=found.reweighted.value / n if found else float("inf"),
            effective_share=found.effective_samples / found.n_samples if found else 0.0,
            acceptance=chain.acceptance if chain else 0.0,
            log_density=float(log_density.mean()) / n,
            integration_error=float(error) / n,
            integration_steps=self.state.flow.n_steps,
            seconds=time.monotonic() - self.started,
            note=note,
        )

    def _program(self, name: Any, make: Any) -> Any:
        if name not in self._programs:
            self._programs[name] = make()
        return self._programs[name]

    @functools.lru_cache(maxsize=8)  # noqa: B019 (a run lives as long as the process)
    def _lesson(self, name: str) -> Loss:
        if name == "energy":
            return VariationalFreeEnergy(self.target.beta_energy, self.recipe.batch)
        if name == "scores":
            return VariationalFreeEnergy(self.target.beta_energy, self.recipe.batch, pathwise=False)
        configurations = training_data(self.folder, self.recipe, self.target)
        if isinstance(self.state.flow.base, Lattice) and self.target.cell:
            sites = np.array(self.state.flow.base.sites)
            moves = [shortest_displacements(sites, x, self.target.cell) for x in configurations]
            configurations = sites + np.array(moves)  # particle i near site i, whatever the order of the data
        if name == "likelihood":
            return MaximumLikelihood(configurations, self.recipe.batch)
        return flow_matching_loss(self.state.flow, configurations, self.target, self.recipe)


def widened(trained: Flow, untrained: Flow) -> Flow:
    """The untrained flow with the parameters of the trained one: the same density, with channels to spare. Raises
    InputError when the forms do not allow that."""

    def filled(old: Array, new: Array) -> Array:
        if old.shape[:-1] != new.shape[:-1] or old.shape[-1:] > new.shape[-1:]:
            raise InputError(
                f"a start with parameters of shape {old.shape} for {new.shape}",
                "the same system, radial functions and times, and no more channels",
                "check the options of both runs",
            )
        return new.at[..., : old.shape[-1]].set(old) if old.ndim else old

    old, new = (jax.tree.leaves(eqx.filter(flow, eqx.is_inexact_array)) for flow in (trained, untrained))
    parts, fixed = eqx.partition(untrained, eqx.is_inexact_array)
    if len(old) != len(new):
        raise InputError("a start of another kind of flow", "the same system", "check the options of both runs")
    return eqx.combine(jax.tree.unflatten(jax.tree.structure(parts), list(map(filled, old, new))), fixed)


def offset_of(target: Target, flow: Flow) -> float:
    """What E[ln p + beta U] lacks to be beta F - beta F_ideal in a cell; in open space beta F is -ln Z as it stands."""
    if target.cell is None:
        return 0.0
    return excess_term(target.n_particles, target.cell.volume, flow.base.log_copies)


def _step_program(lesson: Loss, rule: StepRule) -> Any:
    @eqx.filter_jit
    def program(state: State, first: Array, count: Array, seed: Array) -> tuple[State, Array, Array]:
        key = jax.random.fold_in(jax.random.fold_in(seed, state.step), state.rollbacks)
        learnt: Gradient = lesson(state.flow, key, rule.needs_scores)
        share = (state.step - first) / count
        strength = 0.5 * (1 + jnp.cos(jnp.pi * share)) * 0.5**state.rollbacks
        flow, kept = rule.step(state.flow, state.rule, learnt.gradient, learnt.scores, strength)
        norm = jnp.sqrt(jnp.sum(flatten(learnt.gradient) ** 2))
        return State(flow, kept, state.step + 1, state.rollbacks), learnt.value, norm

    return program


def _judge_program(target: Target, n: int) -> Any:
    @eqx.filter_jit
    def program(flow: Flow, key: Array) -> tuple[Array, Array, Array]:
        fresh, other = jax.random.split(key)
        found = samples(flow, fresh, n)
        return works(flow, target.beta_energy, found), found.log_density, integration_error(flow, other, 64)

    return program


def _state_form(recipe: ProtonSettings, n_steps: int, lesson: str) -> State:
    flow = form_of(recipe.system, recipe.system.target(), recipe.form, n_steps)
    rule = Natural(0.1) if recipe.optimiser == "natural" and lesson != "matching" else Adam(0.1)
    state = eqx.filter_eval_shape(rule.start, flow)
    whole = jax.ShapeDtypeStruct((), jnp.int32)
    return State(flow, state, whole, whole)  # pyright: ignore[reportArgumentType] (shapes stand for arrays)
