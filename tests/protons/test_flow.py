"""Laws of every flow: it can be inverted, knows how it changes volumes, and treats particles alike."""

from math import lgamma

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jovium.base.box import Box
from jovium.base.cell import Cell
from jovium.protons.base_density import GaussianCloud, GaussianPoint, Lattice, UniformTorus
from jovium.protons.flow import Flow, sample_batch
from jovium.protons.thermodynamics import labelling_term, momentum_term, thermal_wavelength
from jovium.protons.torus_velocity import TorusVelocity
from jovium.protons.velocity import PairVelocity, PointVelocity

CUBE = Cell(np.eye(3) * 4.2)
ODD = Cell(np.array([[5.1, 0.3, -0.4], [1.2, 6.3, 0.7], [-0.9, 1.6, 7.2]]))
SKEW = Cell(np.array([[4.0, 0.0, 0.0], [3.1, 4.2, 0.0], [-2.5, 1.4, 4.4]]))
BCC = np.array([[0.0, 0.0, 0.0], [2.1, 2.1, 2.1]])


def disturbed(velocity, amount, seed=3):
    """A velocity with random parameters."""
    leaves, form = jax.tree.flatten(velocity)
    keys = jax.random.split(jax.random.key(seed), len(leaves))
    moved = [leaf + amount * jax.random.normal(key, leaf.shape) for leaf, key in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(form, moved)


def pairs(box, amount=0.05, kind=PairVelocity):
    return disturbed(kind.of(box, n_radial=8, n_channels=3, key=jax.random.key(1)), amount)


FLOWS = {
    "fluid, cube": Flow(UniformTorus.of(CUBE, 5), pairs(Box.periodic(CUBE, 3.0)), 12),
    "fluid, triclinic": Flow(UniformTorus.of(ODD, 5), pairs(Box.periodic(ODD, 2.0)), 12),
    "fluid, skew": Flow(UniformTorus.of(SKEW, 4), pairs(Box.periodic(SKEW, 3.0)), 12),
    "torus, cube": Flow(UniformTorus.of(CUBE, 5), pairs(Box.periodic(CUBE, 3.0), kind=TorusVelocity), 12),
    "torus, skew": Flow(UniformTorus.of(SKEW, 4), pairs(Box.periodic(SKEW, 3.0), kind=TorusVelocity), 12),
    "crystal": Flow(Lattice.of(CUBE, BCC, 0.3), pairs(Box.periodic(CUBE, 3.0)), 12),
    "cluster": Flow(GaussianCloud.of(5, 3, 1.2), pairs(Box.open(3, 5.0)), 12),
    "plane": Flow(GaussianCloud.of(4, 2, 1.2), pairs(Box.open(2, 6.0)), 12),
    "point": Flow(
        GaussianPoint.of((0.5, -0.3), 0.7), disturbed(PointVelocity.of(2, scale=1.0, key=jax.random.key(2)), 0.3), 12
    ),
}
FLUIDS = [name for name in FLOWS if name.startswith(("fluid", "torus"))]
EVERY = pytest.mark.parametrize("name", FLOWS)
EVERY_PAIR_FLOW = pytest.mark.parametrize("name", [name for name in FLOWS if name != "point"])


def start_of(name, seed=7):
    return FLOWS[name].base.sample(jax.random.key(seed))


def flat_jacobian(function, x):
    return jax.jacfwd(lambda y: function(y.reshape(x.shape)).ravel())(x.ravel())


@EVERY
def test_inverse_undoes_the_flow(name):
    flow, start = FLOWS[name], start_of(name)
    end = flow.forward(start)
    back = flow.inverse(end.positions)
    assert float(jnp.abs(end.positions - start).max()) > 0.03, "a flow at rest tests nothing"
    np.testing.assert_allclose(back.positions, start, atol=2e-4)
    np.testing.assert_allclose(back.log_volume, -end.log_volume, atol=5e-4)


@EVERY
def test_volume_is_the_determinant_of_the_jacobian(name):
    """By automatic differentiation through every Runge-Kutta step."""
    flow, start = FLOWS[name], start_of(name)
    sign, log_determinant = jnp.linalg.slogdet(flat_jacobian(lambda x: flow.forward(x).positions, start))
    assert sign == 1
    log_volume = float(flow.forward(start).log_volume)
    assert abs(log_volume) > 0.02
    np.testing.assert_allclose(log_volume, log_determinant, atol=2e-3)


@EVERY
@pytest.mark.parametrize("t", [0.0, 0.4, 1.0])
def test_divergence_is_the_trace_of_the_jacobian(name, t):
    velocity, x = FLOWS[name].velocity, start_of(name)
    trace = jnp.trace(flat_jacobian(lambda y: velocity(y, t).velocity, x))
    np.testing.assert_allclose(velocity(x, t).divergence, trace, rtol=2e-4, atol=2e-4)


@EVERY_PAIR_FLOW
def test_particles_are_alike(name):
    velocity, x = FLOWS[name].velocity, start_of(name)
    order = np.random.default_rng(0).permutation(len(x))
    np.testing.assert_allclose(velocity(x[order], 0.3).velocity, velocity(x, 0.3).velocity[order], atol=1e-4)


@EVERY_PAIR_FLOW
def test_position_does_not_matter_and_the_centroid_rests(name):
    velocity, x = FLOWS[name].velocity, start_of(name)
    motion = velocity(x, 0.3)
    moved = velocity(x + jnp.asarray([0.7, -1.3, 2.1])[: x.shape[1]], 0.3)
    np.testing.assert_allclose(moved.velocity, motion.velocity, atol=2e-4)
    np.testing.assert_allclose(moved.divergence, motion.divergence, atol=2e-3)
    np.testing.assert_allclose(motion.velocity.sum(axis=0), 0.0, atol=2e-4)


@pytest.mark.parametrize("name", FLUIDS)
def test_any_image_of_a_particle_will_do(name):
    flow, x = FLOWS[name], start_of(name)
    vectors = np.array(flow.base.vectors)
    moved = x.at[1].add(vectors[0] - 2 * vectors[2]).at[2].add(vectors[1])
    np.testing.assert_allclose(flow.velocity(moved, 0.6).velocity, flow.velocity(x, 0.6).velocity, atol=5e-4)
    np.testing.assert_allclose(flow.log_density(moved), flow.log_density(x), atol=5e-3)


@pytest.mark.parametrize("name", ["cluster", "plane"])
def test_turning_a_cluster_turns_its_velocity(name):
    velocity, x = FLOWS[name].velocity, start_of(name)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(x.shape[1],) * 2))[0]
    np.testing.assert_allclose(velocity(x @ turn, 0.3).velocity, velocity(x, 0.3).velocity @ turn, atol=1e-4)


