"""F, E, S and P of nuclei and electrons, against gases whose answers are known."""

import jax
import numpy as np
import pytest

from jovium.base.units import DEUTERON_MASS, PROTON_MASS, kelvin_to_hartree
from jovium.free_energy.settings import FreeEnergySettings
from jovium.free_energy.systems import FreeEnergySystem
from jovium.free_energy.thermodynamics import ThermodynamicState

KT = kelvin_to_hartree(6000.0)


@pytest.mark.parametrize(("n", "entropy"), [(16, 7.0287), (32, 7.0902)])
def test_protons_anywhere_have_the_entropy_of_sackur_and_tetrode(n, entropy):
    """Values of the literature at rs 1.25 and 6000 K; ln p = -n ln V of the flow before training."""
    system = FreeEnergySystem(FreeEnergySettings(n_atoms=n))
    sample = system.flow().sample(jax.random.key(0))
    assert system.state.entropy(np.full(2, float(sample.log_density))).value == pytest.approx(entropy, abs=2e-4)


def test_the_three_figures_of_one_sample_belong_together():
    """F = E - T S for any works."""
    random = np.random.default_rng(0)
    state = ThermodynamicState(4, 60.0, KT, PROTON_MASS)
    log_densities, energies = random.normal(size=(2, 50))
    free, energy = state.free_energy(KT * log_densities + energies), state.energy(energies)
    assert free.value == pytest.approx(energy.value - KT * state.entropy(log_densities).value, rel=1e-12)


def test_nuclei_without_electrons_press_like_an_ideal_gas():
    state = ThermodynamicState(4, 60.0, KT, PROTON_MASS)
    assert state.pressure(np.zeros(3), np.zeros(3)).value == pytest.approx(4 * KT / 60)


def test_the_pressure_is_minus_the_slope_of_the_energy():
    """A wave function that is scaled with its cell has K / L^2 and V / L: P = -dE/dV, and n kT / V of the nuclei."""
    kinetic, potential, volume = 2.3, -4.1, 60.0

    def energy(scaled):
        return kinetic * (volume / scaled) ** (2 / 3) + potential * (volume / scaled) ** (1 / 3)

    step = 1e-3
    slope = (energy(volume + step) - energy(volume - step)) / (2 * step)
    found = ThermodynamicState(4, volume, KT, PROTON_MASS).pressure(
        np.full(3, kinetic), np.full(3, kinetic + potential)
    )
    assert found.value == pytest.approx(-slope + 4 * KT / volume, rel=1e-8)


def test_the_pressure_of_a_wave_function_that_is_no_eigenstate_has_the_pulay_term():
    """A Gaussian exp(-a r^2 / 2) whose exponent does not follow the cell, E(L) = 3 a / 4 - c / L: d ln psi / d ln L at
    fixed parameters is -a r^2, and P = -dE/dV holds only with 2 Cov(E_loc, D) taken off with this sign."""
    a, c, L = 1.3, 2.0, 4.0
    r2 = np.random.default_rng(0).gamma(1.5, 1 / a, size=400_000)  # |psi|^2 of three coordinates
    local = 1.5 * a - 0.5 * a**2 * r2 - c / L  # T psi / psi and a potential that scales as 1 / L
    kinetic, pulay = 1.5 * a - 0.5 * a**2 * r2, 2 * np.cov(local, -a * r2)[0, 1]
    exact = -(c / L**2) / (3 * L**2)  # -dE/dV = -(dE/dL) / 3 L^2
    state = ThermodynamicState(1, L**3, KT, PROTON_MASS)
    pressure = state.pressure(kinetic, local, np.full(len(r2), pulay)).value - KT / L**3
    assert pressure == pytest.approx(exact, abs=2e-4)
    assert abs(state.pressure(kinetic, local).value - KT / L**3 - exact) > 5e-3


def test_deuterium_has_more_entropy_by_its_mass():
    """3/2 ln(m_D / m_H) per atom."""
    light, heavy = (ThermodynamicState(4, 60.0, KT, mass) for mass in (PROTON_MASS, DEUTERON_MASS))
    gained = heavy.entropy(np.zeros(3)).value - light.entropy(np.zeros(3)).value
    assert gained == pytest.approx(1.5 * np.log(DEUTERON_MASS / PROTON_MASS))


def test_errors_are_those_of_independent_configurations():
    works = np.random.default_rng(1).normal(size=400)
    found = ThermodynamicState(2, 60.0, KT, PROTON_MASS).free_energy(works)
    assert found.error == pytest.approx(works.std(ddof=1) / 20 / 2)
