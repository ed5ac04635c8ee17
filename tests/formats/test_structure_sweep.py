"""Structure files as people have them: every variant is read as the crystal it is, or refused, or warned about."""

import numpy as np
import pytest
from ase.geometry import cellpar_to_cell

from jovium.base.cell import Cell
from jovium.base.errors import JoviumError
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM
from jovium.base.validity import plausibility
from jovium.formats.structures import read_structure, read_structures, structures_or_errors

PARAMETERS = (3.1, 3.9, 4.4, 81.0, 97.0, 105.0)
VECTORS = cellpar_to_cell(PARAMETERS)
PLACES = np.array([[0.1, 0.2, 0.3], [0.45, 0.55, 0.15], [0.7, 0.8, 0.65]])
SYMBOLS = ("H", "H", "S")


def crystal(parameters=PARAMETERS, places=PLACES, symbols=SYMBOLS) -> Structure:
    """A crystal of lengths in angstrom, angles in degrees, fractional places and symbols."""
    cell = Cell(cellpar_to_cell(parameters) / BOHR_ANGSTROM)
    return Structure(cell, cell.cartesian(np.array(places, dtype=float)), tuple(symbols))


TRUE = crystal()
LARGE = (5.1, 5.9, 6.4, 90.0, 97.0, 90.0)
TINY = (1.4, 1.4, 1.4, 90.0, 90.0, 90.0)
CUBE = (3.2, 3.2, 3.2, 90.0, 90.0, 90.0)
REFUSED, WARNED = "refused", "warned"


def is_same(found: Structure, true: Structure) -> bool:
    """The same metric, and every atom at the place of one of the same symbol, whatever the orientation and order."""
    metrics = [s.cell.vectors @ s.cell.vectors.T for s in (found, true)]
    if not np.allclose(*metrics, atol=2e-3) or sorted(found.symbols) != sorted(true.symbols):
        return False
    left = list(range(true.n_atoms))
    for place, symbol in zip(found.cell.fractional(found.positions), found.symbols, strict=True):
        apart = true.cell.fractional(true.positions) - place
        apart = np.abs(apart - np.round(apart)).max(axis=1)
        match = [i for i in left if true.symbols[i] == symbol and apart[i] < 2e-3]
        if not match:
            return False
        left.remove(match[0])
    return True


def verdict(path, expected) -> str:
    """ "" when the file is read as it should be, else what is wrong. expected: a crystal, REFUSED, WARNED, or the last
    with the crystal that comes with the warning."""
    try:
        found = read_structure(path)
        warnings = plausibility(found)
    except JoviumError as error:
        whole = all(part.strip() and not part.rstrip().endswith(":") for part in (error.got, error.expected, error.do))
        return "" if whole and expected == REFUSED else f"refused: {error}"
    if expected == REFUSED:
        return f"read as {found}"
    if expected == WARNED or isinstance(expected, tuple):
        right = expected == WARNED or is_same(found, expected[1])
        return "" if warnings and right else f"warnings {warnings}, {found}"
    return "" if is_same(found, expected) and not warnings else f"warnings {warnings}, {found}"


def rows(places, form="{:.8f} {:.8f} {:.8f}", tail="") -> str:
    return "".join(form.format(*place) + tail + "\n" for place in places)


def poscar(title="made", scale="1.0", vectors=VECTORS, names="H S", counts="2 1", mode="Direct", atoms=None, tail=""):
    """A POSCAR; names None: VASP 4."""
    atoms = rows(PLACES) if atoms is None else atoms
    names = "" if names is None else names + "\n"
    lattice = vectors if isinstance(vectors, str) else rows(vectors, "  {:.10f} {:.10f} {:.10f}")
    return f"{title}\n{scale}\n{lattice}{names}{counts}\n{mode}\n{atoms}{tail}"


