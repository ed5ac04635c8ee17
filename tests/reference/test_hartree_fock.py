"""Density matrices of Hartree-Fock hydrogen are projectors with a pair in each orbital."""

import numpy as np
import pytest
from pyscf import dft, gto

from jovium.base.errors import InputError
from jovium.reference.hartree_fock import density_matrices

SQUARE = np.array([[0.0, 0.0, 0.0], [2.1, 0.0, 0.1], [0.2, 1.9, 0.0], [2.0, 2.2, 0.3]])


@pytest.fixture(scope="module")
def mesh():
    """Points (bohr) and weights that integrate molecules, sparse."""
    molecule = gto.M(atom=[("H", tuple(r)) for r in SQUARE], unit="bohr", basis="sto-3g", verbose=0)
    grids = dft.gen_grid.Grids(molecule)
    grids.level = 0
    grids.build()
    return grids.coords, grids.weights


def test_every_matrix_holds_two_pairs(mesh):
    """integral g(r, r) = N / 2, wherever the pairs are."""
    points, weights = mesh
    values = density_matrices(SQUARE, points[:, None], points[:, None], 3)[:, :, 0, 0]
    ground, lifted, single = weights @ values
    assert (ground, lifted) == pytest.approx((2, 2), abs=2e-3)
    # One electron of the pair is lifted: phi_i phi_a + phi_a phi_i has no trace.
    assert single == pytest.approx(1, abs=2e-3)


def test_matrices_are_symmetric():
    few = np.random.default_rng(1).normal(size=(1, 6, 3)) + 1
    values = density_matrices(SQUARE, few, few, 3)
    np.testing.assert_allclose(values, np.swapaxes(values, -1, -2), atol=1e-10)


def test_matrix_of_the_ground_state_is_idempotent(mesh):
    """integral g(r, s) g(s, r') ds = g(r, r')."""
    points, weights = mesh
    few = np.random.default_rng(0).normal(size=(1, 5, 3)) + 1
    g = density_matrices(SQUARE, few, points[None], 1)[0, 0]
    np.testing.assert_allclose((g * weights) @ g.T, density_matrices(SQUARE, few, few, 1)[0, 0], atol=1e-4)


def test_odd_numbers_of_protons_are_refused():
    with pytest.raises(InputError, match="even number"):
        density_matrices(SQUARE[:3], SQUARE[None], SQUARE[None], 1)
