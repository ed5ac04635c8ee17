"""How the energy of a wave function that is no eigenstate changes with its cell."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jovium.base.box import Box
from jovium.base.cell import Cell
from jovium.coulomb.hydrogen import CoulombPotential
from jovium.electrons.wave_function import WaveFunction
from jovium.free_energy.estimate import dilation_scores, local_energies, pulay_term
from jovium.free_energy.walkers import Walkers, sample_electrons

CELLS = {"cubic": np.eye(3) * 2.6, "triclinic": np.array([[2.8, 0, 0], [0.7, 2.6, 0], [0.4, 0.5, 2.7]])}
PROTONS = np.array([[0.1, 0.2, 0.0], [1.4, 0.9, 1.1]])


def wave_function(vectors, twisted):
    return WaveFunction.of(
        Box.periodic(Cell(vectors), 0.0), 1, 1, twisted=twisted, n_determinants=1, n_features=8, key=jax.random.key(3)
    )


@pytest.mark.parametrize(
    ("shape", "twisted"), [pytest.param("cubic", False, marks=pytest.mark.slow), ("triclinic", True)]
)
def test_the_slope_of_the_energy_is_the_virial_and_the_force_of_psi(shape, twisted):
    """E of an untrained psi in cells of edges 2 % shorter and longer, by reweighting the same electrons: the slope is
    -(2 K + V) + 2 Cov(E_loc, D) within its error, and far from -(2 K + V) alone."""
    vectors, b, m = CELLS[shape], 16, 1024
    twist = np.array([0.25, -0.2, 0.3]) @ (2 * np.pi * np.linalg.inv(vectors).T) * twisted
    psi = wave_function(vectors, twisted)

    def walkers_of(protons, electrons):
        return Walkers(protons, protons, jnp.zeros(b), electrons, jnp.asarray(0.6), jnp.asarray(0.0))

    protons = jnp.tile(jnp.asarray(PROTONS, jnp.float32), (b, 1, 1))
    electrons = protons[:, None] + jax.random.normal(jax.random.key(0), (b, m, 2, 3))
    twists = jnp.tile(jnp.asarray(twist, jnp.float32), (b, 1))
    moved = jax.jit(lambda walkers: sample_electrons(psi, walkers, twists, 150, jax.random.key(1), True))
    walkers, _ = moved(walkers_of(protons, electrons))

    def strained(share):
        cell = wave_function(share * vectors, twisted)
        moved = walkers_of(share * walkers.protons, share * walkers.electrons)
        place, potential = moved.protons[0], CoulombPotential.of(cell.box, 4)

        def found(moved):
            field = cell.mean_field(place, twists[0] / share)
            logs = jax.vmap(jax.vmap(lambda x: cell.log_psi(x, place, twists[0] / share, field).real))(moved.electrons)
            return logs, local_energies(cell, potential, moved, twists / share)

        return cell, *jax.jit(found)(moved)

    strain = 0.02
    (smaller, shorter, below), (larger, longer, above) = strained(1 - strain), strained(1 + strain)
    _, here, local = strained(1.0)

    def energy(logs, found):
        weights = jnp.exp(2 * (logs - here - (logs - here).mean()))
        return (weights * found.total.real).sum(axis=1) / weights.sum(axis=1)

    slopes = np.asarray(energy(longer, above) - energy(shorter, below)) / (2 * strain)
    scores = jax.jit(lambda walkers: dilation_scores(smaller, larger, strain, walkers, twists))(walkers)
    force = pulay_term(local.total, scores)
    virial = -(local.total + local.kinetic).real.mean(axis=1)
    rest = slopes - np.asarray(virial + force)
    error = rest.std() / np.sqrt(b)
    assert abs(rest.mean()) < 3 * error
    assert abs(float(force.mean())) > 3 * error


def test_an_eigenstate_has_no_force():
    """Equal local energies: whatever psi does with its cell, E follows the virial."""
    dilations = jax.random.normal(jax.random.key(0), (3, 4)) + 0.5j
    np.testing.assert_allclose(pulay_term(jnp.full((3, 4), -1.0 + 0j), dilations), 0.0, atol=1e-6)
