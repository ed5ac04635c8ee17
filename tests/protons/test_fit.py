"""Flows fitted in memory have the free energies and the densities that are known exactly."""

import numpy as np
import pytest

from jovium.base.errors import InputError, JoviumError
from jovium.protons.fit import fit_flow
from jovium.protons.settings import ProtonSettings
from jovium.protons.systems import initial_flow
from jovium.protons.targets import DoubleWell, OneComponentPlasma


def test_free_energy_of_one_well_is_that_of_quadrature():
    """-ln Z of the left side of the double well: the bound is close and above, reweighting gives it."""
    x = np.linspace(-7, 0, 140001)
    exact = -np.log(np.exp(-(x**4 / 4 - 3 * x**2 + x)).sum() * (x[1] - x[0]) * np.sqrt(2 * np.pi))
    start = initial_flow(ProtonSettings(system="double-well", ode_steps=4), DoubleWell("left"))
    fitted = fit_flow(DoubleWell("left"), flow=start, n_steps=60, batch_size=32, learning_rate=0.02)
    free = fitted.measure(2048).free_energy
    assert abs(free.reweighted.value - exact) < 4 * free.reweighted.error
    assert exact - 4 * free.variational.error < free.variational.value < exact + 0.05
    assert fitted.losses["variational_free_energy"].shape == (60,)


@pytest.mark.parametrize(
    "options",
    [{"batch_size": 64, "learning_rate": 0.006}, {"n_steps": 30, "optimiser": "natural"}],
    ids=["adam", "natural"],
)
def test_two_charges_in_a_cell_have_their_free_energy(options):
    """beta F_ex / 2 = -1.511 at Gamma 2, from a flow that begins anywhere in the cell."""
    options = {"n_steps": 60, "n_knots": 2, "n_radial": 5, "n_channels": 1, **options}
    fitted = fit_flow(OneComponentPlasma(2, 2.0), **options)
    free = fitted.measure(2048).free_energy
    assert free.reweighted.value / 2 == pytest.approx(-1.511, abs=2 * free.reweighted.error)
    assert free.variational.value / 2 < -1.49


def test_a_flow_that_is_integrated_badly_is_refused():
    """In one step the rates of a fast flow make a free energy below the exact one."""
    with pytest.raises(JoviumError, match="integration error"):
        fit_flow(
            OneComponentPlasma(2, 2.0),
            n_steps=30,
            batch_size=16,
            ode_steps=1,
            learning_rate=0.1,
            n_radial=5,
            n_channels=1,
        )


@pytest.mark.parametrize("n", [1, 3])
def test_density_of_gaussian_data_is_the_gaussian(n):
    """In a plane; of three particles it is one of two relative coordinates."""
    data = 0.7 * np.random.default_rng(0).normal(size=(400, n, 2)) + [1.0, -2.0]
    fitted = fit_flow(data=data, n_steps=20, likelihood_steps=10, batch_size=32, ode_steps=2, learning_rate=1e-3)
    centred = data - (data.mean(axis=1, keepdims=True) if n > 1 else [1.0, -2.0])
    coordinates = 2 * max(1, n - 1)
    exact = -0.5 * np.sum(centred**2, axis=(1, 2)) / 0.49 - coordinates * np.log(0.7 * np.sqrt(2 * np.pi))
    deviation = fitted.log_prob(data) - exact
    assert abs(deviation.mean()) < 0.06
    assert np.abs(deviation).mean() < 0.3
    assert fitted.sample(7).shape == (7, n, 2)
    with pytest.raises(InputError, match="data alone"):
        fitted.measure()


def test_a_fit_to_nothing_is_refused():
    for options in ({}, {"target": DoubleWell()}, {"target": OneComponentPlasma(2, 2.0), "optimiser": "sgd"}):
        with pytest.raises(InputError):
            fit_flow(**options)


def test_a_loss_that_is_not_finite_stops_the_fit():
    start = initial_flow(ProtonSettings(system="double-well", ode_steps=1), DoubleWell("left"))
    with pytest.raises(JoviumError, match="lower learning rate"):
        fit_flow(DoubleWell("left"), flow=start, n_steps=20, batch_size=16, learning_rate=1e30)
