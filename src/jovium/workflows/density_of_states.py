"""From the Kohn-Sham levels of a crystal to its density of states, H_DOS, and whether it is a metal."""

import numpy as np

from jovium.base.units import HARTREE_EV
from jovium.reference.levels import Levels
from jovium.reference.state import GroundState
from jovium.superconductivity.dos import DensityOfStates, HydrogenDos

RANGE_EV, POINTS = (-15.0, 10.0), 501
"""Energies around the Fermi level."""

SMEARED = 5.0
"""Distance in kT over which a level is smeared, to 1 % of it."""

UNCERTAINTY = 0.08
"""Of H_DOS: root mean square difference from the values of three other projections of H3S, CaH6 and YH6, see
docs/decisions/hydrogen-share.md."""


def density_of_states(state: GroundState) -> DensityOfStates | None:
    """The density of states of a computed structure, smeared by the temperature of its electrons, up to where the bands
    that were computed hold all of it; None when the engine gives no levels."""
    levels = state.levels
    if levels is None:
        return None
    energies = np.linspace(*RANGE_EV, POINTS)
    end = levels.energies[:, -1].min() - SMEARED * levels.kT - levels.fermi_energy  # a higher band may begin there
    energies = energies[energies <= max(end * HARTREE_EV, 0.0)]
    places = levels.fermi_energy + energies / HARTREE_EV
    total = np.array([levels.density_of_states(place) for place in places]) / HARTREE_EV
    hydrogen = total if state.structure.is_pure_hydrogen else None
    if hydrogen is None and levels.occupied is not None:
        hydrogen = total * np.array([_share(state, levels.density_of_atoms(place)) for place in places])
    at_fermi = levels.density_of_states(levels.fermi_energy) / HARTREE_EV
    return DensityOfStates(energies, total, hydrogen, at_fermi, is_metal(levels))


def computed_hydrogen_dos(state: GroundState) -> HydrogenDos | None:
    """H_DOS of a compound from the projections of its levels on the shells of its atoms; None without them. Its
    uncertainty is at least half of the states in shells that are empty in the free atoms: they belong to no atom as
    clearly as the others."""
    levels = state.levels
    if levels is None or levels.occupied is None:
        return None
    total = levels.density_of_states(levels.fermi_energy)
    of_atoms = levels.density_of_atoms(levels.fermi_energy)
    captured = float(of_atoms.sum())
    return HydrogenDos(
        _share(state, of_atoms),
        "projected on the orbitals of the pseudo-atoms",
        levels.fermi_energy * HARTREE_EV,
        total / HARTREE_EV,
        max(UNCERTAINTY, float(of_atoms[1].sum()) / captured / 2),
        captured / total,
    )


def is_metal(levels: Levels) -> bool | None:
    """Whether bands cross the Fermi level; None when the mesh does not decide, because the gap over it is smaller than
    kT of the electrons."""
    gap = levels.band_gap
    if gap is None or gap <= 0:
        return True
    return None if gap < levels.kT else False


def _share(state: GroundState, of_atoms: np.ndarray) -> float:
    """The part of hydrogen in the states of all atoms; 0 where there are none."""
    total = of_atoms.sum()
    return float(of_atoms[:, state.structure.hydrogens].sum() / total) if total > 0 else 0.0
