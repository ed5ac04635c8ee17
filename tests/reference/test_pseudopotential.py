"""The hydrogen pseudopotential against its own definition and the free atom."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from scipy.linalg import eigh_tridiagonal

from jovium.base.errors import InputError
from jovium.reference.pseudopotential import pseudopotential
from jovium.reference.upf import upf


@pytest.mark.parametrize("functional", ["PBE", "LDA"])
def test_potential_is_coulomb_outside_the_core_and_finite_inside(functional):
    potential = pseudopotential("H", functional)
    r = np.array([2.0, 3.0, 5.0])
    assert potential(r) == pytest.approx(-1 / r, abs=1e-12)
    assert potential(np.array([0.0]))[0] == pytest.approx(-np.sqrt(2 / np.pi) / 0.2 + potential.local[0])
    assert potential(np.array([1e-7]))[0] == pytest.approx(potential(np.array([0.0]))[0], rel=1e-6)


@pytest.mark.parametrize("functional", ["PBE", "LDA"])
def test_bare_pseudo_atom_binds_its_electron_like_hydrogen(functional):
    """-u''/2 + V u = E u on a fine radial mesh: the ground state is -1/2 hartree to a few millihartree.

    The potential was fitted with the density functional of the electron acting on itself; without it the level of the
    bare ion must still be hydrogen's.
    """
    h = 0.002
    r = np.arange(1, 10000) * h
    diagonal = 1 / h**2 + pseudopotential("H", functional)(r)
    energy = eigh_tridiagonal(diagonal, np.full(len(r) - 1, -0.5 / h**2), select="i", select_range=(0, 0))[0][0]
    assert energy == pytest.approx(-0.5, abs=2e-3)


def test_file_holds_the_potential_in_rydberg():
    root = ElementTree.fromstring(upf(pseudopotential("H")))
    radius = np.array(root.findtext("PP_MESH/PP_R", "").split(), dtype=float)
    local = np.array(root.findtext("PP_LOCAL", "").split(), dtype=float)
    assert local == pytest.approx(2 * pseudopotential("H")(radius))


def test_unknown_functional_is_refused():
    with pytest.raises(InputError, match="functional 'SCAN'"):
        pseudopotential("H", "SCAN")
