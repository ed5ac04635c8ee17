"""`jovium index`: one page that links all pages below a folder."""

import argparse

from jovium.cli.arguments import named_path

HELP = "one page that links all pages in a folder"
DESCRIPTION = "Write FOLDER/index.html with a link to every page.html below FOLDER, by its title."


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("folder", metavar="FOLDER", type=named_path)


def run(options: argparse.Namespace) -> int:
    """Write the page, say where it is."""
    from jovium.report.index import write_index

    print(f"{options.folder / 'index.html'}: {write_index(options.folder)} pages")
    return 0
