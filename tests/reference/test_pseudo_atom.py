"""The free atom: its shells and its core."""

import numpy as np
import pytest
from scipy.special import spherical_jn

from jovium.reference.pseudo_atom import (
    BINDING,
    CONFINEMENT,
    core_radii,
    core_radius,
    empty_shells,
    occupied_shells,
    pseudo_atom,
)
from jovium.reference.pseudopotential import TABLES, _table, pseudopotential

R = np.arange(0.01, 30, 0.01)

SHELLS = {"Li": 2, "Be": 2, "Na": 8, "Mg": 8, "K": 8, "Ca": 8, "Rb": 8, "Sr": 8, "Cs": 8, "Ba": 8}


@pytest.mark.parametrize(("element", "electrons"), SHELLS.items())
def test_the_core_holds_the_electrons_of_its_shells(element, electrons):
    """To 0.1 to 0.2 electrons, as Kohout and Savin find for these elements."""
    potential = pseudopotential(element)
    r = np.arange(0.005, core_radius(potential), 0.005)
    density = sum(orbital.occupation * orbital(r) ** 2 for orbital in pseudo_atom(potential))
    assert np.sum(density * r**2) * 0.005 == pytest.approx(electrons, abs=0.2)


def test_without_a_shell_below_the_valence_the_core_is_that_of_the_potential():
    for element in ("B", "C", "Si", "S", "Cl"):
        potential = pseudopotential(element)
        assert core_radius(potential) == pytest.approx(2 * potential.r_loc)


def test_cores_grow_down_a_group_and_shrink_along_a_row():
    radii = core_radii(["H", "Li", "Na", "K", "Rb", "Cs", "Ca", "Sc", "Ti", "V", "D", "Ac"])
    assert [radii[x] for x in ("Li", "Na", "K", "Rb", "Cs")] == sorted(radii[x] for x in ("Li", "Na", "K", "Rb", "Cs"))
    assert [radii[x] for x in ("V", "Ti", "Sc", "Ca", "K")] == sorted(radii[x] for x in ("V", "Ti", "Sc", "Ca", "K"))
    assert not {"H", "D", "Ac"} & set(radii)  # hydrogen has no core, actinium no potential


@pytest.mark.parametrize("functional", TABLES)
def test_every_element_of_the_tables_has_its_electrons_in_normalised_shells(functional):
    """All 86 atoms converge and bind their electrons; the shells of each hold those of its configuration, shells of one
    angular momentum are orthogonal, and one empty shell of s, p, d and f follows."""
    table = _table(TABLES[functional])
    assert len(table) == 86
    for element, potential in table.items():
        atom = pseudo_atom(potential)
        for l in range(4):
            own = [shell for shell in atom if shell.l == l]
            electrons = dict(enumerate(potential.configuration)).get(l, 0)
            assert sum(shell.occupation for shell in own) == electrons, (element, l)
            assert [shell.occupation for shell in own].count(0.0) == 1, (element, l)
            values = np.array([shell(R) for shell in own])
            overlaps = (values * R**2) @ values.T * 0.01
            np.testing.assert_allclose(overlaps, np.eye(len(own)), atol=5e-5, err_msg=f"{element}, l = {l}")
            energies = [shell.energy for shell in own]
            assert energies == sorted(energies), (element, l)
        assert max(shell.energy for shell in occupied_shells(potential)) < 0, element
        assert sum(shell.occupation for shell in occupied_shells(potential)) == potential.charge, element


def test_hydrogen_has_the_level_of_its_functional():
    """The 1s level of the unpolarised atom in LDA, -0.233471 hartree (NIST, Atomic Reference Data for Electronic
    Structure Calculations, LDA); the potential was fitted to it."""
    assert occupied_shells(pseudopotential("H", "LDA"))[0].energy == pytest.approx(-0.233471, abs=2e-4)


EMPTY = {"H": "p", "Li": "pd", "B": "d", "S": "d", "Ca": "pdf", "Y": "pf", "La": "pf"}
"""2p of H, 3d of S; 2p, 3d of Li; 4p, 3d and 4f of Ca; 5p, 4f of Y; 6p, 4f of La."""


@pytest.mark.parametrize("functional", TABLES)
@pytest.mark.parametrize(("element", "letters"), EMPTY.items())
def test_empty_shells_are_those_that_a_compressed_atom_may_use(element, letters, functional):
    potential = pseudopotential(element, functional)
    assert "".join("spdf"[shell.l] for shell in empty_shells(potential)) == letters


@pytest.mark.parametrize("functional", TABLES)
def test_empty_shells_are_bound_or_the_first_of_the_next_angular_momentum(functional):
    """The free atom binds 4f of La as well as 4p and 3d of Ca; what it does not bind is confined, normalised, and of
    the lowest angular momentum that no other shell has."""
    for element in EMPTY:
        potential = pseudopotential(element, functional)
        shells = empty_shells(potential)
        free = [shell for shell in pseudo_atom(potential) if shell.occupation == 0 and shell.energy < -BINDING]
        assert shells[: len(free)] == free, element
        assert len(shells) - len(free) <= 1, element
        for shell in shells[len(free) :]:
            assert any(shell is confined for confined in pseudo_atom(potential, CONFINEMENT)), element
            assert shell.l == min({0, 1, 2, 3} - {other.l for other in [*occupied_shells(potential), *free]}), element
        for shell in shells:
            assert shell.occupation == 0
            assert np.sum((R * shell(R)) ** 2) * 0.01 == pytest.approx(1, abs=1e-5), element


def test_walls_push_an_orbital_together_and_its_level_up():
    potential = pseudopotential("S")
    free, confined = pseudo_atom(potential), pseudo_atom(potential, CONFINEMENT)
    for wide, narrow in zip(free, confined, strict=True):
        assert narrow.energy > wide.energy
        means = [np.sum(R**3 * shell(R) ** 2) * 0.01 for shell in (wide, narrow)]
        assert means[1] < means[0]


def test_transform_is_the_bessel_integral_of_the_orbital():
    """4 pi int r^2 j_l(k r) R(r) dr of every shell, s to f; at k = 0 only s has one."""
    k = np.array([0.0, 0.3, 1.1, 2.7, 5.0])
    seen = set()
    for shell in [*pseudo_atom(pseudopotential("La")), *empty_shells(pseudopotential("Ca"))]:
        integrand = R**2 * spherical_jn(shell.l, np.outer(k, R)) * shell(R)
        expected = 4 * np.pi * np.sum(integrand, axis=1) * 0.01
        np.testing.assert_allclose(shell.transform(k), expected, atol=1e-3, err_msg=str(shell.l))
        seen.add(shell.l)
    assert seen == {0, 1, 2, 3}


def test_an_orbital_has_the_same_norm_in_waves():
    """Parseval: int k^2 R(k)^2 dk / (2 pi)^3 = 1 for a unit of solid angle."""
    k = np.arange(0, 40, 0.01)
    for shell in [*pseudo_atom(pseudopotential("S")), *empty_shells(pseudopotential("H"))]:
        assert np.sum((k * shell.transform(k)) ** 2) * 0.01 / (2 * np.pi) ** 3 == pytest.approx(1, abs=5e-5)
