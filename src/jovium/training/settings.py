"""Settings: one dataclass field is one setting, with its meaning, unit, check and default.

The command-line option, the key of a YAML file, the line of `--print-config` and the row of docs/settings.md are made
from that field; nothing about a setting is written twice."""

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, ClassVar, TypeVar, get_args, get_origin

from jovium.base.errors import InputError, reason

AnySettings = TypeVar("AnySettings", bound="Settings")


@dataclass(frozen=True)
class Check:
    """What a value has to be, in words and as a test."""

    expected: str
    holds: Callable[[Any], bool]


def _is_finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def at_least(lowest: int) -> Check:
    """Whole numbers from the lowest on."""
    return Check(f"{lowest} or more", lambda value: value >= lowest)


def one_of(*names: str) -> Check:
    """A choice of names."""
    return Check(f"one of: {', '.join(names)}", lambda value: value in names)


POSITIVE = Check("a finite number above zero", lambda value: math.isfinite(value) and value > 0)
FINITE = Check(
    "a finite number",
    lambda value: all(map(_is_finite, value)) if isinstance(value, tuple) else _is_finite(value),
)
SEED = Check("a whole number from 0 to 4294967295", lambda value: 0 <= value < 2**32)
FRACTION = Check("a number from 0 up to, but not including, 1", lambda value: 0 <= value < 1)
EVEN = Check("an even number, 2 or more", lambda value: value >= 2 and value % 2 == 0)


FILE, RUN = "file", "run"
"""What a setting may name outside of its run: a file, of which the run keeps a copy; a run whose models it begins with,
which it needs once."""


def setting(
    default: Any,
    meaning: str,
    unit: str = "",
    *,
    check: Check | None = None,
    group: str = "",
    may_change: bool = False,
    names: str = "",
) -> Any:
    """A dataclass field that is a setting. group: heading in help and docs, of this setting and those that follow it.
    may_change: whether a run that is continued may be given another value. names: FILE or RUN where its text may be a
    path. default MISSING: it has to be given."""
    told = {"meaning": meaning, "unit": unit, "check": check, "group": group, "may_change": may_change, "names": names}
    return field(default=default, metadata=told)


@dataclass(frozen=True)
class Settings:
    """Settings of one kind of run. Raises InputError, with the setting's name, for a value that fails its check."""

    kind: ClassVar[str] = "run"

    def __init_subclass__(cls):
        items = [(name, item) for name, item in vars(cls).items() if isinstance(item, Field)]
        cls.__doc__ = f"{cls.__doc__}\n\n" + "\n".join(f"    {name}: {_meaning(item)}" for name, item in items)

    def __post_init__(self):
        for item in fields(self):
            value, check = getattr(self, item.name), check_of(item)
            if value is not None and not check.holds(value):
                unit = f" ({item.metadata['unit']})" if item.metadata["unit"] else ""
                raise InputError(
                    f"{item.name} {value}", f"{check.expected}{unit}", f"change {option_of(item)}: {_meaning(item)}"
                )

    @classmethod
    def from_dict(cls: type[AnySettings], values: dict[str, Any], source: str = "settings") -> AnySettings:
        """Settings from plain values, as read from JSON, YAML or options. Raises InputError for an unknown or missing
        name, or a value of another type; source: where they come from, for the message."""
        values = cls.converted(values, source)
        missing = [item.name for item in fields(cls) if item.default is MISSING and item.name not in values]
        if missing:
            raise InputError(f"{source}: no {', '.join(missing)}", "a value for it", f"give {', '.join(missing)}")
        return cls(**values)

    @classmethod
    def converted(cls, values: dict[str, Any], source: str = "settings") -> dict[str, Any]:
        """Settings with values of their types. Raises InputError for an unknown name or a value of another type."""
        known = {item.name: item for item in fields(cls)}
        for name in values:
            if name not in known:
                close = get_close_matches(name, known, 1)
                do = f"did you mean '{close[0]}'?" if close else "see --print-config for all names"
                raise InputError(f"{source}: unknown setting '{name}'", f"a setting of a {cls.kind} run", do)
        return {name: _converted(value, known[name], source) for name, value in values.items()}

    def to_yaml(self) -> str:
        """All settings as a YAML file with their meanings as comments."""
        import yaml

        lines = []
        for item in fields(self):
            value = getattr(self, item.name)
            plain = list(value) if isinstance(value, tuple) else value
            text = yaml.safe_dump(plain, default_flow_style=True).removesuffix("...\n").strip()
            lines.append(f"{item.name}: {text}  # {_meaning(item)}\n")
        return "".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return asdict(self)


def check_of(item: Field) -> Check:
    """What the value of a field has to be: its own check, or that of every seed or number."""
    return item.metadata.get("check") or (SEED if item.name == "seed" else FINITE)


