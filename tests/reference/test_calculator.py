"""Any ASE calculator behind the engine interface."""

import numpy as np
import pytest
from ase.calculators.lj import LennardJones

from jovium.base.cell import Cell
from jovium.base.errors import EngineError
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM, HARTREE_EV
from jovium.reference.calculator import AseEngine
from jovium.reference.kohn_sham import CHEAP


def engine() -> AseEngine:
    return AseEngine(LennardJones(sigma=1.2, epsilon=0.5, rc=6.0, smooth=True))


def test_units_are_atomic(odd_structure):
    state = engine().ground_state(odd_structure, CHEAP)
    atoms = odd_structure.to_ase()
    atoms.calc = LennardJones(sigma=1.2, epsilon=0.5, rc=6.0, smooth=True)
    assert state.free_energy * HARTREE_EV == pytest.approx(atoms.get_potential_energy())
    assert state.forces * HARTREE_EV / BOHR_ANGSTROM == pytest.approx(atoms.get_forces())
    assert state.engine == "ASE LennardJones"


def test_forces_and_stress_are_derivatives_of_the_energy(odd_structure):
    state = engine().ground_state(odd_structure, CHEAP)
    strain = 1e-4 * np.array([[0.3, 0.8, 0.2], [0.8, -0.5, 0.4], [0.2, 0.4, 0.9]])

    def energy(sign: float) -> float:
        deformation = np.eye(3) + sign * strain
        cell = Cell(odd_structure.cell.vectors @ deformation)
        strained = Structure(cell, odd_structure.positions @ deformation, odd_structure.symbols)
        return engine().ground_state(strained, CHEAP).free_energy

    derivative = (energy(1) - energy(-1)) / 2 / odd_structure.cell.volume
    assert np.sum(state.stress * strain) == pytest.approx(derivative, rel=1e-5)
    assert state.pressure == pytest.approx(-np.trace(state.stress) / 3)


def test_a_calculator_that_fails_is_an_engine_error(odd_structure):
    class Broken(LennardJones):
        def calculate(self, *_, **__):
            raise RuntimeError("no licence")

    with pytest.raises(EngineError, match="no licence"):
        AseEngine(Broken()).ground_state(odd_structure, CHEAP)


def test_a_calculator_that_returns_nan_is_an_engine_error(odd_structure):
    with pytest.raises(EngineError, match="not all finite"):
        AseEngine(LennardJones(epsilon=float("nan"), rc=6.0)).ground_state(odd_structure, CHEAP, stress=False)
