"""`jovium cite`: what to cite for which number."""

import argparse

HELP = "what to cite"
DESCRIPTION = "The sources of the methods behind each number, to be cited with it."


def configure(parser: argparse.ArgumentParser) -> None:
    """The command has no arguments."""
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the list."""
    from jovium.report.sources import sources

    for topic, entries in sources().items():
        print(f"{topic}:")
        for entry in entries:
            print(f"  {entry}")
    return 0
