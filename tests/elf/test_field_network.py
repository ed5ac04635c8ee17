"""Laws of the field network: what must not change the ELF does not, on a triclinic cell."""

from dataclasses import fields, replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jovium.base.cell import Cell
from jovium.base.structure import Structure
from jovium.elf.invariants import FLOOR, SMOOTH, WIDTHS, derivative_series, invariants, n_invariants
from jovium.elf.network import HEAD_WIDTHS, INNER_SPACING, INNER_WIDTHS, Atoms, FieldNetwork, Scales
from jovium.elf.samples import Sample
from jovium.elf.spectrum import grid_values, structure_factor, wave_vectors

SHAPE, INNER = (20, 24, 25), (15, 18, 25)

pytestmark = pytest.mark.usefixtures("quickly_compiled")


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


FORMS = {
    "local": {"n_layers": 0, "n_widths": 3},
    "scalars": {"n_layers": 2, "n_vectors": 0},
    "vectors": {"n_layers": 1, "n_vectors": 3},
    "vectors of vectors": {"n_layers": 2, "n_vectors": 3},
}
"""Every law holds for every form of the network."""


def of_form(name: str, *scales: Scales) -> FieldNetwork:
    return FieldNetwork(*scales, n_channels=4, n_hidden=8, key=jax.random.key(3), **FORMS[name])


@pytest.fixture(params=FORMS)
def network(request):
    with jax.enable_x64(True):
        return of_form(request.param)


def atoms(structure: Structure) -> Atoms:
    cell = structure.cell
    return Atoms(
        jnp.asarray(cell.fractional(structure.positions)), jnp.asarray(cell.reciprocal), jnp.asarray(cell.volume)
    )


grid = eqx.filter_jit(FieldNetwork.grid)


def moved(structure, positions):
    return replace(structure, positions=positions)


def test_elf_lies_between_nothing_and_one(network, odd_structure):
    elf = grid(network, atoms(odd_structure), SHAPE, INNER).elf
    assert 0 < elf.min() < elf.max() < 1
    assert elf.std() > 0.01


def test_order_and_images_of_the_atoms_do_not_matter(network, odd_structure):
    expected = grid(network, atoms(odd_structure), SHAPE, INNER).elf
    images = np.array([[1, 0, 0], [0, -1, 2], [0, 0, 0], [3, 0, 0], [0, 1, 1]])
    shuffled = odd_structure.positions[[3, 0, 4, 1, 2]] + images @ odd_structure.cell.vectors
    np.testing.assert_allclose(
        grid(network, atoms(moved(odd_structure, shuffled)), SHAPE, INNER).elf, expected, atol=1e-10
    )


def test_moving_all_atoms_by_a_grid_step_moves_the_field_by_a_grid_step(network, odd_structure):
    step = odd_structure.cell.vectors[0] / 5 + 2 * odd_structure.cell.vectors[2] / 25  # one of both grids
    expected = np.roll(grid(network, atoms(odd_structure), SHAPE, INNER).elf, (4, 2), axis=(0, 2))
    found = grid(network, atoms(moved(odd_structure, odd_structure.positions + step)), SHAPE, INNER).elf
    np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize("determinant", [1, -1])
def test_rotating_or_mirroring_the_cell_with_its_atoms_changes_nothing(network, odd_structure, determinant):
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    rotation *= determinant * np.linalg.det(rotation)
    turned = Structure(
        Cell(odd_structure.cell.vectors @ rotation), odd_structure.positions @ rotation, odd_structure.symbols
    )
    expected, found = (grid(network, atoms(s), SHAPE, INNER) for s in (odd_structure, turned))
    np.testing.assert_allclose(found.elf, expected.elf, atol=1e-9)
    np.testing.assert_allclose(found.spread, expected.spread, atol=1e-9)


def test_the_mirror_image_in_the_same_cell_has_the_mirrored_field(network, odd_structure):
    """Inversion turns every vector around and leaves the lattice as it is: the point i becomes the point -i."""
    expected = grid(network, atoms(odd_structure), SHAPE, INNER).elf
    found = grid(network, atoms(moved(odd_structure, -odd_structure.positions)), SHAPE, INNER).elf
    i, j, k = np.indices(SHAPE)
    np.testing.assert_allclose(found[-i, -j, -k], expected, atol=1e-9)


def test_the_order_of_the_axes_does_not_matter(network, odd_structure):
    """Odd numbers of points: an even grid has a highest wave of which no gradient is known."""
    sample = Sample(odd_structure, np.random.default_rng(0).random((21, 19, 15)).astype(np.float32), "train", "a", 0, 0)
    again = sample.with_sorted_axes()
    assert again.shape == (15, 19, 21)
    np.testing.assert_array_equal(again.elf, sample.elf.transpose(2, 1, 0))
    whole, turned = (grid(network, s.atoms, s.shape, (15, 15, 15)).elf for s in (sample, again))
    np.testing.assert_allclose(turned, whole.transpose(2, 1, 0), atol=1e-5)


@pytest.mark.parametrize("label_spacing", [0.15, 0.25, 0.33, 0.60])
def test_hidden_fields_lie_on_a_grid_that_is_fine_enough(odd_structure, label_spacing):
    shape = odd_structure.cell.grid_shape(label_spacing)
    sample = Sample(odd_structure, np.zeros(shape, np.float32), "train", "a", 0, 0)
    spacings = odd_structure.cell.lengths / sample.inner_shape
    assert (spacings <= max(INNER_SPACING, label_spacing) * 1.02).all()
    assert all(inner <= outer for inner, outer in zip(sample.inner_shape, sample.shape, strict=True))


