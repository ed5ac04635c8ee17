"""A crystal under pressure comes to rest where its enthalpy is lowest, and keeps its symmetry on the way."""

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk, graphene
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from ase.spacegroup import crystal as of_space_group
from engines import PairEngine

from jovium.base.cell import Cell
from jovium.base.errors import EngineError, InputError, NotConverged, StructureError
from jovium.base.grid import GridField
from jovium.base.structure import Structure
from jovium.base.units import PRESSURE_GPA
from jovium.crystals import crystal
from jovium.reference.kohn_sham import CHEAP, KohnShamSettings
from jovium.reference.relaxation import EngineCalculator, Relaxation, relax, towards_rest
from jovium.reference.state import GroundState
from jovium.reference.symmetry import space_group


def hydride(symbols, sites, group, edge, **how):
    edges = how.pop("cellpar", [edge] * 3 + [90] * 3)
    return Structure.from_ase(of_space_group(symbols, sites, spacegroup=group, cellpar=edges, **how))


def wurtzite():
    return Structure.from_ase(bulk("LaH", "wurtzite", a=2.2, c=3.7, u=0.36))


CRYSTALS = {
    "H3S": hydride("SH", [(0, 0, 0), (0, 0.5, 0.5)], 229, 2.9, primitive_cell=True),
    "H3S, cube": hydride("SH", [(0, 0, 0), (0, 0.5, 0.5)], 229, 2.9),
    "CaH6": hydride(["Ca", "H"], [(0, 0, 0), (0, 0.5, 0.25)], 229, 3.5, primitive_cell=True),
    "LaH10": hydride(["La", "H", "H"], [(0.5,) * 3, (0.25,) * 3, (0.12,) * 3], 225, 4.9, primitive_cell=True),
    "hexagonal, a free height": wurtzite(),
    "tetragonal": crystal("cs-iv", 1.4),
    "hydrogen molecules": crystal("hcp-h2", 1.6),
}


@pytest.fixture
def triclinic():
    cell = Cell(np.array([[3.4, 0.2, -0.3], [0.8, 3.9, 0.5], [-0.6, 1.0, 4.1]]))
    return Structure(cell, cell.cartesian(np.array([[0.05, 0.11, 0.07], [0.41, 0.62, 0.33]])), ("H", "He"))


def test_forces_and_stress_of_the_calculator_are_derivatives_of_its_energy(triclinic):
    """Units, sign and the order xx, yy, zz, yz, xz, xy, in a cell without a right angle."""
    atoms = triclinic.to_ase()
    atoms.calc = EngineCalculator(PairEngine())
    assert len({f"{x:.4f}" for x in atoms.get_stress()}) == 6
    assert atoms.get_forces() == pytest.approx(calculate_numerical_forces(atoms, eps=1e-4), abs=1e-5)
    assert atoms.get_stress() == pytest.approx(calculate_numerical_stress(atoms, eps=1e-4), abs=1e-6)


@pytest.mark.parametrize("gpa", [60.0, 250.0])
@pytest.mark.parametrize("name", CRYSTALS)
def test_the_enthalpy_is_lowest_and_the_space_group_that_of_before(name, gpa):
    before, engine = CRYSTALS[name], PairEngine()
    relaxed = relax(before, gpa, engine=engine)
    structure = relaxed.structure
    assert relaxed.space_group == space_group(structure, 1e-6) == space_group(before, 0.01)
    assert structure.symbols == before.symbols
    assert structure.notes == ()
    assert relaxed.state.pressure * PRESSURE_GPA == pytest.approx(gpa, abs=0.5)
    assert relaxed.pressure_gpa == pytest.approx(gpa)
    assert relaxed.n_steps <= 25

    def enthalpy(changed):
        return engine.ground_state(changed, CHEAP).free_energy + gpa / PRESSURE_GPA * changed.cell.volume

    assert relaxed.enthalpy == pytest.approx(enthalpy(structure), abs=1e-12)
    assert relaxed.enthalpy < enthalpy(before)
    for scale in (0.99, 1.01):
        scaled = Structure(Cell(scale * structure.cell.vectors), scale * structure.positions, structure.symbols)
        assert relaxed.enthalpy < enthalpy(scaled)


