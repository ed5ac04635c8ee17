"""The electronic ground state of a structure: what a Born-Oppenheimer engine returns."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from jovium.base.errors import EngineError
from jovium.base.grid import GridField
from jovium.base.localization import Localization, electron_localization
from jovium.base.structure import Structure
from jovium.base.units import HARTREE_EV, PRESSURE_GPA
from jovium.reference.kohn_sham import KohnShamSettings
from jovium.reference.levels import Levels


@dataclass(frozen=True)
class GroundState:
    """Energies, forces, stress and electron fields of one structure at one protocol, in atomic units.

    free_energy: Mermin free energy E - T S of the electrons in the field of fixed protons, proton repulsion included
        (hartree per cell); forces and stress are its derivatives.
    entropy_term: T S of the electrons (hartree per cell), so the internal energy is free_energy + entropy_term.
    forces: -dF/dR (n, 3), hartree/bohr, or None when not asked for.
    stress: (1/V) dF/d(strain), hartree/bohr^3, tension positive, or None; without the kinetic part of the protons.
    levels: the Kohn-Sham levels over the k-mesh, None when the engine does not say.
    density: n(r) of the self-consistent field, 1/bohr^3. windowed_density and windowed_kinetic_energy_density: n and
        tau (hartree/bohr^3) of the windowed orbitals (`window`), from which the ELF is made. None when not
        asked for."""

    structure: Structure
    protocol: KohnShamSettings
    engine: str
    free_energy: float
    entropy_term: float
    forces: Float[np.ndarray, "n 3"] | None = None
    stress: Float[np.ndarray, "3 3"] | None = None
    density: GridField | None = field(default=None, repr=False)
    windowed_density: GridField | None = field(default=None, repr=False)
    windowed_kinetic_energy_density: GridField | None = field(default=None, repr=False)
    scf_iterations: int = 0
    top_occupation: float = 0.0
    levels: Levels | None = field(default=None, repr=False)
    seconds: float = 0.0

    @property
    def energy(self) -> float:
        """Internal energy E = F + T S (hartree per cell)."""
        return self.free_energy + self.entropy_term

    @property
    def pressure(self) -> float:
        """Static pressure -tr(stress)/3 (hartree/bohr^3), without the ideal-gas part of the protons."""
        if self.stress is None:
            raise EngineError("a state without stress", "a calculation with stress", "ask an engine that computes it")
        return float(-np.trace(self.stress) / 3)

    @property
    def band_gap(self) -> float | None:
        """Lowest empty minus highest filled level over the k-mesh (hartree), negative for a metal; None when the number
        of electrons is odd or the engine does not say."""
        return None if self.levels is None else self.levels.band_gap

    def localization(self, shape: tuple[int, int, int] | None = None) -> Localization:
        """ELF on the engine's own grid, or on any other grid of the cell. n and tau are band-limited (products of plane
        waves), so going to a finer grid is exact; the ELF, which is not band-limited, is formed afterwards. A grid
        coarser than the engine's takes every m-th point of a finer one."""
        density, tau = self.windowed_density, self.windowed_kinetic_energy_density
        if density is None or tau is None:
            got, do = f"a state from {self.engine} without electron density", "use an engine that gives them"
            raise EngineError(got, "density and kinetic-energy density on a grid", f"{do} (espresso or pyscf)")
        shape = density.shape if shape is None else shape
        every = [-(-own // asked) for own, asked in zip(density.shape, shape, strict=True)]
        fine = (shape[0] * every[0], shape[1] * every[1], shape[2] * every[2])
        localization = electron_localization(density.resample(fine), tau.resample(fine), self.protocol.density_floor)
        if max(every) == 1:
            return localization
        coarse = localization.elf.values[:: every[0], :: every[1], :: every[2]]
        # The ELF is 1 where D < 0 was set to 0, and 0 below the density floor: counts of the points that are left.
        n_negative, n_vacuum = (int(np.count_nonzero(coarse == value)) for value in (1, 0))
        return Localization(GridField(coarse, density.cell), n_negative, n_vacuum)

    def record(self) -> dict[str, object]:
        """Protocol, engine and how the calculation went, as plain values for files."""
        return {
            "engine": self.engine,
            **self.protocol.to_dict(self.structure),
            "pressure_gpa": None if self.stress is None else self.pressure * PRESSURE_GPA,
            "scf_iterations": self.scf_iterations,
            "highest_band_occupation": self.top_occupation,
            "band_gap_ev": None if self.band_gap is None else self.band_gap * HARTREE_EV,
            "elf_definition": "1/(1+(D/D0)^2), spin-restricted, Savin form of Becke-Edgecombe",
        }
