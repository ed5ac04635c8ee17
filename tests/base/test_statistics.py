"""Error bars: independent samples, and an autoregressive series whose autocorrelation time is known."""

import numpy as np
import pytest

from jovium.base.errors import InputError
from jovium.base.statistics import (
    Estimate,
    autocorrelation_time,
    equilibration_start,
    mean_with_error,
    round_to_error,
    split_r_hat,
)


def autoregressive(memory: float, n: int, seed: int) -> np.ndarray:
    """x[t+1] = memory x[t] + noise of unit variance, stationary from the start."""
    noise = np.random.default_rng(seed).normal(size=n)
    series = np.empty(n)
    series[0] = noise[0] / np.sqrt(1 - memory**2)
    for t in range(1, n):
        series[t] = memory * series[t - 1] + noise[t]
    return series


def test_independent_samples_have_autocorrelation_time_one():
    assert autocorrelation_time(np.random.default_rng(0).normal(size=20000)) == pytest.approx(1.0, abs=0.06)


def test_error_of_independent_samples_is_sigma_over_root_n():
    series = 3 + 2 * np.random.default_rng(1).normal(size=10000)
    estimate = mean_with_error(series)
    assert estimate.error == pytest.approx(0.02, rel=0.06)
    assert abs(estimate.value - 3) < 4 * estimate.error


@pytest.mark.parametrize("memory", [0.5, 0.8, 0.95])
def test_autoregressive_series_has_the_known_autocorrelation_time(memory):
    # rho(t) = memory^t, so tau = 1 + 2 memory / (1 - memory) = (1 + memory) / (1 - memory)
    expected = (1 + memory) / (1 - memory)
    assert autocorrelation_time(autoregressive(memory, 200_000, 2)) == pytest.approx(expected, rel=0.12)


def test_error_bar_of_a_correlated_series_covers_its_scatter():
    estimates = [mean_with_error(autoregressive(0.8, 4000, seed)) for seed in range(60)]
    scatter = np.std([estimate.value for estimate in estimates])
    assert np.mean([estimate.error for estimate in estimates]) == pytest.approx(scatter, rel=0.3)
    assert np.mean([estimate.n_independent for estimate in estimates]) == pytest.approx(4000 / 9, rel=0.15)


def test_constant_series_has_no_error():
    estimate = mean_with_error(np.full(50, -0.5))
    assert (estimate.value, estimate.error) == (-0.5, 0.0)


@pytest.mark.parametrize("series", [[1.0], [1.0, np.nan], [[1.0, 2.0]], [1.0, np.inf, 2.0]])
@pytest.mark.usefixtures("unchecked_signatures")
def test_series_that_gives_no_mean_is_refused(series):
    with pytest.raises(InputError, match="at least two finite numbers"):
        mean_with_error(np.array(series))


def test_record_of_an_estimate_has_no_number_that_is_not_finite():
    assert Estimate(2.0, 0.5, 9.0).record(3.0) == {"value": 6.0, "error": 1.5}
    assert Estimate(2.0, np.inf, 9.0).record() == {"value": 2.0, "error": None}


def test_estimate_prints_value_and_error():
    assert str(Estimate(-0.584781, 0.00031, 900.0)) == "-0.58478 +- 0.00031"


def test_equilibration_is_found_where_the_drift_ends():
    rng = np.random.default_rng(11)
    series = rng.normal(size=400)
    series[:60] += np.linspace(15, 0, 60)
    assert 30 <= equilibration_start(series) <= 90


def test_a_stationary_series_keeps_nearly_everything():
    assert equilibration_start(np.random.default_rng(2).normal(size=300)) < 60


def test_chains_that_agree_have_r_hat_one():
    chains = np.random.default_rng(0).normal(size=(8, 1000))
    assert split_r_hat(chains) == pytest.approx(1, abs=0.01)


def test_chains_in_two_wells_have_r_hat_of_their_distance():
    """Half of them displaced by 2: the variance of everything is 1 + 1, that within 1."""
    chains = np.random.default_rng(0).normal(size=(40, 1000)) + 2 * (np.arange(40) % 2)[:, None]
    assert split_r_hat(chains) == pytest.approx(np.sqrt(2), abs=0.03)


def test_a_chain_that_drifts_disagrees_with_itself():
    drifting = np.random.default_rng(0).normal(size=(1, 1000)) + np.linspace(0, 5, 1000)
    assert split_r_hat(drifting) > 1.5


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (-1411.3, 3.284, "-1411.3 +- 3.3"),
        (1234.5, 56.7, "1234 +- 57"),
        (1234.5, 567.0, "1230 +- 570"),
        (0.123456, 0.000996, "0.1235 +- 0.0010"),
        (5.0, 0.0, "5 +- 0"),
        (float("inf"), float("inf"), "inf +- inf"),
    ],
)
def test_numbers_are_rounded_to_two_digits_of_their_error(value, error, text):
    assert round_to_error(value, error) == text
