"""What cutoff and k-mesh leave in phi, phi*, P and H_DOS of hydrides: the table of docs/hydrides.md.

    python benchmarks/hydride_protocol.py examples/hydrides/*.cif

Every structure is computed at its protocol, at a cutoff higher by a quarter, and on a mesh denser by a third, all
analysed on the same grid.
"""

import argparse

from jovium.elf.model import elf_grid_shape
from jovium.formats.structures import read_structure
from jovium.reference.compounds import protocol_for
from jovium.workflows.convergence import finer_protocols, protocol_error, protocol_row


def main() -> None:
    """Print the table, a row as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("structures", nargs="+")
    options = parser.parse_args()
    print("| structure | protocol | cutoff (Ha) | k-mesh | phi | phi* | P (GPa) | H_DOS | left in phi |")
    print("|" + "---|" * 9)
    for path in options.structures:
        structure = read_structure(path)
        protocol, shape = protocol_for(structure), elf_grid_shape(structure)
        rows = []
        for name, tried in ({"protocol": protocol} | finer_protocols(structure, protocol)).items():
            row = protocol_row(name, structure, tried, shape)
            rows.append(row)
            mesh = " x ".join(map(str, row.protocol.k_mesh or ()))
            numbers = f"{row.phi:.4f} | {row.phi_star:.4f} | {row.pressure_gpa:.1f} | {row.hydrogen_dos:.3f}"
            left = f"{protocol_error(rows[0].phi, rows[1:]):.4f}" if len(rows) == 3 else ""
            cells = f"{row.name} | {row.protocol.cutoff:g} | {mesh} | {numbers} | {left}"
            print(f"| {structure.formula} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