@pytest.mark.parametrize("name", FLUIDS)
def test_velocity_is_smooth_where_a_pair_leaves_the_reach(name):
    """Nearest images change beyond the reach: nothing may jump there."""
    velocity, x = FLOWS[name].velocity, start_of(name)[:2]
    direction = np.array([0.6, 0.0, 0.8])
    reach = velocity.box.reach

    def at(r):
        return velocity(jnp.stack([x[0], x[0] + r * direction]), 0.3)

    inside, outside = at(reach * (1 - 1e-3)), at(reach * (1 + 1e-3))
    np.testing.assert_allclose(inside.velocity, outside.velocity, atol=5e-3)
    np.testing.assert_allclose(inside.divergence, outside.divergence, atol=5e-2)


@EVERY
def test_sampled_density_is_the_density(name):
    flow = FLOWS[name]
    sample = flow.sample(jax.random.key(11))
    np.testing.assert_allclose(flow.log_density(sample.positions), sample.log_density, atol=3e-3)


@pytest.mark.parametrize("cell", [CUBE, ODD, SKEW], ids=["cube", "triclinic", "skew"])
def test_density_of_two_particles_integrates_to_one(cell):
    """It depends on their difference alone: int p = V int p(0, r) dr, on a grid that a smooth function needs."""
    flow = Flow(UniformTorus.of(cell, 2), pairs(Box.periodic(cell, 3.0), 0.04), 12)
    steps = (np.arange(24) + 0.5) / 24
    fractional = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    differences = jnp.asarray(fractional @ cell.vectors, jnp.float32)
    density = jax.jit(lambda r: jax.lax.map(lambda x: flow.log_density(jnp.stack([0 * x, x])), r, batch_size=512))
    values = np.exp(np.asarray(density(differences), float)) * cell.volume**2
    assert values.std() > 0.05, "a uniform density tests nothing"
    assert values.mean() == pytest.approx(1, abs=3e-3)


