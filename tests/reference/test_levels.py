"""Levels and their density of states against sums over states."""

from dataclasses import replace

import numpy as np
import pytest

from jovium.base.errors import EngineError
from jovium.reference.levels import Levels

KT = 0.01


@pytest.fixture
def levels() -> Levels:
    """Seven bands at five k-points of unequal weight, and shares in the shells of three atoms."""
    rng = np.random.default_rng(1)
    weights = np.array([0.1, 0.3, 0.15, 0.25, 0.2])
    occupied, empty = rng.dirichlet(np.ones(6), size=(5, 7)).reshape(5, 7, 2, 3).transpose(2, 0, 1, 3)
    return Levels(np.sort(rng.uniform(-0.5, 0.5, (5, 7)), axis=1), weights, 6, KT, 0.05, occupied, empty)


def bands(*ranges: tuple[float, float], n_electrons: int) -> Levels:
    """Bands that fill these ranges of energy over three k-points."""
    energies = np.array([np.linspace(*ends, 3) for ends in ranges]).T
    return Levels(energies, np.full(3, 1 / 3), n_electrons, KT, 0.0)


def test_every_band_holds_two_states(levels):
    energies = np.arange(-1, 1, KT / 10)
    states = np.array([levels.density_of_states(float(energy)) for energy in energies])
    assert np.sum(states) * KT / 10 == pytest.approx(2 * 7, abs=1e-6)


@pytest.mark.parametrize("fermi", [-0.3, 0.0, 0.21])
def test_states_below_an_energy_are_twice_the_fermi_dirac_occupations_there(levels, fermi):
    """int N(E) dE up to E_F = 2 sum w f(level): smearing a level and occupying it thermally is the same."""
    energies = np.arange(-1, fermi, KT / 100)
    states = sum(levels.density_of_states(float(energy)) for energy in energies) * KT / 100
    occupations = 1 / (1 + np.exp((levels.energies - fermi) / KT))
    assert states == pytest.approx(2 * np.sum(levels.weights[:, None] * occupations), abs=2e-2)


@pytest.mark.parametrize("energy", [-0.4, 0.0, 0.3])
def test_atoms_share_all_states_when_their_shells_hold_each_level(levels, energy):
    of_atoms = levels.density_of_atoms(energy)
    assert of_atoms.shape == (2, 3)
    assert of_atoms.sum() == pytest.approx(levels.density_of_states(energy), rel=1e-12)


def test_a_level_alone_gives_its_atoms_their_shares(levels):
    """At the energy of a level far from all others, with a quarter of 1 / kT and twice the weight of its k-point."""
    energies = np.arange(35.0).reshape(5, 7)
    alone = replace(levels, energies=energies)
    of_atoms = alone.density_of_atoms(energies[3, 2])
    scale = 2 * alone.weights[3] / (4 * KT)
    np.testing.assert_allclose(of_atoms, scale * np.stack([levels.occupied[3, 2], levels.empty[3, 2]]), rtol=1e-10)


def test_far_from_every_level_there_are_no_states_and_no_overflow(levels):
    assert levels.density_of_states(1e6) < 1e-200
    assert np.all(levels.density_of_atoms(-1e6) < 1e-200)


def test_levels_that_were_not_projected_have_no_atoms(levels):
    with pytest.raises(EngineError, match="without projections"):
        replace(levels, occupied=None).density_of_atoms(0.0)


def test_gap_lies_between_the_filled_and_the_empty_bands():
    assert bands((-1, -0.5), (-0.2, 0.1), n_electrons=2).band_gap == pytest.approx(0.3)
    assert bands((-1, 0.1), (-0.2, 0.3), n_electrons=2).band_gap == pytest.approx(-0.3)
    assert bands((-2, -1), (-1, 0.1), (0.3, 0.4), n_electrons=4).band_gap == pytest.approx(0.2)
    assert bands((-1, -0.5), (0, 1), n_electrons=1).band_gap is None


def test_an_odd_electron_half_fills_a_band_that_no_other_meets():
    assert bands((-1, -0.6), (0, 1), n_electrons=1).half_filled_band_width == pytest.approx(0.4)
    apart = ((-3, -2), (-1, -0.4), (0, 1))
    assert bands(*apart, n_electrons=3).half_filled_band_width == pytest.approx(0.6)
    assert bands(*apart, n_electrons=2).half_filled_band_width is None
    for meets_another in (((-3, -0.9), *apart[1:]), (*apart[:2], (-0.5, 1)), apart[:2]):
        assert bands(*meets_another, n_electrons=3).half_filled_band_width is None