CARTESIAN = PLACES @ VECTORS
VOLUME = abs(np.linalg.det(VECTORS))
GLUED = rows(PLACES - [0, 1, 1], "{:.16f}{:.16f}{:.16f}")
TRUE_LEFT = Structure(Cell(VECTORS[[1, 0, 2]] / BOHR_ANGSTROM), CARTESIAN / BOHR_ANGSTROM, SYMBOLS)
LEFT = rows(VECTORS[[1, 0, 2]], "{:.10f} {:.10f} {:.10f}")
SWAPPED = PLACES[:, [1, 0, 2]]
CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
MIDDLE = np.array([[0.5, 0.5, 0.5]])
CUBIC = crystal(CUBE, [[0, 0, 0], [0.5, 0.5, 0.5]], ("H", "Ca"))
CUBE_ROWS = rows(cellpar_to_cell(CUBE))
D_EXPONENT = rows(PLACES, "{:.8e} {:.8e} {:.8e}").replace("e", "D")

POSCARS = {
    "plain": (poscar(), TRUE),
    "scale 2": (poscar(scale="2.0", vectors=VECTORS / 2), TRUE),
    "volume": (poscar(scale=f"-{VOLUME:.8f}", vectors=VECTORS * 3), TRUE),
    "volume of a left-handed cell": (poscar(scale=f"-{VOLUME:.8f}", vectors=LEFT, atoms=rows(SWAPPED)), TRUE_LEFT),
    "three factors": (poscar(scale="1.0 2.0 4.0", vectors=VECTORS / [1, 2, 4]), TRUE),
    "three factors, Cartesian": (
        poscar(scale="1.0 2.0 4.0", vectors=VECTORS / [1, 2, 4], mode="Cartesian", atoms=rows(CARTESIAN / [1, 2, 4])),
        TRUE,
    ),
    "two factors": (poscar(scale="1.0 2.0"), REFUSED),
    "a negative factor of three": (poscar(scale="1.0 -2.0 1.0"), REFUSED),
    "scale 0": (poscar(scale="0.0"), REFUSED),
    "a word as scale": (poscar(scale="one"), REFUSED),
    "a remark behind the scale": (poscar(scale="1.0  ! angstrom"), TRUE),
    "Cartesian": (poscar(mode="Cartesian", atoms=rows(CARTESIAN)), TRUE),
    "kartesian": (poscar(mode="kart", atoms=rows(CARTESIAN)), TRUE),
    "scaled Cartesian": (poscar(scale="2", vectors=VECTORS / 2, mode="c", atoms=rows(CARTESIAN / 2)), TRUE),
    "selective dynamics": (poscar(mode="Selective dynamics\nDirect", atoms=rows(PLACES, tail=" T T F")), TRUE),
    "selective, without a blank": (poscar(mode="s\nd", atoms=rows(PLACES, tail="  F F F ! fixed")), TRUE),
    "without a mode": (poscar(mode="0.1 0.2 0.3"), REFUSED),
    "VASP 4, elements in the title": (poscar(title="H S", names=None), TRUE),
    "VASP 4, no elements": (poscar(title="made by hand", names=None), REFUSED),
    "VASP 4, a word that is an element too": (poscar(title="In a box", names=None, counts="3"), REFUSED),
    "names with a hash": (poscar(names="H/0af1 S_GW/93cc"), TRUE),
    "names with a potential": (poscar(names="H_h S_s"), TRUE),
    "lower case": (poscar(names="h s"), TRUE),
    "numbered labels": (poscar(names="H1 S2"), TRUE),
    "D": (poscar(names="D S"), crystal(symbols=("D", "D", "S"))),
    "T": (poscar(names="T S"), crystal(symbols=("T", "T", "S"))),
    "unknown element": (poscar(names="Q S"), REFUSED),
    "pseudo-hydrogen": (poscar(names="H.5 S"), REFUSED),
    "more names than counts": (poscar(names="H S O"), REFUSED),
    "species named twice": (poscar(names="H S H", counts="1 1 1", atoms=rows(PLACES[[0, 2, 1]])), TRUE),
    "labels behind the atoms": (poscar(atoms=rows(PLACES, tail=" H")), TRUE),
    "velocities": (poscar(tail="\n" + rows(0.01 * PLACES)), TRUE),
    "velocities of less atoms": (poscar(tail="\n 0.1 0.2 0.3\n"), TRUE),
    "lattice velocities": (poscar(tail="Lattice velocities and vectors\n1\n" + rows(VECTORS)), TRUE),
    "CRLF": (poscar().replace("\n", "\r\n"), TRUE),
    "blanks behind lines": (poscar().replace("\n", "   \n"), TRUE),
    "tabs": (poscar().replace(" ", "\t"), TRUE),
    "exponents D": (poscar(atoms=D_EXPONENT), TRUE),
    "glued": (poscar(atoms=GLUED), TRUE),
    "numbers that cannot be parted": (poscar(atoms=rows(PLACES, "{:.2f}{:.2f}{:.2f}")), REFUSED),
    "no number": (poscar(atoms=rows(PLACES).replace("0.20000000", "nan")), REFUSED),
    "stars": (poscar(atoms=rows(PLACES).replace("0.20000000", "**********")), REFUSED),
    "one atom too few": (poscar(atoms=rows(PLACES[:2])), REFUSED),
    "one atom too few, velocities": (poscar(atoms=rows(PLACES[:2]), tail="\n" + rows(PLACES)), REFUSED),
    "a missing vector": (poscar(vectors=VECTORS[:2]), REFUSED),
    "no cell": (poscar(vectors=0 * VECTORS), REFUSED),
    "flat cell": (poscar(vectors=VECTORS[[0, 1, 1]]), REFUSED),
    "left-handed": (poscar(vectors=LEFT, atoms=rows(SWAPPED)), TRUE_LEFT),
    "an atom twice": (poscar(counts="3 1", atoms=rows(PLACES[[0, 0, 1, 2]])), (WARNED, TRUE)),
    "images at 0 and 1": (
        poscar(vectors=CUBE_ROWS, names="H Ca", counts="8 1", atoms=rows(np.vstack([CORNERS, MIDDLE]))),
        (WARNED, CUBIC),
    ),
    "two elements at one place": (poscar(atoms=rows(PLACES[[0, 1, 1]])), REFUSED),
    "two elements at images": (poscar(atoms=rows([PLACES[0], PLACES[1], PLACES[1] - 1])), REFUSED),
    "a tenth of an angstrom apart": (poscar(atoms=rows([PLACES[0], PLACES[0] + 0.02, PLACES[2]])), REFUSED),
    "cell in bohr": (poscar(vectors=VECTORS / BOHR_ANGSTROM), WARNED),
    "cell in nanometre": (poscar(vectors=VECTORS / 10), REFUSED),
    "a cell far too small": (poscar(vectors=VECTORS * 0.4), WARNED),
    "Cartesian called Direct": (poscar(atoms=rows(CARTESIAN * 3)), WARNED),
    "no file": ("\n\n", REFUSED),
}


