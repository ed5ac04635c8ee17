"""A field that may lack the factor of Quantum ESPRESSO is compared with one made for its atoms, and mended or not."""

import json
from dataclasses import replace

import numpy as np
import pytest
from ase.spacegroup import crystal as space_group

from jovium.base.cell import Cell
from jovium.base.grid import GridField
from jovium.base.localization import QE_PREFACTOR, chi_from_elf, corrected_qe_elf, elf_from_chi
from jovium.base.structure import Structure
from jovium.cli.main import main
from jovium.crystals import crystal
from jovium.elf.model import shipped_model
from jovium.formats.fields import write_field
from jovium.reference.engine import ground_state
from jovium.reference.kohn_sham import CHEAP
from jovium.workflows import elf_convention
from jovium.workflows.analyse import analyse
from jovium.workflows.elf_convention import ConventionCheck

SHAPE = (24, 24, 24)
FEW_K = replace(CHEAP, k_spacing=None, k_mesh=(3, 3, 3))


@pytest.fixture(autouse=True)
def few_k_points(monkeypatch):
    """Seconds less."""
    monkeypatch.setattr(elf_convention, "CHEAP", FEW_K)


@pytest.fixture(scope="module")
def fields():
    """Structures and their ELF: H3S at 200 GPa, the same with an atom displaced in a sheared cell, and hydrogen."""
    basis = ["S", "H"], [(0, 0, 0), (0, 0.5, 0.5)]
    atoms = space_group(*basis, spacegroup=229, cellpar=[2.984] * 3 + [90] * 3, primitive_cell=True)
    cubic = Structure.from_ase(atoms)
    shear = Cell(cubic.cell.vectors @ [[1.0, 0.05, 0], [0, 1, 0.08], [-0.04, 0, 1]])
    places = cubic.cell.fractional(cubic.positions) + np.outer([0, 1, 0, -1], [0.01, 0.02, -0.01])
    triclinic = Structure(shear, shear.cartesian(places), cubic.symbols)
    found = {
        name: (structure, ground_state(structure, FEW_K, stress=False).localization(SHAPE).elf)
        for name, structure in (("H3S", cubic), ("triclinic H3S", triclinic))
    }
    hydrogen = crystal("cs-iv", 1.3)
    return found | {"hydrogen": (hydrogen, shipped_model().predict(hydrogen, SHAPE).elf)}


@pytest.fixture
def cube(tmp_path, fields):
    """A cube as pp.x titles it, with the factor lost or not, and with another pseudopotential at the nuclei."""

    def write(name, lost=True, title=" Cubefile created from PWScf calculation", values=None):
        structure, elf = fields[name]
        points = elf.points()
        near = [np.linalg.norm(elf.cell.minimum_image(points - atom), axis=-1) < 0.6 for atom in structure.positions]
        chi = chi_from_elf(np.where(np.any(near, axis=0), 0.93 * elf.values, elf.values) if values is None else values)
        path = tmp_path / "made.cube"
        write_field(path, structure, GridField(elf_from_chi(chi / QE_PREFACTOR if lost else chi), elf.cell))
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join([title + "\n", "Contains the selected quantity on a FFT grid\n", *lines[2:]]))
        return path

    return write


@pytest.mark.parametrize("name", ["H3S", "triclinic H3S", "hydrogen"])
def test_a_field_that_lacks_the_factor_is_mended_without_asking_and_a_true_one_is_not(cube, name):
    """The same phi of both; the mended one says so, with what speaks for it."""
    true, lost = analyse(cube(name, lost=False)), analyse(cube(name))
    assert lost.network.phi_3d.value == pytest.approx(true.network.phi_3d.value, abs=1e-4)
    assert (lost.protocol["elf_correction"], true.protocol["elf_correction"]) == ("applied", "none")
    assert any("the ELF was mended: RMSE" in warning for warning in lost.warnings)
    assert not any("RMSE" in warning or "Quantum ESPRESSO" in warning for warning in true.warnings)
    assert "RMSE" in true.protocol["elf_convention_check"]


def test_h3s_without_the_factor_has_phi_of_the_published_table_and_mended_that_of_the_engine(cube):
    """0.873 in a table made with Quantum ESPRESSO 7, 0.733 in truth."""
    path = cube("H3S")
    assert analyse(path, elf_convention="true").network.phi_3d.value == pytest.approx(0.873, abs=0.005)
    assert analyse(path).network.phi_3d.value == pytest.approx(0.733, abs=0.006)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda patch: patch.setattr(elf_convention, "QUICK", 0.1), "a calculation would take roughly"),
        (lambda patch: patch.setattr("jovium.reference.espresso.find_spec", lambda name: None), "no Quantum ESPRESSO"),
        (
            lambda patch: patch.setattr("jovium.reference.feasibility.MAGNETIC_METALS", ("S",)),
            "S, which may be magnetic",
        ),
    ],
)
def test_without_a_comparison_the_warning_gives_phi_of_both_conventions_and_the_reason(
    cube, monkeypatch, change, reason
):
    """Thresholds commute with a rising function of the field: no second analysis is needed."""
    path = cube("H3S")
    mended = analyse(path, elf_convention="qe").network.phi_3d.value
    change(monkeypatch)
    doubtful = analyse(path)
    value = doubtful.network.phi_3d.value
    assert doubtful.protocol["elf_correction"] == "suspected"
    assert any(f"{value:.3f} if the ELF of the file is right, {mended:.3f} if" in line for line in doubtful.warnings)
    assert any(reason in warning for warning in doubtful.warnings)
    assert corrected_qe_elf(np.array([value]))[0] == pytest.approx(mended, abs=1e-3)


def test_a_field_that_fits_neither_convention_stays_doubtful(cube, fields):
    """The ELF of another crystal."""
    shifted = np.roll(fields["H3S"][1].values, 7, axis=(0, 1, 2))
    doubtful = analyse(cube("H3S", values=shifted))
    assert doubtful.protocol["elf_correction"] == "suspected"
    assert any("not certain whether to be mended: RMSE" in warning for warning in doubtful.warnings)


@pytest.mark.parametrize(
    ("as_it_stands", "mended", "convention"),
    [(0.18, 0.01, "qe"), (0.01, 0.18, "true"), (0.05, 0.06, None), (0.3, 0.12, None), (0.0, 0.0, None)],
)
def test_a_convention_is_told_by_a_clear_difference_alone(as_it_stands, mended, convention):
    assert ConventionCheck("network", as_it_stands, mended).convention == convention


def test_nobody_is_asked_and_nothing_computed_when_the_convention_is_given_or_certain(cube, monkeypatch):
    monkeypatch.setattr("jovium.workflows.elf_sources.check_convention", lambda *_: pytest.fail("compared"))
    for convention in ("qe", "true"):
        analyse(cube("H3S"), elf_convention=convention)
    analyse(cube("H3S", title="ELF, Quantum ESPRESSO 7.2, nspin=1"))
    analyse(cube("H3S", lost=False, title="ELF of VASP"))


def test_the_command_says_what_was_mended(cube, capsys):
    assert main(["analyse", str(cube("hydrogen")), "--json", "--no-files"]) == 0
    printed = capsys.readouterr()
    facts = json.loads(printed.out)
    assert facts["protocol"]["elf_correction"] == "applied"
    assert any("factor 2^(2/3)" in warning for warning in facts["warnings"])
