"""The crystals of hydrogen have the symmetry, the density and the bonds that they claim."""

import numpy as np
import pytest
import spglib
import spglib.error

from jovium.base.errors import InputError
from jovium.crystals import CRYSTALS, H2_BOND, crystal

PRIMITIVE_ATOMS = {"sc": 1, "bcc": 1, "fcc": 1, "cs-iv": 2, "c2/c-24": 12, "hcp-h2": 4}


def as_spglib(structure):
    return structure.cell.vectors, structure.cell.fractional(structure.positions), [1] * structure.n_atoms


@pytest.fixture(autouse=True)
def spglib_raises(monkeypatch):
    """The error style that spglib announces as its next default."""
    monkeypatch.setattr(spglib.error, "OLD_ERROR_HANDLING", False, raising=False)


@pytest.mark.parametrize("name", CRYSTALS)
@pytest.mark.parametrize("rs", [1.3, 1.7])
def test_space_group_is_the_stated_one(name, rs):
    dataset = spglib.get_symmetry_dataset(as_spglib(crystal(name, rs)), symprec=1e-6)
    assert dataset.number == CRYSTALS[name].space_group


@pytest.mark.parametrize("name", CRYSTALS)
def test_cell_is_primitive_and_holds_the_right_number_of_atoms(name):
    structure = crystal(name, 1.5)
    assert structure.n_atoms == PRIMITIVE_ATOMS[name] == len(spglib.find_primitive(as_spglib(structure))[2])
    assert structure.is_pure_hydrogen


@pytest.mark.parametrize("name", CRYSTALS)
@pytest.mark.parametrize("rs", [1.25, 2.0])
def test_density_is_the_one_asked_for(name, rs):
    assert crystal(name, rs).rs == pytest.approx(rs, rel=1e-12)


@pytest.mark.parametrize("name", CRYSTALS)
def test_no_two_atoms_are_closer_than_nine_tenths_of_a_bohr(name):
    assert crystal(name, 1.3).shortest_distance() > 0.9


@pytest.mark.parametrize(("rs", "ratio"), [(1.3, 2.551), (1.23, 2.627), (2.4, 2.2), (1.0, 2.8)])
def test_cs_iv_atoms_sit_on_4a_of_a_tetragonal_cell_of_the_relaxed_ratio(rs, ratio):
    dataset = spglib.get_symmetry_dataset(as_spglib(crystal("cs-iv", rs)), symprec=1e-6)
    assert (dataset.number, set(dataset.wyckoffs)) == (141, {"a"})
    assert dataset.std_lattice[2, 2] / dataset.std_lattice[0, 0] == pytest.approx(ratio, rel=1e-9)


def test_cs_iv_at_500_gpa_has_four_neighbours_at_the_bond_of_its_geometry():
    structure = crystal("cs-iv")
    assert structure.rs == pytest.approx(1.23)
    # a^2 c / 4 atoms = 4 pi rs^3 / 3 and bond^2 = (a/2)^2 + (c/4)^2 with c = 2.627 a
    a = (4 * 4 * np.pi / 3 * 1.23**3 / 2.627) ** (1 / 3)
    assert structure.shortest_distance() == pytest.approx(a * np.sqrt(0.25 + (2.627 / 4) ** 2))
    around = structure.supercell((3, 3, 3))
    distances = np.linalg.norm(around.cell.minimum_image(around.positions - around.positions[0]), axis=1)
    assert np.sum(np.abs(distances - structure.shortest_distance()) < 1e-6) == 4


def test_phase_iii_is_made_of_molecules_of_two_lengths():
    structure = crystal("c2/c-24")
    pairs = structure.positions[:, None] - structure.positions[None, :]
    distances = np.linalg.norm(structure.cell.minimum_image(pairs), axis=-1) + 9 * np.eye(structure.n_atoms)
    nearest, second = np.sort(distances, axis=1)[:, :2].T
    assert sorted({round(float(d), 3) for d in nearest}) == [1.419, 1.430]
    assert second.min() > 2.1
    # The volume of the published cell at 300 GPa: 4.939 x 2.811 x 4.139 angstrom, beta 142.47 degrees, 24 atoms
    volume = 4.939 * 2.811 * 4.139 * np.sin(np.radians(142.47)) / 24 / 0.529177210544**3
    assert structure.rs == pytest.approx((3 * volume / (4 * np.pi)) ** (1 / 3), abs=1e-5)


@pytest.mark.parametrize("rs", [1.1, 1.5, 3.0])
def test_hcp_molecules_keep_their_bond_at_any_density(rs):
    structure = crystal("hcp-h2", rs)
    assert structure.shortest_distance() == pytest.approx(H2_BOND)
    assert structure.cell.lengths[2] / structure.cell.lengths[0] == pytest.approx(np.sqrt(8 / 3))


def test_hcp_molecules_that_would_merge_are_refused():
    with pytest.raises(InputError, match="farther apart"):
        crystal("hcp-h2", 0.9)


@pytest.mark.parametrize(("name", "ratio"), [("sc", 1.6120), ("bcc", 1.7589), ("fcc", 1.8094)])
def test_cubic_neighbour_distance_in_units_of_rs(name, ratio):
    # (4 pi/3)^(1/3), sqrt(3)/2 (8 pi/3)^(1/3), sqrt(1/2) (16 pi/3)^(1/3)
    assert crystal(name, 1.31).shortest_distance() / 1.31 == pytest.approx(ratio, abs=1e-4)


@pytest.mark.parametrize("spelling", ["Cs-IV", "cs_iv", "CSIV"])
def test_case_and_punctuation_of_a_name_do_not_matter(spelling):
    np.testing.assert_array_equal(crystal(spelling, 1.3).positions, crystal("cs-iv", 1.3).positions)


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(InputError, match="sc, bcc, fcc, cs-iv, c2/c-24, hcp-h2"):
        crystal("cmce-4", 1.3)


@pytest.mark.parametrize("name", ["bcc", "hcp-h2"])
def test_crystal_without_a_published_volume_needs_rs(name):
    with pytest.raises(InputError, match="without rs"):
        crystal(name)


@pytest.mark.parametrize("rs", [0.0, -1.3, float("nan"), float("inf")])
def test_rs_that_is_no_length_is_refused(rs):
    with pytest.raises(InputError, match="positive"):
        crystal("bcc", rs)