def extxyz(symbols=SYMBOLS, positions=CARTESIAN, lattice=None, properties="species:S:1:pos:R:3", more="", tail=""):
    """A frame of extended XYZ."""
    lattice = 'Lattice="' + " ".join(f"{x:.10f}" for x in VECTORS.ravel()) + '"' if lattice is None else lattice
    named = f"Properties={properties} " if properties else ""
    body = "".join(f"{s} {x:.8f} {y:.8f} {z:.8f}{tail}\n" for s, (x, y, z) in zip(symbols, positions, strict=True))
    return f"{len(symbols)}\n{lattice} {named}{more}\n{body}"


NINE = " ".join(f"{x:.10f}" for x in VECTORS.ravel())
NINE_CUBE = " ".join(f"{x:.4f}" for x in cellpar_to_cell(CUBE).ravel())
OCCUPIED = "species:S:1:pos:R:3:occupancy:R:1"
EXTXYZ = {
    "plain": (extxyz(), TRUE),
    "no Properties": (extxyz(properties=""), TRUE),
    "single quotes": (extxyz(lattice=f"Lattice='{NINE}'"), TRUE),
    "braces": (extxyz(lattice=f"Lattice={{{NINE}}}"), TRUE),
    "brackets": (extxyz(lattice=f"Lattice=[{NINE.replace(' ', ', ')}]"), TRUE),
    "lower-case lattice": (extxyz(lattice=f'lattice="{NINE}"'), TRUE),
    "no Lattice": (extxyz(lattice=""), REFUSED),
    "eight numbers": (extxyz(lattice='Lattice="' + " ".join(NINE.split()[:8]) + '"'), REFUSED),
    "a word in the lattice": (extxyz(lattice=f'Lattice="{NINE[:-3]}x"'), REFUSED),
    "zero cell": (extxyz(lattice='Lattice="0 0 0 0 0 0 0 0 0"'), REFUSED),
    "NaN in the lattice": (extxyz(lattice='Lattice="nan 0 0 0 3 0 0 0 3"'), REFUSED),
    "pbc T": (extxyz(more='pbc="T T T"'), TRUE),
    "pbc F": (extxyz(more='pbc="F F F"'), (WARNED, TRUE)),
    "slab": (extxyz(more='pbc="T T F"'), (WARNED, TRUE)),
    "energy and words": (extxyz(more='energy=-1.5 config_type="a b" free flag=T'), TRUE),
    "forces": (extxyz(properties="species:S:1:pos:R:3:forces:R:3", tail=" 0.1 0.2 0.3"), TRUE),
    "forces missing": (extxyz(properties="species:S:1:pos:R:3:forces:R:3", tail=" 0.1"), REFUSED),
    "columns nobody named": (extxyz(tail=" 0.1 0.2"), TRUE),
    "positions first": (
        f'3\nLattice="{NINE}" Properties=pos:R:3:species:S:1\n'
        + "".join(f"{x} {y} {z} {s}\n" for s, (x, y, z) in zip(SYMBOLS, CARTESIAN, strict=True)),
        TRUE,
    ),
    "atomic numbers": (extxyz(symbols=(1, 1, 16), properties="Z:I:1:pos:R:3"), TRUE),
    "numbers called species": (extxyz(symbols=(1, 1, 16)), TRUE),
    "labels": (extxyz(symbols=("H1", "H_a", "S2")), TRUE),
    "lower case": (extxyz(symbols=("h", "h", "s")), TRUE),
    "mixed case": (extxyz(symbols=("H", "H", "s")), TRUE),
    "D and T": (extxyz(symbols=("D", "T", "S")), crystal(symbols=("D", "T", "S"))),
    "unknown element": (extxyz(symbols=("H", "Q", "S")), REFUSED),
    "dummy": (extxyz(symbols=("H", "X", "S")), REFUSED),
    "no positions": (extxyz(properties="species:S:1:force:R:3"), REFUSED),
    "CRLF": (extxyz().replace("\n", "\r\n"), TRUE),
    "tabs": (extxyz().replace(" ", "\t"), TRUE),
    "blanks": (extxyz().replace("\n", "  \n"), TRUE),
    "exponents D": (extxyz().replace("\nH 0.", "\nH 0.0D+00 0.").replace("0.0D+00 0.", "0."), TRUE),
    "NaN": (extxyz(positions=np.where(np.eye(3) > 0, np.nan, CARTESIAN)), REFUSED),
    "stars": (extxyz().replace("\nH ", "\nH *****", 1), REFUSED),
    "occupancy 1 of the frame": (extxyz(more="occupancy=1.0"), TRUE),
    "occupancy of the frame": (extxyz(more="occupancy=0.5"), REFUSED),
    "occupancy in JSON": (extxyz(more='occupancy="_JSON {\\"0\\": {\\"H\\": 0.5}}"'), REFUSED),
    "occupancy 1 in JSON": (extxyz(more='occupancy="_JSON {\\"0\\": {\\"H\\": 1.0}}"'), TRUE),
    "occupancy that is a word": (extxyz(more="occupancy=full"), REFUSED),
    "a column of ones": (extxyz(properties=OCCUPIED, tail=" 1.0"), TRUE),
    "a column of halves": (extxyz(properties=OCCUPIED, tail=" 0.5"), REFUSED),
    "count too small": (extxyz().replace("3\n", "2\n", 1), REFUSED),
    "count too large": (extxyz().replace("3\n", "4\n", 1), REFUSED),
    "count no number": (extxyz().replace("3\n", "three\n", 1), REFUSED),
    "no atoms": ("0\n" + extxyz().split("\n")[1] + "\n", REFUSED),
    "left-handed": (extxyz(lattice=f'Lattice="{" ".join(f"{x:.10f}" for x in VECTORS[[1, 0, 2]].ravel())}"'),
                    Structure(Cell(VECTORS[[1, 0, 2]] / BOHR_ANGSTROM), CARTESIAN / BOHR_ANGSTROM, SYMBOLS)),
    "an atom twice": (extxyz(symbols=("H", *SYMBOLS), positions=CARTESIAN[[0, 0, 1, 2]]), (WARNED, TRUE)),
    "images at 0 and 1": (
        extxyz(("H",) * 8 + ("Ca",), np.vstack([CORNERS, MIDDLE]) * 3.2, f'Lattice="{NINE_CUBE}"'),
        (WARNED, CUBIC),
    ),
    "two elements at one place": (extxyz(positions=CARTESIAN[[0, 1, 1]]), REFUSED),
    "wrapped by several cells": (extxyz(positions=CARTESIAN + 5 * VECTORS[0]), (WARNED, TRUE)),
    "all in bohr": (
        extxyz(positions=CARTESIAN / BOHR_ANGSTROM, lattice='Lattice="' + " ".join(
            f"{x:.8f}" for x in (VECTORS / BOHR_ANGSTROM).ravel()) + '"'),
        WARNED,
    ),
    "fractional called Cartesian": (extxyz(positions=PLACES), WARNED),
    "no line break at the end": (extxyz()[:-1], (WARNED, TRUE)),
    "blank lines at the end": (extxyz() + "\n\n", TRUE),
    "two frames, the last is taken": (extxyz(positions=PLACES * 2) + extxyz(), TRUE),
    "a blank line between frames": (extxyz(positions=PLACES * 2) + "\n" + extxyz(), TRUE),
}  # fmt: skip


