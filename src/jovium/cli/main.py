"""`jovium`: subcommands, errors and exit codes."""

import argparse
import sys
from collections.abc import Sequence

from jovium import __version__
from jovium.base.errors import JoviumError
from jovium.cli import analyse, cite, convert, crystal, doctor, reference

COMMANDS = {
    "analyse": analyse,
    "convert": convert,
    "crystal": crystal,
    "reference": reference,
    "doctor": doctor,
    "cite": cite,
}

DESCRIPTION = "Jovium: the free energy of dense hydrogen, and the bonding of its electrons."
EPILOG = """examples:
  jovium analyse POSCAR                 ELF from first principles, hydrogen network, Tc, a page to turn around
  jovium analyse ELFCAR --json          the same from an ELF you computed, as one JSON object
  jovium convert elf.cube elf.xsf       fields and structures between formats
  jovium doctor                         what is installed and whether it works

exit codes: 0 done, 1 error, 2 bad input, 3 the first-principles engine failed, 4 output could not be written"""


def parser() -> argparse.ArgumentParser:
    """The whole command line as an argparse parser (shell completion and the docs read it too)."""
    top = argparse.ArgumentParser(
        prog="jovium",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"jovium {__version__}")
    top.add_argument(
        "--print-completion", choices=["bash", "zsh", "tcsh"], metavar="SHELL", help="print a completion script"
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, module in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=module.HELP,
            description=module.DESCRIPTION,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,  # a mistyped option is an error, never a guess
        )
        module.configure(command)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. Errors a user can mend are printed in three lines, without a traceback."""
    top = parser()
    options = top.parse_args(arguments)
    if options.print_completion:
        import shtab

        print(shtab.complete(top, options.print_completion))
        return 0
    if not options.command:
        top.print_help()
        return 2
    try:
        return options.run(options)
    except JoviumError as error:
        print(f"jovium: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("jovium: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 141


if __name__ == "__main__":
    sys.exit(main())
