"""What the commands of models share: settings from options and files, a dry run, reports as lines, a figure, a bar."""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

from jovium.cli.arguments import add_json, add_number, named_path, terminal
from jovium.training.settings import AnySettings, Settings, add_options, at_least, settings_from

if TYPE_CHECKING:
    from jovium.training.loop import Report

FIGURES = {"free_energy": "free_energy_figures", "protons": "proton_figures", "electrons": "electron_figures"}
"""Module of `jovium.report` that draws the training of a kind of run."""


def configure_training(
    parser: argparse.ArgumentParser, kind: type[Settings], report_every: int, leave_out: tuple[str, ...] = ()
) -> None:
    """The run folder, one option per setting, and how reports are given."""
    parser.add_argument("run_folder", metavar="RUN", type=named_path, help="folder of the run")
    add_options(parser, kind, leave_out)
    add_number(parser, "--report-every", report_every, "steps per report and save", check=at_least(1))
    parser.add_argument(
        "--dry-run", action="store_true", help="print settings, parameters, memory and time; train nothing"
    )
    add_json(parser, "one JSON line per report")


def training_settings(options: argparse.Namespace, kind: type[AnySettings]) -> AnySettings:
    """Settings of a command line; what it leaves out is as in the run that RUN holds, if it holds one."""
    from jovium.training.run_folder import STATE, read_settings

    begun = read_settings(options.run_folder, kind) if (options.run_folder / STATE).exists() else None
    return settings_from(options, kind, begun)


def run_training(
    options: argparse.Namespace,
    settings: Settings,
    line: Callable[["Report"], str],
    reports: Callable[[], Iterator["Report"]] | None = None,
    **style: Any,
) -> int:
    """Train or continue, a line per report and training.png redrawn; or print the settings or the cost.

    reports: default `train` in the package of that kind of run. style: of its figure."""
    if printed_only(options, settings):
        return 0
    from jovium.training.devices import is_writer
    from jovium.training.run_folder import broken_metrics, read_metrics

    train, report = import_module(f"jovium.{settings.kind}.training").train, None
    for report in reports() if reports else train(options.run_folder, settings, options.report_every):
        if not is_writer():
            continue
        note = f"  [{report.note}]" if report.note else ""
        text = json.dumps(report.record()) if options.json else f"step {report.step:5d}  {line(report)}{note}"
        print(text, flush=True)
        if settings.kind in FIGURES:
            figures = import_module(f"jovium.report.{FIGURES[settings.kind]}")
            figures.draw_training(options.run_folder / "training.png", read_metrics(options.run_folder), **style)
    if report is None and is_writer():
        print(f"{options.run_folder}: all steps asked for are done", file=sys.stderr)
    for warning in broken_metrics(options.run_folder) if is_writer() else ():
        print(f"warning: {warning}", file=sys.stderr)
    return 0


def printed_only(options: argparse.Namespace, settings: Settings, **more: Any) -> bool:
    """Print the settings, or with `more` also the cost of training, if nothing else is asked for; whether it was."""
    if options.print_config:
        print(settings.to_yaml(), end="")
        return True
    if not getattr(options, "dry_run", False):
        return False
    package = import_module(f"jovium.{settings.kind}.training")
    if hasattr(package, "cost"):
        print("compiling and timing a small step: up to two minutes for large cells", file=sys.stderr)
    cost = package.cost(settings) if hasattr(package, "cost") else {}
    print(json.dumps({**settings.to_dict(), **more, **cost}, indent=2))
    return True


def progress(items: Iterable[Any], name: str = "sampling") -> Iterator[Any]:
    """The items, with a bar on standard error when somebody watches."""
    from rich.progress import track

    console = terminal(stderr=True)
    yield from track(list(items), name, console=console, disable=not console.is_terminal, transient=True)
