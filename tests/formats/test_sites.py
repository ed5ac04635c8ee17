"""A crystal built from space group, cell and sites is the one that crystallographers mean."""

import numpy as np
import pytest
from ase.spacegroup import crystal as ase_crystal

from jovium.base.errors import InputError, JoviumError
from jovium.base.structure import Structure
from jovium.formats.sites import PARAMETERS, structure_of_sites
from jovium.formats.symmetry import found_group, space_groups

SCALE = {"a": 11.0, "b": 12.3, "c": 13.9, "alpha": 81.0, "beta": 97.0, "gamma": 107.0}
GENERAL = [("S", 0.1317, 0.3119, 0.4173), ("H", 0.3511, 0.1033, 0.0679), ("Ca", 0.0519, 0.4337, 0.1871)]


def free_parameters(number):
    words = next(words for last, words in PARAMETERS if number <= last).split()
    return [SCALE[word] for word in dict.fromkeys(words) if word in SCALE]


def named(number):
    """The group by its number, with a choice where it needs one."""
    choices = [setting.choice for setting in space_groups(number=number)]
    return f"{number}:{choices[0]}" if choices[0][:1] in ("1", "2") else str(number)


def distances(structure):
    """What does not depend on origin, axes or the choice of the cell: distances to the nearest atoms, sorted."""
    near = np.round(np.sort(structure.neighbours(12)[0], axis=1), 4)
    return [sorted(map(tuple, near[np.array(structure.symbols) == x])) for x in sorted(set(structure.symbols))]


@pytest.mark.parametrize("first", range(1, 231, 46))
def test_general_positions_have_exactly_the_space_group_asked_for(first):
    """All 230 groups, the lower ones in oblique cells: the group is found again, every orbit has its order."""
    for number in range(first, first + 46):
        structure = structure_of_sites(named(number), free_parameters(number), GENERAL)
        _, found, order = found_group(structure)
        assert (found, structure.n_atoms, structure.notes) == (number, 3 * order, ()), number


@pytest.mark.parametrize(
    ("group", "setting", "cell", "sites"),
    [
        ("2", 1, (3.1, 4.2, 5.3, 81, 97, 107), [("S", 0.1, 0.2, 0.3), ("H", 0.4, 0.1, 0.9), ("H", 0, 0.5, 0)]),
        ("15", 1, (4.939, 2.811, 4.139, 90, 142.47, 90), [("H", 0, 0.1012, 0.25), ("H", 0.226, 0.0672, 0.2464)]),
        ("141:1", 1, (2.5, 2.5, 6.4, 90, 90, 90), [("H", 0, 0, 0)]),
        ("141:2", 2, (2.5, 2.5, 6.4, 90, 90, 90), [("H", 0, 0.75, 0.125)]),
        ("227:1", 1, (5.4, 5.4, 5.4, 90, 90, 90), [("Si", 0, 0, 0), ("H", 0.3, 0.3, 0.3)]),
        ("227:2", 2, (5.4, 5.4, 5.4, 90, 90, 90), [("Si", 0.125, 0.125, 0.125), ("H", 0.3, 0.3, 0.3)]),
        ("166:H", 1, (3.0, 3.0, 9.0, 90, 90, 120), [("La", 0, 0, 0), ("H", 0, 0, 0.21)]),
        ("166:R", 2, (3.9, 3.9, 3.9, 51, 51, 51), [("La", 0, 0, 0), ("H", 0.21, 0.21, 0.21)]),
        ("194", 1, (3.7, 3.7, 5.5, 90, 90, 120), [("Y", 1 / 3, 2 / 3, 0.25), ("H", 0.156, 0.312, 0.06)]),
        ("225", 1, (4.9, 4.9, 4.9, 90, 90, 90), [("La", 0.5, 0.5, 0.5), ("H", 0.12, 0.12, 0.12)]),
    ],
)
def test_settings_and_origins_are_those_of_another_program(group, setting, cell, sites):
    other = Structure.from_ase(
        ase_crystal(
            [symbol for symbol, *_ in sites],
            [xyz for _, *xyz in sites],
            spacegroup=int(group.partition(":")[0]),
            setting=setting,
            cellpar=cell,
            primitive_cell=True,
        )
    )
    ours = structure_of_sites(group, cell, sites)
    assert ours.n_atoms == other.n_atoms
    assert ours.cell.volume == pytest.approx(other.cell.volume)
    for own, foreign in zip(distances(ours), distances(other), strict=True):
        np.testing.assert_allclose(own, foreign, atol=2e-4)


