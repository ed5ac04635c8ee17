"""Laws of every wave function, with random parameters: statistics, symmetry, periodicity, cusps."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from wave_scenes import TRICLINIC, TWIST, Scene

from jovium.base.box import Box
from jovium.base.errors import InputError
from jovium.electrons.geminals import DEPLETION
from jovium.electrons.settings import ElectronSettings
from jovium.electrons.step import initial_wave_function
from jovium.electrons.systems import electron_system
from jovium.electrons.wave_function import WaveFunction, log_determinant_sum

pytestmark = pytest.mark.usefixtures("quickly_compiled")


def swap(electrons, i, j):
    order = np.arange(len(electrons))
    order[[i, j]] = order[[j, i]]
    return electrons[order]


def test_two_electrons_of_equal_spin_that_change_places_change_the_sign(scene):
    whole = scene.value(scene.electrons)
    pairs = [(0, 1)] + ([(scene.n_up, scene.n_up + 1)] if scene.psi.n_down > 1 else [])
    for i, j in pairs:
        np.testing.assert_allclose(scene.value(swap(scene.electrons, i, j)), -whole, rtol=1e-9)


def test_protons_are_alike(with_protons):
    before = with_protons.log_psi(with_protons.electrons)
    after = with_protons.log_psi(with_protons.electrons, with_protons.protons[::-1])
    np.testing.assert_allclose(after, before, rtol=1e-10)


def test_everything_may_be_moved_together(scene):
    move = jnp.asarray([0.31, -0.7, 1.9])
    before = scene.log_psi(scene.electrons)
    after = scene.log_psi(scene.electrons + move, scene.protons + move)
    np.testing.assert_allclose(after.real, before.real, rtol=1e-10)


def test_a_singlet_does_not_care_which_spin_is_up():
    scene = Scene("cell")
    turned = jnp.concatenate([scene.electrons[3:], scene.electrons[:3]])
    np.testing.assert_allclose(scene.log_psi(turned), scene.log_psi(scene.electrons), rtol=1e-10)


def test_an_electron_that_crosses_the_cell_gains_the_twist(periodic):
    twist = TWIST if periodic.psi.is_complex else (0.0, 0.0, 0.0)
    for axis in range(3):
        for i, direction in ((0, 1), (periodic.psi.n_electrons - 1, -1)):
            moved = periodic.electrons.at[i].add(TRICLINIC.vectors[axis])
            ratio = periodic.value(moved) / periodic.value(periodic.electrons)
            np.testing.assert_allclose(ratio, np.exp(2j * np.pi * twist[axis] * direction), atol=1e-8)


def as_twisted(psi):
    """The same parameters in a wave function that takes any twist."""
    return eqx.tree_at(lambda model: model.geminal, psi, dataclasses.replace(psi.geminal, twisted=True))


def test_no_twist_is_the_twist_zero():
    """Sums over waves are those over their cosines and sines: psi of the twist zero is real, and the real psi."""
    scene = Scene("cell")
    twisted = as_twisted(scene.psi).log_psi(scene.electrons, scene.protons, jnp.zeros(3))
    np.testing.assert_allclose(twisted.real, scene.log_psi(scene.electrons), rtol=1e-9)
    assert abs(np.sin(twisted.imag)) < 1e-7


@pytest.mark.parametrize("twist", [(0.0, 0.0, 0.0), TWIST])
def test_the_mean_field_draws_electrons_to_protons(twist):
    """Density sum_kk' exp(i (k - k').r) D_kk' / volume is largest at protons."""
    scene = Scene("cell")
    geminal = as_twisted(scene.psi).geminal
    wave = jnp.asarray(np.array(twist) @ TRICLINIC.reciprocal)
    mean_field = np.asarray(geminal.mean_field(scene.protons, wave))

    def density(positions):
        waves = np.exp(1j * np.asarray(positions) @ (geminal.waves + np.asarray(wave)).T)
        return np.einsum("nk,dkl,nl->dn", waves, mean_field, waves.conj()).real / geminal.volume

    steps = np.arange(8) / 8
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3) @ TRICLINIC.vectors
    everywhere, at_protons = density(grid), density(scene.protons)
    np.testing.assert_allclose(everywhere.mean(axis=1) * geminal.volume, 3 - DEPLETION, rtol=1e-6)
    assert (at_protons.mean(axis=1) > everywhere.mean(axis=1) + everywhere.std(axis=1)).all()


def test_a_shell_that_holds_one_pair_is_short_of_it_and_has_a_favourite():
    """Sixteen atoms of a body-centred crystal: seven full levels, and the eighth of twelve alike in a uniform gas."""
    system = electron_system("bcc:16:1.31")
    psi = WaveFunction.of(system.box, 8, 8, n_determinants=1, key=jax.random.key(0))
    occupations = np.linalg.eigvalsh(psi.mean_field(jnp.asarray(system.protons))[0])[::-1]
    assert occupations.sum() == pytest.approx(8 - DEPLETION)
    assert occupations[6] > 3 * occupations[7]
    assert occupations[:7].sum() > 6.5
    assert occupations[7] > 1.5 * occupations[8]


def slope_at_contact(log_psi, contact, r=1e-6):
    """d ln|psi| / dr averaged over directions about a point, by spherical averages at r and 2 r."""
    random = np.random.default_rng(0).normal(size=(200, 3))
    directions = random / np.linalg.norm(random, axis=1)[:, None]
    directions = jnp.asarray(np.concatenate([directions, -directions]))
    near, far = (jnp.mean(jax.vmap(lambda d, s=s: log_psi(contact + s * d).real)(directions)) for s in (r, 2 * r))
    return float(far - near) / r


