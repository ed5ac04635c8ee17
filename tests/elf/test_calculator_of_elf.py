"""The ASE calculator says what the command line says, and answers anew when the atoms have moved."""

import numpy as np
import pytest

from jovium.base.errors import StructureError
from jovium.calculator import ELF
from jovium.crystals import crystal
from jovium.workflows.analyse import AnalysisSettings, analyse_field
from jovium.workflows.elf_sources import predict_elf


def test_properties_are_those_of_the_analysis():
    structure = crystal("cs-iv", 1.3).supercell((2, 2, 1))
    atoms = structure.to_ase()
    atoms.calc = ELF(spacing=0.15)
    shape = atoms.calc.get_property("elf", atoms).shape
    expected = analyse_field("x", structure, predict_elf(structure, shape), AnalysisSettings())
    assert atoms.calc.get_property("phi_3d", atoms) == pytest.approx(expected.network.phi_3d.value, abs=1e-6)
    assert expected.network.phi_star is not None
    assert atoms.calc.get_property("phi_star") == pytest.approx(expected.network.phi_star.value, abs=1e-6)
    low, high = atoms.calc.get_property("intervals")["phi_3d"]
    assert low < atoms.calc.get_property("phi_3d") < high
    before = atoms.calc.get_property("elf", atoms)
    atoms.positions[0] += 0.05
    assert np.abs(atoms.calc.get_property("elf", atoms) - before).max() > 1e-3


def test_a_hydride_is_refused():
    atoms = crystal("bcc", 1.4).to_ase()
    atoms.symbols[0] = "La"
    with pytest.raises(StructureError, match="hydrogen only"):
        ELF().get_property("phi_3d", atoms)
