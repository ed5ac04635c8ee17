"""The one-component plasma: its crystal, its laws, its known energy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jovium.base.errors import InputError
from jovium.protons.targets import OneComponentPlasma
from jovium.sampling.metropolis import started, sweeps


def test_crystal_has_the_madelung_energy():
    side = (8 * np.pi / 3) ** (1 / 3)
    cubic = np.array([[0, 0, 0], [0.5, 0.5, 0.5]]) * side
    plasma = OneComponentPlasma(2, 10.0)
    assert plasma.cell.vectors[0, 0] == pytest.approx(side)
    found = float(plasma.beta_energy(jnp.asarray(cubic, jnp.float32))) / 2 / 10
    assert found == pytest.approx(-0.89592926, abs=1e-6)


def test_translation_order_and_images_do_not_matter():
    plasma = OneComponentPlasma(5, 3.0)
    rng = np.random.default_rng(0)
    x = rng.random((5, 3)) * plasma.cell.vectors[0, 0]
    moved = x[rng.permutation(5)] + [0.3, -0.2, 0.9] + rng.integers(-1, 2, (5, 3)) @ plasma.cell.vectors
    one, other = (float(plasma.beta_energy(jnp.asarray(p, jnp.float32))) for p in (x, moved))
    assert one == pytest.approx(other, abs=2e-5)


@pytest.mark.parametrize("wrong", [(0, 1.0), (4, -1.0), (4, np.nan)])
def test_impossible_plasmas_are_refused(wrong):
    with pytest.raises(InputError):
        OneComponentPlasma(*wrong)


def test_free_energy_difference_of_sixteen_charges_by_thermodynamic_integration():
    """F(10) - F(1) = int u / Gamma dGamma, published: -7.2523(6) + 0.5134(2); u by Metropolis at four couplings."""
    nodes, weights = np.polynomial.legendre.leggauss(4)
    couplings = 10 ** (0.5 * (nodes + 1))
    found = []
    for coupling in couplings:
        plasma = OneComponentPlasma(16, float(coupling))
        start = np.asarray(jax.random.uniform(jax.random.key(0), (24, 16, 3))) * plasma.cell.vectors[0, 0]
        chains = sweeps(plasma.beta_energy, started(plasma.beta_energy, start, 0.5), 40, tune=True)
        energies = []
        for _ in range(12):
            chains = sweeps(plasma.beta_energy, chains, 3)
            energies.append(np.asarray(chains.beta_energies) / 16)
        found.append(np.mean(energies))
    difference = 0.5 * np.log(10) * weights @ found
    assert difference == pytest.approx(-7.2523 + 0.5134, abs=0.04)
