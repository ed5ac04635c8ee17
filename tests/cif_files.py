"""CIF files as people write them: the text of every variant, and what it has to be read as."""

import numpy as np
from structure_files import LARGE, PARAMETERS, PLACES, REFUSED, SYMBOLS, TRUE, WARNED, crystal

from jovium.base.units import BOHR_ANGSTROM


def cif(
    cell=PARAMETERS,
    symmetry="_space_group_name_H-M_alt 'P 1'",
    labels=SYMBOLS,
    places=PLACES,
    columns="",
    values="",
    head="data_made",
    types=None,
    formula="",
    form="{:.8f}",
):
    """A CIF file. columns, values: more of every site; types: their type symbols."""
    names = (*(f"_cell_length_{x}" for x in "abc"), *(f"_cell_angle_{x}" for x in ("alpha", "beta", "gamma")))
    lines = [head, *(f"{name} {value}" for name, value in zip(names, cell, strict=False)), formula, symmetry, "loop_"]
    lines += ["_atom_site_label", *(["_atom_site_type_symbol"] if types else [])]
    lines += [*(f"_atom_site_fract_{x}" for x in "xyz"), *columns.split()]
    values = values if isinstance(values, (list, tuple)) else [values] * len(labels)
    for i, (label, place, value) in enumerate(zip(labels, places, values, strict=True)):
        place = [form.format(x) if not isinstance(x, str) else x for x in place]
        lines.append(" ".join(part for part in (label, types[i] if types else "", *place, value) if part))
    return "\n".join(line for line in lines if line) + "\n"


def operations(*lines, name="_space_group_symop_operation_xyz"):
    return f"loop_\n{name}\n" + "\n".join(f"'{line}'" for line in lines)


