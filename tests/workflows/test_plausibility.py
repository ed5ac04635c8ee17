"""What is doubtful of a structure stands beside its numbers, whatever it came from and whatever is done with it."""

import json

import ase.io
import numpy as np
import pytest

from jovium.base.cell import Cell
from jovium.base.errors import StructureError
from jovium.base.grid import GridField
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM
from jovium.cli.main import main
from jovium.formats.fields import write_field
from jovium.formats.structures import write_structure
from jovium.workflows.analyse import AnalysisSettings, analyse
from jovium.workflows.screening import screen

FIELDS = ("elf.cube", "ELFCAR", "elf.xsf")
CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)
CELLS = {
    "cube": Cell(3.2 / BOHR_ANGSTROM * np.eye(3)),
    "triclinic": Cell(np.array([[5.1, 0.3, -0.4], [1.2, 6.3, 0.7], [-0.9, 1.6, 7.2]])),
}


def elf(cell: Cell) -> GridField:
    """Largest at the origin, smooth."""
    s = np.meshgrid(*(np.arange(n) / n for n in (12, 14, 16)), indexing="ij")
    waves = sum(weight * np.cos(2 * np.pi * x) for weight, x in zip((0.2, 0.12, 0.06), s, strict=True))
    return GridField(0.5 + waves, cell)


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("cell", CELLS.values(), ids=list(CELLS))
def test_atoms_at_all_corners_of_a_field_file_give_the_numbers_of_one_atom(tmp_path, name, cell):
    one, many = tmp_path / "one", tmp_path / "many"
    for folder, corners in ((one, CORNERS[:1]), (many, CORNERS)):
        folder.mkdir()
        places = cell.cartesian(np.vstack([corners, [[0.5, 0.5, 0.5]]]))
        write_field(folder / name, Structure(cell, places, ("H",) * len(corners) + ("Ca",)), elf(cell))
    expected, found = analyse(one / name, elf_convention="true"), analyse(many / name, elf_convention="true")
    assert found.structure.n_atoms == 2
    assert found.hydrogen_fraction == expected.hydrogen_fraction
    for threshold, point in expected.thresholds().items():
        assert found.thresholds()[threshold].value == pytest.approx(point.value, abs=1e-6)
    assert any("7 of 9 atoms" in warning for warning in found.warnings)
    assert not any("coincide" in warning for warning in expected.warnings)
    assert any("7 of 9 atoms" in warning for warning in found.to_json()["warnings"])


@pytest.mark.parametrize("name", FIELDS)
def test_two_elements_at_one_place_of_a_field_file_are_refused(tmp_path, name):
    cell = CELLS["triclinic"]
    structure = Structure(cell, cell.cartesian(np.array([[0, 0, 0], [1.0, 0, 0]])), ("H", "Ca"))
    write_field(tmp_path / name, structure, elf(cell))
    with pytest.raises(StructureError, match="one place"):
        analyse(tmp_path / name)


@pytest.mark.parametrize("name", FIELDS)
def test_atoms_of_a_hydride_on_top_of_each_other_are_refused_in_a_field_file(tmp_path, name):
    cell = CELLS["triclinic"]
    structure = Structure(cell, np.array([[0, 0, 0], [0.3, 0, 0]]), ("H", "Ca"))
    write_field(tmp_path / name, structure, elf(cell))
    with pytest.raises(StructureError, match="apart"):
        analyse(tmp_path / name)


@pytest.mark.parametrize("labels", [("H1", "H2"), ("H_a", "H-b"), ("h", "d"), ("D", "T")])
def test_labels_of_an_xsf_field_are_hydrogen(tmp_path, labels):
    cell = CELLS["cube"]
    structure = Structure(cell, cell.cartesian(np.array([[0, 0, 0], [0.5, 0.5, 0.5]])), ("H", "H"))
    write_field(tmp_path / "elf.xsf", structure, elf(cell))
    text = (tmp_path / "elf.xsf").read_text()
    for label in labels:
        text = text.replace("\n   1  ", f"\n{label} ", 1)
    (tmp_path / "elf.xsf").write_text(text)
    assert all(label in text for label in labels)
    assert analyse(tmp_path / "elf.xsf").hydrogen_fraction == 1


@pytest.mark.parametrize("name", FIELDS)
def test_converting_tells_what_is_doubtful(tmp_path, capsys, name):
    cell = CELLS["cube"]
    write_field(tmp_path / name, Structure(cell, cell.cartesian(CORNERS), ("H",) * 8), elf(cell))
    for target in ("out.cube", "POSCAR"):
        assert main(["convert", str(tmp_path / name), str(tmp_path / target)]) == 0
        assert "warning: 7 of 8 atoms coincide" in capsys.readouterr().err


@pytest.fixture
def doubled(odd_structure) -> Structure:
    """The five atoms and an image of one of them."""
    image = odd_structure.positions[:1] + odd_structure.cell.vectors[2]
    return Structure(odd_structure.cell, np.vstack([odd_structure.positions, image]), ("H",) * 6)


def test_files_and_memory_are_merged_and_doubted_alike(tmp_path, odd_structure, doubled):
    write_structure(tmp_path / "x.extxyz", doubled)
    settings = AnalysisSettings(spacing=0.4)
    expected = analyse(odd_structure, settings)
    for source in (tmp_path / "x.extxyz", doubled, doubled.to_ase()):
        found = analyse(source, settings)
        assert found.network.phi_3d.value == pytest.approx(expected.network.phi_3d.value, abs=1e-5)
        assert [w for w in found.warnings if w not in expected.warnings] == [
            "1 of 6 atoms coincide with others or their periodic images: left out"
        ]


def test_a_screening_flags_what_is_doubtful_and_passes_by_what_cannot_be_used(tmp_path, odd_structure, doubled):
    images = [structure.to_ase() for structure in (odd_structure, doubled, odd_structure, odd_structure, odd_structure)]
    images[2].info["occupancy"] = 0.5
    images[3].set_array("occupancy", np.array([1, 1, 1, 0.5, 0.5]))
    path = tmp_path / "x.extxyz"
    ase.io.write(path, images)
    path.write_text(path.read_text() + path.read_text()[:300])
    plain, merged, half, column, again, cut = screen(path, spacing=0.5)
    assert plain["phi_3d"] == again["phi_3d"] == pytest.approx(merged["phi_3d"], abs=1e-4)
    assert "1 of 6 atoms coincide" in merged["flags"]
    for row in (half, column):
        assert row["flags"].startswith("failed: ")
        assert "partly occupied" in row["flags"]
    assert "truncated" in cut["flags"]


def test_the_doubts_of_an_analysis_are_printed_and_in_the_json(tmp_path, doubled, capsys):
    write_structure(tmp_path / "POSCAR", doubled)
    assert main(["analyse", str(tmp_path / "POSCAR"), "--spacing", "0.2", "--json"]) == 0
    assert any("1 of 6 atoms" in warning for warning in json.loads(capsys.readouterr().out)["warnings"])
