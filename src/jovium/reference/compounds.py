"""The protocol of a compound: a protocol of hydrogen, adapted so that every element is as converged as hydrogen is."""

from dataclasses import replace
from functools import cache

import numpy as np

from jovium.base.structure import Structure
from jovium.reference.kohn_sham import PRODUCTION, KohnShamSettings
from jovium.reference.pseudo_atom import BINDING, pseudo_atom
from jovium.reference.pseudopotential import Pseudopotential, pseudopotential, pseudopotentials
from jovium.reference.symmetry import idealised, mesh_images, space_group_operations

DENSER = 0.5
"""Ratio of the k-spacing to that of hydrogen. phi would not need it; the density of states at the Fermi level does, and
symmetry makes up for it."""

LARGEST_WAVE, WAVES = 45.0, 9000
"""Grid (1/bohr, points) on which the kinetic energy of a pseudo-atom is summed: to 1000 hartree."""


def protocol_for(structure: Structure, protocol: KohnShamSettings = PRODUCTION) -> KohnShamSettings:
    """The protocol of a structure: itself for pure hydrogen. For a compound the cutoff grows to that of the hardest
    element, see `element_cutoff`; the k-spacing is halved, where one is given; and a mesh that a shift would take the
    symmetry of the crystal from is centred on Gamma. Raises as `pseudopotential`."""
    if structure.is_pure_hydrogen:
        return protocol
    potentials = pseudopotentials(structure, protocol.functional)
    cutoffs = [element_cutoff(p, protocol) for element, p in potentials.items() if element != "H"]
    spacing = None if protocol.k_spacing is None else DENSER * protocol.k_spacing
    adapted = replace(protocol, cutoff=max(protocol.cutoff, *cutoffs), k_spacing=spacing)
    on_mesh, _ = mesh_images(
        space_group_operations(idealised(structure))[0], adapted.mesh(structure.cell), adapted.k_offset
    )
    return adapted if on_mesh.all() else replace(adapted, k_offset=0.0)


@cache
def element_cutoff(potential: Pseudopotential, protocol: KohnShamSettings) -> float:
    """Cutoff (hartree, whole ones) above which the orbitals of a free atom have no more kinetic energy than that of
    hydrogen has above the cutoff of `protocol`: what is cut off changes with the cell, and with it the pressure
    (Francis and Payne, J. Phys.: Condens. Matter 2, 4395 (1990))."""
    waves = np.linspace(0, LARGEST_WAVE, WAVES)
    of_hydrogen = _kinetic_energy_beyond(pseudopotential("H", protocol.functional), waves)
    allowed = np.interp(protocol.cutoff, waves**2 / 2, of_hydrogen)
    enough = np.interp(-allowed, -_kinetic_energy_beyond(potential, waves), waves**2 / 2)
    return float(np.ceil(round(enough, 6)))


def _kinetic_energy_beyond(potential: Pseudopotential, waves: np.ndarray) -> np.ndarray:
    """Kinetic energy (hartree) of the free atom in the waves above each one, sum f int k^4/2 R(k)^2 dk / (2 pi)^3; an
    empty shell that is bound, which bonds may fill, counts as one electron."""
    energy = np.zeros_like(waves)
    for shell in pseudo_atom(potential):
        electrons = max(shell.occupation, 1.0 if shell.energy < -BINDING else 0.0)
        energy += electrons * waves**4 / 2 * shell.transform(waves) ** 2 / (2 * np.pi) ** 3
    return np.cumsum(energy[::-1])[::-1] * waves[1]
