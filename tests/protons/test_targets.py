"""The one-component plasma: its crystal, its laws, its known energy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.crystals import cubic_lattice_sites
from jovium.protons.targets import (
    DoubleWell,
    FourParticleDoubleWell,
    HarmonicCrystal,
    LennardJones,
    LennardJonesCluster,
    OneComponentPlasma,
    Yukawa,
    _image_sum,
)
from jovium.sampling.metropolis import init_chains, sweep_chains


def test_crystal_has_the_madelung_energy():
    side = (8 * np.pi / 3) ** (1 / 3)
    cubic = np.array([[0, 0, 0], [0.5, 0.5, 0.5]]) * side
    plasma = OneComponentPlasma(2, 10.0)
    assert plasma.cell.vectors[0, 0] == pytest.approx(side)
    found = float(plasma.beta_energy(jnp.asarray(cubic, jnp.float32))) / 2 / 10
    assert found == pytest.approx(-0.89592926, abs=1e-6)


def test_translation_order_and_images_do_not_matter():
    plasma = OneComponentPlasma(5, 3.0)
    rng = np.random.default_rng(0)
    x = rng.random((5, 3)) * plasma.cell.vectors[0, 0]
    moved = x[rng.permutation(5)] + [0.3, -0.2, 0.9] + rng.integers(-1, 2, (5, 3)) @ plasma.cell.vectors
    energy, image = (float(plasma.beta_energy(jnp.asarray(p, jnp.float32))) for p in (x, moved))
    assert energy == pytest.approx(image, abs=2e-5)


@pytest.mark.parametrize("wrong", [(0, 1.0), (4, -1.0), (4, np.nan)])
def test_impossible_plasmas_are_refused(wrong):
    with pytest.raises(InputError):
        OneComponentPlasma(*wrong)


@pytest.mark.slow
def test_free_energy_difference_of_sixteen_charges_by_thermodynamic_integration():
    """F(10) - F(1) = int u / Gamma dGamma, published: -7.2523(6) + 0.5134(2); u by Metropolis at four couplings."""
    nodes, weights = np.polynomial.legendre.leggauss(4)
    couplings = 10 ** (0.5 * (nodes + 1))
    found = []
    for coupling in couplings:
        plasma = OneComponentPlasma(16, float(coupling))
        start = np.asarray(jax.random.uniform(jax.random.key(0), (24, 16, 3))) * plasma.cell.vectors[0, 0]
        chains = sweep_chains(plasma.beta_energy, init_chains(plasma.beta_energy, start, 0.5), 40, tune=True)
        energies = []
        for _ in range(12):
            chains = sweep_chains(plasma.beta_energy, chains, 3)
            energies.append(np.asarray(chains.beta_energies) / 16)
        found.append(np.mean(energies))
    difference = 0.5 * np.log(10) * weights @ found
    assert difference == pytest.approx(-7.2523 + 0.5134, abs=0.04)


@pytest.mark.parametrize("vectors", [np.eye(3) * 4.0, [[5.1, 0.3, -0.4], [1.2, 6.3, 0.7], [-0.9, 1.6, 7.2]]])
def test_sum_over_images_is_that_of_a_large_supercell(vectors):
    """Against all pairs with all images within many cells, each particle with its own images too."""
    cell = Cell(np.array(vectors))
    positions = np.random.default_rng(1).random((3, 3)) @ cell.vectors
    turns = np.stack(np.meshgrid(*[np.arange(-6, 7)] * 3, indexing="ij"), -1).reshape(-1, 3) @ cell.vectors
    apart = np.linalg.norm(positions[:, None, None] - positions[None, :, None] + turns, axis=-1)
    apart = apart[apart > 1e-9]
    expected = 0.5 * np.sum(np.exp(-2 * apart) / apart)
    found = _image_sum(jnp.asarray(positions, jnp.float32), cell, 9.0, lambda r: jnp.exp(-2 * r) / r)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_screened_charges_approach_bare_ones_up_to_the_background():
    """Differences of energies: kappa -> 0 is out of reach, but kappa = 1 must be the closer to bare charges than 2."""
    x = jnp.asarray(np.random.default_rng(0).random((2, 4, 3)) * 3, jnp.float32)
    bare, far, near = (
        float(t.beta_energy(x[0]) - t.beta_energy(x[1]))
        for t in (OneComponentPlasma(4, 1.0), Yukawa(4, 1.0, 2.0), Yukawa(4, 1.0, 1.0))
    )
    assert abs(near - bare) < abs(far - bare)


def test_lennard_jones_energy_is_that_of_an_independent_code():
    """ASE's calculator with the same cut distance, the uniform tail apart."""
    from ase import Atoms
    from ase.calculators.lj import LennardJones as Reference

    fluid = LennardJones(8, 0.4, 2.0, reach=3.0)
    positions = cubic_lattice_sites("sc", 8, fluid.cell) + np.random.default_rng(0).normal(size=(8, 3)) * 0.1
    atoms = Atoms("Ar8", positions, cell=fluid.cell.vectors, pbc=True)
    atoms.calc = Reference(sigma=1.0, epsilon=1.0, rc=3.0, smooth=False)
    # The calculator shifts every pair by its value at the cut.
    pairs = _image_sum(jnp.asarray(positions, jnp.float32), fluid.cell, 3.0, lambda r: 0 * r + 1, cut=True)
    expected = atoms.get_potential_energy() + float(pairs) * 4 * (3.0**-12 - 3.0**-6)
    tail = 8 * np.pi * 8 * 0.4 * (3.0**-9 / 9 - 3.0**-3 / 3)
    assert float(fluid.beta_energy(jnp.asarray(positions, jnp.float32))) * 2.0 == pytest.approx(
        expected + tail, rel=1e-4
    )