def res(title="TITL made", cell=PARAMETERS, latt="LATT -1", sfac="SFAC H S", atoms=None, end="END", symm=""):
    """A structure of a .res file."""
    line = "CELL 1.0 " + " ".join(f"{x:.6f}" for x in cell) if not isinstance(cell, str) else cell
    if atoms is None:
        atoms = res_atoms(PLACES)
    parts = (title, line, latt, symm, sfac, atoms.rstrip("\n"), end)
    return "".join(part + "\n" for part in parts if part)


def res_atoms(places, labels=SYMBOLS, form="{} {} {:.8f} {:.8f} {:.8f} 1.0\n"):
    return "".join(form.format(s, SFAC.get(s, 1), *place) for s, place in zip(labels, places, strict=True))


SFAC = {"H": 1, "S": 2, "La": 1, "D": 1, "T": 1}
AIRSS = "TITL x-1 100.0 50.1 -3.2 0 0 3 (P1) n - 1"
FORM = "{} {} {:.13f} {:.13f} {:.13f} 1.0\n"
CORNERED = crystal((3.3, 3.3, 3.3, 90, 90, 90), [[0, 0, 0], [0.5, 0.5, 0.5]], ("La", "La"))
RES = {
    "plain": (res(), TRUE),
    "of AIRSS": (res(AIRSS), TRUE),
    "of AIRSS, an atom lost": (res(AIRSS.replace(" 3 (", " 4 (")), REFUSED),
    "no TITL": (res(title=""), TRUE),
    "title of ASE with a space group": (res("TITL spacegroup=1   P 1\n  setting 1\n  primitive vectors\n 1 0 0"), TRUE),
    "no LATT": (res(latt=""), (WARNED, TRUE)),
    "remarks": (res(title="TITL made\nREM H 1 0.1 0.2 0.3\nREM"), TRUE),
    "zero errors and units": (res(latt="ZERR 1 0 0 0 0 0 0\nLATT -1", sfac="SFAC H S\nUNIT 2 1"), TRUE),
    "two lines SFAC": (res(sfac="SFAC H\nSFAC S"), TRUE),
    "SFAC with factors": (res(sfac="SFAC H 0.49 10.5 0.32 26.1 0.14 3.1\nSFAC S"), TRUE),
    "lower case": (res().lower(), TRUE),
    "glued to its sign": (res(atoms=res_atoms(PLACES - [0, 1, 1], form="{} {} {:.13f}{:.13f}{:.13f} 1.0\n")), TRUE),
    "minus zero, glued": (
        res(cell=TINY, sfac="SFAC H", atoms="H 1 0.0000000000000-0.0000000000000-0.0000000000000 1.0\n"),
        crystal(TINY, [[0, 0, 0]], ("H",)),
    ),
    "exponents": (res(atoms=res_atoms(PLACES, form="{} {} {:.8e} {:.8E} {:.8e} 1.0\n")), TRUE),
    "exponents D": (res(atoms=res_atoms(PLACES, form="{} {} {:.8E} {:.8E} {:.8E} 1.0\n").replace("E", "D")), TRUE),
    "no occupation": (res(atoms=res_atoms(PLACES, form="{} {} {} {} {}\n")), TRUE),
    "fixed by 10": (res(atoms=res_atoms(PLACES + 10, form="{} {} {} {} {} 11.0 0.05\n")), TRUE),
    "labels": (res(atoms=res_atoms(PLACES).replace("H 1 0.4", "H1A 1 0.4").replace("S 2", "S1 2")), TRUE),
    "continued lines": (res(atoms=res_atoms(PLACES, form="{} {} {} {} {} 1.0 =\n   0.01 0.02\n")), TRUE),
    "D": (res(sfac="SFAC D S", atoms=res_atoms(PLACES, ("D", "D", "S"))), crystal(symbols=("D", "D", "S"))),
    "T": (res(sfac="SFAC T S", atoms=res_atoms(PLACES, ("T", "T", "S"))), crystal(symbols=("T", "T", "S"))),
    "unknown element": (res(sfac="SFAC Q S"), REFUSED),
    "a number that SFAC does not have": (res(sfac="SFAC H"), REFUSED),
    "a label of another element": (res(sfac="SFAC S H"), REFUSED),
    "half an occupation": (res(atoms=res_atoms(PLACES).replace(" 1.0\n", " 0.5\n", 1)), REFUSED),
    "an occupation that is fixed at half": (res(atoms=res_atoms(PLACES).replace(" 1.0\n", " 10.5\n", 1)), REFUSED),
    "an occupation that is free": (res(atoms=res_atoms(PLACES).replace(" 1.0\n", " 21.0\n", 1)), REFUSED),
    "NaN": (res(atoms=res_atoms(PLACES).replace("0.20000000", "nan")), REFUSED),
    "stars": (res(atoms=res_atoms(PLACES).replace("0.20000000", "*****")), REFUSED),
    "two coordinates": (res(atoms=res_atoms(PLACES).replace("0.30000000 1.0", "")), REFUSED),
    "no CELL": (res(cell=""), REFUSED),
    "five parameters": (res(cell=PARAMETERS[:5]), REFUSED),
    "zero cell": (res(cell=(0, 0, 0, 90, 90, 90)), REFUSED),
    "no angles that close": (res(cell=(3, 3, 3, 150, 150, 150)), REFUSED),
    "no atoms": (res(atoms="\n"), REFUSED),
    "no END": (res(end=""), REFUSED),
    "HKLF and END": (res(end="HKLF 4\nEND\nQ1 1 0.5 0.5 0.5 11.0 0.05 1.2"), TRUE),
    "CRLF": (res().replace("\n", "\r\n"), TRUE),
    "tabs and blanks": (res().replace(" ", "\t").replace("\n", "  \n"), TRUE),
    "two structures, the last is taken": (res(atoms=res_atoms(PLACES / 2)) + res(), TRUE),
    "an atom twice": (res(atoms=res_atoms(PLACES[[0, 0, 1, 2]], ("H", *SYMBOLS))), (WARNED, TRUE)),
    "two elements at one place": (res(atoms=res_atoms(PLACES[[0, 1, 1]])), REFUSED),
    "inversion by LATT 1": (
        res(cell=LARGE, latt="LATT 1"), crystal(LARGE, np.vstack([PLACES, -PLACES]), SYMBOLS * 2)
    ),
    "an inversion centre": (
        res(cell=CUBE, latt="LATT 1", sfac="SFAC La", atoms="La 1 0 0 0 10.5\n"), crystal(CUBE, [[0, 0, 0]], ["La"])
    ),
    "half an inversion centre": (res(cell=CUBE, latt="LATT 1", sfac="SFAC La", atoms="La 1 0 0 0 10.25\n"), REFUSED),
    "body-centred": (
        res(cell=(3.3, 3.3, 3.3, 90, 90, 90), latt="LATT -2", sfac="SFAC La", atoms="La 1 0 0 0 1\n"), CORNERED
    ),
    "SYMM": (
        res(cell=LARGE, symm="SYMM -X, 1/2+Y, -Z"),
        crystal(LARGE, np.vstack([PLACES, PLACES * [-1, 1, -1] + [0, 0.5, 0]]), SYMBOLS * 2),
    ),
    "SYMM that is none": (res(symm="SYMM hello"), REFUSED),
    "LATT 9": (res(latt="LATT 9"), REFUSED),
    "in bohr": (res(cell=(*(x / BOHR_ANGSTROM for x in PARAMETERS[:3]), *PARAMETERS[3:])), WARNED),
    "Cartesian called fractional": (res(atoms=res_atoms(3 * CARTESIAN - 4)), WARNED),
}  # fmt: skip


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

