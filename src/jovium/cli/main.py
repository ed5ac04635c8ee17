"""`jovium`: subcommands, errors and exit codes."""

import argparse
import io
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NoReturn

from jovium import __version__
from jovium.base.errors import JoviumError, OutputError, reason
from jovium.cli.compiled import enable_compilation_cache

NAMES = "analyse screen convert crystal free-energy elf protons electrons reference index doctor cite"
COMMANDS = {name: import_module(f"jovium.cli.{name.replace('-', '_')}") for name in NAMES.split()}
"""Modules of the commands: help, description, arguments, and what is run, unless there are subcommands."""

DESCRIPTION = "Jovium: the free energy of dense hydrogen, and the bonding of its electrons."
EPILOG = """examples:
  jovium analyse POSCAR                 ELF by a neural network, hydrogen network, Tc, a page to turn around
  jovium analyse POSCAR --engine dft    the same from first principles
  jovium analyse ELFCAR --json          the same from an ELF you computed, as one JSON object
  jovium screen IN.extxyz OUT           phi, phi*, Tc of thousands of structures
  jovium free-energy train RUN --rs 1.25          F, E, S, P of dense hydrogen, protons and electrons together
  jovium protons train RUN --coupling 10          a density of charges: free energy, samples
  jovium electrons train RUN h2:1.4               a wave function: energy of a molecule or a crystal
  jovium convert elf.cube elf.xsf       fields and structures between formats
  jovium doctor                         what is installed and whether it works

exit codes: 0 done, 1 error, 2 bad input, 3 a calculation failed, 4 output could not be written, 130 interrupted"""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors name the nearest command or option; subcommands have parsers of this kind."""

    def __init__(self, *args: Any, **kwargs: Any):
        # A mistyped option is an error, never a guess.
        kwargs |= {"allow_abbrev": False, "formatter_class": argparse.RawDescriptionHelpFormatter}
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        """Usage, the message, and what was perhaps meant; exit code 2."""
        wrong = re.search(r"invalid choice: '([^']*)'|unrecognized arguments: (\S+)", message)
        given = (wrong[1] or wrong[2]).split("=")[0] if wrong else ""
        close = get_close_matches(given, [name for name in self._names() if name != given], 1)
        if close:
            message = f"{message.split(' (choose')[0]}; did you mean '{close[0]}'?"
        super().error(message)

    def _names(self) -> list[str]:
        """Options and commands of this parser and of all below it."""
        names = [option for action in self._actions for option in action.option_strings]
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                for name, below in action.choices.items():
                    names += [name, *below._names()]
        return names


def parser() -> argparse.ArgumentParser:
    """The whole command line as an argparse parser (shell completion and the docs read it too)."""
    top = Parser(prog="jovium", description=DESCRIPTION, epilog=EPILOG)
    top.add_argument("--version", action="version", version=f"jovium {__version__}")
    top.add_argument(
        "--print-completion", choices=["bash", "zsh", "tcsh"], metavar="SHELL", help="print a completion script"
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, module in COMMANDS.items():
        command = commands.add_parser(name, help=module.HELP, description=module.DESCRIPTION)
        command.set_defaults(run=getattr(module, "run", None))
        module.configure(command)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. Errors a user can mend are printed in three lines, without a traceback."""
    try:
        with printing():
            return run(arguments)
    except JoviumError as error:
        return report(error)
    except KeyboardInterrupt:
        do = "repeat the command: it continues from what is written"
        return report(Interrupted("interrupted", "time to end", do))
    except BrokenPipeError:  # head has seen enough
        return 141
    except OSError as error:
        do = "check that the place exists, is writable and has room"
        return report(OutputError(reason(error), "a file that can be opened, read and written", do))
    except MemoryError as error:
        do = "take a coarser grid, a smaller cell or fewer workers"
        return report(JoviumError(f"out of memory: {reason(error)}", "a calculation that fits into it", do))
    except (RuntimeError, AssertionError) as error:
        from jovium.training.devices import device_error

        if not (cause := device_error(error)):
            raise
        return report(cause)


class Interrupted(JoviumError):
    """A command that its user ended."""

    exit_code = 130


def report(error: JoviumError) -> int:
    """Print the three parts of an error; its exit code."""
    print(f"jovium: {error}", file=sys.stderr)
    return error.exit_code


def run(arguments: Sequence[str] | None) -> int:
    """Run one command; the exit code."""
    top = parser()
    options = top.parse_args(arguments)
    if options.print_completion:
        import shtab

        print(shtab.complete(top, options.print_completion))
        return 0
    if not options.command:
        top.print_help()
        return 2
    enable_compilation_cache()
    with ended_by_signals():
        return options.run(options)


@contextmanager
def printing() -> Iterator[None]:
    """Print any name of a file, and let an output that cannot be written be an error here, not after the end."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        try:
            if sys.stdout:
                sys.stdout.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where the rest may go
            raise


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind the program like an interrupt, so that engines end and scratch is removed."""

    def stop(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
