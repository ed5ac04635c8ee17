"""Expected errors are those of the samples they were fitted to, and a band covers what it says."""

import equinox as eqx
import jax
import numpy as np
import pytest

from jovium.base.errors import InputError
from jovium.elf.calibration import band_factor, fit_expected_error, held_out
from jovium.elf.network import FieldNetwork
from jovium.elf.prediction import predict_fields
from jovium.elf.samples import Sample

SHAPE = (24, 27, 30)


FORMS = {
    "local": {"n_layers": 0},
    "scalars": {"n_layers": 1, "n_vectors": 0},
    "vectors": {"n_layers": 1, "n_vectors": 2},
}


def of_seed(seed, form):
    return FieldNetwork(n_channels=2, n_hidden=5, n_widths=3, key=jax.random.key(seed), **FORMS[form])


@pytest.fixture(scope="module", params=FORMS)
def form(request):
    return request.param


@pytest.fixture(scope="module")
def network(form):
    return of_seed(3, form)


def noisy(network, structure, scale, seed=0):
    """A sample whose errors have a Laplace distribution of this scale."""
    elf = predict_fields(network, structure, SHAPE)[0].values
    noise = np.random.default_rng(seed).laplace(size=SHAPE) * scale
    return Sample(structure, (elf + noise).astype(np.float32), "validation", "a", 0, 3000.0)


def test_band_covers_the_share_it_is_asked_to(network, odd_structure):
    """P(|x| < t) = 1 - exp(-t) for a Laplace distribution of scale 1."""
    spread = predict_fields(network, odd_structure, SHAPE)[1].values
    sample = noisy(network, odd_structure, spread)
    assert band_factor([(network, [sample])]) == pytest.approx(np.log(10), rel=0.1)
    assert band_factor([(network, [sample])], coverage=0.5) == pytest.approx(np.log(2), rel=0.1)


def test_expected_error_is_found_again(network, form, odd_structure):
    """Errors whose scale another network of the family knows: it is found, and the ELF stays as it is."""
    truth = eqx.tree_at(lambda n: n.spread, network, of_seed(4, form).spread)
    scale = predict_fields(truth, odd_structure, SHAPE)[1].values
    assert scale.std() > 0.1 * scale.mean()
    fitted = fit_expected_error(network, [noisy(network, odd_structure, scale, seed) for seed in range(8)])
    elf, found, _ = predict_fields(fitted, odd_structure, SHAPE)
    # The rarest points are extrapolated to from 32,000 noisy errors.
    ratio = found.values / scale
    assert np.quantile(np.abs(ratio - 1), 0.99) < 0.2
    assert ratio.mean() == pytest.approx(1.0, abs=0.05)
    np.testing.assert_array_equal(elf.values, predict_fields(network, odd_structure, SHAPE)[0].values)


def test_nothing_is_learned_from_nothing(network):
    for function in (fit_expected_error, held_out):
        with pytest.raises(InputError, match="no samples"):
            function(network, [])


def test_no_sample_is_judged_by_an_error_that_was_fitted_to_it(network, odd_structure):
    """Of two samples, one with errors ten times as large, each is given the error of the other."""
    small, large = (noisy(network, odd_structure, scale) for scale in (0.003, 0.03))
    (of_small, first), (of_large, second) = held_out(network, [small, large])
    assert (first, second) == ([small], [large])
    for fitted, scale in ((of_small, 0.03), (of_large, 0.003)):
        assert predict_fields(fitted, odd_structure, SHAPE)[1].values.mean() == pytest.approx(scale, rel=0.2)
