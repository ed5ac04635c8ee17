"""The wrong ELF of Quantum ESPRESSO 7.0 to 7.5 is corrected when certain, pointed out when likely, never twice."""

import numpy as np
import pytest

from jovium.base.errors import FormatError, InputError
from jovium.base.grid import GridField
from jovium.base.localization import corrected_qe_elf
from jovium.formats.fields import read_field, require_elf, write_field

PWSCF_TITLE = " Cubefile created from PWScf calculation"


@pytest.fixture
def titled(tmp_path, molecule, field):
    """A cube of `field` under two header lines of choice."""

    def write(first, second="", values=None):
        path = tmp_path / "titled.cube"
        write_field(path, molecule, field if values is None else GridField(values, field.cell))
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join([first + "\n", second + "\n", *lines[2:]]))
        return path

    return write


def test_cube_of_unknown_version_is_left_alone_with_a_warning(titled, field):
    file = read_field(titled(PWSCF_TITLE, "Contains the selected quantity on a FFT grid"))
    np.testing.assert_allclose(file.field.values, field.values, rtol=1e-9)
    assert file.provenance.code == "Quantum ESPRESSO"
    assert file.provenance.version is None
    assert file.provenance.elf_correction == "suspected"
    assert "qe" in file.provenance.warnings[0]


def test_convention_qe_corrects_and_silences_the_warning(titled, field):
    file = read_field(titled(PWSCF_TITLE), elf_convention="qe")
    np.testing.assert_allclose(file.field.values, corrected_qe_elf(field.values), rtol=1e-8)
    assert file.provenance.elf_correction == "applied"
    assert file.provenance.warnings == ()


def test_convention_true_leaves_and_silences(titled, field):
    file = read_field(titled(PWSCF_TITLE), elf_convention="true")
    np.testing.assert_allclose(file.field.values, field.values, rtol=1e-9)
    assert file.provenance.elf_correction == "none"
    assert file.provenance.warnings == ()


@pytest.mark.parametrize("version", ["7.0", "7.2", "7.5"])
def test_affected_version_known_to_be_unpolarised_is_corrected(titled, field, version):
    file = read_field(titled(f"ELF, Quantum ESPRESSO v.{version}, nspin=1"))
    np.testing.assert_allclose(file.field.values, corrected_qe_elf(field.values), rtol=1e-8)
    assert file.provenance.version == version
    assert file.provenance.elf_correction == "applied"
    assert file.provenance.warnings == ()


@pytest.mark.parametrize(
    "spin", ["non-spin-polarized", "non spin-polarised", "nonspinpolarized", "Non-polarized", "not spin polarised"]
)
def test_run_called_non_spin_polarised_is_unpolarised(titled, field, spin):
    file = read_field(titled(f"ELF, Quantum ESPRESSO 7.2, {spin} run"))
    np.testing.assert_allclose(file.field.values, corrected_qe_elf(field.values), rtol=1e-8)
    assert file.provenance.elf_correction == "applied"


@pytest.mark.parametrize("header", ["PWSCF 6.8 nspin=1 ELF", "PWSCF v.7.2 ELF nspin = 2", "PWSCF 7.6 ELF unpolarized"])
def test_unaffected_version_or_polarised_run_is_left_alone_in_silence(titled, field, header):
    file = read_field(titled(header))
    np.testing.assert_allclose(file.field.values, field.values, rtol=1e-9)
    assert file.provenance.elf_correction == "none"
    assert file.provenance.warnings == ()


@pytest.mark.parametrize("header", ["PWSCF 7.2 ELF", "PWSCF 7.2 nspin=1", "Quantum ESPRESSO ELF nspin=1"])
def test_missing_spin_quantity_or_version_makes_it_a_suspicion_only(titled, field, header):
    file = read_field(titled(header))
    np.testing.assert_allclose(file.field.values, field.values, rtol=1e-9)
    assert file.provenance.elf_correction == "suspected"
    assert len(file.provenance.warnings) == 1


def test_density_of_quantum_espresso_raises_no_suspicion(titled, field):
    file = read_field(titled(PWSCF_TITLE, values=field.values * 3))
    assert file.provenance.elf_correction == "none"
    assert file.provenance.warnings == ()


def test_correcting_a_density_is_refused(titled, field):
    with pytest.raises(FormatError, match="plot_num = 8"):
        read_field(titled(PWSCF_TITLE, values=field.values * 3), elf_convention="qe")


@pytest.mark.parametrize("name", ["out.cube", "ELFCAR", "out.xsf"])
def test_corrected_field_is_not_corrected_again(tmp_path, titled, name):
    corrected = read_field(titled("ELF, Quantum ESPRESSO 7.2, nspin=1"))
    write_field(tmp_path / name, corrected.structure, corrected.field, comment="from PWScf 7.2 nspin=1 ELF")
    again = read_field(tmp_path / name)
    np.testing.assert_allclose(again.field.values, corrected.field.values, rtol=1e-9)
    assert again.provenance.elf_correction == "none"


@pytest.mark.parametrize("name", ["out.cube", "ELFCAR", "out.xsf"])
def test_suspicion_survives_a_conversion(tmp_path, titled, name):
    doubtful = read_field(titled(PWSCF_TITLE))
    write_field(tmp_path / name, doubtful.structure, doubtful.field, provenance=doubtful.provenance)
    again = read_field(tmp_path / name)
    assert again.provenance.elf_correction == "suspected"
    assert "converted" in again.provenance.warnings[0]


def test_program_that_signs_its_cube_is_named(titled):
    provenance = read_field(
        titled("Electron density in real space (e/Bohr^3)", "PySCF Version: 2.14.0  Date: now")
    ).provenance
    assert (provenance.code, provenance.version, provenance.warnings) == ("PySCF", "2.14.0", ())


def test_unknown_convention_is_refused(titled):
    with pytest.raises(InputError, match="auto, true, qe"):
        read_field(titled("x"), elf_convention="vasp")


def test_elf_may_round_over_its_range_but_a_density_is_refused(field):
    rounded = np.where(field.values > 0.5, 1.0005, -0.0005)
    clipped = require_elf(GridField(rounded, field.cell))
    np.testing.assert_array_equal(clipped.values, np.where(field.values > 0.5, 1.0, 0.0))
    assert clipped.cell is field.cell
    with pytest.raises(FormatError, match="not a density"):
        require_elf(GridField(field.values * 12, field.cell))
    with pytest.raises(FormatError, match=r"values from -0\.5"):
        require_elf(GridField(field.values * 0 - 0.5, field.cell))
