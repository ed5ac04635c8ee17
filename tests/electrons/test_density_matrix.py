"""Levels filled with electrons: number, limits, and derivatives where levels are equal."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jovium.electrons.density_matrix import density_matrix

LEVELS = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 3.0, 5.0])


def hermitian(levels, is_complex, seed=0):
    """A matrix with these levels, and a random direction to change it in."""
    random = np.random.default_rng(seed)
    noise, direction = (random.normal(size=(7, 7)) + 1j * is_complex * random.normal(size=(7, 7)) for _ in range(2))
    vectors, _ = np.linalg.qr(noise)
    h, change = (vectors * levels) @ vectors.conj().T, direction + direction.conj().T
    return tuple(jnp.asarray(x if is_complex else x.real) for x in (h, change))


@pytest.mark.parametrize("is_complex", [False, True])
def test_occupations_add_up_to_the_number_of_electrons(is_complex):
    h, _ = hermitian(LEVELS, is_complex)
    density = density_matrix(h, 3.0)
    assert float(jnp.trace(density).real) == pytest.approx(3, abs=1e-9)
    np.testing.assert_allclose(density @ h, h @ density, atol=1e-12)


@pytest.mark.parametrize("is_complex", [False, True])
def test_cold_electrons_fill_the_lowest_levels_and_share_the_last(is_complex):
    """Four electrons on three levels at 0 and two at 1: full, and half full."""
    h, _ = hermitian(100 * LEVELS, is_complex)
    occupations = np.linalg.eigvalsh(density_matrix(h, 4.0))
    np.testing.assert_allclose(np.sort(occupations)[::-1], [1, 1, 1, 0.5, 0.5, 0, 0], atol=1e-9)


@pytest.mark.parametrize("spacing", [0.0, 1e-6, 1e-3, 0.03, 0.9])
@pytest.mark.parametrize("is_complex", [False, True])
def test_derivative_where_levels_are_equal_or_close(is_complex, spacing):
    h, change = hermitian(LEVELS + spacing * np.arange(7), is_complex)
    step = 1e-4
    tangent = jax.jvp(lambda h: density_matrix(h, 3.0), (h,), (change,))[1]
    differences = (density_matrix(h + step * change, 3.0) - density_matrix(h - step * change, 3.0)) / (2 * step)
    np.testing.assert_allclose(tangent, differences, atol=3e-8)


def test_gradient_where_levels_are_equal():
    h, change = hermitian(LEVELS, False)
    weights = jnp.asarray(np.random.default_rng(1).normal(size=(7, 7)))
    gradient = jax.grad(lambda h: jnp.sum(weights * density_matrix(h, 3.0)))(h)
    along = jax.jvp(lambda h: jnp.sum(weights * density_matrix(h, 3.0)), (h,), (change,))[1]
    assert float(jnp.sum(gradient * change)) == pytest.approx(float(along), rel=1e-9)


def test_a_batch_is_diagonalised_one_matrix_after_the_other():
    """Batches of large matrices can wait for each other forever in the threads of a processor."""
    batch = jnp.stack([hermitian(LEVELS, False, seed)[0] for seed in range(5)])
    filled = jax.jit(jax.vmap(lambda h: density_matrix(h, 3.0)))
    np.testing.assert_allclose(filled(batch), [density_matrix(h, 3.0) for h in batch], atol=1e-12)
    program = filled.lower(batch).as_text()
    assert "tensor<7x7xf64>" in _lapack_calls(program)
    assert "tensor<5x7x7xf64>" not in _lapack_calls(program)


def _lapack_calls(program: str) -> str:
    """The lines that call LAPACK."""
    return "\n".join(line for line in program.splitlines() if "lapack" in line)
