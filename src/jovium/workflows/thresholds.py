"""phi and phi* of an ELF on the grid of a label."""

from jaxtyping import Float
from numpy import ndarray

from jovium.base.grid import GridField
from jovium.topology.network import hydrogen_network

PHI_SPACING = 0.15
"""Grid (bohr) to which an ELF is splined before its thresholds are taken."""


def spline_to_threshold_grid(elf: GridField) -> GridField:
    """An ELF splined to the grid on which its thresholds are taken."""
    return elf.spline(elf.cell.grid_shape(PHI_SPACING))


def thresholds(elf: GridField, positions: Float[ndarray, "n 3"]) -> tuple[float, float]:
    """Networking value phi and molecularity index phi* of the ELF of a label with protons at `positions` (bohr)."""
    return phi_and_phi_star(spline_to_threshold_grid(elf), positions)


def phi_and_phi_star(elf: GridField, positions: Float[ndarray, "n 3"]) -> tuple[float, float]:
    """The same of an ELF on its own grid."""
    network = hydrogen_network(elf, positions)
    assert network.phi_star is not None
    return network.phi_3d.value, network.phi_star.value