def test_density_of_one_particle_integrates_to_one():
    flow = FLOWS["point"]
    axis = np.linspace(-7, 7, 141)
    points = jnp.asarray(np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 1, 2), jnp.float32)
    values = np.exp(np.asarray(jax.jit(lambda x: jax.lax.map(flow.log_density, x, batch_size=512))(points), float))
    assert values.sum() * (axis[1] - axis[0]) ** 2 == pytest.approx(1, abs=3e-3)


def test_samples_fall_where_the_density_is():
    """Counts in cells of the plane against the density at points inside."""
    flow = FLOWS["point"]
    drawn = np.asarray(sample_batch(flow, jax.random.key(5), 20000).positions)[:, 0]
    edges = np.linspace(-3, 3, 13)
    counts = np.histogram2d(*drawn.T, bins=[edges, edges])[0] / len(drawn)
    axis = (np.arange(96) + 0.5) / 16 - 3
    points = jnp.asarray(np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 1, 2), jnp.float32)
    values = np.exp(np.asarray(jax.jit(lambda x: jax.lax.map(flow.log_density, x, batch_size=512))(points), float))
    expected = values.reshape(12, 8, 12, 8).sum(axis=(1, 3)) / 16**2
    error = np.sqrt((expected + 1e-6) / len(drawn))
    assert np.abs((counts - expected) / error).max() < 5


@pytest.mark.parametrize(("n", "exact"), [(16, 7.0287), (32, 7.0902)])
def test_flow_at_rest_has_the_entropy_of_sackur_and_tetrode(n, exact):
    """S / N k at rs 1.25 bohr and 6000 K: 3/2 - beta F / N. The figures are those of a mass of 1836 m_e."""
    from jovium.base.units import kelvin_to_hartree

    cell = Cell.cubic(n, 1.25)
    flow = Flow(UniformTorus.of(cell, n), PairVelocity.of(Box.periodic(cell, 2.0), key=jax.random.key(0)), 3)
    log_density = float(flow.sample(jax.random.key(1)).log_density)
    wavelength = thermal_wavelength(1836, kelvin_to_hartree(6000))
    beta_f = log_density + labelling_term(n, flow.base.log_copies) + momentum_term(n, wavelength)
    assert 1.5 - beta_f / n == pytest.approx(exact, abs=1e-4)
    assert beta_f == pytest.approx(lgamma(n + 1) + 3 * n * np.log(wavelength) - n * np.log(cell.volume), abs=1e-3)


def test_more_steps_are_more_accurate():
    """Fifth order: twice the steps leave a thirtieth of the error, as long as rounding allows."""
    flow, start = FLOWS["fluid, cube"], start_of("fluid, cube")
    exact = flow.with_steps(96).forward(start).log_volume
    errors = [abs(float(flow.with_steps(k).forward(start).log_volume - exact)) for k in (3, 6)]
    assert errors[1] < errors[0] / 8
