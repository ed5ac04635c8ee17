"""How far cutoff and k-mesh of a protocol leave the numbers of one structure uncertain."""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, replace

from jovium.base.structure import Structure
from jovium.base.units import PRESSURE_GPA
from jovium.reference.engine import open_engine
from jovium.reference.kohn_sham import KohnShamSettings
from jovium.topology.network import hydrogen_network
from jovium.workflows.density_of_states import computed_hydrogen_dos

HIGHER_CUTOFF, DENSER_MESH = 1.25, 4 / 3
"""Ratios of the finer protocols to the one that is tested."""


@dataclass(frozen=True)
class ProtocolRow:
    """The numbers of a structure at one protocol. name: "protocol", "cutoff" or "k-mesh", what was made finer."""

    name: str
    protocol: KohnShamSettings
    phi: float
    phi_star: float | None
    pressure_gpa: float
    hydrogen_dos: float | None


def finer_protocols(structure: Structure, protocol: KohnShamSettings) -> dict[str, KohnShamSettings]:
    """The protocol with a cutoff higher by a quarter, and with a mesh denser by a third along each axis."""
    a, b, c = (max(round(DENSER_MESH * n), n + 1) for n in protocol.mesh(structure.cell))
    return {
        "cutoff": replace(protocol, cutoff=HIGHER_CUTOFF * protocol.cutoff),
        "k-mesh": replace(protocol, k_mesh=(a, b, c), k_spacing=None),
    }


def protocol_row(
    name: str, structure: Structure, protocol: KohnShamSettings, shape: tuple[int, int, int], *, sure: bool = False
) -> ProtocolRow:
    """The numbers of a structure at a protocol, its ELF on a grid. Raises as `Engine.ground_state`."""
    with closing(open_engine(sure=sure)) as engine:
        state = engine.ground_state(structure, protocol)
    network = hydrogen_network(state.localization(shape).elf, structure.positions[structure.hydrogens])
    star, dos = network.phi_star, computed_hydrogen_dos(state)
    return ProtocolRow(
        name,
        state.protocol,
        network.phi_3d.value,
        None if star is None else star.value,
        state.pressure * PRESSURE_GPA,
        None if dos is None else dos.value,
    )


def protocol_error(phi: float, finer: Iterable[ProtocolRow]) -> float:
    """What the protocol leaves in phi: the root of the sum of the squares of its changes with finer ones."""
    return sum((row.phi - phi) ** 2 for row in finer) ** 0.5
