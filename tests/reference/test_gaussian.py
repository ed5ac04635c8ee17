"""Two independent engines, one answer: plane waves against Gaussians."""

from dataclasses import replace

import numpy as np
import pytest

from jovium.base.cell import Cell
from jovium.base.errors import EngineError, EngineMissing, InputError, NotConverged, StructureError
from jovium.base.structure import Structure
from jovium.base.units import kelvin_to_hartree
from jovium.reference import gaussian
from jovium.reference.engine import open_engine
from jovium.reference.gaussian import Gaussian
from jovium.reference.kohn_sham import CHEAP
from jovium.reference.pseudopotential import _table, table_name

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


@pytest.mark.parametrize("functional", ["PBE", "LDA"])
def test_pseudopotential_parameters_are_those_that_the_other_code_reads(functional):
    """By the name under which they are asked for: of several entries of an element, and of several tables, the same."""
    from pyscf.pbc.gto.pseudo import load

    for element, ours in _table(table_name(functional)).items():
        configuration, r_loc, _, local, _, *channels = load(ours.name.lower(), element)
        assert (ours.configuration, ours.r_loc, ours.local) == (tuple(configuration), r_loc, tuple(local)), element
        theirs = [(radius, h) for radius, _, h in channels]
        assert [(c.radius, [list(row) for row in c.coefficients]) for c in ours.channels] == theirs, element


def test_odd_electron_counts_that_the_library_would_round_are_refused(tight_structure):
    with pytest.raises(InputError, match="3 electrons at 1 k-points"):
        Gaussian().ground_state(tight_structure, replace(FEW_K, k_mesh=(1, 1, 1)))


def test_time_reversed_pairs_are_both_sampled():
    k = gaussian._full_mesh(np.array([[0.25, 0.1, 0.0], [0.5, 0.5, 0.5], [0.0, 0.5, 0.0]]))
    assert k.tolist() == [[0.25, 0.1, 0.0], [0.5, 0.5, 0.5], [0.0, 0.5, 0.0], [-0.25, -0.1, 0.0]]


def test_odd_electrons_are_held_by_a_pair_of_points(tight_structure):
    """One of the pair is enough for an even number; three electrons need both."""
    coarse = replace(FEW_K, k_mesh=(2, 1, 1), cutoff=10.0)
    field = Gaussian("gth-szv").self_consistent_field(tight_structure, coarse)
    assert len(field.kpts) == 2
    assert sum(f.sum() for f in field.mo_occ) == pytest.approx(6)


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


def test_elements_without_a_potential_are_refused(tight_structure):
    unknown = Structure(tight_structure.cell, tight_structure.positions, ("H", "Ac", "H"))
    with pytest.raises(StructureError, match="Ac: no pseudopotential"):
        Gaussian().ground_state(unknown, CHEAP)


def test_overlapping_atoms_are_refused(tight_structure):
    close = tight_structure.positions[[0, 0, 2]] + np.array([[0.0], [0.1], [0.0]])
    with pytest.raises(StructureError, match="two atoms"):
        Gaussian().ground_state(Structure(tight_structure.cell, close, ("B", "H", "H")), CHEAP)


def test_a_basis_without_an_element_names_the_one_for_all(tight_structure):
    compound = Structure(tight_structure.cell, tight_structure.positions, ("La", "H", "H"))
    with pytest.raises(InputError, match="La") as caught:
        Gaussian("gth-cc-tzvp").ground_state(compound, FEW_K)
    assert "even-tempered" in str(caught.value)


def test_electrons_of_a_compound_are_those_of_its_valence(tight_structure):
    compound = Structure(tight_structure.cell, tight_structure.positions, ("B", "H", "H"))
    with pytest.raises(InputError, match="5 electrons at 1 k-points"):
        Gaussian().ground_state(compound, replace(FEW_K, k_mesh=(1, 1, 1)))


def test_even_tempered_functions_reach_the_core_of_every_element():
    """Steeper than the potential is narrow, for every l with electrons or projectors; wide enough to overlap."""
    for element, potential in _table("GTH-PBE").items():
        basis = gaussian.even_tempered(potential)
        for l in {channel.l for channel in potential.channels} | {0}:
            exponents = [exponent for shell, (exponent, _) in basis if shell == l]
            radius = min([potential.r_loc, *(c.radius for c in potential.channels if c.l == l)])
            assert max(exponents) >= radius**-2 > max(exponents) / 1.81, (element, l)
            assert min(exponents) <= 0.5, (element, l)


@pytest.fixture(scope="module")
def boron_hydride(espresso):
    """BH in a displaced triclinic cell by both engines: three valence electrons and a projector on B, two k-points."""
    cell = Cell(np.array([[0.1, 2.6, 2.9], [3.1, -0.1, 2.8], [2.7, 2.9, 0.2]]))
    positions = np.array([[0.1, -0.07, 0.05], [2.85, 2.75, 3.1]])
    structure = Structure(cell, positions, ("B", "H"))
    protocol = replace(CHEAP, k_spacing=None, k_mesh=(2, 1, 1), cutoff=80.0)
    return espresso.ground_state(structure, protocol), Gaussian().ground_state(
        structure, replace(protocol, cutoff=35.0)
    )


def test_plane_waves_and_gaussians_agree_on_the_energy_of_a_compound(boron_hydride):
    """Gaussians lie above by what the basis lacks, less than 0.5 mHa per atom."""
    plane, gauss = boron_hydride
    assert "even-tempered" in gauss.engine
    assert -1e-4 < (gauss.free_energy - plane.free_energy) / 2 < 5e-4
    assert gauss.entropy_term == pytest.approx(plane.entropy_term, rel=0.02)
    assert gauss.density.integral() == pytest.approx(4, abs=1e-4)


def test_plane_waves_and_gaussians_agree_on_the_elf_of_a_compound(boron_hydride):
    """Density and ELF, from n and tau of each; the window of the plane waves moves tau at the nuclei alone."""
    plane, gauss = (state.localization((24, 24, 24)).elf.values for state in boron_hydride)
    print(f"max {np.abs(plane - gauss).max():.4f}, mean {np.abs(plane - gauss).mean():.4f}")
    assert np.abs(plane - gauss).max() < 0.03
    assert np.abs(plane - gauss).mean() < 0.005
