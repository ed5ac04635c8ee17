"""`jovium crystal`: a known crystal of hydrogen as a structure file."""

import argparse
from pathlib import Path

from jovium.cli.arguments import checked, named_path, refuse_unused
from jovium.training.settings import POSITIVE

HELP = "write a known crystal of hydrogen as a structure file"
DESCRIPTION = "Write one of the known hydrogen crystals; without a name, list them with their sources."


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("name", nargs="?", help="e.g. cs-iv, bcc, c2/c-24")
    about = "Wigner-Seitz radius (default: the published one)"
    parser.add_argument("--rs", type=checked("--rs", float, POSITIVE), metavar="BOHR", help=about)
    parser.add_argument("--out", type=named_path, help="structure file; its name gives the format (default: NAME.vasp)")


def run(options: argparse.Namespace) -> int:
    """List the crystals or write one."""
    from jovium.base.files import existing_folder
    from jovium.crystals import CRYSTALS, crystal
    from jovium.formats.structures import write_structure

    if options.name is None:
        refuse_unused(options, "rs out", "without a name", "name a crystal: jovium crystal lists them")
        for name, entry in CRYSTALS.items():
            print(f"{name:>8}  {entry.description} ({entry.source})")
        return 0
    structure = crystal(options.name, options.rs)
    target = options.out or Path(options.name.replace("/", "") + ".vasp")
    existing_folder(target.parent)
    write_structure(target, structure)
    print(f"{target}: {structure.n_atoms} atoms, rs {structure.rs:.4f} bohr")
    return 0
