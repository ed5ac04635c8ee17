"""Field files as programs, people and accidents make them: each is read right, read with a warning, or refused.

The field is 0.5 + 0.20 cos 2 pi x + 0.12 cos 2 pi y + 0.06 cos 2 pi z in fractional coordinates: its bond saddles, and
so its thresholds, are known whatever the cell.
"""

import re
from pathlib import Path

import ase.io
import numpy as np
import pytest
from field_files import CELLS, MEAN, SHAPE, THRESHOLDS, Cube, Elfcar, File, Variant, Xsf, closed, known, variants

from jovium.base.cell import Cell
from jovium.base.errors import FormatError, JoviumError
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM
from jovium.cli.main import main
from jovium.formats.fields import is_field_file, read_field
from jovium.formats.structures import as_structure, read_structure
from jovium.topology.network import hydrogen_network
from jovium.workflows.elf_sources import read_elf
from jovium.workflows.screening import screen


def outcome(path: Path, cell: np.ndarray, expected: str) -> tuple[str, str]:
    """`refused` and the error, `wrong` and what is, or `right` and the warnings."""
    try:
        structure, elf = read_elf(path, "auto")
    except JoviumError as error:
        parts = error.got, error.expected, error.do
        return (
            ("refused", str(error)) if all(part.strip() for part in parts) else ("wrong", f"an empty part in {parts}")
        )
    told = "; ".join(elf.warnings)
    if expected == "doubted":
        return ("doubted" if told else "wrong"), told
    values = known(shift=(0.5, 0.5, 0.5)) if expected == "beside" else known()
    if elf.field.shape != SHAPE or not np.allclose(elf.field.values, values, atol=2e-5):
        return "wrong", f"values on {elf.field.shape} ({told})"
    if not np.allclose(elf.field.cell.vectors * BOHR_ANGSTROM, cell, atol=1e-4):
        return "wrong", f"cell {elf.field.cell.vectors * BOHR_ANGSTROM} ({told})"
    network = hydrogen_network(elf.field, structure.positions)
    thresholds = {name: event.value for name, event in network.thresholds().items() if event}
    tolerance = 1e-3 if expected == "beside" else 3e-5
    if any(abs(thresholds[name] - THRESHOLDS[name]) > tolerance for name in THRESHOLDS):
        return "wrong", f"{thresholds} ({told})"
    return ("warned" if told else expected if expected == "beside" else "right"), told


def failure(variant: Variant, cell: np.ndarray, folder: Path) -> str | None:
    """What is wrong with what comes of a variant."""
    path = folder / variant.name.rsplit("|", 1)[1]
    path.write_text(variant.text, newline="")
    try:
        got, told = outcome(path, cell, variant.outcome)
        if not is_field_file(path):
            return "is not known as a field"
        with pytest.raises(JoviumError):
            as_structure(path)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        path.unlink()
    if got != variant.outcome:
        return f"{got}, not {variant.outcome}: {told}"
    return None if re.search(variant.says, told) else f"no '{variant.says}' in: {told}"


@pytest.mark.parametrize("cell_name", CELLS)
@pytest.mark.parametrize("format_name", ["cube", "ELFCAR", "XSF"])
def test_every_variant_of_a_field_file_is_right_warned_of_or_refused(format_name, cell_name, tmp_path):
    tried = variants(format_name, cell_name)
    assert len(tried) >= 60
    failures = {variant.name: failure(variant, CELLS[cell_name], tmp_path) for variant in tried}
    wrong = [f"{name}: {text}" for name, text in failures.items() if text]
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def written(tmp_path):
    """Write a file of the known field in the skewed cell."""

    def write(kind: type[File], name: str, values: np.ndarray | None = None, **changes) -> Path:
        (tmp_path / name).write_text(kind(CELLS["skewed"], known() if values is None else values, **changes).text())
        return tmp_path / name

    return write


def test_numbers_that_touch_are_parted_where_a_sign_begins_the_next(written):
    path = written(Elfcar, "LOCPOT", known() - 0.6, number=lambda value: f"{value:11.4E}")
    assert re.search(r"\d-\d\.\d", path.read_text())
    np.testing.assert_allclose(read_field(path).field.values, known() - 0.6, atol=1e-4)


