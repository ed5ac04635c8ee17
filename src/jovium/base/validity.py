"""What a structure must be before anything is said about its electrons, wherever it came from."""

from dataclasses import replace

import numpy as np

from jovium.base.errors import StructureError
from jovium.base.structure import ISOTOPE_MASSES, Structure
from jovium.base.units import BOHR_ANGSTROM

COINCIDENT = 0.05
"""Atoms closer than this (bohr) are at one place: files print as few as three digits of a fractional coordinate."""

SHORTEST_DISTANCE = 0.4
"""Two nuclei closer than this (bohr) are an error in the input: of protons in the trajectories of `data/trajectories`,
up to 10000 K and 900 GPa, none come below 0.90."""

CONTACTS = (0.65, 1.5)
"""Shortest distance over the sum of the covalent radii: 0.8 to 1.3 in hydrides from 0 to 300 GPa. Lengths in bohr
taken for angstrom give 1.5 or more, the opposite gives 0.6 or less."""

WIDEST_HYDROGEN = 3.65
"""Distance of two H (bohr) up to which nothing is wrong: atomic hydrogen, here up to rs 2, has no covalent bonds."""

WIDEST_BOND, DENSEST_MOLECULES = 2.6, 2.1
"""The same distance where the Wigner-Seitz radius (bohr) of pure hydrogen is above the second number: less dense than
any of atoms, it is of molecules, and the bond of one breaks at about 2.6."""

SMALLEST_RADIUS = 0.9
"""Wigner-Seitz radius (bohr) of hydrogen at some 5 TPa. There is no largest one: molecules stand in empty boxes."""

FARTHEST_CENTRE = 1.0
"""How far outside the cell, in lattice vectors, the mean of all atoms may be. Single atoms of a trajectory may be
anywhere; their displacements add up to little."""


def merged(structure: Structure) -> Structure:
    """The structure with every atom once: atoms of one element at one place, or at images of it, become one.

    Its notes say how many were left out. Raises StructureError for two elements at one place.
    """
    names = ["H" if symbol in ISOTOPE_MASSES else symbol for symbol in structure.symbols]
    left_out = set()
    for i, others in enumerate(structure.within(COINCIDENT)):
        for j in sorted(others):
            if names[i] != names[j]:
                raise StructureError(
                    f"{names[i]} and {names[j]} at one place (atoms {i} and {j}, counted from 0)",
                    "one atom at a place",
                    "correct the positions; of a disordered crystal choose one ordered configuration",
                )
            if i not in left_out and j > i:
                left_out.add(j)
    if not left_out:
        return structure
    kept = [i for i in range(structure.n_atoms) if i not in left_out]
    images = f"{len(left_out)} of {structure.n_atoms} atoms coincide with others or their periodic images: left out"
    symbols = tuple(structure.symbols[i] for i in kept)
    return replace(structure, positions=structure.positions[kept], symbols=symbols).noted(images)


def require_apart(structure: Structure) -> None:
    """Raise StructureError when two nuclei are closer than any two can be."""
    distance = structure.shortest_distance()
    if distance < SHORTEST_DISTANCE:
        raise StructureError(
            f"two atoms {distance * BOHR_ANGSTROM:.3f} angstrom apart",
            f"no distance below {SHORTEST_DISTANCE * BOHR_ANGSTROM:.2f} angstrom",
            "look for duplicated atoms, a wrong cell, or coordinates in the wrong unit",
        )


def plausibility(structure: Structure) -> tuple[str, ...]:
    """What a user should know of a structure before its numbers: its notes, and why it may not be what was meant.

    Raises StructureError when two nuclei are closer than any two can be.
    """
    require_apart(structure)
    doubts = [*_doubts_about_distances(structure)]
    if structure.rs < SMALLEST_RADIUS:
        volume = structure.cell.volume / structure.n_atoms * BOHR_ANGSTROM**3
        doubts.append(f"{volume:.3g} cubic angstrom per atom: is the cell in the right unit?")
    outside = np.abs(structure.cell.fractional(structure.positions).mean(axis=0) - 0.5).max() - 0.5
    if outside > FARTHEST_CENTRE:
        doubts.append(f"atoms around {outside:.1f} cells outside the cell: are their coordinates in the right unit?")
    return (*structure.notes, *doubts)


def _doubts_about_distances(structure: Structure) -> list[str]:
    from ase.data import covalent_radii

    atoms = structure.to_ase()
    distances, others = structure.neighbours(12)
    radii = covalent_radii[atoms.numbers] / BOHR_ANGSTROM
    bonds = radii[:, None] + radii[others]
    ratios = distances / bonds
    both_hydrogen = (atoms.numbers[:, None] == 1) & (atoms.numbers[others] == 1)
    of_molecules = structure.is_pure_hydrogen and structure.rs > DENSEST_MOLECULES
    widest = np.where(both_hydrogen, WIDEST_BOND if of_molecules else WIDEST_HYDROGEN, CONTACTS[1] * bonds)
    doubts = []
    if ratios.min() < CONTACTS[0]:
        i, j = np.unravel_index(ratios.argmin(), ratios.shape)
        pair = f"{structure.symbols[i]} and {structure.symbols[others[i, j]]}"
        apart = f"{distances[i, j] * BOHR_ANGSTROM:.2f} angstrom"
        doubts.append(f"{pair} only {apart} apart: are lengths in the right unit?")
    if (distances > widest).all():
        apart = f"{distances.min() * BOHR_ANGSTROM:.2f} angstrom"
        doubts.append(f"no two atoms closer than {apart}, too far for a bond: are lengths in the right unit?")
    return doubts


def require_hydrogen(structure: Structure) -> None:
    """Raise StructureError unless every atom is hydrogen and no two overlap."""
    if not structure.is_pure_hydrogen:
        others = sorted(set(structure.symbols) - {"H", "D", "T"})
        raise StructureError(
            f"a structure with {', '.join(others)}",
            "hydrogen only: the network knows no other element",
            "compute it from first principles (--engine dft), or give its ELF as a field file (cube, ELFCAR, XSF)",
        )
    require_apart(structure)
