"""What a structure must be before anything is said about its electrons."""

from jovium.base.errors import StructureError
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM

SHORTEST_DISTANCE = 0.4
"""Two protons closer than this (bohr) are an error in the input: in the trajectories of `data/trajectories`,
up to 10000 K and 900 GPa, none come below 0.90."""


def require_hydrogen(structure: Structure) -> None:
    """Raise StructureError unless every atom is hydrogen and no two overlap."""
    if not structure.is_pure_hydrogen:
        others = sorted(set(structure.symbols) - {"H", "D", "T"})
        raise StructureError(
            f"a structure with {', '.join(others)}",
            "hydrogen only: neither the engines nor the network know another element",
            "give the ELF of a hydride as a field file (cube, ELFCAR, XSF) computed with your own code",
        )
    distance = structure.shortest_distance()
    if distance < SHORTEST_DISTANCE:
        raise StructureError(
            f"two atoms {distance * BOHR_ANGSTROM:.3f} angstrom apart",
            f"no distance below {SHORTEST_DISTANCE * BOHR_ANGSTROM:.2f} angstrom",
            "look for duplicated atoms, a wrong cell, or coordinates in the wrong unit",
        )
