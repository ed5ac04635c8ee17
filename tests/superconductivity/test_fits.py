"""Published Tc fits: reference numbers, missing descriptors, values out of range."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jovium.base.errors import InputError
from jovium.superconductivity.fits import FITS, SOURCES, critical_temperatures

CAYH18 = (0.60, 0.79, 0.900, 0.784)
"""phi, phi*, H_f and H_DOS of the 20-atom CaYH18 example of TcESTIME."""


def kelvin_by_name(*descriptors):
    return {estimate.name: estimate.kelvin for estimate in critical_temperatures(*descriptors)}


def test_cayh18_has_the_temperatures_worked_out_by_hand():
    found = kelvin_by_name(*CAYH18)
    # 0.784^(1/3) = 0.922087, 0.784^(1/2) = 0.885438, 0.9^3 = 0.729
    assert found["SR4"] == pytest.approx(260.7, abs=0.05)
    assert found["Belli 2021"] == pytest.approx(750 * 0.6 * 0.9 * 0.922087 - 85, abs=0.01)
    assert found["leastsq"] == pytest.approx(456.34 * 0.6 * 0.9 * 0.922087 - 9.46, abs=0.01)
    assert found["SR2"] == pytest.approx(442.3 * 0.81 * 0.729 * 0.885438, abs=0.01)
    # 6.75 (0.6241 - 0.493039) = 0.884662; (0.6 * 0.784)^(1/3) = 0.777710
    assert found["SR5"] == pytest.approx(422.2 * 0.884662 * 0.729 * 0.777710 + 5.5, abs=0.05)


def test_pure_hydrogen_reduces_every_fit_to_phi_and_phi_star():
    found = kelvin_by_name(0.655, 0.655, 1.0, 1.0)
    assert found["Belli 2021"] == pytest.approx(750 * 0.655 - 85)
    assert found["leastsq"] == pytest.approx(456.34 * 0.655 - 9.46)
    assert found["SR2"] == pytest.approx(442.3)
    assert found["SR4"] == pytest.approx(574.7 * 0.655)


def test_sr5_is_largest_at_molecularity_two_thirds():
    grid = np.linspace(0.4, 0.9, 51)
    temperatures = [kelvin_by_name(0.6, float(phi_star), 1.0, 1.0)["SR5"] for phi_star in grid]
    assert grid[int(np.argmax(temperatures))] == pytest.approx(2 / 3, abs=0.01)


@settings(deadline=None, max_examples=50)
@given(st.floats(0, 0.99), st.floats(0.05, 1), st.floats(0.05, 1), st.floats(0, 1))
def test_a_better_network_never_lowers_tc(phi, h_f, h_dos, phi_star):
    low, high = (kelvin_by_name(value, phi_star, h_f, h_dos) for value in (phi, phi + 0.01))
    assert all(high[name] >= low[name] for name in low)


def test_missing_hydrogen_dos_gives_no_number_but_a_reason():
    for estimate in critical_temperatures(0.6, 0.79, 0.9, None):
        assert estimate.kelvin is None
        assert "H_DOS is missing" in estimate.note


def test_missing_molecularity_silences_only_the_fits_that_use_it():
    silent = {estimate.name for estimate in critical_temperatures(0.6, None, 0.9, 0.784) if estimate.kelvin is None}
    assert silent == {"SR2", "SR5"}


def test_crystal_without_hydrogen_has_no_estimate():
    assert all(estimate.kelvin is None for estimate in critical_temperatures(0.6, None, 0.0, 0.5))


def test_negative_temperature_is_returned_and_called_out_of_range():
    belli = critical_temperatures(0.05, 0.98, 1.0, 1.0)[0]
    assert belli.kelvin == pytest.approx(750 * 0.05 - 85)
    assert "below the range" in belli.note


@pytest.mark.parametrize("position", range(4))
@pytest.mark.parametrize("bad", [-0.01, 1.01, float("nan"), float("inf")])
def test_descriptor_outside_its_range_is_refused(position, bad):
    descriptors = list(CAYH18)
    descriptors[position] = bad
    with pytest.raises(InputError, match="a number from 0 to 1"):
        critical_temperatures(*descriptors)


def test_spline_that_overshoots_one_at_a_saddle_counts_as_one():
    assert kelvin_by_name(1.0005, 1.0009, 0.9, 0.8) == kelvin_by_name(1.0, 1.0, 0.9, 0.8)
    assert kelvin_by_name(-0.0005, 0.5, 0.9, 0.8) == kelvin_by_name(0.0, 0.5, 0.9, 0.8)
    with pytest.raises(InputError, match="H_f"):
        critical_temperatures(0.6, 0.7, 1.0005, 0.8)


def test_every_fit_names_its_source_and_what_it_was_fitted_to():
    assert [fit.name for fit in FITS] == ["Belli 2021", "leastsq", "SR2", "SR4", "SR5"]
    for fit, estimate in zip(FITS, critical_temperatures(*CAYH18), strict=True):
        assert fit.doi.startswith("10.")
        assert re.search(r"\(20\d\d\)$", SOURCES[fit.doi])
        assert (estimate.name, estimate.doi, estimate.rmse_kelvin) == (fit.name, fit.doi, fit.rmse_kelvin)
        assert fit.validity in estimate.note


@pytest.mark.parametrize("uncertainty", [0.0, 0.08, 0.2, 0.5])
def test_the_uncertainty_of_hydrogen_dos_moves_each_fit_to_the_larger_of_its_ends(uncertainty):
    phi, phi_star, h_f, h_dos = CAYH18
    low, here, high = (
        kelvin_by_name(phi, phi_star, h_f, value) for value in (h_dos - uncertainty, h_dos, min(h_dos + uncertainty, 1))
    )
    for estimate in critical_temperatures(*CAYH18, uncertainty):
        name = estimate.name
        assert estimate.kelvin == here[name]
        farther = max(here[name] - low[name], high[name] - here[name])
        assert estimate.hydrogen_dos_kelvin == pytest.approx(farther)
        assert (estimate.hydrogen_dos_kelvin > 0) == (uncertainty > 0)


def test_hydrogen_dos_stays_between_zero_and_one_within_its_uncertainty():
    for h_dos in (0.05, 0.97):
        for estimate in critical_temperatures(0.6, 0.7, 0.9, h_dos, 0.1):
            ends = (
                kelvin_by_name(0.6, 0.7, 0.9, max(h_dos - 0.1, 0.0)),
                kelvin_by_name(0.6, 0.7, 0.9, min(h_dos + 0.1, 1.0)),
            )
            assert estimate.hydrogen_dos_kelvin == pytest.approx(
                max(abs(end[estimate.name] - estimate.kelvin) for end in ends)
            )


def test_without_an_uncertainty_or_a_temperature_there_is_no_range():
    assert all(estimate.hydrogen_dos_kelvin is None for estimate in critical_temperatures(*CAYH18))
    for estimate in critical_temperatures(0.6, None, 0.9, 0.784, 0.08):
        assert (estimate.hydrogen_dos_kelvin is None) == (estimate.kelvin is None)
    assert all(estimate.hydrogen_dos_kelvin is None for estimate in critical_temperatures(0.6, 0.7, 0.9, None, 0.08))
