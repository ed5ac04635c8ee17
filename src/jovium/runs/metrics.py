"""Reports of a training run: a file with one JSON object per line."""

import json
from pathlib import Path
from typing import Any

from jovium.base.errors import InputError

METRICS = "metrics.jsonl"


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The reports of a run, in order. Raises InputError when there are none."""
    try:
        lines = (folder / METRICS).read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]  # a killed run may leave half a line
    except OSError as error:
        raise InputError(f"{folder} has no {METRICS}", "the folder of a run", "train first") from error
