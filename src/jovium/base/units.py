"""Physical constants and unit conversions: the only place where they are written.

Inside Jovium everything is in Hartree atomic units: energies in hartree, lengths in bohr, temperatures as
k_B T in hartree, masses in electron masses. A name with a unit suffix (`pressure_gpa`) is the exception.

Source: CODATA 2022 recommended values (Mohr, Newell, Taylor and Tiesinga, https://physics.nist.gov/constants).
"""

HARTREE_EV = 27.211386245981
"""Hartree energy in electronvolt."""

RYDBERG_HARTREE = 0.5
"""Rydberg energy in hartree, exact."""

BOHR_ANGSTROM = 0.529177210544
"""Bohr radius in angstrom."""

KELVIN_HARTREE = 3.1668115634564e-6
"""Boltzmann constant in hartree per kelvin."""

PRESSURE_GPA = 29421.015756
"""Atomic unit of pressure, hartree / bohr^3, in gigapascal."""

TIME_FEMTOSECOND = 0.024188843265864
"""Atomic unit of time, hbar / hartree, in femtosecond."""

PROTON_MASS = 1836.152673426
"""Proton mass in electron masses."""

DEUTERON_MASS = 3670.482967655
"""Deuteron mass in electron masses."""

ELECTRON_MASS_GRAM = 9.1093837139e-28
"""Electron mass in gram."""

HYDROGEN_DENSITY = (PROTON_MASS + 1.0) * ELECTRON_MASS_GRAM / (BOHR_ANGSTROM * 1e-8) ** 3
"""Mass density of one hydrogen atom per cubic bohr, in g/cm^3."""


def kelvin_to_hartree(kelvin: float) -> float:
    """Thermal energy k_B T (hartree) of a temperature in kelvin."""
    return kelvin * KELVIN_HARTREE


def hartree_to_kelvin(energy: float) -> float:
    """Temperature (kelvin) of a thermal energy k_B T in hartree."""
    return energy / KELVIN_HARTREE