@pytest.mark.parametrize("form", ["scalars", "vectors of vectors"])
def test_a_finer_grid_of_hidden_fields_gives_the_same_field(odd_structure, form):
    network, grid_shape = of_form(form), odd_structure.cell.grid_shape
    usual, finer = (
        grid(network, atoms(odd_structure), SHAPE, grid_shape(spacing)).elf for spacing in (INNER_SPACING, 0.25)
    )
    assert np.sqrt(np.mean((usual - finer) ** 2)) < 1e-2 * finer.std()


def test_supercell_has_the_field_repeated(network, odd_structure):
    nx, ny, nz = SHAPE
    both = (nx, 2 * ny, nz), (INNER[0], 2 * INNER[1], INNER[2])
    found = grid(network, atoms(odd_structure.supercell((1, 2, 1))), *both).elf
    expected = np.tile(grid(network, atoms(odd_structure), SHAPE, INNER).elf, (1, 2, 1))
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_another_cell_of_the_same_lattice_has_the_same_field(network, odd_structure):
    skewed = Cell(np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1]]) @ odd_structure.cell.vectors)
    same = Structure(skewed, odd_structure.positions, odd_structure.symbols)
    n = 36
    straight, oblique = (np.asarray(grid(network, atoms(s), *[(n, n, n)] * 2).elf) for s in (odd_structure, same))
    # s_1 a + s_2 b = (s_1 - s_2) a + s_2 (a + b): the same points with other indices.
    i, j, k = np.indices((n, n, n))
    np.testing.assert_allclose(oblique[(i - j) % n, j, k], straight, atol=1e-4)


def test_invariants_of_one_atom_are_those_of_a_gaussian():
    cell = Cell(np.array([[11.0, 0.3, -0.4], [1.2, 12.0, 0.7], [-0.9, 1.6, 12.5]]))
    shape = (60, 60, 64)
    factor = structure_factor(jnp.array([[0.5, 0.5, 0.5]]), shape)
    waves = wave_vectors(jnp.asarray(cell.reciprocal), shape)
    series = derivative_series(factor, waves, jnp.asarray(cell.volume), range(len(WIDTHS)))
    parts = [grid_values(part, shape) for part in series]
    point = (33, 29, 34)
    offset = cell.cartesian(np.array(point) / np.array(shape) - 0.5)
    r2, w = float(offset @ offset), WIDTHS[1]
    n = np.exp(-r2 / (2 * w**2)) / (2 * np.pi * w**2) ** 1.5
    c = 4 * (3 * np.pi**2) ** (2 / 3)
    gradient2, laplacian = n**2 * r2 / w**4, n * (r2 / w**4 - 3 / w**2)
    along = n * (r2 / w**4 - 1 / w**2)
    norm = along**2 + 2 * (n / w**2) ** 2
    n += FLOOR
    expected = [
        np.log(n),
        np.log1p(gradient2 / (c * n ** (8 / 3))),
        np.arcsinh(laplacian / (c * n ** (5 / 3))),
        np.arcsinh(along * gradient2 / (gradient2 + SMOOTH**2 * n ** (-2 / 3) * norm) / (c * n ** (5 / 3))),
        np.log1p(norm / (c * n ** (5 / 3)) ** 2),
    ]
    np.testing.assert_allclose(invariants(parts)[5:10, *point], expected, rtol=1e-5)


def test_every_weight_is_used(network, odd_structure):
    def mean(net):
        predicted = net.grid(atoms(odd_structure), (12, 15, 16), (9, 10, 11))
        return jnp.mean(predicted.elf**2) + jnp.mean(predicted.spread)

    gradients = eqx.filter_jit(eqx.filter_grad(mean))(network)
    learned = [getattr(gradients, f.name) for f in fields(network) if f.name not in ("inner", "outer", "widths")]
    for leaf in jax.tree.leaves(learned):
        assert leaf.size == 0 or np.abs(leaf).max() > 0
    for leaf in (gradients.outer.centre, gradients.outer.scale):
        assert np.abs(leaf).min() > 0


def test_values_beyond_the_range_end_at_it():
    scales = Scales(*(jnp.array(x) for x in ([1.0, 0.0], [2.0, 0.5], [0.0, -1.0], [4.0, 1.0])))
    values = jnp.array([[-7.0, 0.0, 3.0, 4.0, 4.1, 900.0], [-1e9, -1.0, 0.5, 1.0, 2.0, 1e9]])
    expected = [[-0.5, -0.5, 1.0, 1.5, 1.5, 1.5], [-2.0, -2.0, 1.0, 2.0, 2.0, 2.0]]
    np.testing.assert_allclose(scales(values), expected)
    assert np.isfinite(jax.jacobian(scales)(values)).all()
    np.testing.assert_array_equal(Scales.none(2)(values), values)


@pytest.mark.parametrize("form", FORMS)
def test_a_network_beyond_its_range_says_what_it_says_at_the_end_of_it(odd_structure, form):
    """A range that every invariant is far above: atoms move, and the field stays the one of its end."""

    def ended(widths):
        n = n_invariants(widths)
        return Scales(jnp.zeros(n), jnp.ones(n), jnp.full(n, -100.0), jnp.full(n, -90.0))

    widths = tuple(range(3)) if form == "local" else HEAD_WIDTHS
    elf = grid(of_form(form, ended(INNER_WIDTHS), ended(widths)), atoms(odd_structure), SHAPE, INNER).elf
    assert elf.std() < 1e-12
