"""The size of a cell: what is stated is what is known of the ideal gas and of the potential."""

import numpy as np
import pytest

from jovium.base.units import PRESSURE_GPA
from jovium.free_energy.finite_size import FERMI_GAS_ENERGY, ideal_kinetic_energy, size_error
from jovium.free_energy.settings import FreeEnergySettings
from jovium.free_energy.systems import FreeEnergySystem


def system(n_atoms, twists, rs=1.25):
    return FreeEnergySystem(FreeEnergySettings(n_atoms, rs, 6000.0, twists, proton_walkers=2 * twists**3))


def test_the_ideal_gas_is_that_of_a_fermi_sphere():
    assert pytest.approx(1.10495, abs=1e-5) == FERMI_GAS_ENERGY


def test_one_pair_without_a_twist_has_no_kinetic_energy():
    assert ideal_kinetic_energy(system(2, 1)) == pytest.approx(0, abs=1e-12)


def test_seven_pairs_without_a_twist_fill_the_first_shell():
    """One at rest, six with 2 pi / L."""
    of_fourteen = system(14, 1)
    edge = of_fourteen.cell.lengths[0]
    assert ideal_kinetic_energy(of_fourteen) == pytest.approx(6 / 7 * 0.5 * (2 * np.pi / edge) ** 2, rel=1e-12)


def test_many_twists_give_the_ideal_gas():
    assert ideal_kinetic_energy(system(16, 16)) == pytest.approx(FERMI_GAS_ENERGY / 1.25**2, rel=0.02)


@pytest.mark.parametrize(("n_atoms", "potential"), [(8, 0.0387), (16, 0.0194), (32, 0.0097)])
def test_the_potential_lacks_a_quarter_of_the_plasma_frequency_over_the_atoms(n_atoms, potential):
    """omega_p / 4 N at rs 1.25."""
    of_cell = system(n_atoms, 4)
    kinetic = abs(ideal_kinetic_energy(of_cell) - FERMI_GAS_ENERGY / 1.25**2)
    assert size_error(of_cell)[0] - kinetic == pytest.approx(potential, abs=6e-5)


def test_pressure_is_the_slope_of_the_energy():
    """Both terms are powers of rs: P = -dE/dV of the energy that is missing."""
    step = 1e-5
    energies = [size_error(system(2, 1, 1.25 + sign * step))[0] for sign in (-1, 1)]
    volumes = [system(2, 1, 1.25 + sign * step).cell.volume / 2 for sign in (-1, 1)]
    slope = -(energies[1] - energies[0]) / (volumes[1] - volumes[0])
    assert size_error(system(2, 1))[1] == pytest.approx(slope, rel=1e-6)
    assert size_error(system(2, 1))[1] * PRESSURE_GPA > 1411
