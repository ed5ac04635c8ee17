"""Structure files as people write them: the text of every variant, and what it has to be read as."""

import numpy as np
from ase.geometry import cellpar_to_cell

from jovium.base.cell import Cell
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM

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
