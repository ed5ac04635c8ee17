"""The one training loop: steps, reports, a watchdog, checkpoints, resume and signals, for every model.

A report whose objective diverges or is no number is given up for the last good state. Random numbers depend on the
seed, the step and the number of rollbacks alone: a run that was killed and repeated is the run that was not."""

import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jovium.base.errors import InputError, JoviumError
from jovium.base.files import existing_folder, sole_writer
from jovium.training import checkpoint
from jovium.training.devices import is_writer, largest
from jovium.training.run_folder import (
    METRICS,
    STATE,
    append_report,
    check_config,
    check_steps,
    finite_or_none,
    read_settings,
    write_config,
)

JUMP = 10.0
"""The objective diverges when it rises above the last good value by so many of its errors (and by what always is
suspicious), and when its error grows so many times."""

MAX_ROLLBACKS = 6

Metrics = Sequence[dict[str, np.ndarray]]
"""What every step since the last report gave."""


class TrainingState(NamedTuple):
    """Everything training continues from: what is trained, the walkers it is trained on (None where there are none),
    the memory of the step rule, steps done, and returns to a good state."""

    model: Any
    walkers: Any
    momentum: Any
    step: jax.Array
    rollbacks: jax.Array

    @classmethod
    def first(cls, model: Any, walkers: Any, momentum: Any) -> "TrainingState":
        """Before the first step."""
        return cls(model, walkers, momentum, jnp.int32(0), jnp.int32(0))


class Stage(NamedTuple):
    """A part of training with one loss: its name, first step and number of steps."""

    name: str
    first: int
    steps: int


@dataclass(frozen=True)
class Report:
    """The steps up to `step`: figures by name, seconds since this process began, and what was wrong, if anything."""

    step: int
    metrics: dict[str, Any]
    seconds: float
    note: str = ""

    def __getitem__(self, name: str) -> Any:
        return self.metrics[name]

    def record(self) -> dict[str, Any]:
        """Plain values for metrics.jsonl; what is not finite is None."""
        metrics = {name: finite_or_none(value) for name, value in self.metrics.items()}
        return {"step": self.step, **metrics, "seconds": self.seconds, "note": self.note}


