"""The path among atoms: distances to nuclei, and a warning when, and only when, it needs the core of one."""

from itertools import product

import numpy as np
import pytest
from torus_fields import painted

from jovium.base.cell import Cell
from jovium.base.grid import GridField
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM
from jovium.topology.crystal_path import CrystalPath, crystal_path
from jovium.topology.network import hydrogen_network

ALL = slice(None)
SHAPE = (20, 21, 22)
HEAVY, HYDROGEN = (5, 5, 5), (15, 15, 15)


def rods(place: tuple[int, int, int]) -> list:
    """Index expressions of the three axes through a voxel."""
    return [tuple(ALL if axis == free else n for axis, n in enumerate(place)) for free in range(3)]


def path_through(cell: Cell, *strokes, shift=(0, 0, 0), second=HYDROGEN, core=1.0, symbols=("La", "H")) -> CrystalPath:
    """The path of a painted field, with the heavy atom on one voxel and the hydrogen on another."""
    values = np.roll(painted(SHAPE, 0.1, *strokes), shift, (0, 1, 2))
    places = (np.array([HEAVY, second]) + shift) / SHAPE
    structure = Structure(cell, cell.cartesian(places), symbols)
    return crystal_path(GridField(values, cell), structure, {symbols[0]: core})


def test_a_network_that_needs_a_core_is_told_with_the_atom_the_distance_and_what_is_left_without(any_cell):
    path = path_through(any_cell, (0.9, rods(HEAVY)), (0.4, rods(HYDROGEN)))
    assert (path.path.lowest, path.around_cores) == (0.9, 0.4)
    radius = f"{BOHR_ANGSTROM:.2f}"
    expected = f"the network passes La 1 at 0.00 angstrom, inside its core ({radius}): no network of hydrogen; around"
    assert path.warnings == (f"{expected} the cores phi is 0.40",)
    assert (path.visited, path.approaches[0].distance) == (("La 1",), pytest.approx(0, abs=1e-9))


def test_a_network_that_is_as_high_beside_the_core_enters_none(any_cell):
    path = path_through(any_cell, (0.9, rods(HEAVY)), (0.9, rods(HYDROGEN)))
    distance = np.linalg.norm(any_cell.minimum_image(any_cell.cartesian((10, 10, 10) / np.array(SHAPE))))
    assert (path.path.lowest, path.passed, path.warnings) == (0.9, None, ())
    assert path.visited == ("H 2",)
    assert 1 < path.approaches[0].distance <= distance


def test_a_path_that_dips_into_a_core_on_its_way_takes_the_lower_one_beside_it():
    """Along z the detour through the nucleus is higher, but the threshold is that along y."""
    detour = [(5, 5, slice(0, 11)), (5, slice(5, 16), 0), (5, slice(5, 16), 10), (slice(5, 16), 15, 0)]
    strokes = (0.9, detour), (0.8, rods(HYDROGEN)), (0.6, [(slice(5, 16), 15, 10)]), (0.5, [(15, 15, slice(1, 10))])
    needed = path_through(Cell(8.0 * np.eye(3)), *strokes)
    assert (needed.path.lowest, needed.around_cores, len(needed.warnings)) == (0.6, 0.5, 1)
    path = path_through(Cell(8.0 * np.eye(3)), *strokes, (0.45, [(15, 2, 15)]))
    assert (path.path.lowest, path.warnings) == (0.45, ())
    assert path.approaches[0].distance > 1


def test_hydrogen_inside_the_radius_of_a_core_belongs_to_itself(any_cell):
    """In dense matter a proton may be nearer to a nucleus than its free atom's core reaches."""
    beside = (9, 5, 5)
    apart = np.linalg.norm(any_cell.minimum_image(any_cell.cartesian(np.array([4, 0, 0]) / SHAPE)))
    away = [place for place in rods(beside) if place[0] == 9]
    bridge = [(slice(9, 20), 12, 12), (slice(0, 9), 12, 12), (9, slice(5, 13), 12)]
    path = path_through(any_cell, (0.9, [*away, *bridge]), second=beside, core=1.2 * apart)
    assert path.path.lowest == 0.9
    assert path.warnings == ()
    alone = path_through(any_cell, (0.9, [*away, *bridge]), core=1.2 * apart)
    assert "inside its core" in alone.warnings[0]


@pytest.mark.parametrize("shift", [*product((0, 7), (0, -30), (0, 2))])
def test_distances_and_warnings_do_not_know_the_origin(odd_cell, shift):
    strokes = (0.9, rods((6, 6, 5))), (0.4, rods(HYDROGEN)), (0.85, [(6, 6, 9)])
    here, there = path_through(odd_cell, *strokes), path_through(odd_cell, *strokes, shift=shift)
    assert there.warnings == here.warnings
    assert there.visited == here.visited
    assert there.approaches[0].distance == pytest.approx(here.approaches[0].distance)
    assert there.hydrogen_share == here.hydrogen_share


def test_the_distance_is_that_of_the_nearest_point_to_any_image(odd_cell):
    path = path_through(odd_cell, (0.9, rods(HYDROGEN)))
    line = np.stack([*np.meshgrid(*map(np.arange, SHAPE), indexing="ij")], -1)
    points = np.concatenate([line[place] for place in rods(HYDROGEN)]) / SHAPE
    apart = odd_cell.minimum_image(odd_cell.cartesian(points - np.array(HEAVY) / SHAPE))
    assert path.approaches[0].distance == pytest.approx(np.linalg.norm(apart, axis=1).min())


@pytest.mark.parametrize("hydrogen", ["H", "D", "T"])
def test_isotopes_are_hydrogen_and_have_no_core(odd_cell, hydrogen):
    path = path_through(odd_cell, (0.9, rods(HEAVY)), symbols=(hydrogen, "H"), core=0.0)
    assert (path.hydrogen_share, path.approaches, path.warnings) == (1.0, (), ())
    assert path.visited == (f"{hydrogen} 1",)


def test_a_core_of_unknown_radius_is_told(odd_cell):
    structure = Structure(odd_cell, np.array([[0.1, 0.2, 0.3], [2.0, 2.0, 2.0], [3.0, 3, 3]]), ("Ac", "H", "La"))
    path = crystal_path(GridField(painted(SHAPE, 0.1, (0.9, rods(HYDROGEN))), odd_cell), structure, {"La": 0.1})
    assert path.warnings == ("no core radius is known of Ac 1: the network may pass through the core",)


def test_cores_that_leave_no_network_at_all_are_told(odd_cell):
    path = path_through(odd_cell, (0.9, rods(HEAVY)), second=(5, 6, 5), core=50.0)
    assert path.warnings[0].endswith("around the cores there is none")


def test_its_lowest_point_is_the_threshold_of_the_network(odd_cell):
    rng = np.random.default_rng(5)
    structure = Structure(odd_cell, odd_cell.cartesian(rng.random((4, 3))), ("Y", "H", "Ca", "H"))
    for _ in range(20):
        field = GridField(rng.random((7, 8, 9)), odd_cell)
        path = crystal_path(field, structure, {"Y": 0.9, "Ca": 0.8})
        assert path.path.lowest == hydrogen_network(field, refine=False).phi_3d.grid_value
        assert bool(path.warnings) == (path.around_cores is not None and path.around_cores < path.path.lowest)
        if not path.warnings:
            assert all(near.distance >= near.core_radius for near in path.approaches)
