"""`jovium crystal`: a crystal by its name, or by its space group, cell and sites, as a structure file."""

import argparse
from pathlib import Path

from jovium.cli.arguments import checked, named_path, refuse_unused, tell
from jovium.training.settings import FINITE, POSITIVE

HELP = "write a crystal as a structure file, by its name or by its space group, cell and sites"
DESCRIPTION = """Write a known crystal of hydrogen, a hydride, or any crystal from its space group, cell and sites, in
its primitive cell. Without arguments, list the known ones with their sources."""
EPILOG = "example: jovium crystal --space-group 229 --cell 2.984 --site S 0 0 0 --site H 0 1/2 1/2 --out H3S.cif"

OTHERS = "rs a space_group cell site out"


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.epilog = EPILOG
    parser.add_argument("name", nargs="?", help="e.g. cs-iv, bcc, lah10")
    about = "Wigner-Seitz radius of a crystal of hydrogen (default: the published one)"
    parser.add_argument("--rs", type=checked("--rs", float, POSITIVE), metavar="BOHR", help=about)
    about = "lattice parameter of a hydride (default: that of its list entry); other lengths keep their ratio to it"
    parser.add_argument("--a", type=checked("--a", float, POSITIVE), metavar="ANGSTROM", help=about)
    about = "number or name, with its choice where there are two origins or axes: 229, 'I m -3 m', 227:2, 166:R"
    parser.add_argument("--space-group", metavar="GROUP", help=about)
    about = "what is free of a b c (angstrom) alpha beta gamma (degrees), in this order, or all six"
    parser.add_argument("--cell", type=checked("--cell", float, FINITE), nargs="+", metavar="NUMBER", help=about)
    about = "element and fractional coordinates of one atom of an orbit, for every orbit: H 1/3 2/3 0.25 (3/4 for -1/4)"
    parser.add_argument("--site", nargs=4, action="append", metavar=("ELEMENT", "X", "Y", "Z"), help=about)
    parser.add_argument("--out", type=named_path, help="structure file; its name gives the format (default: NAME.vasp)")


def run(options: argparse.Namespace) -> int:
    """List the crystals or write one."""
    from jovium.base.files import existing_folder
    from jovium.base.units import BOHR_ANGSTROM
    from jovium.base.validity import plausibility
    from jovium.crystals import CRYSTALS, HYDRIDES, crystal
    from jovium.formats.structures import write_structure
    from jovium.formats.symmetry import found_group

    if options.name is None and options.space_group is None:
        do = "name a crystal (jovium crystal lists them), or give --space-group, --cell and --site"
        refuse_unused(options, OTHERS, "without a name or a space group", do)
        for name, entry in (CRYSTALS | HYDRIDES).items():
            print(f"{name:>8}  {entry.description} ({entry.source})")
        return 0
    structure = crystal(options.name, options.rs, options.a, options.space_group, options.cell, options.site)
    name = options.name or structure.to_ase().get_chemical_formula("metal")
    target = options.out or Path(name.replace("/", "") + ".vasp")
    existing_folder(target.parent)
    write_structure(target, structure)
    tell(plausibility(structure))
    group, number, _ = found_group(structure)
    length = f"rs {structure.rs:.4f} bohr"
    if not structure.is_pure_hydrogen:
        length = f"shortest distance {structure.shortest_distance() * BOHR_ANGSTROM:.4f} angstrom"
    print(f"{target}: {structure.n_atoms} atoms, {group} ({number}), {length}")
    return 0
