"""Jovium: the free energy of dense hydrogen, and the bonding of its electrons.

    structure -> analyse, screen, ELF          the electron localization function, phi, critical points, Tc
    structure -> ground_state, relax           the same, energies and the crystal at a pressure from first principles
    rs, T     -> free_energy                   F, E, S, P of protons and electrons trained together
    structure -> wave_function                 the electronic ground state at fixed protons
    target, data -> fit_flow                   a density with exact ln p and independent samples

Atomic units inside: hartree, bohr, lattice vectors in rows; temperatures in kelvin where a name says so. Every name
below is imported when it is first used."""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Structure": "base.structure",
    "Cell": "base.cell",
    "Estimate": "base.statistics",
    "JoviumError": "base.errors",
    "InputError": "base.errors",
    "crystal": "crystals",
    "read_structure": "formats.structures",
    "write_structure": "formats.structures",
    "analyse": "workflows.analyse",
    "AnalysisSettings": "workflows.analyse",
    "screen": "workflows.screening",
    "ELF": "calculator",
    "ground_state": "reference.engine",
    "relax": "reference.relaxation",
    "KohnShamSettings": "reference.kohn_sham",
    "hydrogen_network": "topology.network",
    "critical_points": "topology.critical_points",
    "open_run": "workflows.free_energy",
    "FreeEnergySettings": "free_energy.settings",
    "MeasurementSettings": "free_energy.settings",
    "FreeEnergySystem": "free_energy.systems",
    "wave_function": "electrons.run",
    "WaveFunction": "electrons.wave_function",
    "CoulombPotential": "coulomb.hydrogen",
    "kinetic_energy": "electrons.kinetic",
    "fit_flow": "protons.fit",
    "cite": "report.sources",
}
"""Public names and the modules they live in."""

__all__ = [*_HOMES, "free_energy"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'jovium' has no name '{name}'; it has {', '.join(sorted(__all__))}")
    value = globals()[name] = getattr(import_module(f"jovium.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


class _Jovium(ModuleType):
    """`jovium.free_energy` is the function, even when the package of that name has been imported."""

    @property
    def free_energy(self) -> Any:
        return import_module("jovium.workflows.free_energy").free_energy

    @free_energy.setter
    def free_energy(self, package: ModuleType) -> None:
        """What the import system does with a package; it stays in sys.modules."""


sys.modules[__name__].__class__ = _Jovium