def option_of(item: Field) -> str:
    """The option of a field: --like-this."""
    return "--" + item.name.replace("_", "-")


def add_options(parser: argparse.ArgumentParser, kind: type[Settings], leave_out: Sequence[str] = ()) -> None:
    """One option per setting, in groups, and --config, --print-config. An option that is not given leaves no trace in
    the namespace: `settings_from` has to know what was."""
    group: Any = parser.add_argument_group("settings")
    for item in fields(kind):
        if item.metadata["group"]:
            group = parser.add_argument_group(item.metadata["group"])
        if item.name in leave_out or item.default is MISSING:
            continue
        type_, default = _type_of(item), item.default
        how: dict[str, Any] = {"type": type_, "metavar": {float: "X", int: "N"}.get(type_, "NAME")}
        if isinstance(default, tuple):
            how["nargs"] = len(default)
        if type_ is bool:
            how = {"action": argparse.BooleanOptionalAction}
        help_text = f"{_meaning(item)} (default {_text(default)})".replace("%", "%%")
        group.add_argument(option_of(item), default=argparse.SUPPRESS, help=help_text, **how)
    files = parser.add_argument_group("configuration files")
    files.add_argument(
        "--config", type=Path, action="append", default=[], metavar="FILE.yaml",
        help="read settings from a YAML file; repeatable, later files and options win",
    )  # fmt: skip
    files.add_argument("--print-config", action="store_true", help="print all settings as YAML and stop")


def settings_from(
    options: argparse.Namespace, kind: type[AnySettings], begun: AnySettings | None = None, **given: Any
) -> AnySettings:
    """Settings of a command line: defaults, or those of a run that has begun, then configuration files in their order,
    then options; given: values from elsewhere on the command line, that win over all. Raises InputError."""
    values: dict[str, Any] = begun.to_dict() if begun else {}
    for path in options.config:
        values |= read_config_file(path, kind)
    names = [item.name for item in fields(kind) if item.name not in given]
    values |= {name: getattr(options, name) for name in names if hasattr(options, name)}
    return kind.from_dict({**values, **given}, "command line")


def read_config_file(path: Path, kind: type[Settings]) -> dict[str, Any]:
    """The settings that a YAML file holds. Raises InputError for a file that is none, or an unknown name in it."""
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"{path}: {reason(error)}", "a YAML file of settings", "see --print-config for one") from error
    if not isinstance(values, dict):
        raise InputError(f"{path} holds no settings", "lines like 'rs: 1.25'", "see --print-config for an example")
    return kind.converted({str(name).replace("-", "_"): value for name, value in values.items()}, str(path))


def settings_table(kind: type[Settings]) -> str:
    """All settings of a kind of run as a Markdown table."""
    lines = ["| option | default | unit | meaning | must be |\n", "|---|---|---|---|---|\n"]
    for item in fields(kind):
        check = item.metadata.get("check")
        default = "" if item.default is MISSING else _text(item.default)
        row = (f"`{option_of(item)}`", default, item.metadata["unit"], item.metadata["meaning"])
        lines.append(f"| {' | '.join(row)} | {check.expected if check else ''} |\n")
    return "".join(lines)


def _meaning(item: Field) -> str:
    unit = item.metadata["unit"]
    return f"{item.metadata['meaning']} [{unit}]" if unit else item.metadata["meaning"]


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(map(_text, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, int | float) else value or {None: "automatic"}.get(value, "none")


def _type_of(item: Field) -> Any:
    """int, float, str or bool: of the value, or of the elements of a tuple."""
    declared: Any = item.type
    if get_origin(declared) is tuple or isinstance(declared, UnionType):
        return next(kind for kind in get_args(declared) if kind is not type(None))
    return declared


def _converted(value: Any, item: Field, source: str) -> Any:
    """A plain value as the type of its setting. YAML reads 1e-3 as text: text that is a number is one."""
    kind, default = _type_of(item), item.default
    if value is None:
        if isinstance(item.type, UnionType):
            return None
        value = ()
    try:
        if not isinstance(default, tuple):
            return _plain(kind, value)
        values = tuple(_plain(kind, number) for number in value)
        if len(values) != len(default):
            raise ValueError(f"{len(values)} values")
        return values
    except (TypeError, ValueError, OverflowError) as error:
        names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
        raise InputError(f"{source}: {item.name} {value!r}", names[kind], f"change {option_of(item)}") from error


def _plain(kind: Any, value: Any) -> Any:
    """A value as int, float, bool or str. Raises ValueError or TypeError when it is none."""
    is_text = isinstance(value, str | Path)
    if (kind is bool) != isinstance(value, bool) or (kind is str and not is_text):
        raise TypeError("another type")
    number: Any = value
    if kind is int and float(number) != int(float(number)):
        raise ValueError("a fraction")
    return int(float(number)) if kind is int else kind(number)
