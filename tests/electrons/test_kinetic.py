"""Local energies: the forward Laplacian against the loop, and states whose local energy does not vary."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from wave_scenes import CASES, TRICLINIC, Scene

from jovium.base.box import Box
from jovium.coulomb.ewald import Ewald
from jovium.coulomb.hydrogen import CoulombPotential
from jovium.electrons.kinetic import kinetic_energy
from jovium.electrons.local_energy import clip_energies, local_energies, scores, stack_real_imag
from jovium.electrons.wave_function import WaveFunction

pytestmark = pytest.mark.usefixtures("quickly_compiled")


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "open" else ()) for name in CASES]
)
def test_forward_laplacian_is_the_loop(name):
    scene = Scene(name)
    forward, loop = (
        jax.jit(lambda x, method=method: kinetic_energy(scene.log_psi, x, method))(scene.electrons)
        for method in ("forward", "loop")
    )
    np.testing.assert_allclose(forward, loop, rtol=1e-9)


def test_hydrogen_atom_has_one_local_energy():
    """exp(-r): -1/2 everywhere."""
    psi = WaveFunction.of(Box.open(3, 10.0), 1, 0, key=jax.random.key(0))
    electrons = jnp.asarray(np.random.default_rng(0).normal(size=(20, 1, 3)))
    energies = local_energies(
        lambda m, x, r: m.log_psi(x, r), psi, CoulombPotential(None), electrons, jnp.zeros((1, 3))
    )
    np.testing.assert_allclose(energies.total, -0.5, atol=1e-5)


@pytest.mark.parametrize("twist", [(0.0, 0.0, 0.0), (0.25, 0.1, 0.4)])
def test_plane_waves_have_one_kinetic_energy(twist):
    """A closed shell of plane waves without Jastrow factor: sum k^2 / 2 at every configuration, in a triclinic cell."""
    waves = TRICLINIC.reciprocal * 1.0
    k = np.concatenate([np.zeros((1, 3)), waves]) + np.array(twist) @ waves

    def log_psi(x):
        up, down = (jnp.exp(1j * s * x[part] @ k.T) for s, part in ((1, slice(0, 4)), (-1, slice(4, 8))))
        return sum(jnp.log(jnp.linalg.det(matrix)) for matrix in (up, down))

    x = jnp.asarray(np.random.default_rng(1).random((8, 3)) @ TRICLINIC.vectors)
    assert complex(kinetic_energy(log_psi, x)) == pytest.approx(np.sum(k**2), abs=1e-9)


def test_parts_of_the_potential_are_those_of_ewald():
    box = Box.periodic(TRICLINIC, 3.0)
    random = np.random.default_rng(2)
    electrons, protons = (jnp.asarray(random.random((4, 3)) @ TRICLINIC.vectors) for _ in range(2))
    parts = CoulombPotential.of(box, 8, 1e-10)(electrons, protons)
    charges = jnp.asarray([1.0] * 4 + [-1.0] * 4)
    whole = Ewald.of(TRICLINIC, 8).energy(jnp.concatenate([protons, electrons]), charges)
    assert float(parts.total) == pytest.approx(float(whole), abs=1e-8)
    assert float(parts.ee) == pytest.approx(float(Ewald.of(TRICLINIC, 4).energy(electrons, jnp.ones(4))), abs=1e-8)


def test_open_space_has_no_background():
    parts = CoulombPotential(None)(jnp.asarray([[0.0, 0, 1], [0, 0, -1]]), jnp.asarray([[0.0, 0, 0], [0, 2, 0]]))
    assert [float(part) for part in parts] == pytest.approx([0.5, -(2 + 2 / np.sqrt(5)), 0.5])


def test_scores_are_derivatives_of_ln_psi():
    """Of real and imaginary part, against finite differences of one parameter."""
    scene = Scene("twisted")
    slopes = scores(lambda m, x, r: m.log_psi(x, r), scene.psi, scene.electrons[None], scene.protons)
    arrays, rest = eqx.partition(scene.psi, lambda leaf: isinstance(leaf, jax.Array))
    leaves, form = jax.tree.flatten(arrays)
    start = 0
    for number, leaf in enumerate(leaves):
        if leaf.size:

            def value(step, number=number, leaf=leaf):
                changed = list(leaves)
                changed[number] = leaf.ravel().at[0].add(step).reshape(leaf.shape)
                scene.psi = eqx.combine(jax.tree.unflatten(form, changed), rest)
                return scene.log_psi(scene.electrons)

            slope = (value(1e-5) - value(-1e-5)) / 2e-5
            np.testing.assert_allclose(slopes[0, start], slope, atol=1e-6 * (1 + abs(slope)))
        start += leaf.size


def test_clipping_treats_real_and_imaginary_parts_alike_and_leaves_the_rest():
    energies = jnp.asarray([1.0, 1.1, 0.9, 1.0, 50.0]) + 1j * jnp.asarray([0.0, 0.1, -0.1, -70.0, 0.0])
    clipped = clip_energies(energies, 2.0)
    assert float(clipped.real.max()) < 25
    assert float(clipped.imag.min()) > -35
    np.testing.assert_allclose(clipped[:3], energies[:3])


def test_rows_of_complex_values_are_real_parts_then_imaginary_parts():
    values = jnp.asarray([[1 + 2j, 3.0], [4.0, 5 - 1j]])
    np.testing.assert_array_equal(stack_real_imag(values), [[1, 3], [4, 5], [2, 0], [0, -1]])
    np.testing.assert_array_equal(stack_real_imag(values.real), values.real)
