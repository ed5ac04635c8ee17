"""The Ewald sum: Madelung constants of known lattices, and laws that hold in every cell."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.coulomb.ewald import Ewald
from jovium.crystals import crystal


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def energy(cell, positions, charges, **settings):
    return float(Ewald.of(cell, len(positions), **settings).energy(jnp.asarray(positions), jnp.asarray(charges, float)))


@pytest.mark.parametrize(
    ("name", "expected"), [("sc", -0.88005944), ("bcc", -0.89592926), ("fcc", -0.89587362)], ids=["sc", "bcc", "fcc"]
)
@pytest.mark.parametrize("multiples", [(1, 1, 1), (2, 1, 3)])
def test_lattices_in_a_background(name, expected, multiples):
    """Energy per particle times rs of the Wigner crystals (handbook of plasmas); supercells are extensive."""
    lattice = crystal(name, 1.0).supercell(multiples)
    found = energy(lattice.cell, lattice.positions, np.ones(lattice.n_atoms)) / lattice.n_atoms
    assert found == pytest.approx(expected, abs=2e-8)


@pytest.mark.parametrize(
    ("vectors", "other", "expected"),
    [
        (np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0.0]]), [1.0, 0, 0], 1.747564594633),
        (np.eye(3) * 2 / np.sqrt(3), [1 / np.sqrt(3)] * 3, 1.762674773071),
    ],
    ids=["NaCl", "CsCl"],
)
def test_salts(vectors, other, expected):
    """Madelung constants at nearest-neighbour distance 1."""
    found = energy(Cell(vectors), np.array([[0.0, 0, 0], other]), [1.0, -1.0], accuracy=1e-14)
    assert found == pytest.approx(-expected, abs=1e-11)


def test_protons_of_a_body_centred_cube():
    """V_pp of 16 protons, rs 1.31: 16 / rs times the constant. The value quoted for a published code, -10.94265693, is
    9.5e-6 below, the error of its sums."""
    lattice = crystal("bcc", 1.31).supercell((2, 2, 4))
    found = energy(lattice.cell, lattice.positions, np.ones(16), accuracy=1e-12)
    assert found == pytest.approx(-0.895929255682 / 1.31 * 16, abs=1e-8)
    assert found == pytest.approx(-10.94265693, abs=1e-5)


@pytest.fixture
def ions(odd_cell):
    rng = np.random.default_rng(0)
    return odd_cell, odd_cell.cartesian(rng.random((7, 3))), rng.normal(size=7)


@pytest.mark.parametrize("splitting", [0.3, 0.6, 1.2])
def test_splitting_does_not_matter(ions, splitting):
    """Charged, in a triclinic cell."""
    cell, positions, charges = ions
    expected = energy(cell, positions, charges, accuracy=1e-15)
    assert energy(cell, positions, charges, accuracy=1e-15, splitting=splitting) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("accuracy", [1e-4, 1e-6, 1e-8])
def test_accuracy_is_kept(ions, accuracy):
    cell, positions, charges = ions
    exact = energy(cell, positions, charges, accuracy=1e-15)
    assert energy(cell, positions, charges, accuracy=accuracy) == pytest.approx(exact, abs=10 * accuracy)


def test_translation_order_images_and_the_choice_of_cell_do_not_matter(ions):
    cell, positions, charges = ions
    expected = energy(cell, positions, charges)
    rng = np.random.default_rng(1)
    order = rng.permutation(7)
    moved = positions + [0.3, -1.2, 2.2] + rng.integers(-3, 4, (7, 3)) @ cell.vectors
    other = Cell(np.array([[1, 0, 0], [1, 1, 0], [-1, 2, 1]]) @ cell.vectors)
    assert energy(other, moved[order], charges[order]) == pytest.approx(expected, abs=1e-9)


def test_slope_is_minus_the_force(ions):
    cell, positions, charges = ions
    ewald = Ewald.of(cell, 7, accuracy=1e-14)
    slope = jax.grad(ewald.energy)(jnp.asarray(positions), jnp.asarray(charges))
    np.testing.assert_allclose(np.sum(slope, axis=0), 0.0, atol=1e-11)
    for axis in range(3):
        step = np.zeros((7, 3))
        step[2, axis] = 1e-4
        change = [float(ewald.energy(jnp.asarray(positions + s), jnp.asarray(charges))) for s in (step, -step)]
        assert slope[2, axis] == pytest.approx((change[0] - change[1]) / 2e-4, abs=1e-7)


def test_parts_add_up_to_the_whole(ions):
    cell, positions, _ = ions
    ewald = Ewald.of(cell, 7)
    protons, electrons = jnp.asarray(positions[:3]), jnp.asarray(positions[3:])
    pp, pe, ee = ewald.parts(protons, electrons)
    charges = jnp.asarray([1.0] * 3 + [-1.0] * 4)
    assert float(pp - pe + ee) == pytest.approx(float(ewald.energy(jnp.asarray(positions), charges)), abs=1e-10)
    # One proton and one electron attract: the part is the repulsion of equal charges.
    assert float(ewald.parts(protons[:1], protons[:1] + 0.1)[1]) > 5


def test_single_precision_is_good_to_a_few_digits_in_a_million(ions):
    cell, positions, charges = ions
    ewald = Ewald.of(cell, 7, accuracy=1e-7)
    single = ewald.energy(jnp.asarray(positions, jnp.float32), jnp.asarray(charges, jnp.float32))
    assert single.dtype == jnp.float32
    assert float(single) == pytest.approx(energy(cell, positions, charges), abs=2e-5)


def test_batches(ions):
    cell, positions, charges = ions
    ewald = Ewald.of(cell, 7)
    several = jnp.asarray(np.stack([positions, positions + 0.1, positions[::-1]]))
    found = jax.vmap(ewald.energy, (0, None))(several, jnp.asarray(charges))
    each = [float(ewald.energy(p, jnp.asarray(charges))) for p in several]
    np.testing.assert_allclose(found, each, atol=1e-11)


@pytest.mark.parametrize("wrong", [{"accuracy": 0.0}, {"accuracy": np.nan}, {"splitting": -1.0}, {"n_charges": 0}])
def test_sums_that_cannot_be_made_are_refused(odd_cell, wrong):
    with pytest.raises(InputError):
        Ewald.of(odd_cell, **{"n_charges": 3, **wrong})
