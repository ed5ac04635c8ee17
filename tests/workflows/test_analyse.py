"""One analysis of a structure, whether it comes from a file or from memory."""

from dataclasses import replace

import numpy as np
import pytest

from jovium.base.errors import InputError, StructureError
from jovium.base.grid import GridField
from jovium.crystals import crystal
from jovium.formats.structures import write_structure
from jovium.reference.compounds import protocol_for
from jovium.reference.kohn_sham import CHEAP, COMPARISON
from jovium.reference.pseudopotential import valence_electrons
from jovium.workflows.analyse import AnalysisSettings, analyse, write_analysis
from jovium.workflows.elf_sources import ElfField

SETTINGS = AnalysisSettings(spacing=0.3)


@pytest.fixture(scope="module")
def structure():
    return crystal("cs-iv", 1.3).supercell((2, 2, 1))


def test_a_file_a_structure_and_ase_atoms_give_one_analysis(structure, tmp_path):
    write_structure(tmp_path / "fluid.vasp", structure)
    by_file = analyse(str(tmp_path / "fluid.vasp"), SETTINGS)
    assert by_file.name == "fluid"
    for source in (structure, structure.to_ase()):
        analysis = analyse(source, SETTINGS)
        assert analysis.name == f"H{structure.n_atoms}"
        for name, point in analysis.thresholds().items():
            assert point.value == pytest.approx(by_file.thresholds()[name].value, abs=1e-5)
    paths = write_analysis(analysis, tmp_path / "out")
    assert sorted(path.name for path in paths.values()) == ["analysis.json", "elf.cube", "page.html"]


def test_an_analysis_shows_its_numbers_and_warnings(structure):
    analysis = analyse(structure, SETTINGS)
    text = repr(analysis)
    assert text == str(analysis)
    assert len(text.splitlines()) == 4 + len(analysis.warnings)
    for name in ("phi_3d", "phi_star"):
        assert f"{analysis.thresholds()[name].value:.4f}" in text
    for words in (*analysis.warnings, *(f"{fit.name} {fit.kelvin:.0f} K" for fit in analysis.tc)):
        assert words in text
    assert analysis._repr_html_().startswith("<iframe")


def test_a_list_of_structures_is_for_screening(structure):
    with pytest.raises(InputError, match=r"jovium\.screen"):
        analyse([structure], SETTINGS)


def test_atoms_without_a_cell_are_refused(structure):
    atoms = structure.to_ase()
    atoms.cell = np.zeros((3, 3))
    with pytest.raises(StructureError, match="0 lattice vectors"):
        analyse(atoms, SETTINGS)


@pytest.mark.parametrize("name", ["h3s", "lah10"])
@pytest.mark.parametrize("given", [None, replace(CHEAP, k_spacing=None, k_mesh=(3, 3, 3))])
def test_a_compound_is_compared_by_two_codes_on_one_protocol_that_both_can_afford(name, given, monkeypatch):
    """Gaussians know no symmetry, and want an even number of electrons over the mesh."""
    compound, asked = crystal(name), []

    def computed(structure, shape, engine, protocol, *, sure):
        asked.append((engine, protocol))
        return ElfField(
            GridField(0.5 + 0.4 * np.cos(2 * np.pi * np.indices(shape) / 12).prod(0), structure.cell),
            {"engine": engine},
        )

    monkeypatch.setattr("jovium.workflows.analyse.compute_elf", computed)
    analysis = analyse(compound, compare=True, shape=(12, 12, 12), protocol=given)
    (first, protocol), (second, other) = asked
    assert (first, second) == ("espresso", "pyscf")
    assert protocol == other == (given or protocol_for(compound, COMPARISON))
    points = np.prod(protocol.mesh(compound.cell))
    assert given or (points <= 8 and points * valence_electrons(compound, "PBE") % 2 == 0)
    assert analysis.errors()["largest"] == 0
    assert any("few k-points" in warning for warning in analysis.warnings) == (given is None)
