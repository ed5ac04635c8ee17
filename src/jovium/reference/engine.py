"""One interface for all Born-Oppenheimer engines, and where to get one."""

from contextlib import closing
from typing import Protocol as Interface
from typing import runtime_checkable

from jovium.base.errors import InputError
from jovium.base.structure import Structure
from jovium.reference.compounds import protocol_for
from jovium.reference.kohn_sham import KohnShamSettings
from jovium.reference.state import GroundState


@runtime_checkable
class Engine(Interface):
    """Structure in, electronic ground state out."""

    def ground_state(
        self, structure: Structure, protocol: KohnShamSettings, *, fields: bool = True, stress: bool = True
    ) -> GroundState:
        """Ground state of `structure` at `protocol`; `fields` asks for density and kinetic-energy density. Raises
        EngineMissing, NotConverged or EngineError, never returns an untrustworthy number; raises StructureError for
        overlapping atoms or a species the engine has no pseudopotential for."""
        ...

    def close(self) -> None:
        """Release processes and scratch files."""
        ...


def open_engine(name: str = "espresso", *, sure: bool = False, forces: bool = False) -> Engine:
    """The engine of that name: "espresso" (plane waves, the default) or "pyscf" (Gaussians, the cross-check). sure:
    take large cells and those with much empty space as well. Raises InputError for another name, and for one without
    forces and stress where these are asked for; EngineMissing."""
    if name == "espresso":
        from jovium.reference.espresso import Espresso

        return Espresso(sure=sure)
    if name == "pyscf" and forces:
        raise InputError("forces and stress from pyscf", "an engine that has them", "take espresso")
    if name == "pyscf":
        from jovium.reference.gaussian import Gaussian

        return Gaussian(sure=sure)
    raise InputError(f"engine {name!r}", "espresso or pyscf", "choose one of them")


def ground_state(
    structure: Structure,
    settings: KohnShamSettings | None = None,
    engine: str = "espresso",
    *,
    sure: bool = False,
    **parts: bool,
) -> GroundState:
    """Density functional theory of one structure, by an engine that is opened and closed for it: energies, forces,
    stress, density, and the ELF by `.localization(shape)`.

        state = ground_state(crystal("cs-iv", rs=1.30))
        state.localization((32, 32, 32)).elf

    settings: None for those of `protocol_for`: the production ones, adapted to the elements of a compound; others are
    taken as they are. sure: also of a compound with more than 150 valence electrons or much empty space. parts:
    `fields`, `stress`, as in `Engine.ground_state`. Raises what that raises."""
    with closing(open_engine(engine, sure=sure)) as opened:
        return opened.ground_state(structure, settings or protocol_for(structure), **parts)
