"""The JSON of an analysis: its keys are a contract, its numbers are those of the objects it came from."""

import json
from dataclasses import replace

import numpy as np
import pytest

from jovium.base.units import BOHR_ANGSTROM
from jovium.reference.pseudo_atom import core_radii
from jovium.report.analysis import path_rows
from jovium.report.page import page
from jovium.superconductivity.dos import HydrogenDos
from jovium.superconductivity.fits import TcEstimate
from jovium.workflows.analyse import AnalysisSettings, analyse

KEYS = {
    "name",
    "phi_1d",
    "phi_2d",
    "phi_3d",
    "phi_star",
    "thresholds",
    "critical_points",
    "network_path",
    "tc_kelvin",
    "tc_details",
    "hydrogen_fraction",
    "hydrogen_dos",
    "protocol_error",
    "hydrogen_dos_details",
    "persistence_threshold",
    "protocol",
    "warnings",
    "n_atoms",
    "grid_shape",
    "rs_bohr",
    "intervals",
    "errors",
    "computed",
    "metal",
    "states_at_fermi_per_ev",
    "pressure_gpa",
}


def test_json_has_exactly_the_promised_keys(triclinic):
    result = triclinic.to_json()
    assert set(result) == KEYS
    assert set(result["critical_points"]) == {"maxima", "bonds", "rings", "cages", "morse_sum", "points"}
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


def test_json_carries_every_critical_point(triclinic):
    result = triclinic.to_json()
    points, objects = result["critical_points"]["points"], triclinic.critical_points.points
    assert [point["kind"] for point in points] == [point.kind for point in objects]
    assert [point["value"] for point in points] == [point.value for point in objects]
    positions = np.array([point["position_angstrom"] for point in points])
    np.testing.assert_allclose(positions, np.array([point.position for point in objects]) * BOHR_ANGSTROM)
    # The 1 + 3 + 3 + 1 classes of the torus never end; JSON has no infinity.
    finite = [point.persistence for point in objects if np.isfinite(point.persistence)]
    assert sum(point["persistence"] is None for point in points) == 8
    assert [point["persistence"] for point in points if point["persistence"] is not None] == finite
    assert result["persistence_threshold"] == 0.02 <= min(finite, default=1.0)


def test_json_has_all_that_a_critical_temperature_follows_from(triclinic):
    result = replace(triclinic, hydrogen_dos=HydrogenDos(0.4, "DOSCAR", 1.5, 2.0)).to_json()
    assert (result["hydrogen_fraction"], result["hydrogen_dos"]) == (1.0, 0.4)
    details = {"source": "DOSCAR", "fermi_energy_ev": 1.5, "total_at_fermi": 2.0, "uncertainty": None, "captured": None}
    assert result["hydrogen_dos_details"] == details
    assert triclinic.to_json()["hydrogen_dos"] is None
    assert result["tc_details"] == {
        "SR5": {
            "kelvin": 212.34,
            "rmse_kelvin": 41.0,
            "hydrogen_dos_kelvin": None,
            "doi": "10.1000/fit.5",
            "note": "hydrides",
        },
        "SR2": {
            "kelvin": None,
            "rmse_kelvin": None,
            "hydrogen_dos_kelvin": None,
            "doi": "10.1000/fit<2>",
            "note": "needs H_DOS <not given>",
        },
    }


def test_tc_of_a_hydride_follows_from_the_numbers_beside_it(hydride_file):
    """From a field file to the JSON: two of three atoms are hydrogen, their share of the states is 0.5."""
    result = analyse(hydride_file, AnalysisSettings(hydrogen_dos=0.5)).to_json()
    assert result["hydrogen_fraction"] == pytest.approx(2 / 3)
    # Belli et al., Nat. Commun. 12, 5381 (2021), and SR4, written out: both see H_f, SR4 as its cube.
    phi = result["phi_3d"]
    assert result["tc_kelvin"]["Belli 2021"] == pytest.approx(750 * phi * (2 / 3) * 0.5 ** (1 / 3) - 85)
    assert result["tc_kelvin"]["SR4"] == pytest.approx(574.7 * phi * (0.5 * (2 / 3) ** 3) ** 0.5)
    assert {name: fit["kelvin"] for name, fit in result["tc_details"].items()} == result["tc_kelvin"]


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


def test_json_carries_the_path_in_angstrom(triclinic):
    result, path = triclinic.to_json()["network_path"], triclinic.path
    assert result["lowest"] == path.path.lowest == triclinic.network.phi_3d.grid_value
    for cycle, points, winding in zip(result["cycles"], path.path.cycles, path.path.windings, strict=True):
        np.testing.assert_allclose(cycle["points_angstrom"], points * BOHR_ANGSTROM, atol=5.1e-5)
        start, end = np.array(cycle["points_angstrom"])[[0, -1]]
        cell = triclinic.structure.cell.vectors * BOHR_ANGSTROM
        np.testing.assert_allclose(end - start, np.array(cycle["lattice_vectors"]) @ cell, atol=2e-4)
        assert cycle["lattice_vectors"] == winding.tolist()
    assert (result["hydrogen_share"], result["approaches"], result["passed"]) == (1.0, [], None)
    assert path_rows(triclinic) == []


def test_a_path_through_a_core_is_told_wherever_the_result_is(hydride_file):
    """On the page, in the JSON and in the warnings: the same atom, distance and radius."""
    analysis = analyse(hydride_file)
    core = core_radii(["La"])["La"]
    result = analysis.to_json()
    (near,) = result["network_path"]["approaches"]
    assert near == {**result["network_path"]["passed"], "distance_angstrom": pytest.approx(near["distance_angstrom"])}
    assert (near["atom"], near["core_radius_angstrom"]) == ("La 2", pytest.approx(core * BOHR_ANGSTROM))
    distance, radius = f"{near['distance_angstrom']:.2f}", f"{core * BOHR_ANGSTROM:.2f}"
    sentence = f"the network passes La 2 at {distance} angstrom, inside its core ({radius}): no network of hydrogen"
    assert sum(warning.startswith(sentence) for warning in result["warnings"]) == 1
    (row,) = (row for row in path_rows(analysis) if row[0] == "path to La 2")
    assert row[1] == distance
    text = page(analysis)
    assert sentence in text
    assert f'<th scope="row">path to La 2</th><td>{distance} (' in text
