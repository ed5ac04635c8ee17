"""Gaussians on a line."""

import jax.numpy as jnp
import numpy as np

from jovium.base.gaussians import gaussians


def test_gaussians_sum_to_a_constant_between_their_centres():
    """Centres one width apart: the sum is sqrt(2 pi) to 1e-7 (its first Fourier component is 2 exp(-2 pi^2))."""
    values = gaussians(jnp.linspace(8.0, 12.0, 9), jnp.arange(21.0), 1.0)
    assert values.shape == (9, 21)
    np.testing.assert_allclose(values.sum(axis=-1), np.sqrt(2 * np.pi), rtol=1e-6)
