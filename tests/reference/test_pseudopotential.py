"""Pseudopotentials against their own definition, the free atom and the reader of PySCF."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pyscf
import pytest
from pyscf.pbc.gto import pseudo
from scipy.linalg import eigh_tridiagonal

from jovium.base.cell import Cell
from jovium.base.errors import InputError, StructureError
from jovium.base.structure import Structure
from jovium.reference.pseudo_atom import occupied_shells
from jovium.reference.pseudopotential import (
    TABLES,
    _table,
    potential_names,
    pseudopotential,
    pseudopotentials,
    valence_electrons,
)
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


@pytest.mark.parametrize("functional", TABLES)
def test_every_element_has_the_parameters_that_pyscf_reads(functional):
    """Under the name in small letters; in capitals PySCF reads a later table, in which Na is another."""
    table = _table(TABLES[functional])
    assert len(table) == 86
    for element, ours in table.items():
        electrons, r_loc, n_local, local, n_channels, *channels = pseudo.load(ours.name.lower(), element)
        assert ours.element == element
        assert list(ours.configuration) == electrons, element
        assert (ours.r_loc, list(ours.local), len(ours.local)) == (r_loc, list(local), n_local), element
        assert [channel.l for channel in ours.channels] == list(range(n_channels)), element
        for own, (radius, size, coefficients) in zip(ours.channels, channels, strict=True):
            assert (own.radius, len(own.coefficients)) == (radius, size), element
            shape = np.shape(own.coefficients)
            np.testing.assert_array_equal(own.coefficients, np.reshape(coefficients, shape), err_msg=element)


@pytest.mark.parametrize("functional", TABLES)
def test_of_several_potentials_that_with_most_electrons_is_taken(functional):
    """Semicore: the table has Ga with 3 electrons and with 13."""
    file = Path(pyscf.__file__).parent / "pbc" / "gto" / "pseudo" / f"{TABLES[functional].lower()}.dat"
    charges: dict[str, list[int]] = {}
    for element, charge in re.findall(r"^([A-Z][a-z]?) GTH-\S+-q(\d+)", file.read_text(), flags=re.M):
        charges.setdefault(element, []).append(int(charge))
    assert sum(len(set(own)) > 1 for own in charges.values()) > 5
    for element, own in charges.items():
        assert pseudopotential(element, functional).charge == max(own), element
        assert pseudopotential(element, functional).name.endswith(f"-q{max(own)}"), element


@pytest.mark.parametrize("functional", TABLES)
def test_projectors_are_normalised(functional):
    r = np.arange(0.0, 12.0, 0.002)
    for element, potential in _table(TABLES[functional]).items():
        for channel in potential.channels:
            for i in range(len(channel.coefficients)):
                norm = np.sum((r * channel.projector(i, r)) ** 2) * 0.002
                assert norm == pytest.approx(1, abs=1e-5), (element, channel.l, i)


@pytest.mark.parametrize("functional", TABLES)
def test_a_file_can_be_read_and_holds_the_potential(functional):
    """It is XML with r times each projector, D = h of each channel and zero between them, and a starting density of all
    electrons: every fourth element."""
    for element, potential in list(_table(TABLES[functional]).items())[::4]:
        root = ElementTree.fromstring(upf(potential))
        numbers = {
            node.tag: np.array((node.text or "").split(), dtype=float) for node in root.iter() if "size" in node.attrib
        }
        r, header = numbers["PP_R"], root.find("PP_HEADER").attrib
        assert numbers["PP_RAB"] == pytest.approx(np.gradient(r))
        assert all(len(numbers[node.tag]) == int(node.get("size")) for node in root.iter() if "size" in node.attrib)
        np.testing.assert_allclose(numbers["PP_LOCAL"], 2 * potential(r), rtol=1e-12, err_msg=element)
        projectors = [(channel, i) for channel in potential.channels for i in range(len(channel.coefficients))]
        assert int(header["number_of_proj"]) == len(projectors), element
        assert (header["element"], float(header["z_valence"])) == (element, potential.charge)
        for n, (channel, i) in enumerate(projectors, 1):
            assert int(root.find(f"PP_NONLOCAL/PP_BETA.{n}").get("angular_momentum")) == channel.l
            np.testing.assert_allclose(numbers[f"PP_BETA.{n}"], r * channel.projector(i, r), rtol=1e-12, atol=1e-12)
        assert header["functional"] == {"PBE": "PBE", "LDA": "SLA PW NOGX NOGC"}[functional]
        assert int(header["l_max"]) == max([channel.l for channel, _ in projectors], default=0), element
        assert (header["l_local"], header["core_correction"]) == ("-1" if projectors else "0", "F"), element
        if element != "H":
            for orbital, given in zip(occupied_shells(potential), root.findall("PP_PSWFC/*"), strict=True):
                assert (given.get("l"), float(given.get("occupation"))) == (str(orbital.l), orbital.occupation)
                assert float(given.get("pseudo_energy")) == pytest.approx(2 * orbital.energy)
        if projectors:
            coefficients = numbers["PP_DIJ"].reshape(len(projectors), -1)
            expected = [[2 * a.coefficients[i][j] if a is b else 0.0 for b, j in projectors] for a, i in projectors]
            np.testing.assert_allclose(coefficients, expected, rtol=1e-12, err_msg=element)
            np.testing.assert_array_equal(coefficients, coefficients.T)
        assert np.sum(numbers["PP_RHOATOM"]) * 0.01 == pytest.approx(potential.charge, rel=0.02), element


def test_coefficients_off_the_diagonal_are_there():
    assert np.abs(np.triu(pseudopotential("La").channels[0].coefficients, 1)).max() > 1


def test_isotopes_are_hydrogen_and_an_element_without_a_potential_is_named():
    assert pseudopotential("D") is pseudopotential("T") is pseudopotential("H")
    with pytest.raises(StructureError, match="Ac: no pseudopotential in GTH-PBE"):
        pseudopotential("Ac")


def test_a_compound_names_its_potentials_and_counts_their_electrons():
    structure = Structure(Cell(5 * np.eye(3)), np.arange(12.0).reshape(4, 3), ("La", "H", "D", "S"))
    assert list(pseudopotentials(structure, "PBE")) == ["La", "H", "S"]
    assert valence_electrons(structure, "PBE") == 11 + 1 + 1 + 6
    assert potential_names(structure, "PBE") == "H GTH-PBE-q1, La GTH-PBE-q11, S GTH-PBE-q6"
    assert potential_names(None, "LDA") == "GTH-PADE-q1"
