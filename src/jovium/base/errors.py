"""Errors that say what was got, what was expected, and what to do about it.

Bad input never gives a number. Every error a user can cause is a `JoviumError`; the command line prints its three
parts and leaves with `exit_code`, a script catches it by its class.
"""


def reason(error: BaseException) -> str:
    """What an exception says, in one line that is never empty: "Type: text", or "Type" where there is no text."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")


class JoviumError(Exception):
    """Anything a user can cause or mend: what was got, what was expected, what to do, a line each."""

    exit_code = 1

    def __init__(self, got: str, expected: str, do: str):
        self.got, self.expected, self.do = (" ".join(part.splitlines()) for part in (got, expected, do))
        super().__init__(f"{self.got}\n  expected: {self.expected}\n  do: {self.do}")

    def __reduce__(self):
        return type(self), (self.got, self.expected, self.do)


class InputError(JoviumError):
    """An argument, option or value that no calculation can be made from."""

    exit_code = 2


class StructureError(InputError):
    """Atomic positions or a cell that are not a physical structure."""


class FormatError(InputError):
    """A file that cannot be read as what it claims to be."""


class EngineError(JoviumError):
    """A first-principles calculation that did not end with a trustworthy number."""

    exit_code = 3


class EngineMissing(EngineError):
    """The engine asked for is not installed."""


class NotConverged(EngineError):
    """The self-consistent field did not reach its threshold."""


class OutputError(JoviumError):
    """A result that could not be written."""

    exit_code = 4