def test_numbers_that_touch_without_a_sign_are_not_guessed_nor_called_truncated(written):
    path = written(Cube, "e.cube", number=lambda value: f"{value:.4f}")
    with pytest.raises(FormatError, match="where a number should be"):
        read_field(path)


def test_a_grid_of_ase_is_read_on_its_cell(tmp_path):
    structure = Structure(Cell(CELLS["skewed"] / BOHR_ANGSTROM), np.zeros((1, 3)), ("H",))
    ase.io.write(tmp_path / "e.xsf", structure.to_ase(), data=known())
    file = read_field(tmp_path / "e.xsf")
    np.testing.assert_allclose(file.field.values, known(), atol=1e-6)
    assert file.provenance.warnings == ()


def test_a_file_with_a_grid_is_not_screened(written, tmp_path):
    for path in (written(Elfcar, "elf.vasp"), written(Cube, "elf.dat"), written(Xsf, "e.xsf", closed(known()))):
        with pytest.raises(FormatError, match="jovium analyse"):
            screen(path)
        assert "jovium analyse" in screen([path])[0]["flags"]
        assert main(["screen", str(path), str(tmp_path / "out")]) == 2


def test_the_structure_inside_any_field_file_is_converted(written, tmp_path, capsys):
    charge = written(Elfcar, "CHGCAR", known() / MEAN, tail="augmentation occupancies 1 2\n 0.1 0.2\n")
    for path in (charge, written(Elfcar, "elf.vasp"), written(Xsf, "e.xsf", known())):
        assert main(["convert", str(path), str(tmp_path / "out.cif")]) == 0
        lengths = read_structure(tmp_path / "out.cif").cell.lengths * BOHR_ANGSTROM
        np.testing.assert_allclose(lengths, np.linalg.norm(CELLS["skewed"], axis=1), atol=1e-6)
    assert "warning: the grid does not repeat" in capsys.readouterr().err
    assert main(["convert", str(charge), str(tmp_path / "out.cube")]) == 2
    assert "CHGCAR, density times volume" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["y.gz", "y.cube.gz", "ELFCAR.gz", "POSCAR.gz", "a.cif.bz2", "ELFCAR.xz"])
def test_an_output_with_the_name_of_a_compressed_file_is_refused(written, tmp_path, capsys, name):
    assert main(["convert", str(written(Cube, "x.cube")), str(tmp_path / name)]) == 2
    assert "compress it afterwards" in capsys.readouterr().err
    assert not (tmp_path / name).exists()


def test_a_grid_for_a_structure_is_refused(written, tmp_path, capsys):
    assert main(["convert", str(written(Cube, "x.cube")), str(tmp_path / "POSCAR"), "--grid", "8", "8", "8"]) == 2
    assert "name two field files" in capsys.readouterr().err


def test_a_title_can_be_overruled_and_is_still_told(written):
    path = written(Cube, "e.cube", title="Electron density in real space (e/Bohr^3)")
    _, elf = read_elf(path, "true")
    assert "Electron density" in elf.warnings[0]


def test_a_density_stays_one_when_it_is_converted(written, tmp_path):
    path = written(Cube, "e.cube", title="electron density")
    for name in ("again.cube", "again.xsf", "ELFCAR"):
        assert main(["convert", str(path), str(tmp_path / name)]) == 0
        with pytest.raises(FormatError, match="no ELF"):
            read_elf(tmp_path / name, "auto")


def test_the_elf_of_a_molecule_in_vacuum_is_an_elf(written):
    s = np.stack(np.meshgrid(*(np.arange(n) / n - 0.5 for n in SHAPE), indexing="ij"), -1)
    elf = np.exp(-(np.sum((s @ np.diag([6, 8, 10])) ** 2, axis=-1) ** 2))  # one peak in the middle, zero on all faces
    _, read = read_elf(written(Cube, "e.cube", elf, atoms=(("H", (0.5, 0.5, 0.5)),)), "auto")
    assert elf.mean() < 0.05
    assert read.warnings == ()
    assert read.field.shape == SHAPE
