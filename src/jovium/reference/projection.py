"""The share of a Kohn-Sham state in the orbitals of each atom.

The orbitals are those of the pseudo-atoms, in plane waves: with q = k + G,

    phi(q) = (-i)^l Y_lm(q) R_l(q) exp(-i q . R) / sqrt V,     R_l(q) = 4 pi int r^2 j_l(q r) R_l(r) dr.

Orbitals of neighbours overlap. The shells that hold electrons in the free atom come first and are made orthogonal to
one another symmetrically (Loewdin, J. Chem. Phys. 18, 365 (1950)); the empty shells, wider and less of one atom, are
made orthogonal to these, then to one another: the two steps of natural population analysis (Reed, Weinstock and
Weinhold, J. Chem. Phys. 83, 735 (1985)), whose shares hardly depend on how many empty shells are added.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Complex, Float
from scipy.special import sph_harm_y

from jovium.reference.pseudo_atom import AtomicOrbital

Waves = Complex[np.ndarray, "o g"]
SMALLEST_OVERLAP = 1e-8
"""Combinations of orbitals with a smaller norm are sums of the others."""


def atom_shares(
    states: Complex[np.ndarray, "b g"],
    waves: Float[np.ndarray, "g 3"],
    positions: Float[np.ndarray, "n 3"],
    occupied: Sequence[Sequence[AtomicOrbital]],
    empty: Sequence[Sequence[AtomicOrbital]],
) -> tuple[Float[np.ndarray, "b n"], Float[np.ndarray, "b n"]]:
    """Share of normalised states, given by their plane-wave coefficients, in the occupied and in the empty shells of
    each atom. waves: k + G (1/bohr). occupied, empty: the shells of each atom. The shares of a state sum to 1 when the
    orbitals hold all of it."""
    first, owners = orbital_waves(waves, positions, occupied)
    first = orthonormal(first)
    second, others = orbital_waves(waves, positions, empty)
    second = orthonormal(second - (second @ first.conj().T) @ first)

    def of_atoms(orbitals: Waves, atoms: list[int]) -> Float[np.ndarray, "b n"]:
        shares = np.zeros((len(states), len(positions)))
        np.add.at(shares.T, np.array(atoms, dtype=int), np.abs(orbitals.conj() @ states.T) ** 2)
        return shares

    return of_atoms(first, owners), of_atoms(second, others)


def orbital_waves(
    waves: Float[np.ndarray, "g 3"],
    positions: Float[np.ndarray, "n 3"],
    shells: Sequence[Sequence[AtomicOrbital]],
) -> tuple[Waves, list[int]]:
    """The orbitals of all atoms in plane waves, and the atom of each. Shells are normalised in the mean over m: one by
    one, the shares would depend on the axes. The atoms of an element share their shells."""
    length = np.linalg.norm(waves, axis=1)
    polar = np.arccos(np.divide(waves[:, 2], length, out=np.ones_like(length), where=length > 1e-12))
    azimuth = np.arctan2(waves[:, 1], waves[:, 0])
    centred: dict[int, Waves] = {}
    orbitals, owners = [], []
    for atom, own in enumerate(shells):
        phase = np.exp(-1j * waves @ positions[atom])
        for shell in own:
            if id(shell) not in centred:
                radial = (-1j) ** shell.l * shell.transform(length)
                own_waves = [radial * sph_harm_y(shell.l, m, polar, azimuth) for m in range(-shell.l, shell.l + 1)]
                centred[id(shell)] = own_waves / (np.linalg.norm(own_waves) / np.sqrt(len(own_waves)))
            orbitals += [phase * orbital for orbital in centred[id(shell)]]
            owners += [atom] * (2 * shell.l + 1)
    return np.array(orbitals, dtype=complex).reshape(-1, len(waves)), owners


def orthonormal(orbitals: Waves) -> Waves:
    """S^(-1/2) phi: the orthonormal set nearest to the orbitals."""
    if not len(orbitals):
        return orbitals
    overlaps, combinations = np.linalg.eigh(orbitals.conj() @ orbitals.T)
    scale = np.where(overlaps > SMALLEST_OVERLAP, 1 / np.sqrt(np.maximum(overlaps, SMALLEST_OVERLAP)), 0.0)
    return ((combinations * scale) @ combinations.conj().T).T @ orbitals
