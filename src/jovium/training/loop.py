"""Training in reports, each of them judged: a state that is not sound is given up for the last good one.

Random numbers depend on the seed, the step and the number of roll-backs alone: a run that was killed and repeated is
the run that was not."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jovium.base.errors import JoviumError
from jovium.training import checkpoint
from jovium.training.devices import writes
from jovium.training.run_folder import STATE, keep_report

JUMP = 10.0
"""What is minimised diverges when it rises above the last good value by so many of its errors (and by what always is
suspicious), and when its error grows so many times."""

MOST_ROLLBACKS = 6


class WatchedTraining(ABC):
    """One training in a folder: a state with `step` and `rollbacks`, the last good value of what is minimised and its
    error. jump, spread: how far value and error may rise in any case, in `unit`."""

    jump: float
    spread: float
    unit: str

    def __init__(self, folder: Path, recipe: Any):
        self.folder, self.recipe, self.started = folder, recipe, time.monotonic()
        self.good: tuple[float, float] | None = None
        self.state: Any = None
        if (folder / STATE).exists():
            self.state = checkpoint.load(folder / STATE, self.form())
            kept = checkpoint.read_facts(folder / STATE)["good"]
            self.good = (kept[0], kept[1]) if kept else None

    @abstractmethod
    def form(self) -> Any:
        """The form of a state."""

    @abstractmethod
    def advanced(self, seed: jax.Array) -> tuple[Any, dict[str, jax.Array]]:
        """The state after one more step, and what is told of it."""

    @abstractmethod
    def forgetful(self, state: Any) -> Any:
        """A state without what it remembers of its last step."""

    @abstractmethod
    def report(self, found: list[dict[str, np.ndarray]], note: str = "") -> Any:
        """Of the steps since the last one: a dataclass with `note`."""

    @abstractmethod
    def minimised(self, report: Any) -> tuple[float, float]:
        """The value that training lowers and its error."""

    def objection(self, report: Any) -> str:
        """What else is wrong with a report, or nothing."""
        del report
        return ""

    def mended(self, good: Any, note: str) -> tuple[Any, str]:
        """The state to go on with after a good one that led to `note`, and what is different about it."""
        del note
        return self.forgetful(good)._replace(rollbacks=good.rollbacks + 1), "half the rate"

    def facts(self) -> dict[str, Any]:
        """What the form of a state depends on, kept beside it."""
        return {}

    def until_done(self, every: int) -> Iterator[Any]:
        """Steps and reports until the recipe is at its end."""
        seed = jax.random.key(self.recipe.seed)
        while int(self.state.step) < self.recipe.steps:
            good, found = self.state, []
            stop = min((int(self.state.step) // every + 1) * every, self.recipe.steps)
            while int(self.state.step) < stop and (not found or _finite(found[-1])):
                self.state, told = self.advanced(seed)
                found.append({name: np.asarray(value) for name, value in told.items()})
            yield self._judged(good, found)

    def _judged(self, good: Any, found: list[dict[str, np.ndarray]]) -> Any:
        report = self.report(found)
        note = "" if _finite(found[-1]) else "not a number"
        note = note or verdict(self.minimised(report), self.good, self.jump, self.spread, self.unit)
        note = note or self.objection(report)
        if note:
            if int(good.rollbacks) >= MOST_ROLLBACKS:
                raise JoviumError(
                    f"{self.folder}: {note}, after {MOST_ROLLBACKS} returns to a good state",
                    "training that stays finite",
                    "the last good state is kept; train with lower rates or more samples per step in another folder",
                )
            self.state, change = self.mended(good, note)
            report = self.report(found, f"{note}; back to step {int(good.step)} with {change}")
        else:
            self.good = self.minimised(report)
        if writes():
            checkpoint.save(self.folder / STATE, self.state, {"good": self.good, **self.facts()})
            keep_report(self.folder, report)
        return report


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


def _finite(told: dict[str, np.ndarray]) -> bool:
    return all(np.isfinite(value).all() for value in told.values())
