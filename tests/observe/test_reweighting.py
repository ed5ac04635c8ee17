"""Free energies by reweighting against Gaussians, where everything is known."""

import numpy as np
import pytest

from jovium.base.errors import InputError
from jovium.observe.reweighting import effective_samples, free_energy, reweighted_mean

EXACT = -0.5 * np.log(2 * np.pi * 0.7**2)
"""-ln int exp(-U) of the well below."""


def well(x):
    return 0.5 * ((x - 0.4) / 0.7) ** 2


def work(x, width=1.0):
    """ln p + U for samples of a Gaussian of this width about zero."""
    return -0.5 * (x / width) ** 2 - np.log(width * np.sqrt(2 * np.pi)) + well(x)


def test_bound_is_above_by_the_kullback_leibler_divergence():
    x = np.random.default_rng(0).normal(size=200_000)
    divergence = np.log(0.7) + (1 + 0.4**2) / (2 * 0.7**2) - 0.5
    found = free_energy(work(x))
    assert abs(found.variational.value - EXACT - divergence) < 4 * found.variational.error
    assert found.variational.error < 0.01


def test_reweighting_is_exact_within_its_error():
    deviations = []
    for seed in range(200):
        x = np.random.default_rng(seed).normal(size=500)
        found = free_energy(work(x), offset=3.0).reweighted
        deviations.append((found.value - 3.0 - EXACT) / found.error)
    assert np.std(deviations) == pytest.approx(1, abs=0.2)
    assert abs(np.mean(deviations)) < 0.3


def test_means_of_the_target_come_from_samples_of_the_model():
    deviations = []
    for seed in range(200):
        x = np.random.default_rng(seed).normal(size=500)
        mean, error = reweighted_mean(np.stack([x, x**2], axis=1), work(x))
        deviations.append((mean - [0.4, 0.4**2 + 0.7**2]) / error)
    np.testing.assert_allclose(np.std(deviations, axis=0), 1, atol=0.25)


def test_effective_samples_count_equal_weights_and_one_heavy_one():
    assert effective_samples(np.zeros(50)) == pytest.approx(50)
    assert effective_samples(np.array([800.0, 0.0, 0.0])) == pytest.approx(1)


def test_overlapping_particles_weigh_nothing():
    """An infinite energy is an infinite bound, and nothing to the weights."""
    x = np.random.default_rng(0).normal(size=1000)
    spoilt = np.append(work(x), np.inf)
    found = free_energy(spoilt)
    assert found.variational.value == np.inf
    assert found.reweighted.value == pytest.approx(free_energy(work(x)).reweighted.value + np.log(1001 / 1000))


@pytest.mark.parametrize("bad", [[1.0], [1.0, np.nan], [np.inf, np.inf], [[1.0, 2.0]]])
@pytest.mark.usefixtures("unchecked_signatures")
def test_works_that_say_nothing_are_refused(bad):
    with pytest.raises(InputError, match="works of shape"):
        free_energy(np.array(bad))
