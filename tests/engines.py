"""Fixtures of first-principles engines, and structures small enough for seconds."""

from collections.abc import Iterator

import numpy as np
import pytest

from jovium.base.cell import Cell
from jovium.base.structure import Structure
from jovium.base.validity import require_apart
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


class PairEngine:
    """Atoms that act on each other by Gaussians, strength exp(-r^2 / 2), heavier atoms more: exact derivatives."""

    def __init__(self, strength=0.5):
        self.strength, self.meshes = strength, []

    def ground_state(self, structure, protocol, *, fields=True, stress=True):
        require_apart(structure)
        self.meshes.append(protocol.k_mesh)
        weights = 1 + 0.2 * np.sqrt(structure.to_ase().numbers)
        shifts = np.stack(np.meshgrid(*[np.arange(-3, 4)] * 3, indexing="ij"), -1).reshape(-1, 3)
        shifts = shifts @ structure.cell.vectors
        apart = structure.positions[None, :, None] + shifts - structure.positions[:, None, None]
        pair = self.strength * np.multiply.outer(weights, weights)[:, :, None] * np.exp(-0.5 * (apart**2).sum(-1))
        virial = np.einsum("ijs,ijsa,ijsb->ab", pair, apart, apart)
        energy = 0.5 * (pair.sum() - self.strength * (weights**2).sum())
        forces = -np.einsum("ijs,ijsa->ia", pair, apart)
        return GroundState(structure, protocol, "pairs", energy, 0.0, forces, -0.5 * virial / structure.cell.volume)

    def close(self):
        pass


@pytest.fixture(scope="session")
def harmonic() -> HarmonicEngine:
    return HarmonicEngine()
