"""Whether hydrogen is a metal is computed beside the prediction of the network, where that is quick."""

from math import inf

import numpy as np
import pytest

from jovium.base.cell import Cell
from jovium.base.errors import EngineMissing
from jovium.base.structure import Structure
from jovium.crystals import crystal
from jovium.workflows import elf_sources
from jovium.workflows.analyse import analyse

ASSUMED = "assumes that this hydrogen is a metal"
SPACING = 0.4


@pytest.fixture(autouse=True)
def always_quick(monkeypatch):
    monkeypatch.setattr(elf_sources, "QUICK_STATES", inf)


def told(analysis, words):
    return any(words in warning for warning in analysis.warnings)


def test_dense_atomic_hydrogen_is_a_metal_and_has_tc():
    found = analyse(crystal("bcc", 1.3), spacing=SPACING)
    facts = found.to_json()
    assert (facts["metal"], facts["protocol"]["engine"]) == (True, "network")
    assert facts["states_at_fermi_per_ev"] > 0.01
    assert None not in facts["tc_kelvin"].values()
    assert not told(found, ASSUMED)
    assert not told(found, "band gap")


@pytest.mark.parametrize("strain", [0.0, 0.05])
def test_molecular_hydrogen_is_an_insulator_without_tc(strain):
    """The second in a triclinic cell."""
    molecules = crystal("hcp-h2", 2.2)
    deformation = np.eye(3) + strain * np.array([[0, 1, -0.6], [0, 0, 0.8], [0, 0, 0]])
    sheared = Structure(Cell(molecules.cell.vectors @ deformation), molecules.positions @ deformation, ("H",) * 4)
    found = analyse(sheared, spacing=SPACING)
    facts = found.to_json()
    assert (facts["metal"], facts["protocol"]["engine"]) == (False, "network")
    assert facts["states_at_fermi_per_ev"] < 1e-3
    assert set(facts["tc_kelvin"].values()) == {None}
    assert told(found, "no density of states at the Fermi level, no Tc")
    assert not told(found, ASSUMED)


def test_states_do_not_change_the_prediction(monkeypatch):
    structure = crystal("cs-iv", 1.3)
    beside = analyse(structure, spacing=SPACING)
    monkeypatch.setattr(elf_sources, "QUICK_STATES", 0.0)
    alone = analyse(structure, spacing=SPACING)
    assert beside.network.phi_3d.value == alone.network.phi_3d.value
    assert [fit.kelvin for fit in beside.tc] == [fit.kelvin for fit in alone.tc]


def missing(name="espresso", *, sure=False):
    raise EngineMissing("no Quantum ESPRESSO", "its Python library", "install it")


@pytest.mark.parametrize(("name", "value"), [("QUICK_STATES", 0.5), ("open_engine", missing)])
def test_where_the_states_were_not_computed_a_metal_is_assumed_and_said_to_be(monkeypatch, name, value):
    """It would take long, or there is no engine."""
    monkeypatch.setattr(elf_sources, name, value)
    found = analyse(crystal("bcc", 1.3), spacing=SPACING)
    facts = found.to_json()
    assert (facts["metal"], facts["states_at_fermi_per_ev"]) == (None, None)
    assert told(found, ASSUMED)
    assert None not in facts["tc_kelvin"].values()
