"""The density of states of given levels, H_DOS of given shares, and what is a metal."""

from dataclasses import replace

import numpy as np
import pytest

from jovium.base.cell import Cell
from jovium.base.structure import Structure
from jovium.base.units import HARTREE_EV
from jovium.crystals import crystal
from jovium.reference.kohn_sham import CHEAP, PRODUCTION
from jovium.reference.levels import Levels
from jovium.reference.state import GroundState
from jovium.workflows.density_of_states import UNCERTAINTY, computed_hydrogen_dos, density_of_states, is_metal
from jovium.workflows.elf_sources import cutoff_warnings

KT = 0.01


def state_of(symbols, levels: Levels | None) -> GroundState:
    cell = Cell(np.array([[5.1, 0.3, -0.4], [1.2, 6.3, 0.7], [-0.9, 1.6, 7.2]]))
    positions = cell.cartesian(np.linspace(0, 0.8, 3 * len(symbols)).reshape(-1, 3))
    return GroundState(Structure(cell, positions, tuple(symbols)), CHEAP, "given", -1.0, 0.0, levels=levels)


def levels_of(occupied, empty, energies=None, n_electrons=5) -> Levels:
    """Levels that all have the same shares in the occupied and empty shells of the atoms."""
    energies = np.linspace(-0.2, 0.2, 80).reshape(8, 10) if energies is None else energies
    shape = (*energies.shape, len(occupied))
    weights = np.full(len(energies), 1 / len(energies))
    shares = (np.broadcast_to(np.array(part, dtype=float), shape) for part in (occupied, empty))
    return Levels(energies, weights, n_electrons, KT, 0.0, *shares)


def with_gap(gap: float) -> Levels:
    """Two electrons below a gap (hartree) about the Fermi level."""
    bands = np.array([[-0.3, 0.0], [-0.2, 0.1]]) + np.array([-gap / 2 + 0.2, gap / 2])
    return levels_of([1.0], [0.0], bands, n_electrons=2)


def test_hydrogen_has_the_part_of_its_atoms_in_what_the_atoms_hold():
    """0.1 + 0.2 of 0.8: what no orbital holds belongs to nobody."""
    state = state_of(["S", "H", "D"], levels_of([0.3, 0.1, 0.2], [0.2, 0.0, 0.0]))
    h_dos = computed_hydrogen_dos(state)
    assert h_dos.value == pytest.approx(0.3 / 0.8)
    assert h_dos.captured == pytest.approx(0.8)
    assert h_dos.total_at_fermi == pytest.approx(state.levels.density_of_states(0.0) / HARTREE_EV)
    raised = replace(state.levels, energies=state.levels.energies + 0.3, fermi_energy=0.3)
    assert computed_hydrogen_dos(replace(state, levels=raised)).fermi_energy_ev == pytest.approx(0.3 * HARTREE_EV)


def test_empty_shells_of_hydrogen_are_hydrogen():
    state = state_of(["S", "H"], levels_of([0.3, 0.2], [0.1, 0.4]))
    assert computed_hydrogen_dos(state).value == pytest.approx(0.6)


@pytest.mark.parametrize(("empty", "uncertainty"), [(0.0, UNCERTAINTY), (0.1, UNCERTAINTY), (0.3, 0.15), (0.6, 0.3)])
def test_half_of_the_states_in_empty_shells_is_uncertain(empty, uncertainty):
    state = state_of(["La", "H"], levels_of([(1 - empty) / 2] * 2, [empty / 2] * 2))
    assert computed_hydrogen_dos(state).uncertainty == pytest.approx(uncertainty)


def test_uncertainty_is_of_what_was_captured():
    state = state_of(["La", "H"], levels_of([0.2, 0.1], [0.1, 0.1]))
    assert computed_hydrogen_dos(state).uncertainty == pytest.approx(0.2 / 0.5 / 2)


def test_only_the_fermi_level_counts():
    energies = np.linspace(-0.2, 0.2, 80).reshape(8, 10)
    near = np.abs(energies) < 0.1
    occupied = np.where(near[..., None], [0.25, 0.75], [1.0, 0.0])
    levels = replace(levels_of([0, 0], [0, 0], energies), occupied=occupied)
    assert computed_hydrogen_dos(state_of(["S", "H"], levels)).value == pytest.approx(0.75, abs=1e-3)
    dos = density_of_states(state_of(["S", "H"], levels))
    deep = np.argmin(np.abs(dos.energy_ev + 0.17 * HARTREE_EV))
    assert dos.hydrogen[deep] / dos.total[deep] == pytest.approx(0.0, abs=1e-2)