FCC = (5.0, 5.0, 5.0, 90, 90, 90)
CENTRES = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
TETRAHEDRA = [[x, y, z] for x in (0.25, 0.75) for y in (0.25, 0.75) for z in (0.25, 0.75)]
SH2 = crystal(FCC, CENTRES + TETRAHEDRA, ["La"] * 4 + ["H"] * 8)
SITES = {"cell": FCC, "labels": ("La", "H"), "places": [[0, 0, 0], [0.25, 0.25, 0.25]]}
SCREW = crystal(LARGE, np.vstack([PLACES, PLACES * [-1, 1, -1] + [0, 0.5, 0]]), SYMBOLS * 2)
P21C = [[0.15, 0.1, 0.3], [-0.15, -0.1, -0.3], [-0.15, 0.6, 0.2], [0.15, -0.6, -0.2]]
WATERY = crystal(LARGE, P21C, ["La"] * 4)
ONE = {"cell": LARGE, "labels": ("La",), "places": [P21C[0]]}
P21N = [[0.15, 0.1, 0.3], [-0.15, -0.1, -0.3], [0.35, 0.6, 0.2], [0.65, -0.6, -0.2]]
HEXAGONAL = (5.0, 5.0, 7.0, 90, 90, 120)
R_H = crystal(HEXAGONAL, [[0, 0, 0], [2 / 3, 1 / 3, 1 / 3], [1 / 3, 2 / 3, 2 / 3]], ["La"] * 3)
DIAMOND = (7.0, 7.0, 7.0, 90, 90, 90)
OCC = "_atom_site_occupancy"
CIFS = {
    "plain": (cif(), TRUE),
    "type symbols": (cif(labels=("H1", "H2", "S1"), types=("H", "H", "S")), TRUE),
    "charged types": (cif(labels=("H1", "H2", "S1"), types=("H1+", "H0", "S2-")), TRUE),
    "labels": (cif(labels=("H1A", "H(2)", "S_1")), TRUE),
    "lower case": (cif(labels=("h", "h", "s")), TRUE),
    "D": (cif(labels=("D1", "D2", "S")), crystal(symbols=("D", "D", "S"))),
    "T": (cif(labels=("T1", "T2", "S")), crystal(symbols=("T", "T", "S"))),
    "unknown element": (cif(labels=("H", "Q1", "S")), REFUSED),
    "a label that is two things": (cif(labels=("H", "HA", "S")), REFUSED),
    "a label that is not known": (cif(labels=("H", "?", "S")), REFUSED),
    "uncertainties": (cif(cell=("3.1(1)", "3.9(2)", "4.4(12)", "81.0(1)", "97(1)", "105.0(5)"),
                          places=[["0.1(1)", "0.2(10)", "0.30(2)"], *PLACES[1:]]), TRUE),
    "exponents": (cif(form="{:.6E}"), TRUE),
    "P 1 by number": (cif(symmetry="_symmetry_Int_Tables_number 1"), TRUE),
    "no symmetry": (cif(symmetry=""), (WARNED, TRUE)),
    "symmetry not known": (cif(symmetry="_symmetry_space_group_name_H-M ?"), (WARNED, TRUE)),
    "Hall alone, monoclinic": (cif(LARGE, "_space_group_name_Hall 'P 2yb'"), SCREW),
    "Hall, old tag": (cif(LARGE, "_symmetry_space_group_name_Hall 'P 2yb'"), SCREW),
    "Hall with underscores": (cif(LARGE, "_space_group_name_Hall P_2yb"), SCREW),
    "Hall alone, cubic": (cif(symmetry="_space_group_name_Hall '-F 4 2 3'", **SITES), SH2),
    "Hall that is none": (cif(symmetry="_space_group_name_Hall 'Z 9'"), REFUSED),
    "Hall of another cell": (cif(symmetry="_space_group_name_Hall '-F 4 2 3'"), REFUSED),
    "name": (cif(symmetry="_space_group_name_H-M_alt 'F m -3 m'", **SITES), SH2),
    "name without blanks": (cif(symmetry="_symmetry_space_group_name_H-M Fm-3m", **SITES), SH2),
    "number": (cif(symmetry="_space_group_IT_number 225", **SITES), SH2),
    "number in quotes": (cif(symmetry="_space_group_IT_number '225'", **SITES), SH2),
    "number of nothing": (cif(symmetry="_space_group_IT_number 300", **SITES), REFUSED),
    "a name nobody knows": (cif(symmetry="_space_group_name_H-M_alt 'F x -3 m'", **SITES), REFUSED),
    "short monoclinic name": (cif(symmetry="_symmetry_space_group_name_H-M 'P 21/c'", **ONE), WATERY),
    "full monoclinic name": (cif(symmetry="_symmetry_space_group_name_H-M 'P 1 21/c 1'", **ONE), WATERY),
    "another cell choice": (
        cif(symmetry="_symmetry_space_group_name_H-M 'P 21/n'", **ONE), crystal(LARGE, P21N, ["La"] * 4)
    ),
    "monoclinic number": (cif(symmetry="_space_group_IT_number 14", **ONE), WATERY),
    "name and number": (cif(symmetry="_space_group_IT_number 14\n_space_group_name_H-M_alt 'P 21/c'", **ONE), WATERY),
    "rhombohedral on hexagonal axes": (
        cif(HEXAGONAL, "_space_group_name_H-M_alt 'R -3 m :H'", ("La",), [[0, 0, 0]]), R_H
    ),
    "rhombohedral, axes by the cell": (cif(HEXAGONAL, "_space_group_IT_number 166", ("La",), [[0, 0, 0]]), R_H),
    "rhombohedral axes": (
        cif((4, 4, 4, 70, 70, 70), "_space_group_IT_number 166", ("La",), [[0, 0, 0]]),
        crystal((4, 4, 4, 70, 70, 70), [[0, 0, 0]], ["La"]),
    ),
    "an origin not said": (cif(DIAMOND, "_space_group_name_H-M_alt 'F d -3 m'", ("La",), [[0, 0, 0]]), REFUSED),
    "origin 2": (
        cif(DIAMOND, "_space_group_name_H-M_alt 'F d -3 m :2'", ("La",), [[0.125] * 3]),
        crystal(DIAMOND, [np.add(c, s) for c in CENTRES for s in (0.125, 0.875)], ["La"] * 8),
    ),
    "origin 1": (
        cif(DIAMOND, "_space_group_name_H-M_alt 'F d -3 m S'", ("La",), [[0, 0, 0]]),
        crystal(DIAMOND, [np.add(c, s) for c in CENTRES for s in (0, 0.25)], ["La"] * 8),
    ),
    "operations": (cif(LARGE, operations("x,y,z", "-x,y+1/2,-z")), SCREW),
    "operations, old tag": (
        cif(LARGE, operations("x,y,z", "-x, 1/2+y, -z", name="_symmetry_equiv_pos_as_xyz")), SCREW
    ),
    "operations in capitals": (cif(LARGE, operations("X,Y,Z", "-X,0.5+Y,-Z")), SCREW),
    "one operation without a loop": (cif(symmetry="_space_group_symop_operation_xyz 'x, y, z'"), TRUE),
    "an operation that is none": (cif(LARGE, operations("x,y,z", "hello,y,z")), REFUSED),
    "a name that is not known, of a group with several settings": (
        cif(symmetry="_space_group_name_H-M_alt 'X 21/m'\n_space_group_IT_number 14", **ONE), WARNED
    ),
    "less operations than the group": (
        cif(symmetry=operations("x,y,z") + "\n_space_group_IT_number 225", **SITES), WARNED
    ),
    "three digits on a special position": (
        cif(HEXAGONAL, "_space_group_IT_number 194", ("La",), [["0.333", "0.667", "0.25"]]),
        crystal(HEXAGONAL, [[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]], ["La"] * 2),
    ),
    "occupancy 1": (cif(columns=OCC, values="1.0"), TRUE),
    "occupancy ?": (cif(columns=OCC, values="?"), (WARNED, TRUE)),
    "occupancy .": (cif(columns=OCC, values="."), TRUE),
    "occupancy with uncertainty": (cif(columns=OCC, values="1.000(5)"), TRUE),
    "a half": (cif(columns=OCC, values=("1.0", "0.5", "1.0")), REFUSED),
    "a half among unknown": (cif(columns=OCC, values=("?", "0.5", "?")), REFUSED),
    "occupancy that is a word": (cif(columns=OCC, values=("1", "some", "1")), REFUSED),
    "occupancy 2": (cif(columns=OCC, values=("1", "2", "1")), REFUSED),
    "coordinate ?": (cif(places=[["?", 0.2, 0.3], *PLACES[1:]]), REFUSED),
    "five parameters": (cif(cell=PARAMETERS[:5]), REFUSED),
    "no cell": (cif(cell=()), REFUSED),
    "zero cell": (cif(cell=(0, 0, 0, 90, 90, 90)), REFUSED),
    "formula": (cif(formula="_chemical_formula_sum 'H2 S1'"), TRUE),
    "hydrogen left out": (cif(formula="_chemical_formula_sum 'H10 S1'"), WARNED),
    "a comment": (cif(head="# made\ndata_made").replace("loop_", "# sites\nloop_"), TRUE),
    "a text of several lines": (cif(head="data_made\n_publ_section_title\n;\na title\nwith loops\n;"), TRUE),
    "a block without atoms before": (cif(head="data_global\n_journal_year 2020\n\ndata_made"), TRUE),
    "two blocks, the last is taken": (cif(places=PLACES / 2) + cif(head="data_b"), TRUE),
    "CRLF": (cif().replace("\n", "\r\n"), TRUE),
    "tabs": (cif(symmetry="_space_group_IT_number 1").replace(" ", "\t"), TRUE),
    "two elements at one place": (cif(places=PLACES[[0, 1, 1]]), REFUSED),
    "an atom twice": (cif(labels=("H", *SYMBOLS), places=PLACES[[0, 0, 1, 2]]), (WARNED, TRUE)),
    "in bohr": (cif(cell=(*(x / BOHR_ANGSTROM for x in PARAMETERS[:3]), *PARAMETERS[3:])), WARNED),
}  # fmt: skip
