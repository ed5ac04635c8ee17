"""The JSON of an analysis: its keys are a contract, its numbers are those of the objects it came from."""

import json
from dataclasses import replace

import numpy as np
import pytest

from jovium.base.units import BOHR_ANGSTROM
from jovium.superconductivity.fits import TcEstimate

KEYS = {
    "name",
    "phi_1d",
    "phi_2d",
    "phi_3d",
    "phi_star",
    "thresholds",
    "critical_points",
    "tc_kelvin",
    "protocol",
    "warnings",
    "n_atoms",
    "grid_shape",
    "rs_bohr",
}


def test_json_has_exactly_the_promised_keys(triclinic):
    result = triclinic.to_json()
    assert set(result) == KEYS
    assert set(result["critical_points"]) == {"maxima", "bonds", "rings", "cages", "morse_sum"}
    assert set(result["thresholds"]) == {"phi_1d", "phi_2d", "phi_3d", "phi_star"}
    assert set(result["thresholds"]["phi_1d"]) == {"value", "grid_value", "refined", "position_angstrom"}


def test_json_carries_the_numbers_unchanged(triclinic):
    result = triclinic.to_json()
    assert result["phi_3d"] == triclinic.network.phi_3d.value
    position = np.array(result["thresholds"]["phi_3d"]["position_angstrom"])
    np.testing.assert_allclose(position, triclinic.network.phi_3d.position * BOHR_ANGSTROM)
    assert result["tc_kelvin"] == {"SR5": 212.34, "SR2": None}
    assert result["grid_shape"] == [30, 36, 42]
    assert result["rs_bohr"] == pytest.approx(triclinic.structure.rs)
    assert result["critical_points"]["morse_sum"] == 0


def test_json_is_plain_even_when_the_analysis_is_not(cubic):
    odd = {"cutoff": np.float32(30), "mesh": np.array([2, 2, 2]), "bad": float("nan"), "path": object, 3: (True, None)}
    estimates = (TcEstimate("fit", float("inf"), None, "10.1/x", ""),)
    network = replace(cubic.network, phi_star=None)
    result = replace(cubic, protocol=odd, tc=estimates, network=network).to_json()
    text = json.loads(json.dumps(result, allow_nan=False))
    assert text == result
    assert text["protocol"]["mesh"] == [2, 2, 2]
    assert text["protocol"]["bad"] is None
    assert text["protocol"]["3"] == [True, None]
    assert text["tc_kelvin"] == {"fit": None}
    assert text["phi_star"] is None
    assert text["thresholds"]["phi_star"] is None