@pytest.mark.parametrize("name", CRYSTALS)
def test_forces_of_a_mesh_that_breaks_the_symmetry_do_not_break_it(name):
    class Uneven(PairEngine):
        def ground_state(self, *arguments, **how):
            state, random = super().ground_state(*arguments, **how), np.random.default_rng(0)
            tilt = random.normal(scale=1e-4, size=(3, 3))
            noise = random.normal(scale=2e-3, size=state.forces.shape)
            return replace(state, forces=state.forces + noise - noise.mean(0), stress=state.stress + tilt + tilt.T)

    relaxed = relax(CRYSTALS[name], 150, engine=Uneven())
    assert relaxed.space_group == space_group(relaxed.structure, 1e-6) == space_group(CRYSTALS[name], 0.01)
    assert relaxed.structure.notes == ()


def test_some_steps_towards_rest_are_a_part_of_the_way(triclinic):
    def lies(structure):
        return structure.cell.volume, *structure.to_ase().get_all_distances(mic=True)[0]

    ways = []
    for n_steps in (1, 3, 200):
        engine = PairEngine()
        ways.append(towards_rest(triclinic, 150.0, n_steps, engine, KohnShamSettings(k_spacing=0.6)))
        assert len(engine.meshes) <= n_steps
        assert len(set(engine.meshes)) == 1
    begun, going, rested = ways
    assert lies(begun) == pytest.approx(lies(triclinic), abs=1e-9)
    state = PairEngine().ground_state(rested, CHEAP)
    assert np.abs(state.forces).max() < 5e-4
    assert state.stress == pytest.approx(-150 / PRESSURE_GPA * np.eye(3), abs=0.5 / PRESSURE_GPA)
    assert rested.cell.volume < going.cell.volume < begun.cell.volume
    assert rested.symbols == triclinic.symbols


def test_what_falls_apart_on_its_way_to_rest_is_an_error(triclinic):
    for engine, pressure, said in ((PairEngine(-2.0), 100.0, "apart"), (PairEngine(), -20.0, "times as large")):
        with pytest.raises(StructureError, match=said):
            towards_rest(triclinic, pressure, 200, engine, CHEAP)


def test_a_general_structure_comes_to_rest_too(triclinic):
    relaxed = relax(triclinic, 150, engine=PairEngine())
    assert np.abs(relaxed.state.forces).max() < 5e-4
    assert relaxed.state.stress == pytest.approx(-150 / PRESSURE_GPA * np.eye(3), abs=0.5 / PRESSURE_GPA)


def test_digits_that_a_file_left_out_do_not_lower_the_symmetry():
    """1/3 printed as 0.333."""
    exact = wurtzite()
    printed = replace(exact, positions=exact.cell.cartesian(exact.cell.fractional(exact.positions).round(3)))
    assert space_group(printed) != space_group(exact)
    assert relax(printed, 100, engine=PairEngine()).space_group == space_group(exact)


def test_a_relaxation_into_a_higher_symmetry_is_noted():
    """Layers, one of which is a little off its mirror plane."""
    atoms = graphene("H2", a=1.4)
    atoms.set_cell([*atoms.cell[:2], [0, 0, 1.3]])
    atoms = atoms.repeat((1, 1, 2))
    atoms.positions[0, 2] += 0.05
    relaxed = relax(atoms, 200, engine=PairEngine())
    assert relaxed.space_group == "P-3m1 (164)"
    assert relaxed.structure.notes[-1] == "the relaxation led from the space group P3m1 (156) to P-3m1 (164)"


def test_isotopes_stay_what_they_are():
    heavy = replace(crystal("bcc", 1.4), symbols=("D",))
    assert relax(heavy, 100, engine=PairEngine()).structure.symbols == ("D",)


