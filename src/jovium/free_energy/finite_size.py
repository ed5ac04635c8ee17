"""How far a cell of N atoms may be from hydrogen: the leading terms of its size, as a warning and not a correction."""

from typing import Any

import numpy as np

from jovium.free_energy.systems import FreeEnergySystem

FERMI_GAS_ENERGY = 0.3 * (9 * np.pi / 4) ** (2 / 3)
"""Kinetic energy of the unpolarised ideal Fermi gas per electron, times rs^2 (hartree bohr^2)."""


def size_error(system: FreeEnergySystem) -> tuple[float, float]:
    """How large the errors of E (hartree per atom) and P (hartree / bohr^3) of a cell of this size may be.

    The potential energy lacks omega_p / 4 N, omega_p^2 = 3 / rs^3 (Chiesa, Ceperley, Martin and Holzmann, Phys. Rev.
    Lett. 97, 076404 (2006), first term); the kinetic energy is off by what the ideal Fermi gas is on the same twists.
    Their absolute values are added. P follows by their powers of rs: (E / V) / 2 and (2 / 3) E / V."""
    rs, n = system.settings.rs, system.settings.n_atoms
    potential = np.sqrt(3 / rs**3) / (4 * n)
    kinetic = abs(ideal_kinetic_energy(system) - FERMI_GAS_ENERGY / rs**2)
    volume = system.cell.volume / n
    return float(potential + kinetic), float((potential / 2 + 2 * kinetic / 3) / volume)


def ideal_kinetic_energy(system: FreeEnergySystem) -> float:
    """Kinetic energy (hartree per electron) of free electrons in the cell, pairs in the lowest waves of each twist,
    averaged over the twists."""
    n_pairs = system.settings.n_atoms // 2
    radius = 2 * (3 * n_pairs * (2 * np.pi) ** 3 / (4 * np.pi * system.cell.volume)) ** (1 / 3)
    waves = system.cell.waves(radius + 3 * np.linalg.norm(system.cell.reciprocal, axis=1).max())
    waves = np.concatenate([np.zeros((1, 3)), waves, -waves])
    twists = np.asarray(system.twists(system.n_twists), float)
    energies = np.sort(0.5 * np.sum((waves[:, None] + twists) ** 2, axis=-1), axis=0)
    return float(energies[:n_pairs].sum(axis=0).mean() / n_pairs)


def is_test_case(record: dict[str, Any]) -> bool:
    """Whether the size of the cell of a measurement (its record) moves P by more than P itself."""
    return record["size_error_GPa"] >= abs(record["P_GPa"]["value"])


def size_notes(record: dict[str, Any]) -> list[str]:
    """What the size of the cell means for a measurement (its record), in sentences."""
    energy, pressure, n = record["size_error_Ha_per_atom"], record["size_error_GPa"], record["n_atoms"]
    note = (
        f"note: these are numbers of a cell of {n} atoms; its size alone moves E and F by up to about "
        f"{1000 * energy:.0f} mHa per atom and P by {pressure:.0f} GPa"
    )
    if is_test_case(record):
        note += ", more than P itself: a test of the method, not a state of matter"
    return [note]