def test_cusp_at_a_proton(with_protons):
    """Slope -1 (Kato)."""

    def moved(x):
        return with_protons.log_psi(with_protons.electrons.at[0].set(x))

    assert slope_at_contact(moved, with_protons.protons[0]) == pytest.approx(-1, abs=2e-3)


def test_cusp_of_opposite_spins(scene):
    """Slope 1/2."""

    def moved(x):
        return scene.log_psi(scene.electrons.at[0].set(x))

    assert slope_at_contact(moved, scene.electrons[scene.n_up]) == pytest.approx(0.5, abs=2e-3)


def test_cusp_of_equal_spins(scene):
    """psi vanishes like r there; ln|psi / r| has the slope 1/4 along the line on which it rises fastest."""
    centre = 0.5 * (scene.electrons[0] + scene.electrons[1])

    def at(r, direction):
        return scene.electrons.at[0].set(centre + 0.5 * r * direction).at[1].set(centre - 0.5 * r * direction)

    rises = np.array([complex(scene.value(at(1e-5, axis))) for axis in jnp.eye(3)])
    steepest = jnp.asarray((rises / rises[np.argmax(np.abs(rises))]).real)
    steepest /= jnp.linalg.norm(steepest)
    values = [scene.log_psi(at(r, steepest)).real - np.log(r) for r in (1e-5, 2e-5)]
    assert float(values[1] - values[0]) / 1e-5 == pytest.approx(0.25, abs=5e-3)


@pytest.mark.slow
def test_far_molecules_do_not_notice_each_other():
    """Two molecules 40 bohr apart: psi of both is the product of each alone."""
    box = Box.open(3, 10.0)
    molecule = jnp.asarray([[0, 0, 0.0], [0, 0, 1.4]])
    random = np.random.default_rng(0)
    first = molecule + jnp.asarray(0.4 * random.normal(size=(2, 3)))
    far = jnp.asarray([40.0, 0, 0])
    single = WaveFunction.of(box, 1, 1, n_determinants=1, key=jax.random.key(0))
    double = WaveFunction.of(box, 2, 2, n_determinants=1, key=jax.random.key(0))

    def both(x, y):
        return double.log_psi(
            jnp.stack([x[0], y[0] + far, x[1], y[1] + far]), jnp.concatenate([molecule, molecule + far])
        )

    def each(x, y):
        return single.log_psi(x, molecule) + single.log_psi(y, molecule)

    second = first[::-1] + 0.3
    # Cusp factors fall like 1 / r, so that a constant of order 1 / 40 remains; it must not depend on the electrons.
    shift, exchanged, displaced = (
        both(x, y) - each(x, y) for x, y in ((first, second), (second, first), (first + 0.1, second))
    )
    np.testing.assert_allclose([exchanged, displaced], [shift, shift], atol=5e-3)


def test_one_electron_among_others_far_away_may_be_alone():
    hydrogen = WaveFunction.of(Box.open(3, 10.0), 1, 0, key=jax.random.key(0))
    r = jnp.asarray([[0.3, -0.4, 1.2]])
    distance = float(jnp.linalg.norm(r))
    start = float(hydrogen.log_psi(jnp.asarray([[0.0, 0.0, 1e-6]]), jnp.zeros((1, 3))))
    assert float(hydrogen.log_psi(r, jnp.zeros((1, 3)))) - start == pytest.approx(-distance, abs=1e-5)


def test_determinants_add_without_overflow():
    big = 1e200 * jnp.stack([jnp.eye(3), 2 * jnp.eye(3)])
    assert float(log_determinant_sum(big, jnp.asarray([1.0, 2.0]))) == pytest.approx(np.log(17) + 600 * np.log(10))


@pytest.mark.parametrize(
    ("n_up", "n_down", "settings"),
    [(1, 2, {}), (0, 0, {}), (1, 1, {"twist": (0.1, 0.0, 0.0)}), (1, 1, {"with_protons": False})],
)
def test_electrons_that_cannot_be(n_up, n_down, settings):
    with pytest.raises(InputError, match="spin"):
        WaveFunction.of(Box.open(3, 10.0), n_up, n_down, key=jax.random.key(0), **settings)


def test_unpaired_electrons_among_protons_in_a_cell_are_refused():
    with pytest.raises(InputError, match="without a partner"):
        WaveFunction.of(Box.periodic(TRICLINIC, 3.0), 2, 1, key=jax.random.key(0))


@pytest.mark.parametrize("name", ["electrons", "protons"])
def test_more_than_four_electrons_in_a_cell_are_refused_in_single_precision(name):
    """Local energies of 16 were wrong by a hartree, in silence."""
    scene = Scene("cell")
    positions = {"electrons": scene.electrons, "protons": scene.protons}
    with pytest.raises(InputError, match="jax_enable_x64"):
        scene.psi.log_psi(**{**positions, name: positions[name].astype(jnp.float32)})


def test_single_precision_is_refused_where_jax_knows_no_other():
    scene = Scene("cell")
    electrons, protons = np.asarray(scene.electrons), np.asarray(scene.protons)
    with jax.enable_x64(False), pytest.raises(InputError, match="jax_enable_x64"):
        jax.eval_shape(scene.psi.log_psi, electrons, protons)
    with jax.enable_x64(False), pytest.raises(InputError, match="jax_enable_x64"):
        jax.eval_shape(scene.psi.mean_field, protons)


def test_single_precision_that_was_asked_for():
    settings = ElectronSettings("gas:6:5", precision="single", features=4)
    with jax.enable_x64(False):
        psi = initial_wave_function(settings, electron_system(settings.structure))
        assert jax.eval_shape(psi.log_psi, jnp.ones((6, 3)), jnp.zeros((0, 3))).dtype == jnp.float32