class Training(ABC):
    """One training, in a folder or in memory: what a model has to say of itself to be trained by the loop.

    jump, spread: how far the objective and its error may rise in any case, in `unit`."""

    jump: float
    spread: float
    unit: str

    def __init__(self, settings: Any, folder: Path | None = None):
        self.settings, self.folder, self.started = settings, folder, time.monotonic()
        self.good: tuple[str, float, float] | None = None
        self.state: Any = None
        if folder is not None and (folder / STATE).exists():
            facts = checkpoint.read_facts(folder / STATE)
            self.state = checkpoint.load(folder / STATE, self.template(facts))
            self.good = tuple(facts["good"]) if facts["good"] else None

    @abstractmethod
    def template(self, facts: dict[str, Any]) -> TrainingState:
        """Names, shapes and types of a state; facts: what `facts` said when it was saved."""

    @abstractmethod
    def step(self, state: TrainingState, key: jax.Array) -> tuple[TrainingState, dict[str, jax.Array]]:
        """The state after one more step, its step counted, and the metrics of the step."""

    @abstractmethod
    def summarise(self, metrics: Metrics) -> dict[str, Any]:
        """The figures of a report, from the steps since the last one and the state as it is."""

    @abstractmethod
    def objective(self, figures: dict[str, Any]) -> tuple[float, float]:
        """The value that training lowers, and its error, among the figures of a report."""

    def diagnose(self, figures: dict[str, Any]) -> str:
        """What else is wrong with a report, or nothing."""
        del figures
        return ""

    def reset_momentum(self, state: TrainingState) -> TrainingState:
        """A state without the memory of its step rule."""
        return state._replace(momentum=jax.tree.map(jnp.zeros_like, state.momentum))

    def recover(self, good: TrainingState, note: str) -> tuple[TrainingState, str]:
        """The state to go on with after a good one that led to `note`, and what is different about it."""
        del note
        return self.reset_momentum(good)._replace(rollbacks=good.rollbacks + 1), "half the learning rate"

    def enter_stage(self, stage: Stage, state: TrainingState) -> TrainingState:
        """The state at the beginning of a stage, or when a stage is continued."""
        del stage
        return state

    def facts(self) -> dict[str, Any]:
        """What the form of the state depends on, kept beside it."""
        return {}

    def stage(self, step: int) -> Stage:
        """The stage that a step belongs to: one, unless a model says otherwise."""
        del step
        return Stage("", 0, self.settings.steps)

    def run(self, report_every: int) -> Iterator[Report]:
        """Steps and reports until all steps are done."""
        ended = 0
        with _signals() as received:
            while (step := int(self.state.step)) < self.settings.steps:
                stage = self.stage(step)
                good = self.state = self.enter_stage(stage, self.state)
                stop = min((step // report_every + 1) * report_every, stage.first + stage.steps)
                metrics: list[dict[str, np.ndarray]] = []
                while int(self.state.step) < stop and not ended and (not metrics or _finite(metrics[-1])):
                    self.state, of_step = self.step(self.state, self._key())
                    metrics.append({name: np.asarray(value) for name, value in of_step.items()})
                    ended = largest(max(received, default=0))  # of any process: none waits for one that has ended
                if not ended or len(metrics) > 1:
                    yield self._judged(stage, good, metrics)
                if ended := ended or largest(max(received, default=0)):
                    raise SystemExit(128 + ended)  # the state is saved; a second signal would not have waited

    def _key(self) -> jax.Array:
        key = jax.random.key(self.settings.seed)
        return jax.random.fold_in(jax.random.fold_in(key, self.state.step), self.state.rollbacks)

    def _judged(self, stage: Stage, good: TrainingState, metrics: Metrics) -> Report:
        """The report of a state that is sound, or of the return to the last good one; either is saved."""
        figures, note = {}, "not a number"
        if _finite(metrics[-1]):  # a state that is no number is not asked anything
            figures = self.summarise(metrics)
            before = self.good[1:] if self.good and self.good[0] == stage.name else None
            note = verdict(self.objective(figures), before, self.jump, self.spread, self.unit) or self.diagnose(figures)
        if note:
            if int(good.rollbacks) >= MAX_ROLLBACKS:
                raise JoviumError(
                    f"{self.folder or 'training'}: {note}, after {MAX_ROLLBACKS} returns to a good state",
                    "training that stays finite",
                    "the last good state is kept; lower the learning rates or take more samples per step in another"
                    " folder",
                )
            self.state, change = self.recover(good, note)
            figures, note = self.summarise(metrics), f"{note}; back to step {int(good.step)} with {change}"
        else:
            self.good = (stage.name, *self.objective(figures))
        report = Report(int(self.state.step), figures, time.monotonic() - self.started, note)
        if self.folder is not None and is_writer():
            checkpoint.save(self.folder / STATE, self.state, {"good": self.good, **self.facts()})
            append_report(self.folder, report.record())
        return report


@contextmanager
def run_in_folder(folder: Path | None, settings: Any, report_every: int, data: str = "") -> Iterator[Any]:
    """What every training in a folder begins with: checks, the folder, the lock, config.json; inside, the settings with
    files as the copies that the run keeps. Nothing for None. data: see `write_config`. Raises InputError when the
    folder holds another run, one of more steps, or something else, OutputError when nothing can be written."""
    if report_every < 2:
        raise InputError(f"a report every {report_every} steps", "two or more, for an error bar", "take 20")
    if folder is None:
        yield settings
        return
    existing_folder(folder)
    check_config(folder, settings, data)  # by every process: none is left waiting for one that refuses
    if (folder / STATE).exists():
        check_steps(settings, checkpoint.read_step(folder / STATE))
    with sole_writer(folder / METRICS) if is_writer() else nullcontext():
        if is_writer():
            write_config(folder, settings, data)
        yield read_settings(folder, type(settings)) if is_writer() else settings


def verdict(now: tuple[float, float], good: tuple[float, float] | None, jump: float, spread: float, unit: str) -> str:
    """What is wrong with a value and its error beside the last good ones, or nothing."""
    if not np.isfinite(now).all():
        return "not a number"
    if good is None:
        return ""
    if now[0] > good[0] + max(JUMP * good[1], jump):
        return f"diverging: {good[0]:.4f} -> {now[0]:.4f} {unit}"
    if now[1] > JUMP * max(good[1], spread):
        return f"diverging: an error of {good[1]:.4f} -> {now[1]:.4f} {unit}"
    return ""


def _finite(metrics: dict[str, np.ndarray]) -> bool:
    return all(np.isfinite(value).all() for value in metrics.values())


@contextmanager
def _signals() -> Iterator[list[int]]:
    """SIGTERM and SIGUSR1 (`sbatch --signal`) inside: the list gets the number, the step at hand is finished and saved.
    A second signal is obeyed at once."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    previous = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)}

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def note(number: int, _: object) -> None:
        received.append(number)
        restore()

    for number in previous:
        signal.signal(number, note)
    try:
        yield received
    finally:
        restore()
