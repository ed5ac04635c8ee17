"""Kohn-Sham levels of a crystal and their density of states, total and of its atoms."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from jovium.base.errors import EngineError


@dataclass(frozen=True)
class Levels:
    """Levels over the mesh of k-points, atomic units; every level holds two electrons.

    energies: of the bands at the k-points; weights: of the points, their sum is 1; n_electrons in the cell; kT: of the
    Fermi-Dirac occupations; fermi_energy: their chemical potential. occupied, empty: share of each level in the shells
    of the atoms, those that hold electrons in the free atom and the next ones, see `atom_shares`; None when not asked
    for."""

    energies: Float[np.ndarray, "k b"]
    weights: Float[np.ndarray, "k"]
    n_electrons: int
    kT: float
    fermi_energy: float
    occupied: Float[np.ndarray, "k b n"] | None = None
    empty: Float[np.ndarray, "k b n"] | None = None

    def broadened(self, energy: float) -> Float[np.ndarray, "k b"]:
        """-df/dE of every level at an energy, times the weight of its k-point: each level is smeared by the temperature
        of the occupations (states per hartree and spin)."""
        x = (energy - self.energies) / self.kT
        return self.weights[:, None] / (4 * self.kT * np.cosh(np.clip(x / 2, -300, 300)) ** 2)

    def density_of_states(self, energy: float) -> float:
        """N(E) = 2 sum_k w_k sum_b -df/dE, states per hartree and cell, both spins."""
        return float(2 * self.broadened(energy).sum())

    def density_of_atoms(self, energy: float) -> Float[np.ndarray, "2 n"]:
        """The part of N(E) in the occupied and in the empty shells of each atom. Raises EngineError without shares."""
        if self.occupied is None or self.empty is None:
            raise EngineError("levels without projections", "shares of the atoms", "compute the fields of a compound")
        weights = 2 * self.broadened(energy)
        return np.stack([np.tensordot(weights, part, 2) for part in (self.occupied, self.empty)])

    @property
    def band_gap(self) -> float | None:
        """Lowest empty minus highest filled level over the mesh (hartree), negative for a metal; None for odd
        electrons."""
        if self.n_electrons % 2:
            return None
        filled = self.n_electrons // 2
        return float(self.energies[:, filled].min() - self.energies[:, filled - 1].max())

    @property
    def half_filled_band_width(self) -> float | None:
        """Width (hartree) of the band that an odd electron half fills where it overlaps with no other, else None."""
        filled = self.n_electrons // 2
        if self.n_electrons % 2 == 0 or self.energies.shape[1] < filled + 2:
            return None
        below = self.energies[:, filled - 1].max() if filled else -np.inf
        band, above = self.energies[:, filled], self.energies[:, filled + 1].min()
        return float(np.ptp(band)) if below < band.min() and band.max() < above else None