def test_icosahedron_of_thirteen_has_its_known_energy():
    """-44.3268 epsilon (Hoare and Pal, Adv. Phys. 20, 161 (1971)), pairs counted twice, and the trap."""
    golden = (1 + 5**0.5) / 2
    shell = np.array([[0, a, b * golden] for a in (-1, 1) for b in (-1, 1)])
    shell = np.concatenate([np.roll(shell, k, axis=1) for k in range(3)]) / np.sqrt(1 + golden**2)
    cluster = LennardJonesCluster()

    def energy(radius):
        x = np.concatenate([np.zeros((1, 3)), radius * shell])
        return float(cluster.beta_energy(jnp.asarray(x, jnp.float32))) - 6 * radius**2

    lowest = min(energy(radius) for radius in np.linspace(0.94, 1.0, 61))
    assert lowest == pytest.approx(-2 * 44.3268, abs=2e-3)


def test_four_particles_have_the_published_integral():
    """ln Z = 29.6676 +- 0.0014 by importance sampling from a Gaussian cloud."""
    target, width = FourParticleDoubleWell(), 2.6
    x = np.random.default_rng(0).normal(size=(400_000, 4, 2)) * width
    x -= x.mean(axis=1, keepdims=True)
    log_p = -0.5 * np.sum(x**2, axis=(1, 2)) / width**2 - 3 * np.log(2 * np.pi * width**2)
    energies = np.asarray(jax.vmap(target.beta_energy)(jnp.asarray(x, jnp.float32)), float)
    weights = np.exp(-energies - log_p)
    error = weights.std() / weights.mean() / np.sqrt(len(x))
    assert error < 0.06
    assert abs(np.log(weights.mean()) - 29.6676) < 3 * error


def test_double_well_is_one_well_on_each_side():
    """Free energies of the sides by quadrature: they differ by 4.777274."""
    axis = np.linspace(-6, 6, 24001)
    boltzmann = np.exp(-(axis**4 / 4 - 3 * axis**2 + axis))
    assert np.log(boltzmann[axis < 0].sum() / boltzmann[axis > 0].sum()) == pytest.approx(4.777274, abs=1e-4)
    point = jnp.asarray([[1.3, 0.4]])
    both, left, right = (float(DoubleWell(side).beta_energy(point)) for side in ("both", "left", "right"))
    assert both == right == pytest.approx(1.3**4 / 4 - 3 * 1.3**2 + 1.3 + 0.08)
    assert left == pytest.approx(right + 100 * 1.3**2)


def test_harmonic_crystal_has_the_integral_of_its_samples():
    """By importance sampling from its own sites with an isotropic Gaussian."""
    cell = Cell(np.eye(3) * 4.0)
    crystal = HarmonicCrystal(cell, cubic_lattice_sites("bcc", 2, cell), 3.0, 3.6)
    random, width = np.random.default_rng(0), 0.25
    # One relative coordinate of two particles: (u_1 - u_2) / sqrt(2), orthonormal.
    relative = random.normal(size=(20_000, 3)) * width
    moves = np.stack([relative, -relative], axis=1) / np.sqrt(2)
    energies = jax.vmap(crystal.beta_energy)(jnp.asarray(crystal.sites + moves, jnp.float32))
    log_p = -0.5 * np.sum(relative**2, axis=1) / width**2 - 1.5 * np.log(2 * np.pi * width**2)
    weights = np.exp(-np.asarray(energies, float) - log_p)
    expected = crystal.exact_log_integral - np.log(cell.volume) - 1.5 * np.log(2)
    assert np.log(weights.mean()) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Yukawa(4, 1.0, 0.5),
        lambda: Yukawa(4, -1.0, 2.0),
        lambda: LennardJones(4, 0.0, 1.0),
        lambda: DoubleWell("up"),
        lambda: HarmonicCrystal(Cell(np.eye(3) * 9.0), np.eye(3) * 3, 1.0, 0.5),
    ],
)
def test_impossible_systems_are_refused(wrong):
    with pytest.raises(InputError):
        wrong()
