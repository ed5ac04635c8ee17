"""Laws of the field network: what must not change the ELF does not, on a triclinic cell."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jovium.base.cell import Cell
from jovium.base.structure import Structure
from jovium.elf.invariants import FLOOR, SMOOTH, WIDTHS, derivative_series, invariants, n_invariants
from jovium.elf.network import Atoms, FieldNetwork
from jovium.elf.spectrum import grid_values, structure_factor, wave_vectors

SHAPE = (20, 24, 25)


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


FORMS = {"long waves": {"n_layers": 2}, "local": {"n_layers": 0, "n_widths": 3}}
"""Every law holds for every form of the network."""


@pytest.fixture(params=FORMS)
def network(request):
    form = FORMS[request.param]
    n = n_invariants(form.get("n_widths", len(WIDTHS)))
    with jax.enable_x64(True):
        return FieldNetwork(jnp.zeros(n), jnp.ones(n), n_channels=4, n_hidden=8, key=jax.random.key(3), **form)


def atoms(structure: Structure) -> Atoms:
    cell = structure.cell
    return Atoms(
        jnp.asarray(cell.fractional(structure.positions)), jnp.asarray(cell.reciprocal), jnp.asarray(cell.volume)
    )


grid = eqx.filter_jit(FieldNetwork.grid)


def moved(structure, positions):
    return Structure(structure.cell, positions, structure.symbols)


def test_elf_lies_between_nothing_and_one(network, odd_structure):
    elf = grid(network, atoms(odd_structure), SHAPE).elf
    assert 0 < elf.min() < elf.max() < 1
    assert elf.std() > 0.01


def test_order_and_images_of_the_atoms_do_not_matter(network, odd_structure):
    expected = grid(network, atoms(odd_structure), SHAPE).elf
    images = np.array([[1, 0, 0], [0, -1, 2], [0, 0, 0], [3, 0, 0], [0, 1, 1]])
    shuffled = odd_structure.positions[[3, 0, 4, 1, 2]] + images @ odd_structure.cell.vectors
    np.testing.assert_allclose(grid(network, atoms(moved(odd_structure, shuffled)), SHAPE).elf, expected, atol=1e-10)


def test_moving_all_atoms_by_a_grid_step_moves_the_field_by_a_grid_step(network, odd_structure):
    step = odd_structure.cell.vectors[0] / SHAPE[0] + 2 * odd_structure.cell.vectors[2] / SHAPE[2]
    expected = np.roll(grid(network, atoms(odd_structure), SHAPE).elf, (1, 2), axis=(0, 2))
    found = grid(network, atoms(moved(odd_structure, odd_structure.positions + step)), SHAPE).elf
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_rotating_the_cell_with_its_atoms_changes_nothing(network, odd_structure):
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    turned = Structure(
        Cell(odd_structure.cell.vectors @ rotation), odd_structure.positions @ rotation, odd_structure.symbols
    )
    expected = grid(network, atoms(odd_structure), SHAPE).elf
    np.testing.assert_allclose(grid(network, atoms(turned), SHAPE).elf, expected, atol=1e-9)


def test_supercell_has_the_field_repeated(network, odd_structure):
    nx, ny, nz = SHAPE
    found = grid(network, atoms(odd_structure.supercell((1, 2, 1))), (nx, 2 * ny, nz)).elf
    expected = np.tile(grid(network, atoms(odd_structure), SHAPE).elf, (1, 2, 1))
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_another_cell_of_the_same_lattice_has_the_same_field(network, odd_structure):
    skewed = Cell(np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1]]) @ odd_structure.cell.vectors)
    same = Structure(skewed, odd_structure.positions, odd_structure.symbols)
    n = 36
    straight, oblique = (np.asarray(grid(network, atoms(s), (n, n, n)).elf) for s in (odd_structure, same))
    # s_1 a + s_2 b = (s_1 - s_2) a + s_2 (a + b): the same points with other indices.
    i, j, k = np.indices((n, n, n))
    np.testing.assert_allclose(oblique[(i - j) % n, j, k], straight, atol=1e-4)


def test_invariants_of_one_atom_are_those_of_a_gaussian():
    cell = Cell(np.array([[11.0, 0.3, -0.4], [1.2, 12.0, 0.7], [-0.9, 1.6, 12.5]]))
    shape = (60, 60, 64)
    factor = structure_factor(jnp.array([[0.5, 0.5, 0.5]]), shape)
    waves = wave_vectors(jnp.asarray(cell.reciprocal), shape)
    series = derivative_series(factor, waves, jnp.asarray(cell.volume), len(WIDTHS))
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


def test_every_parameter_is_used(network, odd_structure):
    def mean(net):
        predicted = net.grid(atoms(odd_structure), (12, 15, 16))
        return jnp.mean(predicted.elf**2) + jnp.mean(predicted.spread)

    gradients = eqx.filter_grad(mean)(network)
    for leaf in jax.tree.leaves(gradients):
        assert np.abs(leaf).max() > 0