@pytest.mark.parametrize("group", [194, "194", "P 63/m m c", "P6_3/mmc", " p 63/m 2/m 2/c"])
def test_a_group_has_many_spellings_and_a_cell_two(group):
    of_two = structure_of_sites(group, (3.7, 5.5), [("Y", "1/3", "2/3", "1/4")])
    of_six = structure_of_sites(group, (3.7, 3.7, 5.5, 90, 90, 120), [("Y", "0.3333", "0.6667", ".25")])
    np.testing.assert_allclose(of_two.positions, of_six.positions, atol=1e-9)
    assert found_group(of_six)[1] == 194


def test_a_rounded_special_position_is_taken_as_the_special_one_and_a_note_says_so():
    structure = structure_of_sites(194, (3.7, 5.5), [("Y", 0.3333, 0.6667, 0.25)])
    assert structure.n_atoms == 2
    assert structure.notes == ("the site Y 0.3333 0.6667 0.25 is on the special position 0.333333 0.666667 0.25",)


@pytest.mark.parametrize(
    ("group", "cell", "sites", "note"),
    [
        (202, 4.9, [("La", 0.5, 0.5, 0.5), ("H", 0.25, 0.25, 0.25)], "the space group Fm-3m (225), not only 202"),
        (1, (3, 3, 3, 90, 90, 90), [("H", 0.1, 0.2, 0.3)], "the space group Pm-3m (221), not only 1"),
        (
            221,
            3.0,
            [("H", *x) for x in ((0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0, 0), (0, 0.5, 0.5))],
            "a smaller cell, not",
        ),
        (221, 3.0, [("H", 0, 0, 0), ("H", 0.5, 0.5, 0.5)], "the space group Im-3m (229), not only 221"),
    ],
)
def test_sites_of_a_higher_symmetry_are_said_to_have_it(group, cell, sites, note):
    assert note in structure_of_sites(group, cell, sites).notes[-1]


S = ("S", 0, 0, 0)
BAD = [
    (227, 3.57, [S], "without its choice of the origin"),
    (141, (3, 5), [S], "without its choice of the origin"),
    *((group, 3.0, [S], f"the space group {group}") for group in (0, 231, -1, "Q m 3", "", "229:3")),
    (229, (3, 4), [S], "a cell 3 4"),
    (229, (), [S], "a cell "),
    (229, (3, 3, 3, 90, 90, 91), [S], "other symmetry"),
    (229, (3, 3.001, 3, 90, 90, 90), [S], "I4/mmm"),
    (225, (4.9, 4.9, 4.9, 60, 60, 60), [S], "other symmetry"),
    *((229, a, [S], f"a cell {a:g}") for a in (0.0, -3.0, 1e30, float("nan"), float("inf"))),
    (2, (3, 3, 3, 10, 10, 100), [S], "10 10 100"),
    (2, (3, 3, 3, 0, 90, 90), [S], "0 90 90"),
    (229, 3.0, [], "without sites"),
    (229, 3.0, [("Xx", 0, 0, 0)], "'Xx'"),
    *((229, 3.0, [("S", 0, 0, x)], f"S 0 0 {x}") for x in ("1/0", "x", "", "1/2/3", "nan", "inf", "1e9", 3.4, "1e999")),
    (229, 3.0, [("S", 0, 0)], "S 0 0"),
    (229, 3.0, [S, ("H", 0.05, 0, 0)], "S 0 0 0 and H 0.05 0 0"),
    (229, 3.0, [S, ("H", 0.5, 0.5, 0.5)], "S 0 0 0 and H 0.5 0.5 0.5"),
    (229, 3.0, [("H", 0, 0.5, 0.5), ("H", 0.5, 0, 0.5)], "H 0 0.5 0.5 and H 0.5 0 0.5"),
    (194, (3.7, 5.5), [("Y", 0.32, 0.67, 0.25)], "Y 0.32 0.67 0.25 and its images 0.037 angstrom"),
    (229, 0.1, [S], "apart"),
]


@pytest.mark.parametrize(("group", "cell", "sites", "said"), BAD)
def test_what_is_no_crystal_is_refused_by_its_name(group, cell, sites, said):
    with pytest.raises(InputError) as refused:
        structure_of_sites(group, cell, sites)
    assert isinstance(refused.value, JoviumError)
    assert said in refused.value.got
    assert all((refused.value.got, refused.value.expected, refused.value.do))
