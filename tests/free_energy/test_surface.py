"""The fitted energy of the protons: its symmetries, and what it learns from noisy energies."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jovium.base.box import Box
from jovium.base.cell import Cell
from jovium.coulomb.ewald import Ewald
from jovium.free_energy.surface import Surface
from jovium.protons.base_density import UniformTorus

CELLS = {"cubic": Cell(np.eye(3) * 4.0), "triclinic": Cell(np.array([[4.0, 0, 0], [1.2, 3.7, 0], [0.6, 0.7, 4.2]]))}


@pytest.fixture(params=CELLS)
def cell(request):
    return CELLS[request.param]


def base_of(cell, n=4):
    return UniformTorus.of(cell, n)


def some(cell, b, n=4, seed=0):
    return jnp.asarray(np.random.default_rng(seed).random((b, n, 3)) @ cell.vectors)


def shaken(cell):
    """A surface with coefficients of every feature."""
    surface = Surface.of(Box.periodic(cell, 0.0), base_of(cell), 1, jax.random.key(0))
    noise = jax.random.normal(jax.random.key(1), (64,))
    return surface.fit(some(cell, 64), noise, np.ones((64, 1)), jnp.float32(0))


def test_nothing_but_the_protons_is_known_at_first(cell):
    surface = Surface.of(Box.periodic(cell, 0.0), base_of(cell), 1, jax.random.key(0))
    protons = some(cell, 1)[0]
    expected = Ewald.of(cell, 4, accuracy=1e-7).energy(protons, jnp.ones(4))
    assert float(surface(protons)) == pytest.approx(float(expected), rel=1e-6)


def test_the_energy_does_not_depend_on_names_or_places(cell):
    """Order of the protons, their place, and cells that one of them is moved by."""
    surface, protons = shaken(cell), some(cell, 1, seed=5)[0]
    value = float(surface(protons))
    assert abs(float(surface.electronic(protons))) > 1e-3
    moved = protons + jnp.array([0.3, -1.1, 0.7])
    imaged = protons.at[2].add(jnp.asarray(cell.vectors[0] - 2 * cell.vectors[2], protons.dtype))
    for same in (protons[::-1], moved, imaged):
        assert float(surface(same)) == pytest.approx(value, abs=2e-4)


def test_an_energy_of_pairs_is_learnt_from_noise_three_times_as_large(cell):
    """Of 12800 energies 7/16 count for 89 coefficients: an error of 3 (89 / 5600)^(1/2) = 0.4 of what is learnt, and
    less by the ridge."""
    box = Box.periodic(cell, 0.0)
    random = np.random.default_rng(2)

    def truth(protons):
        distances = jnp.sqrt(box.periodic_displacements(protons, protons)[1])
        return 0.1 * jnp.sum(jnp.exp(-(distances**2)))

    surface = Surface.of(box, base_of(cell), 1, jax.random.key(0))
    learn = jax.jit(lambda surface, *more: surface.fit(*more))
    energies, spread = jax.vmap(truth), 0.0
    for step in range(200):
        protons = some(cell, 64, seed=step)
        exact = energies(protons)
        spread = float(exact.std())
        learnt = exact + 3 * spread * random.normal(size=64)
        surface = learn(surface, protons, learnt, np.ones((64, 1)), jnp.float32(step))
    protons = some(cell, 256, seed=1000)
    error = jax.vmap(surface.electronic)(protons) - energies(protons)
    assert float(error.std()) < 0.6 * spread


def test_what_was_learnt_first_is_forgotten(cell):
    """Energies that have fallen by a hartree since: the fit follows."""
    surface = Surface.of(Box.periodic(cell, 0.0), base_of(cell), 1, jax.random.key(0))
    learn = jax.jit(lambda surface, *more: surface.fit(*more))
    for step in range(100):
        high = 1.0 if step < 20 else 0.0
        surface = learn(surface, some(cell, 32, seed=step), jnp.full(32, high), np.ones((32, 1)), jnp.float32(step))
    assert abs(float(surface.electronic(some(cell, 1, seed=999)[0]))) < 0.02


def test_what_a_twist_adds_is_not_of_the_protons(cell):
    """Energies of two twists that differ by two hartree: the fit has their mean."""
    surface = Surface.of(Box.periodic(cell, 0.0), base_of(cell), 2, jax.random.key(0))
    learn = jax.jit(lambda surface, *more: surface.fit(*more))
    shells = np.eye(2)[np.arange(64) % 2]
    for step in range(10):
        surface = learn(
            surface, some(cell, 64, seed=step), jnp.asarray(0.5 + 2 * shells[:, 0]), shells, jnp.float32(step)
        )
    found = jax.vmap(surface.electronic)(some(cell, 64, seed=99))
    np.testing.assert_allclose(found, 1.5, atol=0.02)


def test_energies_of_waves_are_learnt(cell):
    """A cell is not isotropic: an energy of cos(G.r) along one kind of axis is no function of a distance."""
    box = Box.periodic(cell, 0.0)
    surface = Surface.of(box, base_of(cell), 1, jax.random.key(0))
    wave = surface.box.waves[:1]
    waves = wave if cell is CELLS["triclinic"] else np.eye(3) * np.linalg.norm(wave)

    def truth(protons):
        return jnp.sum(jnp.abs(jnp.exp(1j * protons @ waves.T).sum(axis=0)) ** 2)

    learn, energies = jax.jit(lambda surface, *more: surface.fit(*more)), jax.vmap(truth)
    for step in range(60):
        protons = some(cell, 64, seed=step)
        surface = learn(surface, protons, energies(protons), np.ones((64, 1)), jnp.float32(step))
    protons = some(cell, 256, seed=1000)
    error = jax.vmap(surface.electronic)(protons) - energies(protons)
    assert float(error.std()) < 0.05 * float(energies(protons).std())


def test_forces_are_finite_where_protons_nearly_meet(cell):
    protons = some(cell, 1)[0]
    protons = protons.at[1].set(protons[0] + 1e-3)
    assert bool(jnp.isfinite(jax.grad(shaken(cell))(protons)).all())
