"""A run folder: what is trained (config.json), the state it continues from, and its reports, one JSON object a line.

A run stands on its own. Of a file that its settings name it keeps a copy, in a folder with the name of the setting, and
reads nothing else; of everything it was begun from config.json says the SHA-256 (`sources`). What has another content
is another setting, wherever it lies; what has the same is the same. A run whose models it began with is needed once: it
may be trained on, moved or deleted afterwards."""

import hashlib
import json
import shutil
from dataclasses import Field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from jovium.base.errors import InputError, reason
from jovium.base.files import append_durably, atomic_write, existing_folder, read_journal, write_json
from jovium.training.settings import FILE, RUN, AnySettings, Settings

CONFIG, STATE, METRICS, MEASURED = "config.json", "state.safetensors", "metrics.jsonl", "measure.json"

VERSION = 1
"""Of the layout of a run folder."""


def read_kind(folder: Path) -> str:
    """The kind of run that a folder holds: free_energy, protons, electrons or elf. Raises InputError for none."""
    return str(_read(folder)["kind"])


def read_settings(folder: Path, kind: type[AnySettings]) -> AnySettings:
    """The settings of a run of that kind, files that they name as the copies that the run keeps. Raises InputError when
    the folder holds none, or a copy is not what it was."""
    settings, sources = _begun(folder, kind)
    named = [item for item in fields(settings) if item.metadata["names"] == FILE]
    return replace(settings, **{item.name: _kept(folder, item, settings, sources) for item in named})


def check_steps(settings: Any, done: int) -> None:
    """Raises InputError for fewer steps than are done: a state has no way back."""
    if settings.steps < done:
        raise InputError(f"{settings.steps} steps, and {done} are done", f"{done} or more", "ask for more steps")


def check_config(folder: Path, settings: Settings, data: str = "") -> None:
    """Whether a run that was trained there has the same settings, but for those that may change, and the same data; a
    command that was refused before anything was trained binds nobody. Raises InputError, also for the folder of
    something else."""
    if not (folder / STATE).exists():
        _check_untrained(folder)
        return
    old, sources = _begun(folder, type(settings))
    changed = [
        told
        for item in fields(settings)
        if not item.metadata["may_change"] and (told := _change(item, old, settings, sources))
    ]
    changed += ["other data"] if data and sources.get("data", data) != data else []
    if changed:
        anew = " and begin it from this one by --init-from" if hasattr(old, "init_from") else ""
        may_change = [item.name for item in fields(settings) if item.metadata["may_change"]]
        but = f", but for {', '.join(may_change)}" if may_change else ""
        raise InputError(
            f"{folder} holds a run with other settings ({', '.join(changed)})",
            f"the same settings{but}",
            f"give another folder{anew}",
        )


def write_config(folder: Path, settings: Settings, data: str = "") -> None:
    """Write config.json, and copies of the files that settings name; of a run that was trained already, what may change
    alone. data: SHA-256 of what it learns from, where no setting names that. Raises OutputError."""
    if (folder / STATE).exists():
        may_change = [item.name for item in fields(settings) if item.metadata["may_change"]]
        write_json(folder / CONFIG, _read(folder) | {name: getattr(settings, name) for name in may_change})
        return
    sources = {"data": data} if data else {}
    for item in fields(settings):
        if found := _fingerprint(item, settings):
            sources[item.name] = found
            if item.metadata["names"] == FILE:
                copy = _copy(folder, item, settings)
                existing_folder(copy.parent)
                with atomic_write(copy) as part:
                    shutil.copyfile(getattr(settings, item.name), part)
    about = {"kind": settings.kind, "version": VERSION, "sources": sources}
    write_json(folder / CONFIG, about | settings.to_dict())


def read_sources(folder: Path) -> dict[str, str]:
    """SHA-256 of what a run was begun from, by setting; `data`: what it learns from. Raises InputError for no run."""
    return _read(folder).get("sources", {})


def finite_or_none(value: Any) -> Any:
    """A value that JSON can hold."""
    return None if isinstance(value, float) and not np.isfinite(value) else value


