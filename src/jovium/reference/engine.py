"""One interface for all Born-Oppenheimer engines, and the checks every structure passes before it reaches one."""

from typing import Protocol as Interface

from jovium.base.errors import InputError, StructureError
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM
from jovium.reference.protocol import Protocol
from jovium.reference.state import GroundState

SHORTEST_DISTANCE = 0.4
"""Two protons closer than this (bohr) are an error in the input: at 10000 K and rs 1.15 none come below 0.7."""


class Engine(Interface):
    """Structure in, electronic ground state out."""

    def ground_state(
        self, structure: Structure, protocol: Protocol, *, fields: bool = True, stress: bool = True
    ) -> GroundState:
        """Ground state of `structure` at `protocol`; `fields` asks for density and kinetic-energy density.

        Raises EngineMissing, NotConverged or EngineError, never returns an untrustworthy number; raises
        StructureError for overlapping atoms or a species the engine has no pseudopotential for.
        """
        ...

    def close(self) -> None:
        """Release processes and scratch files."""
        ...


ENGINES = ("espresso", "pyscf")


def open_engine(name: str = "espresso") -> Engine:
    """The engine of that name: "espresso" (plane waves, the default) or "pyscf" (Gaussians, the cross-check)."""
    if name == "espresso":
        from jovium.reference.espresso import Espresso

        return Espresso()
    if name == "pyscf":
        from jovium.reference.gaussian import Gaussian

        return Gaussian()
    raise InputError(f"engine {name!r}", " or ".join(ENGINES), "choose one of them")


def require_hydrogen(structure: Structure) -> None:
    """Raise StructureError unless every atom is hydrogen and no two overlap."""
    if not structure.is_pure_hydrogen:
        others = sorted(set(structure.symbols) - {"H", "D", "T"})
        raise StructureError(
            f"a structure with {', '.join(others)}",
            "hydrogen only: the first-principles engines here carry a hydrogen pseudopotential and no other",
            "give the ELF of a hydride as a field file (cube, ELFCAR, XSF) computed with your own code",
        )
    distance = structure.shortest_distance()
    if distance < SHORTEST_DISTANCE:
        raise StructureError(
            f"two atoms {distance * BOHR_ANGSTROM:.3f} angstrom apart",
            f"no distance below {SHORTEST_DISTANCE * BOHR_ANGSTROM:.2f} angstrom",
            "look for duplicated atoms, a wrong cell, or coordinates in the wrong unit",
        )
