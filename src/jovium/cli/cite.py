"""`jovium cite`: what to cite for which number."""

import argparse

from jovium.cli.arguments import named_path

HELP = "what to cite"
DESCRIPTION = "The sources of the methods behind each number, to be cited with it; of one run, only those it used."


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("run_folder", metavar="RUN", type=named_path, nargs="?", help="a run (default: all methods)")


def run(options: argparse.Namespace) -> int:
    """Print the list."""
    from jovium.report.sources import cite

    print(cite(options.run_folder))
    return 0