def append_report(folder: Path, record: dict[str, Any]) -> None:
    """Append a report to those of a run. Raises OutputError."""
    append_durably(folder / METRICS, json.dumps(record) + "\n")


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The reports of a run, in order, but for broken ones. Raises InputError when there are none."""
    return read_journal(folder / METRICS, "the reports of a run; train first")[0]


def broken_metrics(folder: Path) -> tuple[str, ...]:
    """A warning where reports of a run are broken."""
    return read_journal(folder / METRICS)[1] if (folder / METRICS).exists() else ()


def read_measurement(folder: Path, kind: type[Settings]) -> dict[str, Any]:
    """What measure.json of a run of that kind holds. Raises InputError when there is no such run, or it was not
    measured."""
    read_settings(folder, kind)
    try:
        values = json.loads((folder / MEASURED).read_text())
        if not isinstance(values, dict):
            raise ValueError("it is of another program")
        return values
    except (OSError, ValueError) as error:
        do = f"jovium {kind.kind.replace('_', '-')} measure {folder}"
        raise InputError(f"{folder} was not measured: {reason(error)}", MEASURED, do) from error


def _read(folder: Path) -> dict[str, Any]:
    try:
        values = json.loads((folder / CONFIG).read_text())
        of_a_run = isinstance(values, dict) and values.get("version") == VERSION and "kind" in values
        problem = "" if of_a_run else f"its {CONFIG} is of another program or version"
    except OSError as error:
        values, problem = {}, f"{CONFIG}: {reason(error)}"
    except ValueError as error:
        values, problem = {}, f"its {CONFIG} is damaged: {reason(error)}"
    if problem:
        raise InputError(
            f"{folder} holds no run: {problem}",
            f"a folder with {CONFIG} by this version",
            f"give the folder of a run, or a new folder to train in; put {CONFIG} back if it was lost",
        )
    return values


def _begun(folder: Path, kind: type[AnySettings]) -> tuple[AnySettings, dict[str, str]]:
    """Settings of a run as they were given, and the SHA-256 of what they named."""
    values = _read(folder)
    if values["kind"] != kind.kind:
        raise InputError(
            f"{folder} holds a run of kind '{values['kind']}'", f"a run of kind '{kind.kind}'", "give another folder"
        )
    about = ("kind", "version", "sources")
    given = {name: value for name, value in values.items() if name not in about}
    return kind.from_dict(given, str(folder / CONFIG)), values.get("sources", {})


def _check_untrained(folder: Path) -> None:
    """Whether training may begin there: nothing of another program is overwritten, no run that lost its state."""
    if (folder / CONFIG).exists():
        _read(folder)
    if (folder / METRICS).exists() and (reports := read_metrics(folder)):
        raise InputError(
            f"{folder} holds the reports of {reports[-1].get('step')} steps, and no {STATE}",
            "both or none",
            f"put {STATE} back, or delete {METRICS} to begin at the first step",
        )


def _change(item: Field, old: Settings, new: Settings, sources: dict[str, str]) -> str:
    """What is different about a setting, or nothing: of what it names the content counts, of a run only its name when
    that is the same."""
    before, now = getattr(old, item.name), getattr(new, item.name)
    found = _fingerprint(item, new)
    if before == now and (found is None or item.metadata["names"] == RUN):
        return ""
    if found and found == sources.get(item.name):
        return ""
    return f"{item.name} {before} -> {now}" if before != now else f"{item.name} {now} has another content"


def _fingerprint(item: Field, settings: Settings) -> str | None:
    """SHA-256 of the file, or of the state of the run, that a setting names; None for one that names nothing."""
    value, names = getattr(settings, item.name), item.metadata["names"]
    if not (names and value):
        return None
    return _sha256(Path(value) / STATE if names == RUN and Path(value).is_dir() else Path(value))


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _copy(folder: Path, item: Field, settings: Settings) -> Path:
    return folder / item.name / Path(getattr(settings, item.name)).name


def _kept(folder: Path, item: Field, settings: Settings, sources: dict[str, str]) -> str:
    """The copy of a file that a setting names, or its text when it names none."""
    value = getattr(settings, item.name)
    if item.name not in sources and not Path(value).is_file():
        return value
    copy = _copy(folder, item, settings)
    if _sha256(copy) != sources.get(item.name, ""):
        raise InputError(
            f"{copy} is not the {item.name} that the run in {folder} was begun with",
            "the copy that the run keeps",
            f"put {value} there as it was, or train in another folder",
        )
    return str(copy)
