"""What happens to files in real life, made to happen at a chosen place."""

import contextlib
import itertools
import os
from pathlib import Path

import pytest

from jovium.base.errors import JoviumError

CUTS = [*(f"cut to {share} %" for share in (0, 3, 20, 50, 90, 99)), "deleted", "of another program", "zeros"]
"""Ways in which `damage` damages a file."""


def damage(path, how):
    content = path.read_bytes()
    if how == "deleted":
        path.unlink()
    elif how == "of another program":
        path.write_text('{"version": 3, "name": "something else"}\n')
    elif how == "zeros":  # what a machine that loses its power leaves of a file
        path.write_bytes(bytes(len(content)))
    else:
        path.write_bytes(content[: len(content) * int(how.split()[2]) // 100])


class Killed(BaseException):
    """As SIGKILL: nothing catches it but the test."""


@contextlib.contextmanager
def failing_write(number, error):
    """The call of that number that puts something on the disk fails, and all that follow."""
    calls = itertools.count()
    with pytest.MonkeyPatch.context() as patched:
        for name in ("fsync", "replace"):
            real = getattr(os, name)

            def failing(*arguments, real=real):
                if next(calls) >= number:
                    raise error
                return real(*arguments)

            patched.setattr(os, name, failing)
        yield


def told(call, *arguments):
    """The error of a call: one that says what was got, what was expected and what to do; None for no error."""
    try:
        call(*arguments)
        return None
    except JoviumError as error:
        found = error
    parts = (found.got, found.expected, found.do)
    assert all(part.strip(" :") and not part.rstrip().endswith(":") for part in parts), parts
    return found


def deny_appending(monkeypatch):
    """No file may be appended to, as in a folder of somebody else."""
    opened = Path.open

    def denied(path, mode="r", *rest, **how):
        if "a" in mode:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, mode, *rest, **how)

    monkeypatch.setattr(Path, "open", denied)
