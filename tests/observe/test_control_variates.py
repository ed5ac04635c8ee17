"""Means controlled by what is known of many more samples, against means that are known."""

import numpy as np
import pytest

from jovium.observe.control_variates import controlled_mean


def gaussian(m, seed):
    """y = 2 + 3 c + 0.1 e of Gaussians c, e, a second control that says nothing, and controls of 100 m others."""
    random = np.random.default_rng(seed)
    controls, many = random.normal(size=(m, 2)), random.normal(size=(100 * m, 2))
    return 2 + 3 * controls[:, 0] + 0.1 * random.normal(size=m), controls, many


def test_the_error_is_that_of_what_the_controls_leave():
    """var = 0.1^2 / m + 3^2 / 100 m in place of (3^2 + 0.1^2) / m, and the errors say so: as many means are within
    one of them as of a Gaussian."""
    found = [controlled_mean(*gaussian(64, seed)) for seed in range(400)]
    errors = np.array([estimate.error for estimate in found])
    apart = np.array([estimate.value - 2 for estimate in found])
    assert errors.mean() == pytest.approx(np.sqrt((0.1**2 + 0.3**2) / 64), rel=0.05)
    assert apart.std() == pytest.approx(errors.mean(), rel=0.12)
    assert abs(apart.mean()) < 4 * errors.mean() / 20


def test_controls_that_say_nothing_leave_the_plain_mean():
    random = np.random.default_rng(0)
    values = random.normal(size=4000)
    found = controlled_mean(values, random.normal(size=(4000, 2)), random.normal(size=(9000, 2)))
    assert found.value == pytest.approx(values.mean(), abs=2 / np.sqrt(4000 * 1000))
    assert found.error == pytest.approx(values.std() / np.sqrt(4000), rel=0.01)


def test_means_that_add_up_still_add_up():
    values, controls, many = gaussian(20, 1)
    other = np.cos(values)
    parts = controlled_mean(values, controls, many).value + controlled_mean(other, controls, many).value
    assert controlled_mean(values + other, controls, many).value == pytest.approx(parts, rel=1e-12)


def test_a_control_itself_has_the_mean_of_the_many():
    _, controls, many = gaussian(20, 2)
    found = controlled_mean(controls[:, 1], controls, many)
    assert found.value == pytest.approx(many[:, 1].mean(), abs=1e-12)
    assert found.error == pytest.approx(many[:, 1].std() / np.sqrt(2000), rel=1e-6)


def test_a_control_that_never_changes_is_no_control():
    """ln p of a flow that moves nothing is the same everywhere."""
    values, controls, many = gaussian(20, 3)
    controls[:, 1] = many[:, 1] = -7.0
    assert controlled_mean(values, controls, many).value == pytest.approx(
        controlled_mean(values, controls[:, :1], many[:, :1]).value, rel=1e-12
    )


def test_controls_that_rejection_made_one_do_not_make_noise():
    """Their sum is constant but for rounding in almost all samples and further off in one of a thousand of the others:
    its slope would be rounding over rounding."""
    found = []
    for seed in range(200):
        random = np.random.default_rng(seed)
        first = random.normal(size=9 * 512)
        second = -first + 1e-5 * random.normal(size=9 * 512)
        second[600::1000] += 0.3
        both = np.column_stack([first, second])
        found.append(controlled_mean(2 + random.normal(size=512), both[:512], both[512:]))
    apart = np.array([estimate.value - 2 for estimate in found])
    assert apart.std() == pytest.approx(1 / np.sqrt(512), rel=0.15)
    assert max(estimate.error for estimate in found) < 1.2 / np.sqrt(512)


def test_a_constant_is_its_own_mean():
    _, controls, many = gaussian(3, 4)
    found = controlled_mean(np.full(3, -0.6), controls, many)
    assert found.value == pytest.approx(-0.6, rel=1e-12)
