"""What the training commands share: settings from options and files, a dry run, reports as lines, a figure."""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jovium.training.settings import Settings, add_options

if TYPE_CHECKING:
    from jovium.training.loop import Report


def configure_training(
    parser: argparse.ArgumentParser, kind: type[Settings], report_every: int, leave_out: tuple[str, ...] = ()
) -> None:
    """The run folder, one option per setting, and how reports are given."""
    parser.add_argument("run_folder", metavar="RUN", type=Path, help="folder of the run")
    add_options(parser, kind, leave_out)
    parser.add_argument(
        "--report-every", type=int, default=report_every, metavar="N",
        help=f"steps per report and save (default {report_every})",
    )  # fmt: skip
    parser.add_argument(
        "--dry-run", action="store_true", help="print settings, parameters, memory and time; train nothing"
    )
    parser.add_argument("--json", action="store_true", help="one JSON line per report")


def run_training(
    options: argparse.Namespace,
    settings: Settings,
    reports: Callable[[], Iterator["Report"]],
    line: Callable[["Report"], str],
    *,
    cost: Callable[[], dict[str, Any]] | None = None,
    draw: Callable[[Path, list[dict[str, Any]]], None] | None = None,
) -> int:
    """Train or continue, a line per report and training.png redrawn; or print the settings or the cost."""
    if options.print_config:
        print(settings.to_yaml(), end="")
        return 0
    if options.dry_run:
        print(json.dumps({**settings.to_dict(), **(cost() if cost else {})}, indent=2))
        return 0
    from jovium.training.devices import is_writer
    from jovium.training.run_folder import read_metrics

    for report in reports():
        if not is_writer():
            continue
        note = f"  [{report.note}]" if report.note else ""
        text = json.dumps(report.record()) if options.json else f"step {report.step:5d}  {line(report)}{note}"
        print(text, flush=True)
        if draw is not None:
            draw(options.run_folder / "training.png", read_metrics(options.run_folder))
    return 0