def test_the_mesh_grows_with_the_reciprocal_cell_and_a_given_one_stays():
    engine, dilute = PairEngine(), CRYSTALS["H3S"].at_rs(2.3)
    settings = KohnShamSettings(k_spacing=0.3)
    relaxed = relax(dilute, 300, settings, engine)
    assert relaxed.state.protocol.k_mesh == settings.mesh(relaxed.structure.cell) != settings.mesh(dilute.cell)
    assert relaxed.n_steps == len(engine.meshes)
    engine.meshes.clear()
    relax(dilute, 300, KohnShamSettings(k_spacing=None, k_mesh=(2, 2, 2)), engine)
    assert set(engine.meshes) == {(2, 2, 2)}


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [
        ({"pressure_gpa": float("nan")}, InputError, "check its unit"),
        ({"pressure_gpa": 2e5}, InputError, "check its unit"),
        ({"max_steps": 0}, InputError, "default"),
        ({"max_steps": 2, "pressure_gpa": 900}, NotConverged, "after 2 steps"),
        ({"pressure_gpa": -20.0}, StructureError, "times as large as at the start"),
        ({"engine": PairEngine(-2.0), "pressure_gpa": 100}, StructureError, r"after \d+ steps .* apart"),
        ({"engine": "crystal ball"}, InputError, "espresso or pyscf"),
    ],
)
def test_what_cannot_come_to_rest_is_an_error_and_no_structure(triclinic, how, error, said):
    with pytest.raises(error, match=said):
        relax(triclinic, **{"pressure_gpa": 100, "engine": PairEngine(), "max_steps": 200} | how)


def test_atoms_that_overlap_and_what_is_no_structure_are_refused(triclinic, unchecked_signatures):
    overlapping = replace(triclinic, positions=triclinic.positions * [[1.0], [0.0]])
    overlapping = replace(overlapping, positions=overlapping.positions[0] + 0.1 * np.array([[0, 0, 0], [0, 0, 1.0]]))
    with pytest.raises(StructureError, match=r"^two atoms .* apart"):
        relax(overlapping, 100, engine=PairEngine())
    with pytest.raises(InputError, match="read_structure"):
        relax("POSCAR", 100, engine=PairEngine())


def test_a_structure_that_the_engine_refuses_is_no_matter_of_the_relaxation(triclinic):
    class Strict(PairEngine):
        def ground_state(self, structure, protocol, **how):
            raise StructureError("no potential of He", "an element of the table", "leave it out")

    with pytest.raises(StructureError, match=r"^no potential"):
        relax(triclinic, 100, engine=Strict())


def test_an_engine_without_stress_is_named(triclinic):
    class Blind(PairEngine):
        def ground_state(self, *arguments, **how):
            return replace(super().ground_state(*arguments, **how), stress=None)

    with pytest.raises(EngineError, match="take espresso"):
        relax(triclinic, 100, engine=Blind())


def test_h3s_from_far_away_is_at_the_pressure_asked_for():
    far = CRYSTALS["H3S"].at_rs(1.85)
    relaxed = relax(far.to_ase(), 200, replace(CHEAP, k_spacing=None, k_mesh=(2, 2, 2)))
    assert isinstance(relaxed, Relaxation)
    assert relaxed.state.pressure * PRESSURE_GPA == pytest.approx(200, abs=0.5)
    assert relaxed.space_group == "Im-3m (229)"
    assert relaxed.n_steps <= 8


def test_an_engine_without_forces_is_refused_before_it_computes():
    with pytest.raises(InputError, match="forces and stress from pyscf"):
        relax(crystal("h3s"), 200, engine="pyscf")


def test_a_state_shows_itself_without_its_fields():
    hydrogen = Structure(Cell(np.eye(3) * 3), np.zeros((1, 3)), ("H",))
    state = GroundState(hydrogen, CHEAP, "pairs", -1.0, 0.0, density=GridField(np.ones((30, 30, 30)), hydrogen.cell))
    assert len(repr(state)) < 1000
