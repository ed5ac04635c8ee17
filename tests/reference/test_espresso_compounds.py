"""Compounds by the plane-wave engine: symmetry changes its cost and nothing else, and forces are derivatives."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import special_ortho_group

from jovium.base.cell import Cell
from jovium.base.errors import EngineError
from jovium.base.structure import Structure
from jovium.crystals import crystal
from jovium.reference import espresso as espresso_module
from jovium.reference import espresso_input
from jovium.reference.engine import open_engine
from jovium.reference.kohn_sham import PRODUCTION
from jovium.reference.symmetry import space_group_operations, symmetrise

LOW = replace(PRODUCTION, cutoff=15.0, k_spacing=None, k_mesh=(2, 2, 2), k_offset=0.0, scf_threshold=1e-9)
HEXAGONAL = crystal(
    space_group=186, cell=(2.6, 2.6, 4.2, 90, 90, 120), sites=[("B", "1/3", "2/3", 0), ("H", "1/3", "2/3", 0.375)]
)
MONOCLINIC = crystal(
    space_group=4, cell=(2.6, 3.1, 2.9, 90, 104, 90), sites=[("B", 0.1, 0.2, 0.3), ("H", 0.48, 0.05, 0.1)]
)
FIELDS = ("density", "windowed_density", "windowed_kinetic_energy_density")
DISPLACED = Structure(
    Cell(np.array([[4.4, 0.2, -0.3], [0.7, 4.7, 0.4], [-0.5, 0.8, 5.0]])),
    np.array([[0.1, 0.2, 0.1], [1.9, 1.9, 1.6]]),
    ("B", "H"),
)
"""BH in a triclinic cell."""


def computed(structure, protocol=LOW, **how):
    with espresso_module.Espresso() as engine:
        return engine.ground_state(structure, protocol, **how)


@pytest.fixture(scope="module", params=["hexagonal", "monoclinic"])
def state(request):
    """Of a crystal with screw axes."""
    if request.param == "hexagonal":
        return computed(HEXAGONAL)
    return computed(MONOCLINIC, replace(LOW, k_mesh=(3, 1, 3)))


def assert_equal(state, other, rotation):
    """Energies, forces, stress and fields of a state and of one that is rotated against it."""
    assert other.free_energy == pytest.approx(state.free_energy, abs=1e-6)
    assert other.entropy_term == pytest.approx(state.entropy_term, abs=1e-6)
    np.testing.assert_allclose(other.forces, state.forces @ rotation.T, atol=5e-5)
    np.testing.assert_allclose(other.stress, rotation @ state.stress @ rotation.T, atol=1e-6)
    for name in FIELDS:
        ours, theirs = getattr(state, name), getattr(other, name)
        assert np.abs(theirs.resample(ours.shape).values - ours.values).max() < 2e-4 * ours.values.max(), name


def test_crystals_have_screw_axes(state):
    rotations, translations = space_group_operations(state.structure)
    assert (len(rotations), np.abs(translations - np.rint(translations)).max()) in [(12, 0.5), (2, 0.5)]
    assert len(state.levels.weights) < 8
    assert state.levels.weights.sum() == pytest.approx(1)


def test_k_points_reduced_by_symmetry_are_the_full_mesh(state, monkeypatch):
    """The same without any symmetry in the engine: all k-points up to time reversal, and fields as they come, averaged
    over the space group."""
    operations = space_group_operations(state.structure)
    for module in (espresso_input, espresso_module):
        monkeypatch.setattr(module, "uses_symmetry", lambda structure: False)
    monkeypatch.setattr(espresso_module, "symmetrise", lambda field, _: symmetrise(field, operations))
    full = computed(state.structure, state.protocol)
    assert len(full.levels.weights) > len(state.levels.weights)
    assert_equal(state, full, np.eye(3))
    fermi = state.levels.fermi_energy
    assert full.levels.fermi_energy == pytest.approx(fermi, abs=1e-5)
    dos = [levels.density_of_states(fermi) for levels in (state.levels, full.levels)]
    assert dos[1] == pytest.approx(dos[0], rel=1e-3)
    shares = [levels.density_of_atoms(fermi) for levels in (state.levels, full.levels)]
    alike = [part[:, : part.shape[1] // 2].sum(axis=1) for part in shares]  # the boron atoms are equivalent
    np.testing.assert_allclose(alike[1], alike[0], rtol=3e-3)


def test_orientation_of_a_crystal_rotates_forces_and_stress_and_changes_nothing_else(state):
    rotation = special_ortho_group.rvs(3, random_state=4)
    given = state.structure
    turned = Structure(Cell(given.cell.vectors @ rotation.T), given.positions @ rotation.T, given.symbols)
    other = computed(turned, state.protocol)
    assert_equal(state, other, rotation)
    assert len(other.levels.weights) == len(state.levels.weights)
    fermi = state.levels.fermi_energy
    shares = [levels.density_of_atoms(fermi) for levels in (state.levels, other.levels)]
    np.testing.assert_allclose(shares[1], shares[0], rtol=1e-3, atol=1e-4)
    elf = [each.localization(state.density.shape).elf.values for each in (state, other)]
    assert np.abs(elf[1] - elf[0]).max() < 2e-3


def test_forces_of_a_compound_are_the_negative_gradient_of_its_free_energy():
    with open_engine() as engine:
        forces = engine.ground_state(DISPLACED, LOW, fields=False).forces
        for atom, axis in ((0, 1), (1, 2)):
            step = np.zeros((2, 3))
            step[atom, axis] = 0.01
            plus, minus = (
                engine.ground_state(replace(DISPLACED, positions=DISPLACED.positions + x * step), LOW, fields=False)
                for x in (1, -1)
            )
            derivative = (plus.free_energy - minus.free_energy) / 0.02
            assert forces[atom, axis] == pytest.approx(-derivative, abs=5e-5)
    assert np.abs(forces).max() > 0.005
    assert forces.sum(axis=0) == pytest.approx(np.zeros(3), abs=2e-6)


def test_stress_of_a_compound_is_the_strain_derivative_of_its_free_energy():
    """With the projectors, at constant volume, where the incomplete basis adds nothing."""
    protocol = replace(LOW, cutoff=30.0, k_mesh=(2, 1, 1))
    strain = 0.01 * np.array([[0.3, 0.8, 0.2], [0.8, -0.5, 0.4], [0.2, 0.4, 0.2]])

    def free_energy(sign):
        deformation = np.eye(3) + sign * strain
        cell = Cell(DISPLACED.cell.vectors @ deformation)
        return computed(
            replace(DISPLACED, cell=cell, positions=DISPLACED.positions @ deformation), protocol, fields=False
        ).free_energy

    stress = computed(DISPLACED, protocol, fields=False).stress
    derivative = (free_energy(1) - free_energy(-1)) / 2 / DISPLACED.cell.volume
    assert np.sum(stress * strain) == pytest.approx(derivative, rel=0.02)


@pytest.mark.parametrize(("structure", "few"), [(DISPLACED, 3), (crystal("cs-iv", 1.3), 2)], ids=["BH", "hydrogen"])
def test_bands_are_added_until_they_hold_the_thermal_tail(structure, few, monkeypatch):
    enough = computed(structure)
    assert enough.top_occupation < 1e-4
    monkeypatch.setattr(espresso_input, "number_of_bands", lambda structure, protocol: few)
    state = computed(structure)
    assert few < state.levels.energies.shape[1] < enough.levels.energies.shape[1]
    assert state.top_occupation < espresso_module.MAXIMUM_TOP_OCCUPATION
    assert state.free_energy == pytest.approx(enough.free_energy, abs=1e-4)
    np.testing.assert_allclose(state.forces, enough.forces, atol=1e-3)
    monkeypatch.setattr(espresso_module, "MORE_BANDS", ())
    with pytest.raises(EngineError, match=f"the highest of {few} bands holds"):
        computed(structure)


def test_hydrogen_is_computed_as_it_is_given_at_every_k_point():
    """Neither turned nor idealised, without symmetry, as ever: its atoms and vectors to the last digit that is
    written."""
    structure = crystal("cs-iv", 1.3)
    turn = special_ortho_group.rvs(3, random_state=6)
    turned = Structure(
        Cell(structure.cell.vectors @ turn.T), structure.positions @ turn.T + 1e-4 * np.eye(2, 3), ("H",) * 2
    )
    with espresso_module.Espresso() as engine:
        state = engine.ground_state(turned, LOW)
        text = (engine._scratch / "pw.in").read_text()
    assert "nosym=.true." in text
    written = [
        line.split()[-3:] for line in text.split("CELL_PARAMETERS bohr\n")[1].splitlines() if not line.startswith("AT")
    ]
    expected = np.concatenate([turned.cell.vectors, turned.positions])
    np.testing.assert_allclose(np.array(written, dtype=float), expected, atol=1e-14)
    np.testing.assert_array_equal(state.levels.weights, pytest.approx(LOW.k_points(turned.cell)[1]))
    assert state.levels.occupied is None


def test_a_compound_in_memory_is_not_taken_for_another(espresso):
    """H moves from the middle of a cube of B along z: the cell stays, with less symmetry in it and more k-points."""
    cubic = crystal(space_group=221, cell=2.3, sites=[("B", 0, 0, 0), ("H", 0.5, 0.5, 0.5)])
    moved = replace(cubic, positions=cubic.positions + np.array([[0, 0, 0], [0, 0, 0.2]]))
    first = espresso.ground_state(cubic, LOW, fields=False)
    warm = espresso.ground_state(moved, LOW, fields=False)
    assert (len(first.levels.weights), len(warm.levels.weights)) == (4, 6)
    assert warm.free_energy == pytest.approx(computed(moved, fields=False).free_energy, abs=1e-6)
