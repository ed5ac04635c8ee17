"""The electron localization function: one definition, used by every engine, reader and model.

    n   = sum f |psi|^2                     electron density (1/bohr^3)
    tau = 1/2 sum f |grad psi|^2            positive kinetic-energy density (hartree/bohr^3)
    D   = tau - |grad n|^2 / (8 n)          excess over the von Weizsaecker (bosonic) density, D >= 0
    D0  = 3/10 (3 pi^2)^(2/3) n^(5/3)       the same excess of the uniform gas at density n
    chi = D / D0,   ELF = 1 / (1 + chi^2)

Sources: Becke and Edgecombe, J. Chem. Phys. 92, 5397 (1990), eqs. 7-9; Savin et al., Angew. Chem. Int. Ed. 31, 187
(1992) for the total-density (spin-restricted) form.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from jovium.base.grid import GridField, same_grid

Values = Float[np.ndarray, "*shape"]

THOMAS_FERMI = 0.3 * (3 * np.pi**2) ** (2 / 3)
"""Coefficient of n^(5/3) in the kinetic-energy density of the unpolarised uniform electron gas (hartree bohr^2)."""

DENSITY_FLOOR = 1e-6
"""Density (1/bohr^3) below which a point is vacuum: its ELF is defined as 0 (D/D0 is 0/0 there)."""

QE_PREFACTOR = 2 ** (2 / 3)
"""Quantum ESPRESSO 7.0 to 7.5 writes chi / QE_PREFACTOR in place of chi for unpolarised systems."""


def elf_from_chi(chi: Values) -> Values:
    """ELF = 1 / (1 + chi^2), in [0, 1], of the localization ratio chi = D / D0."""
    return 1.0 / (1.0 + np.square(chi))


def chi_from_elf(elf: Values) -> Values:
    """Localization ratio chi = sqrt(1/ELF - 1) >= 0; an ELF of 0 gives infinity."""
    with np.errstate(divide="ignore"):
        return np.sqrt(np.maximum(1.0 / np.asarray(elf, dtype=float) - 1.0, 0.0))


def corrected_qe_elf(elf: Values) -> Values:
    """The true ELF of values that Quantum ESPRESSO 7.0 to 7.5 wrote for an unpolarised system.

    Its chi lacks a factor 2^(2/3), so ELF = 1 / (1 + 2^(4/3) (1/ELF_QE - 1)).
    """
    return elf_from_chi(QE_PREFACTOR * chi_from_elf(elf))


@dataclass(frozen=True)
class Localization:
    """ELF on a grid and how it came out.

    elf: the field. n_negative: grid points where D < 0 (numerical noise) was set to 0. n_vacuum: points below the
    density floor, where ELF is defined as 0.
    """

    elf: GridField
    n_negative: int
    n_vacuum: int


def electron_localization(
    density: GridField, kinetic_energy_density: GridField, density_floor: float = DENSITY_FLOOR
) -> Localization:
    """ELF of an electron density n (1/bohr^3) and positive kinetic-energy density tau (hartree/bohr^3).

    grad n is taken spectrally from the same n. Raises InputError when the two live on different grids.
    """
    same_grid(density, kinetic_energy_density)
    n = density.values
    occupied = n > density_floor
    safe = np.where(occupied, n, 1.0)
    weizsaecker = np.sum(density.gradient() ** 2, axis=0) / (8 * safe)
    excess = kinetic_energy_density.values - weizsaecker
    chi = np.maximum(excess, 0.0) / (THOMAS_FERMI * safe ** (5 / 3))
    elf = np.where(occupied, elf_from_chi(chi), 0.0)
    return Localization(
        GridField(elf, density.cell), int(np.count_nonzero(occupied & (excess < 0))), int(np.count_nonzero(~occupied))
    )
