"""Two independent engines, one answer: plane waves against Gaussians."""

from dataclasses import replace

import numpy as np
import pytest

from jovium.base.errors import EngineError, EngineMissing, InputError, NotConverged, StructureError
from jovium.base.structure import Structure
from jovium.base.units import kelvin_to_hartree
from jovium.reference import gaussian
from jovium.reference.engine import open_engine
from jovium.reference.gaussian import Gaussian
from jovium.reference.kohn_sham import CHEAP
from jovium.reference.pseudopotential import pseudopotential

pytest.importorskip("pyscf")
FEW_K = replace(CHEAP, k_spacing=None, k_mesh=(2, 2, 1), cutoff=50.0)


def test_plane_waves_and_gaussians_agree_on_the_elf(espresso, tight_structure):
    """R^2 >= 0.999 on a metallic triclinic cell; what is left is the Gaussian basis."""
    shape = (32, 36, 40)
    plane = espresso.ground_state(tight_structure, FEW_K)
    gauss = Gaussian("gth-cc-tzvp").ground_state(tight_structure, FEW_K)
    a, b = plane.localization(shape).elf.values, gauss.localization(shape).elf.values
    r2 = 1 - np.sum((a - b) ** 2) / np.sum((a - a.mean()) ** 2)
    print(f"max {np.abs(a - b).max():.4f}, mean {np.abs(a - b).mean():.4f}, R^2 {r2:.5f}")
    assert r2 >= 0.999
    assert gauss.free_energy == pytest.approx(plane.free_energy, abs=3 * 3e-3)
    assert gauss.density.integral() == pytest.approx(3, abs=1e-4)


def test_entropy_is_positive_in_both_codes(espresso, tight_structure):
    """Same orbitals' worth of entropy at 20000 K from two codes: the sign and the size of TS."""
    hot = replace(FEW_K, electronic_kT=kelvin_to_hartree(20000), cutoff=30.0)
    plane = espresso.ground_state(tight_structure, hot, fields=False)
    gauss = Gaussian("gth-dzvp").ground_state(tight_structure, hot, fields=False)
    assert gauss.entropy_term > 0
    assert gauss.entropy_term == pytest.approx(plane.entropy_term, rel=0.1)


@pytest.mark.parametrize(("functional", "table"), [("PBE", "gth-pbe"), ("LDA", "gth-pade")])
def test_pseudopotential_parameters_are_those_of_the_independent_table(functional, table):
    from pyscf.pbc.gto.pseudo import load

    _, r_loc, _, coefficients, *_ = load(table, "H")
    ours = pseudopotential("H", functional)
    assert (ours.r_loc, list(ours.local)) == (r_loc, coefficients)


def test_odd_electron_counts_that_the_library_would_round_are_refused(tight_structure):
    with pytest.raises(InputError, match="3 electrons at 1 k-points"):
        Gaussian().ground_state(tight_structure, replace(FEW_K, k_mesh=(1, 1, 1)))


def test_time_reversed_pairs_are_both_sampled():
    k, weights = gaussian._full_mesh(np.array([[0.25, 0.1, 0.0], [0.5, 0.5, 0.5]]), np.array([2 / 3, 1 / 3]))
    assert len(k) == 3
    assert weights == pytest.approx([1 / 3] * 3)


def test_forces_are_not_invented(tight_structure, monkeypatch):
    state = Gaussian("gth-szv").ground_state(tight_structure, replace(FEW_K, cutoff=20.0), fields=False)
    assert state.forces is None
    assert state.stress is None
    with pytest.raises(EngineError, match="without electron density"):
        state.localization()


def test_missing_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(gaussian, "find_spec", lambda name: None)
    with pytest.raises(EngineMissing, match="pip install"):
        open_engine("pyscf")


def test_unconverged_field_gives_an_error(tight_structure, monkeypatch):
    monkeypatch.setattr(gaussian, "MAX_ITERATIONS", 1)
    with pytest.raises(NotConverged, match="not converged after 1 iterations"):
        Gaussian("gth-szv").ground_state(tight_structure, replace(FEW_K, cutoff=20.0))


def test_other_species_are_refused(tight_structure):
    with pytest.raises(StructureError, match="a structure with He"):
        Gaussian().ground_state(Structure(tight_structure.cell, tight_structure.positions, ("H", "He", "H")), CHEAP)
