"""The pressure of charges by the virial theorem."""

from jovium.base.statistics import Estimate


def virial_pressure(twice_kinetic_and_potential: Estimate, volume: float) -> Estimate:
    """P = (2 K + V) / (3 volume), hartree / bohr^3, of charges in a cell of that volume (bohr^3), from 2 K + V (Ha).
    Exact for an eigenstate of charges whose cell is scaled, and for a wave function that is stationary under scaling
    (Marc and McMillan, Adv. Chem. Phys. 58, 209 (1985)). Protons at rest have no kinetic energy."""
    sums = twice_kinetic_and_potential
    return Estimate(sums.value / (3 * volume), sums.error / (3 * volume), sums.n_independent)
