"""The constants are those of CODATA 2022, digit by digit."""

import pytest
import scipy
from scipy import constants

from jovium.base import units

CODATA = {
    "HARTREE_EV": ("Hartree energy in eV", 1.0),
    "BOHR_ANGSTROM": ("Bohr radius", 1e10),
    "KELVIN_HARTREE": ("kelvin-hartree relationship", 1.0),
    "TIME_FEMTOSECOND": ("atomic unit of time", 1e15),
    "PROTON_MASS": ("proton-electron mass ratio", 1.0),
    "DEUTERON_MASS": ("deuteron-electron mass ratio", 1.0),
    "ELECTRON_MASS_GRAM": ("electron mass", 1e3),
}
needs_codata_2022 = pytest.mark.skipif(
    tuple(int(n) for n in scipy.__version__.split(".")[:2]) < (1, 16), reason="scipy before 1.16 has CODATA 2018"
)


@needs_codata_2022
@pytest.mark.parametrize("name", CODATA)
def test_constant_is_the_codata_2022_value(name):
    key, scale = CODATA[name]
    # 2e-13: CODATA prints twelve or thirteen digits of the most precise constants.
    assert getattr(units, name) == pytest.approx(constants.value(key) * scale, rel=2e-13)


@needs_codata_2022
def test_pressure_unit_is_hartree_per_cubic_bohr():
    unit = constants.value("Hartree energy") / constants.value("Bohr radius") ** 3 * 1e-9
    assert pytest.approx(unit, rel=5e-11) == units.PRESSURE_GPA


def test_rydberg_is_half_a_hartree():
    assert pytest.approx(units.HARTREE_EV / 2, rel=1e-11) == constants.value("Rydberg constant times hc in eV")
    assert units.RYDBERG_HARTREE == 0.5


def test_hydrogen_at_rs_one_weighs_2_6961_grams_per_cubic_centimetre():
    # (m_p + m_e) / (4 pi a0^3 / 3) from SI values
    mass = constants.value("proton mass") + constants.value("electron mass")
    expected = mass * 1e3 / (4 * constants.pi / 3 * (constants.value("Bohr radius") * 1e2) ** 3)
    assert expected == pytest.approx(2.6961, abs=5e-5)
    assert pytest.approx(expected, rel=1e-9) == units.HYDROGEN_DENSITY / (4 * constants.pi / 3)


def test_temperature_conversions_are_inverse():
    assert units.hartree_to_kelvin(units.kelvin_to_hartree(6000.0)) == pytest.approx(6000.0, rel=1e-15)
    assert units.kelvin_to_hartree(6000.0) == pytest.approx(0.0190008694, rel=1e-8)
