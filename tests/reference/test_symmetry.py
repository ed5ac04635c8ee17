"""The space-group average against crystals whose symmetry is known."""

import numpy as np
import pytest

from jovium.base.grid import GridField
from jovium.crystals import crystal
from jovium.reference.symmetry import space_group_operations, symmetrise


def bumps(structure, shape, weights):
    """A smooth periodic field with a bump of the given weight on each atom: waves up to a third of the grid."""
    fractional = structure.cell.fractional(structure.positions)
    axes = [np.arange(n) / n for n in shape]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    values = np.zeros(shape)
    for waves in np.ndindex(3, 3, 3):
        for atom, weight in zip(fractional, weights, strict=True):
            values += weight * np.cos(2 * np.pi * (points - atom) @ np.array(waves))
    return GridField(values, structure.cell)


@pytest.mark.parametrize(("name", "order"), [("cs-iv", 16), ("bcc", 48), ("fcc", 48), ("hcp-h2", 24)])
def test_known_crystals_have_the_order_of_their_point_group(name, order):
    rotations, _ = space_group_operations(crystal(name, 1.4))
    assert len(rotations) == order


def test_average_has_the_symmetry_and_averaging_twice_changes_nothing():
    """The field at R s + t equals the field at s for every operation, on a grid unequal along its axes."""
    structure = crystal("cs-iv", 1.3)
    operations = space_group_operations(structure)
    rng = np.random.default_rng(3)
    noise = GridField(rng.normal(size=(9, 9, 9)), structure.cell).resample((27, 30, 32))
    average = symmetrise(noise, operations)
    assert symmetrise(average, operations).values == pytest.approx(average.values, abs=1e-12)
    assert average.mean() == pytest.approx(noise.mean())
    dense = average.resample((54, 60, 64)).interpolant()
    s = rng.random((20, 3))
    for rotation, translation in zip(*operations, strict=True):
        image = s @ rotation.T + translation
        assert dense.value(structure.cell.cartesian(image)) == pytest.approx(
            dense.value(structure.cell.cartesian(s)), abs=5e-3 * np.ptp(average.values)
        )


def test_equal_bumps_on_equivalent_atoms_are_what_unequal_ones_become():
    structure = crystal("cs-iv", 1.3)
    operations = space_group_operations(structure)
    unequal = symmetrise(bumps(structure, (12, 12, 12), (1.5, 0.5)), operations)
    equal = symmetrise(bumps(structure, (12, 12, 12), (1.0, 1.0)), operations)
    assert unequal.values == pytest.approx(equal.values, abs=1e-10)


def test_general_structure_is_left_alone(odd_structure):
    operations = space_group_operations(odd_structure)
    field = GridField(np.random.default_rng(0).normal(size=(4, 5, 6)), odd_structure.cell)
    assert len(operations[0]) == 1
    assert symmetrise(field, operations) is field