def test_states_of_all_energies_are_two_per_band_on_the_scale_of_the_fermi_level():
    bands = np.hstack(
        [np.linspace(0.6, 1.0, 80).reshape(8, 10), np.full((8, 1), 3.0)]
    )  # the last one ends what is known
    levels = replace(levels_of([0.5, 0.5], [0, 0], bands), fermi_energy=0.8)
    dos = density_of_states(state_of(["S", "H"], levels))
    step = dos.energy_ev[1] - dos.energy_ev[0]
    assert dos.total.sum() * step == pytest.approx(2 * 10, rel=1e-3)
    np.testing.assert_allclose(dos.hydrogen, dos.total / 2)
    middle = np.argmin(np.abs(dos.energy_ev))
    assert dos.at_fermi == pytest.approx(dos.total[middle], rel=1e-6)


def test_all_states_of_hydrogen_are_of_hydrogen():
    levels = replace(levels_of([0], [0]), occupied=None, empty=None)
    dos = density_of_states(state_of(["H", "T"], levels))
    np.testing.assert_array_equal(dos.hydrogen, dos.total)
    assert computed_hydrogen_dos(state_of(["H", "T"], levels)) is None


def test_without_levels_or_projections_nothing_is_said():
    assert density_of_states(state_of(["S", "H"], None)) is None
    assert computed_hydrogen_dos(state_of(["S", "H"], None)) is None
    bare = replace(levels_of([0, 0], [0, 0]), occupied=None, empty=None)
    assert density_of_states(state_of(["S", "H"], bare)).hydrogen is None
    assert computed_hydrogen_dos(state_of(["S", "H"], bare)) is None


@pytest.mark.parametrize(
    ("gap", "answer"),
    [(-0.2, True), (0.0, True), (0.3 * KT, None), (0.99 * KT, None), (1.01 * KT, False), (0.3, False)],
)
def test_a_metal_has_no_gap_and_a_small_one_does_not_decide(gap, answer):
    levels = with_gap(gap)
    assert levels.band_gap == pytest.approx(gap, abs=1e-12)
    if gap:
        assert is_metal(levels) is answer
        assert density_of_states(state_of(["H"], levels)).is_metal is answer


def test_an_odd_electron_makes_a_metal():
    assert is_metal(replace(with_gap(0.3), n_electrons=1)) is True


def test_an_insulator_has_no_states_in_its_gap_and_no_number_that_is_none():
    levels = with_gap(20.0)
    dos = density_of_states(state_of(["S"], replace(levels)))
    assert dos.at_fermi < 1e-100
    assert np.all(np.isfinite(dos.total))
    assert np.all(np.isfinite(dos.hydrogen))
    h_dos = computed_hydrogen_dos(state_of(["H"], levels))
    assert np.isfinite(h_dos.value)
    assert np.isfinite(h_dos.uncertainty)


@pytest.mark.parametrize(
    ("name", "cutoff", "engine", "warns"),
    [
        ("cah6", 40.0, "espresso", True),
        ("cah6", 64.0, "espresso", False),
        ("cah6", 40.0, "pyscf", False),
        ("h3s", 20.0, "espresso", False),
        ("cs-iv", 10.0, "espresso", False),
    ],
)
def test_a_cutoff_too_low_for_an_element_is_said(name, cutoff, engine, warns):
    said = cutoff_warnings(crystal(name), engine, replace(PRODUCTION, cutoff=cutoff))
    assert [("40 hartree" in text, "49" in text) for text in said] == [(True, True)] * warns


def test_states_above_the_bands_that_were_computed_are_not_given():
    levels = with_gap(3.0)
    dos = density_of_states(state_of(["S"], levels))
    highest = (levels.energies[:, -1].min() - levels.fermi_energy) * HARTREE_EV
    assert dos.energy_ev[-1] < max(highest, 0.1)
    assert len(dos.energy_ev) == len(dos.total) == len(dos.hydrogen)