FILES = {"POSCAR": POSCARS, "x.extxyz": EXTXYZ, "x.res": RES, "x.cif": CIFS}
VARIANTS = [(name, variant) for name, variants in FILES.items() for variant in variants]


@pytest.mark.parametrize("name", FILES)
def test_there_are_thirty_variants_of_every_format(name):
    assert len(FILES[name]) >= 30


@pytest.mark.parametrize(("name", "variant"), VARIANTS, ids=[f"{name}: {variant}" for name, variant in VARIANTS])
def test_variant_is_read_as_the_crystal_it_is_or_refused_or_warned_about(tmp_path, name, variant):
    text, expected = FILES[name][variant]
    (tmp_path / name).write_text(text, newline="")
    assert not verdict(tmp_path / name, expected)


WHOLE = {
    "POSCAR": poscar(),
    "x.extxyz": extxyz(),
    "x.res": res(),
    "x.cif": cif(formula="_chemical_formula_sum 'H2 S1'"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_file_that_was_cut_anywhere_is_never_another_crystal_without_a_word(tmp_path, name):
    path, text = tmp_path / name, WHOLE[name]
    for end in range(1, len(text)):
        path.write_text(text[:end])
        assert "" in (verdict(path, TRUE), verdict(path, WARNED), verdict(path, REFUSED)), f"{text[:end]!r}"


@pytest.mark.parametrize("name", ["x.extxyz", "x.res", "x.cif"])
def test_whole_structures_of_a_file_that_is_being_written_are_read_and_the_last_is_an_error(tmp_path, name):
    text = WHOLE[name]
    (tmp_path / name).write_text(text * 2 + text[: len(text) * 5 // 6])
    *whole, last = structures_or_errors(tmp_path / name)
    assert len(whole) == 2
    assert all(isinstance(found, Structure) and is_same(found, TRUE) for found in whole)
    assert isinstance(last, JoviumError)
    assert f"{name}, frame 2" in last.got
    assert len(read_structures(tmp_path / name, ":2")) == 2
    assert is_same(read_structure(tmp_path / name, 1), TRUE)
    with pytest.raises(JoviumError, match="frame 2"):
        read_structure(tmp_path / name)


@pytest.mark.parametrize("name", ["x.extxyz", "x.res", "x.cif"])
def test_wrong_structure_in_the_middle_does_not_hide_the_others(tmp_path, name):
    wrong = WHOLE[name].replace("\nH ", "\nQ ")
    (tmp_path / name).write_text(WHOLE[name] + wrong + WHOLE[name])
    first, error, last = structures_or_errors(tmp_path / name)
    assert isinstance(error, JoviumError)
    assert "frame 1" in error.got
    assert all(isinstance(found, Structure) and is_same(found, TRUE) for found in (first, last))


def test_frames_are_read_when_they_are_asked_for(tmp_path):
    path = tmp_path / "long.extxyz"
    path.write_text(extxyz() * 1000)
    frames = structures_or_errors(path, "::500")
    assert is_same(next(iter(frames)), TRUE)
    path.write_text(extxyz().replace("H", "D") * 1000)
    assert [found.symbols[0] for found in frames if isinstance(found, Structure)] == ["D"]


@pytest.mark.parametrize("name", FILES)
def test_a_byte_order_mark_changes_nothing(tmp_path, name):
    (tmp_path / name).write_text((WHOLE | {"x.cif": cif()})[name], encoding="utf-8-sig")
    assert is_same(read_structure(tmp_path / name), TRUE)


@pytest.mark.parametrize("label", ["H", "D", "T", "D1"])
def test_isotopes_in_files_that_ase_reads_are_hydrogen(tmp_path, label):
    cell = "CELL_PARAMETERS angstrom\n4 0 0\n0 4 0\n0 0 4\n"
    atoms = f"ATOMIC_SPECIES\n{label} 1.0 H.upf\nATOMIC_POSITIONS angstrom\n{label} 0 0 0\n{label} 0.74 0 0\n"
    (tmp_path / "h.pwi").write_text(f"&SYSTEM\nibrav=0, nat=2, ntyp=1\n/\n{atoms}K_POINTS gamma\n{cell}")
    row = "ATOM  {:5d}  {:3s} MOL     1    {:8.3f}   0.000   0.000  1.00  0.00          {:>2s}\n"
    molecule = "".join(row.format(i + 1, label, 0.74 * i, label[0]) for i in range(2))
    (tmp_path / "h.pdb").write_text("CRYST1    4.000    4.000    4.000  90.00  90.00  90.00 P 1\n" + molecule)
    for name in ("h.pwi", "h.pdb"):
        found = read_structure(tmp_path / name)
        assert found.is_pure_hydrogen
        assert found.shortest_distance() * BOHR_ANGSTROM == pytest.approx(0.74)


ORDERS = {
    "C m c a": ("a", "b", "c"),
    "C c m b": ("b", "a", "-c"),
    "A b m a": ("c", "a", "b"),
    "A c a m": ("-c", "b", "a"),
    "B b c m": ("b", "c", "a"),
    "B m a b": ("a", "-c", "b"),
}
"""Names of the space group 64 before the glide e, and the axes of each in those of the first."""


@pytest.mark.parametrize("name", ORDERS)
def test_old_names_of_glides_are_known_in_every_order_of_the_axes(tmp_path, name):
    axes = ["abc".index(axis[-1]) for axis in ORDERS[name]]
    signs = np.array([-1 if "-" in axis else 1 for axis in ORDERS[name]])
    lengths, site = np.array([6.1, 7.3, 9.5]), np.array([0.11, 0.17, 0.07])
    for file, symmetry, order, sign in (
        ("named.cif", f"_symmetry_space_group_name_H-M '{name}'\n_space_group_IT_number 64", axes, signs),
        ("new.cif", "_symmetry_space_group_name_H-M 'C m c e'", [0, 1, 2], 1),
    ):
        cell = (*lengths[order], 90, 90, 90)
        (tmp_path / file).write_text(cif(cell, symmetry, ("La",), [site[order] * sign]))
    named, new = (read_structure(tmp_path / file) for file in ("named.cif", "new.cif"))
    turned = new.cell.fractional(new.positions)[:, axes] * signs
    assert is_same(named, crystal((*lengths[axes], 90, 90, 90), turned, new.symbols))
    assert named.notes == ()
