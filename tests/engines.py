"""Fixtures of first-principles engines, and structures small enough for seconds."""

from collections.abc import Iterator

import numpy as np
import pytest

from jovium.base.cell import Cell
from jovium.base.structure import Structure
from jovium.reference.espresso import Espresso
from jovium.reference.kohn_sham import KohnShamSettings
from jovium.reference.state import GroundState


@pytest.fixture(scope="module")
def espresso() -> Iterator[Espresso]:
    with Espresso() as engine:
        yield engine


@pytest.fixture
def tight_structure() -> Structure:
    """Three hydrogen atoms at general positions in a triclinic cell, rs 1.6: metallic density."""
    cell = Cell(np.array([[3.4, 0.2, -0.3], [0.8, 3.9, 0.5], [-0.6, 1.0, 4.1]]))
    fractional = np.array([[0.05, 0.11, 0.07], [0.41, 0.62, 0.33], [0.77, 0.28, 0.71]])
    return Structure(cell, cell.cartesian(fractional), ("H",) * 3)


@pytest.fixture
def molecule() -> Structure:
    """H2 at its bond length in a triclinic box large enough for it to be alone."""
    cell = Cell(np.array([[9.0, 0.4, -0.3], [0.9, 9.5, 0.5], [-0.6, 1.1, 10.0]]))
    centre = cell.cartesian(np.array([0.5, 0.5, 0.5]))
    half = 0.7 * np.array([0.48, 0.64, 0.6])
    return Structure(cell, np.stack([centre - half, centre + half]), ("H", "H"))


class HarmonicEngine:
    """Every proton tied to the origin of the unwrapped coordinates: F = -spring R. An engine with a known answer."""

    spring = 0.02

    def ground_state(
        self, structure: Structure, protocol: KohnShamSettings, *, fields: bool = True, stress: bool = True
    ) -> GroundState:
        energy = 0.5 * self.spring * float(np.sum(structure.positions**2))
        forces = -self.spring * structure.positions
        return GroundState(structure, protocol, "harmonic", energy, 0.0, forces, np.zeros((3, 3)))

    def close(self) -> None:
        pass


@pytest.fixture(scope="session")
def harmonic() -> HarmonicEngine:
    return HarmonicEngine()
