"""One interface for all Born-Oppenheimer engines, and where to get one."""

from typing import Protocol as Interface
from typing import runtime_checkable

from jovium.base.errors import InputError
from jovium.base.structure import Structure
from jovium.reference.kohn_sham import KohnShamSettings
from jovium.reference.state import GroundState


@runtime_checkable
class Engine(Interface):
    """Structure in, electronic ground state out."""

    def ground_state(
        self, structure: Structure, protocol: KohnShamSettings, *, fields: bool = True, stress: bool = True
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
