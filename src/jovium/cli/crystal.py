"""`jovium crystal`: a known crystal of hydrogen as a structure file."""

import argparse
from pathlib import Path

HELP = "write a known crystal of hydrogen as a structure file"
DESCRIPTION = "Write one of the known hydrogen crystals; without a name, list them with their sources."


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("name", nargs="?", help="e.g. cs-iv, bcc, c2/c-24")
    parser.add_argument("--rs", type=float, metavar="BOHR", help="Wigner-Seitz radius (default: the published one)")
    parser.add_argument("--out", type=Path, help="structure file; its name gives the format (default: NAME.vasp)")


def run(options: argparse.Namespace) -> int:
    """List the crystals or write one."""
    from jovium.base.files import existing_folder
    from jovium.crystals import CRYSTALS, crystal
    from jovium.formats.structures import write_structure

    if options.name is None:
        for name, entry in CRYSTALS.items():
            print(f"{name:>8}  {entry.description} ({entry.source})")
        return 0
    structure = crystal(options.name, options.rs)
    target = options.out or Path(options.name.replace("/", "") + ".vasp")
    existing_folder(target.parent)
    write_structure(target, structure)
    print(f"{target}: {structure.n_atoms} atoms, rs {structure.rs:.4f} bohr")
    return 0
