"""A run folder: what is trained (config.json), the state it continues from, and its reports, one JSON object a line."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from jovium.base.errors import InputError, reason
from jovium.base.files import append_durably, write_json
from jovium.training.settings import AnySettings, Settings

CONFIG, STATE, METRICS, MEASURED = "config.json", "state.safetensors", "metrics.jsonl", "measure.json"

VERSION = 1
"""Of the layout of a run folder."""


def read_kind(folder: Path) -> str:
    """The kind of run that a folder holds: free_energy, protons, electrons or elf. Raises InputError for none."""
    return str(_read(folder)["kind"])


def read_settings(folder: Path, kind: type[AnySettings]) -> AnySettings:
    """The settings of a run of that kind. Raises InputError when the folder holds none."""
    values = _read(folder)
    if values["kind"] != kind.kind:
        raise InputError(
            f"{folder} holds a run of kind '{values['kind']}'", f"a run of kind '{kind.kind}'", "give another folder"
        )
    return kind.from_dict({name: value for name, value in values.items() if name not in ("kind", "version")})


def check_steps(settings: Any, done: int) -> None:
    """Raises InputError for fewer steps than are done: a state has no way back."""
    if settings.steps < done:
        raise InputError(f"{settings.steps} steps, and {done} are done", f"{done} or more", "ask for more steps")


def check_config(folder: Path, settings: Settings) -> None:
    """Whether a run that was trained there has the same settings, but for those that may change; a command that was
    refused before anything was trained binds nobody. Raises InputError."""
    if not (folder / STATE).exists():
        return
    old, new = read_settings(folder, type(settings)).to_dict(), settings.to_dict()
    may_change = [item.name for item in settings.__dataclass_fields__.values() if item.metadata.get("may_change")]
    changed = [
        f"{name} {old[name]} -> {new[name]}" for name in old if old[name] != new[name] and name not in may_change
    ]
    if changed:
        anew = " and begin it from this one by --init-from" if "init_from" in old else ""
        but = f", but for {', '.join(may_change)}" if may_change else ""
        raise InputError(
            f"{folder} holds a run with other settings ({', '.join(changed)})",
            f"the same settings{but}",
            f"give another folder{anew}",
        )
    if (folder / METRICS).exists() and (reports := read_metrics(folder)):
        check_steps(settings, reports[-1]["step"])


def write_config(folder: Path, settings: Settings) -> None:
    """Write config.json. Raises OutputError."""
    write_json(folder / CONFIG, {"kind": settings.kind, "version": VERSION, **settings.to_dict()})


def finite_or_none(value: Any) -> Any:
    """A value that JSON can hold."""
    return None if isinstance(value, float) and not np.isfinite(value) else value


def append_report(folder: Path, record: dict[str, Any]) -> None:
    """Append a report to those of a run. Raises OutputError."""
    append_durably(folder / METRICS, json.dumps(record) + "\n")


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The reports of a run, in order. Raises InputError when there are none."""
    try:
        lines = (folder / METRICS).read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]  # a killed run may leave half a line
    except OSError as error:
        raise InputError(f"{folder} has no {METRICS}", "the folder of a run", "train first") from error


def read_measurement(folder: Path, kind: type[Settings]) -> dict[str, Any]:
    """What measure.json of a run of that kind holds. Raises InputError when there is no such run, or it was not
    measured."""
    read_settings(folder, kind)
    try:
        return json.loads((folder / MEASURED).read_text())
    except (OSError, ValueError) as error:
        do = f"jovium {kind.kind.replace('_', '-')} measure {folder}"
        raise InputError(f"{folder} was not measured: {reason(error)}", MEASURED, do) from error


def _read(folder: Path) -> dict[str, Any]:
    try:
        values = json.loads((folder / CONFIG).read_text())
        if values["version"] != VERSION:
            raise ValueError(f"version {values['version']} of a run folder")
        return {"kind": values["kind"], **values}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{folder} holds no run: {reason(error)}",
            f"a folder with {CONFIG} by this version",
            "give the folder of a run; train it again if an earlier version made it",
        ) from error
