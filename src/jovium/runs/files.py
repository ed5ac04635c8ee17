"""Files that are either whole or not there."""

import json
import os
from pathlib import Path

from jovium.base.errors import OutputError


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` in one step: a crash or a full disk leaves the old file. Raises OutputError."""
    partial = path.with_name(path.name + f".partial-{os.getpid()}")
    try:
        partial.write_text(text)
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutputError(
            f"{path} could not be written: {error.strerror}",
            "a writable folder with free space",
            "free disk space or choose another folder with --out",
        ) from error


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented JSON in one step. Raises OutputError."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")
