"""Any ASE calculator as an engine: energy, forces and stress, no electron fields."""

import time
from typing import Any

import numpy as np

from jovium.base.errors import EngineError
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM, HARTREE_EV
from jovium.reference.kohn_sham import KohnShamSettings
from jovium.reference.state import GroundState


class AseEngine:
    """An engine that asks an ASE calculator. The protocol is recorded, but its settings are the calculator's own.

    Species are the calculator's business. Raises EngineError when it fails or returns a number that is not finite.
    """

    def __init__(self, calculator: Any):
        self.calculator = calculator
        self.name = f"ASE {type(calculator).__name__}"

    def close(self) -> None:
        """Nothing to release."""

    def ground_state(
        self, structure: Structure, protocol: KohnShamSettings, *, fields: bool = True, stress: bool = True
    ) -> GroundState:
        """See `Engine.ground_state`; `fields` is ignored. Energies are both the calculator's potential energy."""
        started = time.perf_counter()
        atoms = structure.to_ase()
        atoms.calc = self.calculator
        try:
            energy = atoms.get_potential_energy() / HARTREE_EV
            forces = atoms.get_forces() * BOHR_ANGSTROM / HARTREE_EV
            stress_tensor = atoms.get_stress(voigt=False) * BOHR_ANGSTROM**3 / HARTREE_EV if stress else None
        except Exception as error:  # a calculator may raise anything
            raise EngineError(
                f"{self.name} failed: {error}",
                "a finished calculation with energy, forces" + (" and stress" if stress else ""),
                "check the calculator on this structure, or ask without stress",
            ) from error
        if not (np.isfinite(energy) and np.isfinite(forces).all()):
            raise EngineError(
                f"{self.name} returned energy {energy} hartree and forces that are not all finite",
                "finite numbers",
                "check the calculator on this structure",
            )
        return GroundState(
            structure,
            protocol,
            self.name,
            float(energy),
            0.0,
            forces,
            stress_tensor,
            seconds=time.perf_counter() - started,
        )
