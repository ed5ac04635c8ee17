"""A run directory: what is trained, the state it continues from, and its reports, one JSON object per line."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from jovium.base.errors import InputError
from jovium.base.files import append_durably, write_json

CONFIG, STATE, METRICS = "config.json", "state.safetensors", "metrics.jsonl"

Recipe = TypeVar("Recipe")


def read_config(folder: Path, of_dict: Callable[[dict[str, Any]], Recipe], what: str) -> Recipe:
    """What a run directory trains, `what` being its name. Raises InputError when it is none."""
    try:
        return of_dict(json.loads((folder / CONFIG).read_text()))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{folder} holds no {what}: {error}",
            f"a folder with {CONFIG} by this version",
            "give the folder of a run; train it again if an earlier version made it",
        ) from error


def check_config(folder: Path, recipe: Any, *, growing: tuple[str, ...] = ()) -> None:
    """Whether a run that was trained there has the same recipe (a dataclass), but for what may be `growing`; a command
    that was refused before anything was trained binds nobody. Raises InputError."""
    if not (folder / STATE).exists():
        return
    old, new = asdict(read_config(folder, type(recipe).of_dict, "run")), asdict(recipe)
    changed = [f"{name} {old[name]} -> {new[name]}" for name in old if old[name] != new[name]]
    changed = [change for change in changed if change.split()[0] not in growing]
    if changed:
        but = f", but for {', '.join(growing)}" if growing else ""
        raise InputError(
            f"{folder} holds a run with other settings ({', '.join(changed)})",
            f"the same settings{but}",
            "give another folder",
        )


def keep_config(folder: Path, recipe: Any, *, growing: tuple[str, ...] = ()) -> None:
    """Write the recipe of a new run, or of one that goes on. Raises what `check_config` raises."""
    check_config(folder, recipe, growing=growing)
    write_json(folder / CONFIG, asdict(recipe))


def finite_or_none(value: Any) -> Any:
    """A value that JSON can hold."""
    return None if isinstance(value, float) and not np.isfinite(value) else value


def record(report: Any) -> dict[str, Any]:
    """A report (a dataclass) as plain values; what is not finite is None."""
    return {name: finite_or_none(value) for name, value in asdict(report).items()}


def keep_report(folder: Path, report: Any) -> None:
    """Append a report to those of a run. Raises OutputError."""
    append_durably(folder / METRICS, json.dumps(record(report)) + "\n")


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The reports of a run, in order. Raises InputError when there are none."""
    try:
        lines = (folder / METRICS).read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]  # a killed run may leave half a line
    except OSError as error:
        raise InputError(f"{folder} has no {METRICS}", "the folder of a run", "train first") from error
