"""Shares of states in the orbitals of atoms: what is known of any projection, in a triclinic cell."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import sph_harm_y
from scipy.stats import special_ortho_group

from jovium.base.cell import Cell
from jovium.base.grid import wave_numbers
from jovium.reference.projection import atom_shares, orbital_waves, orthonormal
from jovium.reference.pseudo_atom import AtomicOrbital, empty_shells, occupied_shells
from jovium.reference.pseudopotential import pseudopotential

SYMBOLS = ("La", "H", "S", "H")
FRACTIONS = np.array([[0.07, 0.11, 0.21], [0.52, 0.46, 0.13], [0.61, 0.23, 0.58], [0.13, 0.72, 0.66]])
TWIST = np.array([0.31, -0.17, 0.23])


def plane_waves(cell: Cell, cutoff: float) -> np.ndarray:
    """k + G up to a cutoff (hartree) at a general k-point."""
    waves = (wave_numbers((32, 36, 40)).reshape(-1, 3) + TWIST) @ cell.reciprocal
    return waves[np.sum(waves**2, axis=1) < 2 * cutoff]


def random_states(number: int, n_waves: int) -> np.ndarray:
    """Orthonormal states in random directions."""
    rng = np.random.default_rng(5)
    return np.linalg.qr(rng.normal(size=(n_waves, number)) + 1j * rng.normal(size=(n_waves, number)))[0].T


def norm(shell: AtomicOrbital) -> float:
    """sqrt(int r^2 R^2 dr)."""
    r = np.arange(0, 20, 0.01)
    return float(np.sqrt(np.sum((r * shell(r)) ** 2) * 0.01))


def normalised(orbitals):
    return orbitals / np.linalg.norm(orbitals, axis=1, keepdims=True)


def shells_of(symbols, kind):
    return [kind(pseudopotential(symbol)) for symbol in symbols]


OCCUPIED, EMPTY = (shells_of(SYMBOLS, kind) for kind in (occupied_shells, empty_shells))


@pytest.fixture
def positions(odd_cell):
    return odd_cell.cartesian(FRACTIONS)


@pytest.fixture
def waves(odd_cell):
    return plane_waves(odd_cell, 4.0)


def span(waves, positions, *kinds):
    """Random orthonormal combinations of the orbitals of all atoms, as many as there are orbitals."""
    orbitals = orthonormal(np.concatenate([orbital_waves(waves, positions, kind)[0] for kind in kinds]))
    n = len(orbitals)
    return random_states(n, n) @ orbitals


def test_an_orbital_in_real_space_is_the_shell_around_its_atom():
    """R(r) Y_lm of s, p, d and f with all m, R of two Gaussians: the phases and the sign of the Fourier transform. The
    cell is so wide that images do not meet."""
    cell = Cell(3 * np.array([[5.1, 0.3, -0.4], [1.2, 6.3, 0.7], [-0.9, 1.6, 7.2]]))
    grid = wave_numbers((54, 66, 76)).reshape(-1, 3) @ cell.reciprocal
    waves = grid[np.sum(grid**2, axis=1) < 60]
    position = cell.cartesian(np.array([[0.37, 0.52, 0.44]]))
    shells = [AtomicOrbital(l, 0.0, 1.0, 0.8 * np.eye(14)[4] - 0.5 * np.eye(14)[6]) for l in range(4)]
    shells = [replace(shell, coefficients=shell.coefficients / norm(shell)) for shell in shells]
    orbitals, _ = orbital_waves(waves, position, [shells])
    away = np.array([[0.6, -0.9, 1.1], [-1.3, 0.4, 0.2], [0.2, 1.7, -1.0]])
    values = orbitals @ np.exp(1j * waves @ (position + away).T) / np.sqrt(cell.volume)
    r = np.linalg.norm(away, axis=1)
    polar, azimuth = np.arccos(away[:, 2] / r), np.arctan2(away[:, 1], away[:, 0])
    expected = [
        shell(r) * sph_harm_y(shell.l, m, polar, azimuth) for shell in shells for m in range(-shell.l, shell.l + 1)
    ]
    np.testing.assert_allclose(values, expected, atol=5e-5)


def test_shells_are_normalised_and_belong_to_their_atoms(waves, positions):
    orbitals, owners = orbital_waves(waves, positions, OCCUPIED)
    sizes = [2 * shell.l + 1 for own in OCCUPIED for shell in own]
    assert sizes == [1, 1, 3, 5, 1, 1, 3, 1]
    assert owners == [0] * 10 + [1] + [2] * 4 + [3]
    norms = np.split(np.sum(np.abs(orbitals) ** 2, axis=1), np.cumsum(sizes)[:-1])
    np.testing.assert_allclose([norm.mean() for norm in norms], 1.0)


@pytest.mark.parametrize("symbol", ["H", "S", "Ca", "La"])
def test_the_orbitals_of_an_atom_alone_lie_on_it(odd_cell, waves, positions, symbol):
    potential, place = pseudopotential(symbol), positions[:1]
    kinds = [[occupied_shells(potential)], [empty_shells(potential)]]
    in_occupied, in_empty = (
        atom_shares(normalised(orbital_waves(waves, place, kind)[0]), waves, place, *kinds) for kind in kinds
    )
    np.testing.assert_allclose(in_occupied[0], 1.0, atol=1e-10)
    np.testing.assert_allclose(in_occupied[1], 0.0, atol=1e-10)
    np.testing.assert_allclose(sum(in_empty), 1.0, atol=1e-10)


def test_an_orbital_that_meets_no_other_lies_on_its_atom():
    """Two H and an S far apart."""
    cell = Cell(np.array([[20.0, 0.5, -0.7], [1.2, 21.0, 0.9], [-1.1, 1.4, 19.0]]))
    waves, places = (
        plane_waves(cell, 1.2),
        cell.cartesian(np.array([[0.1, 0.2, 0.1], [0.6, 0.1, 0.5], [0.3, 0.7, 0.6]])),
    )
    occupied, empty = (shells_of(("H", "S", "H"), kind) for kind in (occupied_shells, empty_shells))
    orbitals, owners = orbital_waves(waves, places, occupied)
    shares, others = atom_shares(normalised(orbitals), waves, places, occupied, empty)
    np.testing.assert_allclose(shares, np.eye(3)[owners], atol=3e-3)
    np.testing.assert_allclose(others, 0.0, atol=3e-3)


def test_no_state_has_more_than_itself_to_share(waves, positions):
    shares = np.array(atom_shares(random_states(40, len(waves)), waves, positions, OCCUPIED, EMPTY))
    assert shares.min() >= 0
    assert np.all(shares.sum(axis=(0, 2)) <= 1 + 1e-12)
    assert 0.01 < shares.sum() / 40 < 0.5  # as many orbitals as waves there are not


def test_what_the_orbitals_hold_they_share_completely(waves, positions):
    occupied, empty = atom_shares(span(waves, positions, OCCUPIED), waves, positions, OCCUPIED, EMPTY)
    np.testing.assert_allclose(occupied.sum(axis=1), 1.0, atol=1e-9)
    np.testing.assert_allclose(empty, 0.0, atol=1e-9)
    both = atom_shares(span(waves, positions, OCCUPIED, EMPTY), waves, positions, OCCUPIED, EMPTY)
    np.testing.assert_allclose(sum(both).sum(axis=1), 1.0, atol=1e-6)


def test_more_orbitals_than_waves_hold_every_state(odd_cell, positions):
    few = plane_waves(odd_cell, 0.5)
    assert len(few) < 25
    shares = atom_shares(random_states(5, len(few)), few, positions, OCCUPIED, EMPTY)
    np.testing.assert_allclose(sum(shares).sum(axis=1), 1.0, atol=1e-6)


def test_all_orbitals_are_shared_out_without_loss(waves, positions):
    """Over a basis of the space the shares of an atom count its orbitals."""
    basis = np.eye(len(waves), dtype=complex)
    occupied, empty = atom_shares(basis, waves, positions, OCCUPIED, EMPTY)
    for shares, kind in ((occupied, OCCUPIED), (empty, EMPTY)):
        orbitals = [sum(2 * shell.l + 1 for shell in own) for own in kind]
        np.testing.assert_allclose(shares.sum(axis=0), orbitals, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_a_rotation_of_the_crystal_changes_no_share(waves, positions, seed):
    """All m of a shell together are a sphere."""
    rotation = special_ortho_group.rvs(3, random_state=seed) * (-1) ** seed
    states = random_states(6, len(waves))
    before = atom_shares(states, waves, positions, OCCUPIED, EMPTY)
    after = atom_shares(states, waves @ rotation.T, positions @ rotation.T, OCCUPIED, EMPTY)
    np.testing.assert_allclose(after, before, atol=1e-8)


def test_the_origin_does_not_matter(waves, positions):
    """psi(r - t) has the coefficients c exp(-i q . t)."""
    shift, states = np.array([0.7, -1.9, 2.3]), random_states(6, len(waves))
    before = atom_shares(states, waves, positions, OCCUPIED, EMPTY)
    after = atom_shares(states * np.exp(-1j * waves @ shift), waves, positions + shift, OCCUPIED, EMPTY)
    np.testing.assert_allclose(after, before, atol=1e-8)


def test_an_atom_in_the_next_cell_is_the_same_atom(odd_cell, waves, positions):
    moved = positions + np.array([[1, 0, -1], [0, 2, 0], [0, 0, 0], [-1, 1, 1]]) @ odd_cell.vectors
    states = random_states(6, len(waves))
    before = atom_shares(states, waves, positions, OCCUPIED, EMPTY)
    np.testing.assert_allclose(atom_shares(states, waves, moved, OCCUPIED, EMPTY), before, atol=1e-8)


def test_degenerate_states_may_be_mixed(waves, positions):
    states = random_states(4, len(waves))
    mixed = random_states(4, 4) @ states
    before, after = (
        np.array(atom_shares(some, waves, positions, OCCUPIED, EMPTY)).sum(axis=1) for some in (states, mixed)
    )
    np.testing.assert_allclose(after, before, atol=1e-12)


def test_the_order_of_the_atoms_does_not_matter(waves, positions):
    order = [2, 0, 3, 1]
    states = random_states(6, len(waves))
    before = atom_shares(states, waves, positions, OCCUPIED, EMPTY)
    shells = ([kind[i] for i in order] for kind in (OCCUPIED, EMPTY))
    after = atom_shares(states, waves, positions[order], *shells)
    np.testing.assert_allclose(after, np.array(before)[..., order], atol=1e-8)


def test_empty_shells_take_nothing_from_the_occupied_ones(waves, positions):
    states = random_states(6, len(waves))
    without, nothing = atom_shares(states, waves, positions, OCCUPIED, [[] for _ in SYMBOLS])
    assert np.all(nothing == 0)
    few = atom_shares(states, waves, positions, OCCUPIED, [shells[:1] for shells in EMPTY])
    many = atom_shares(states, waves, positions, OCCUPIED, EMPTY)
    assert np.array_equal(few[0], without)
    assert np.array_equal(many[0], without)
    assert np.all(many[1].sum(axis=1) > few[1].sum(axis=1))


def test_two_equal_atoms_share_what_is_between_them(odd_cell, waves):
    """The bond of H2: half to each, whatever the overlap."""
    places = np.array([[1.0, 2.0, 3.0], [1.8, 2.6, 3.9]])
    shells = shells_of("HH", occupied_shells)
    orbitals, _ = orbital_waves(waves, places, shells)
    bond = orbitals.sum(axis=0, keepdims=True)
    shares, _ = atom_shares(normalised(bond), waves, places, shells, [[], []])
    np.testing.assert_allclose(shares, 0.5, atol=1e-10)
