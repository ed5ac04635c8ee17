"""Base densities: what they sample is what they say, and how many relabelled copies they have."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.crystals import CUBIC_LATTICES, cubic_lattice_sites
from jovium.protons.base_density import GaussianCloud, GaussianPoint, Lattice, UniformTorus

ODD = Cell(np.array([[5.1, 0.3, -0.4], [1.2, 6.3, 0.7], [-0.9, 1.6, 7.2]]))
CUBE = Cell(np.eye(3) * 6.0)


@pytest.mark.parametrize("cell", [CUBE, ODD], ids=["cube", "triclinic"])
def test_uniform_particles_fill_the_cell(cell):
    base = UniformTorus.of(cell, 4)
    samples = np.concatenate([base.sample(jax.random.key(k)) for k in range(400)])
    fractional = cell.fractional(samples)
    assert fractional.min() >= -1e-6
    assert fractional.max() < 1 + 1e-6
    np.testing.assert_allclose(fractional.mean(axis=0), 0.5, atol=0.03)
    np.testing.assert_allclose(fractional.var(axis=0), 1 / 12, atol=0.008)
    assert float(base.log_density(jnp.zeros((4, 3)))) == pytest.approx(-4 * np.log(cell.volume), rel=1e-6)


@pytest.mark.parametrize("base", [GaussianCloud.of(4, 3, 0.8), GaussianCloud.of(5, 2, 1.4)])
def test_cloud_has_the_entropy_of_its_gaussian_coordinates(base):
    """(n - 1) d coordinates: -E[ln p] = (n - 1) d (1/2 + ln(width sqrt(2 pi)))."""
    keys = jax.random.split(jax.random.key(0), 4000)
    samples = jax.vmap(base.sample)(keys)
    assert float(jnp.abs(samples.mean(axis=1)).max()) < 1e-5
    dimensions = (base.n_particles - 1) * base.dimensions
    exact = dimensions * (0.5 + 0.5 * np.log(2 * np.pi) + float(base.log_width))
    assert -float(jax.vmap(base.log_density)(samples).mean()) == pytest.approx(exact, abs=0.1)


def test_lattice_of_two_integrates_to_one():
    """p depends on the difference alone, uniform in the position: V N^(3/2) int p(u) du over three coordinates."""
    sites = np.array([[0.0, 0.0, 0.0], [3.0, 3.0, 3.0]])
    base = Lattice.of(CUBE, sites, 0.3)
    axis = np.linspace(-2, 2, 41)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    # x_2 - x_1 = R_2 - R_1 + d: dx_1 dx_2 = V dd.
    positions = jnp.asarray(np.stack([np.zeros_like(grid), sites[1] + grid], axis=1), jnp.float32)
    total = np.exp(np.asarray(jax.vmap(base.log_density)(positions), float)).sum() * (axis[1] - axis[0]) ** 3
    assert total * CUBE.volume == pytest.approx(1, abs=1e-3)


def test_lattice_takes_the_images_near_its_sites():
    sites = cubic_lattice_sites("bcc", 16, CUBE)
    base = Lattice.of(CUBE, sites, 0.2)
    samples = base.sample(jax.random.key(3))
    images = np.random.default_rng(0).integers(-2, 3, size=(16, 3)) * 6.0
    elsewhere, here = base.canonicalise(samples + images), base.canonicalise(samples)
    np.testing.assert_allclose(elsewhere - here, np.tile(images[0], (16, 1)), atol=1e-4)
    np.testing.assert_allclose(base.log_density(elsewhere), base.log_density(here), atol=1e-2)


@pytest.mark.parametrize(("lattice", "n"), [("sc", 8), ("sc", 27), ("bcc", 2), ("bcc", 16), ("fcc", 4), ("fcc", 32)])
def test_translations_that_only_relabel_a_crystal_are_counted(lattice, n):
    """Every site of a Bravais lattice: n of them, so N! / N copies."""
    base = Lattice.of(CUBE, cubic_lattice_sites(lattice, n, CUBE), 0.1)
    assert base.log_copies == pytest.approx(math.lgamma(n + 1) - math.log(n))


def test_crystal_without_translations_has_every_relabelling_as_a_copy():
    base = Lattice.of(CUBE, np.array([[0.0, 0, 0], [1.0, 2.0, 0.5], [4.0, 1.0, 3.0]]), 0.1)
    assert base.log_copies == pytest.approx(math.log(6))


@pytest.mark.parametrize("lattice", CUBIC_LATTICES)
def test_particles_that_do_not_fill_a_lattice_are_refused(lattice):
    with pytest.raises(InputError, match="17 particles"):
        cubic_lattice_sites(lattice, 17, CUBE)


@pytest.mark.parametrize("width", [0.0, -1.0, float("nan")])
def test_crystal_without_width_is_refused(width):
    with pytest.raises(InputError, match="width"):
        Lattice.of(CUBE, np.zeros((1, 3)), width)


def test_point_is_a_gaussian():
    base = GaussianPoint.of((1.0, -2.0), 0.5)
    samples = np.array([base.sample(jax.random.key(k))[0] for k in range(600)])
    np.testing.assert_allclose(samples.mean(axis=0), [1.0, -2.0], atol=0.07)
    np.testing.assert_allclose(samples.std(axis=0), 0.5, atol=0.05)
    assert float(base.log_density(jnp.asarray([[1.0, -2.0]]))) == pytest.approx(-np.log(2 * np.pi * 0.25), abs=1e-5)


@pytest.mark.parametrize("cell", [CUBE, ODD], ids=["cube", "triclinic"])
def test_crystal_covers_what_is_near_its_sites_and_no_more(cell):
    """Small displacements and a shift of all are inside; swapped particles, or one in another's cell, are not."""
    fractional = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5]])
    sites = fractional @ cell.vectors
    base = Lattice.of(cell, sites, 0.1, radius=0.8)
    small = 0.2 * np.random.default_rng(0).normal(size=(4, 3))
    swapped = sites[[1, 0, 2, 3]]
    moved = sites.copy()
    moved[0] += 0.9 * (sites[1] - sites[0])
    turned = sites.copy()
    turned[2] += cell.vectors[1]
    assert bool(base.covers(jnp.asarray(sites + small + [0.3, 0.9, -2.0], jnp.float32)))
    for outside in (swapped, moved, turned):
        assert not bool(base.covers(jnp.asarray(outside, jnp.float32)))


def test_wide_crystal_has_no_free_energy_below_the_exact_one():
    """Two charges at Gamma 2, beta F_ex / 2 = -1.511: without its region a wide lattice would claim -2.9 and less."""
    from jovium.observe.reweighting import free_energy
    from jovium.protons.flow import Flow
    from jovium.protons.measurement import draw_samples
    from jovium.protons.settings import ProtonSettings
    from jovium.protons.systems import initial_flow, target_of
    from jovium.protons.training import excess_offset

    sizes = {"ode_steps": 1, "flow_knots": 2, "flow_radial": 4, "flow_channels": 1}
    settings = ProtonSettings(n_atoms=2, coupling=2.0, crystal="bcc", **sizes)
    target = target_of(settings)
    narrow = initial_flow(settings, target)
    for width in (0.1, 0.3, 0.6):
        flow = Flow(Lattice.of(target.cell, np.array(narrow.base.sites), width, narrow.base.radius), narrow.velocity, 1)
        free = free_energy(draw_samples(flow, target, 8192, 0).work, excess_offset(target, flow))
        assert free.reweighted.value / 2 > -1.511 - 3 * free.reweighted.error
        assert free.variational.value / 2 > -1.511
