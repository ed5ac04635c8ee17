"""The protocol of a compound: as hard as its hardest element, and a mesh that keeps its symmetry."""

from dataclasses import replace

import numpy as np
import pytest
from ase.spacegroup import crystal as spacegroup_crystal

from jovium.base.cell import Cell
from jovium.base.errors import StructureError
from jovium.base.structure import Structure
from jovium.crystals import CRYSTALS, crystal
from jovium.reference.compounds import element_cutoff, protocol_for
from jovium.reference.kohn_sham import CHEAP, PRODUCTION
from jovium.reference.pseudopotential import pseudopotential


def atoms(symbols, cell) -> Structure:
    """Atoms at general positions."""
    rng = np.random.default_rng(2)
    return Structure(cell, cell.cartesian(rng.random((len(symbols), 3))), tuple(symbols))


@pytest.mark.parametrize("protocol", [PRODUCTION, CHEAP, replace(CHEAP, k_spacing=None, k_mesh=(3, 2, 1))])
@pytest.mark.parametrize("name", CRYSTALS)
def test_hydrogen_has_its_own_protocol(name, protocol):
    assert protocol_for(crystal(name, 1.4), protocol) is protocol


def test_deuterium_is_hydrogen(odd_cell):
    assert protocol_for(atoms("HDT", odd_cell)) is PRODUCTION


@pytest.mark.parametrize("protocol", [PRODUCTION, CHEAP])
def test_the_hardest_element_decides_the_cutoff(odd_cell, protocol):
    cutoffs = {x: element_cutoff(pseudopotential(x), protocol) for x in ("La", "S", "O", "F")}
    assert cutoffs["La"] < cutoffs["O"] < cutoffs["F"]
    for symbols in (["La", "F", "H"], ["F", "O", "La"], ["S", "F"], ["F"]):
        assert protocol_for(atoms(symbols, odd_cell), protocol).cutoff == max(protocol.cutoff, cutoffs["F"])
    alone = protocol_for(atoms(["La", "H", "H"], odd_cell), protocol).cutoff
    assert alone == max(protocol.cutoff, cutoffs["La"])


def test_an_element_softer_than_hydrogen_leaves_the_cutoff_of_hydrogen(odd_cell):
    assert element_cutoff(pseudopotential("S"), PRODUCTION) < PRODUCTION.cutoff
    assert protocol_for(atoms("SHHH", odd_cell)).cutoff == PRODUCTION.cutoff


def test_hydrogen_is_as_hard_as_its_own_cutoff():
    for protocol in (CHEAP, PRODUCTION):
        assert element_cutoff(pseudopotential("H"), protocol) == protocol.cutoff


@pytest.mark.parametrize(("element", "cutoff"), [("S", 29), ("Ca", 64), ("La", 77), ("O", 126), ("Mg", 389)])
def test_an_element_has_the_whole_cutoff_at_which_it_is_as_hard_as_hydrogen(element, cutoff):
    """28.4, 63.4, 76.3, 125.3 and 388.4 hartree by the transforms of the orbitals, rounded up."""
    assert element_cutoff(pseudopotential(element), PRODUCTION) == cutoff


@pytest.mark.parametrize("element", ["S", "Ca", "O"])
def test_a_stricter_protocol_of_hydrogen_is_stricter_for_all(element):
    cutoffs = [element_cutoff(pseudopotential(element), replace(CHEAP, cutoff=e)) for e in (15.0, 20.0, 30.0, 45.0)]
    assert cutoffs == sorted(set(cutoffs))


def test_rounded_coordinates_leave_the_mesh_of_the_crystal():
    rng = np.random.default_rng(5)
    exact = crystal("lah10")
    rounded = replace(exact, positions=exact.positions + 2e-4 * rng.uniform(-1, 1, exact.positions.shape))
    assert protocol_for(rounded, CHEAP).k_offset == protocol_for(exact, CHEAP).k_offset == 0


def test_the_mesh_is_twice_as_dense_and_one_that_was_given_stays(odd_cell):
    compound = atoms(["Li", "H"], odd_cell)
    assert protocol_for(compound).k_spacing == PRODUCTION.k_spacing / 2
    given = replace(PRODUCTION, k_spacing=None, k_mesh=(3, 2, 1))
    assert protocol_for(compound, given).mesh(odd_cell) == (3, 2, 1)


def test_nothing_else_of_the_protocol_changes(odd_cell):
    changed = {"cutoff", "k_spacing", "k_offset"}
    ours = vars(protocol_for(atoms(["F", "H"], odd_cell)))
    assert {name for name, value in ours.items() if value != vars(PRODUCTION)[name]} <= changed


@pytest.mark.parametrize(("name", "offset"), [("h3s", 0.5), ("cah6", 0.5), ("yh6", 0.5), ("lah10", 0.0)])
def test_a_shifted_mesh_stays_on_bcc_and_moves_to_gamma_on_fcc(name, offset):
    """Half a step along three of the vectors of fcc is no symmetric mesh (Monkhorst and Pack); along those of bcc it
    is."""
    for mesh in ((4, 4, 4), (5, 5, 5)):
        assert protocol_for(crystal(name), replace(CHEAP, k_spacing=None, k_mesh=mesh)).k_offset == offset


def test_a_hexagonal_mesh_is_centred_and_a_triclinic_one_is_not(odd_cell):
    cell = [3.0, 3.0, 5.0, 90, 90, 120]
    hexagonal = spacegroup_crystal(
        ["Mg", "H"], [(1 / 3, 2 / 3, 0.25), (1 / 3, 2 / 3, 0.6)], spacegroup=194, cellpar=cell
    )
    assert protocol_for(Structure.from_ase(hexagonal)).k_offset == 0.0
    assert protocol_for(atoms(["Li", "H"], odd_cell)).k_offset == PRODUCTION.k_offset


def test_an_element_without_a_potential_is_named():
    with pytest.raises(StructureError, match="U: no pseudopotential"):
        protocol_for(atoms(["U", "H"], Cell(6 * np.eye(3))))
