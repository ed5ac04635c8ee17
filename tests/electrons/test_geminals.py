"""Pairs of atoms before training: molecular orbitals of any protons."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jovium.electrons.geminals import AtomicGeminal
from jovium.electrons.message_passing import Sizes

CHAIN = np.array([[0.0, 0.0, 1.4 * i] for i in range(6)])
TRIANGLES = np.array([[0, 0, 0], [1.6, 0.1, 0], [0.4, 1.5, 0.3], [2.2, 1.9, 0.5]], float)


def density(protons, n_pairs, n=2):
    """D of a geminal, and the overlap of 1s orbitals by their definition."""
    geminal = AtomicGeminal.of(n_pairs, 0, Sizes(n_determinants=n, n_features=4), key=jax.random.key(0))
    r = np.linalg.norm(protons[:, None] - protons, axis=-1)
    return np.asarray(geminal.mean_field(jnp.asarray(protons), jnp.zeros(3))), np.exp(-r) * (1 + r + r**2 / 3)


@pytest.mark.parametrize(("protons", "n_pairs"), [(CHAIN, 3), (TRIANGLES, 2), (TRIANGLES, 1)])
def test_levels_hold_every_pair_once(protons, n_pairs):
    """tr D S is the number of pairs; no level holds less than none or more than one."""
    density_matrix, overlap = density(protons, n_pairs)
    np.testing.assert_allclose(np.trace(density_matrix @ overlap, axis1=1, axis2=2), n_pairs, rtol=1e-9)
    np.testing.assert_allclose(density_matrix, np.swapaxes(density_matrix, 1, 2), atol=1e-12)
    occupations = np.linalg.eigvals(density_matrix @ overlap).real
    assert occupations.min() > -1e-9
    assert occupations.max() < 1 + 1e-9


def test_a_molecule_has_its_bonding_orbital():
    """(1s + 1s) (1s + 1s) / (2 + 2 S)."""
    density_matrix, overlap = density(np.array([[0.0, 0, 0], [1.4, 0, 0]]), 1)
    np.testing.assert_allclose(density_matrix, np.full((2, 2, 2), 1 / (2 + 2 * overlap[0, 1])), atol=2e-3)


def test_signs_alternate_along_a_chain():
    """Half filling: D of neighbours is positive, of third neighbours negative."""
    density_matrix, _ = density(CHAIN, 3, 1)
    assert density_matrix[0, 2, 3] > 0.1
    assert density_matrix[0, 1, 4] < -0.02


def test_molecules_far_apart_do_not_notice_each_other():
    """Four atoms of two molecules have D of each of them, and nothing between them."""
    molecule = np.array([[0.0, 0, 0], [1.4, 0, 0]])
    both, _ = density(np.concatenate([molecule, molecule + np.array([0, 0, 20.0])]), 2)
    alone, _ = density(molecule, 1)
    np.testing.assert_allclose(both[:, :2, :2], alone, atol=2e-3)
    np.testing.assert_allclose(both[:, :2, 2:], 0, atol=1e-6)


def test_proton_order_does_not_matter():
    order = [2, 0, 3, 1]
    before, _ = density(TRIANGLES, 2)
    after, _ = density(TRIANGLES[order], 2)
    np.testing.assert_allclose(after, before[:, order][:, :, order], atol=1e-10)
