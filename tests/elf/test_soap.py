"""SOAP follows the turned axes of its parameters and descends narrow valleys that lie across them."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jovium.elf.soap import scale_by_soap


def orthogonal(rng, size):
    return np.linalg.qr(rng.normal(size=(size, size)))[0]


@pytest.mark.parametrize("size", [4, 6])
def test_turned_gradients_give_turned_updates(size):
    """Which axes a matrix is written in does not matter: SOAP(Q g P) = Q SOAP(g) P. (Square and of full rank: the
    eigenvectors of equal eigenvalues are anybody's choice. In its own axes the first gradient is diagonal, and what
    rounding leaves beside the diagonal, some 1e-14, is divided by DENOMINATOR_FLOOR.)"""
    rng = np.random.default_rng(0)
    q, p = orthogonal(rng, size), orthogonal(rng, size)
    soap = scale_by_soap()
    with jax.enable_x64(True):
        plain = turned = soap.init(jnp.zeros((size, size)))
        for step in range(25):
            gradient = rng.normal(size=(size, size))
            update, plain = soap.update(jnp.asarray(gradient), plain)
            update_turned, turned = soap.update(jnp.asarray(q @ gradient @ p), turned)
            np.testing.assert_allclose(update_turned, q @ update @ p, rtol=0, atol=1e-10 if step else 1e-5)


def test_vectors_get_the_update_of_adam():
    rng = np.random.default_rng(1)
    soap, adam = scale_by_soap(), optax.scale_by_adam(0.95, 0.95)
    states = [soap.init(jnp.zeros(3)), adam.init(jnp.zeros(3))]
    for _ in range(5):
        gradient = jnp.asarray(rng.normal(size=3), jnp.float32)
        one, states[0] = soap.update(gradient, states[0])
        other, states[1] = adam.update(gradient, states[1])
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_narrow_valleys_across_the_axes_are_descended():
    rng = np.random.default_rng(2)
    q = orthogonal(rng, 6)
    curvature = jnp.asarray(q @ np.diag(10.0 ** -np.arange(6)) @ q.T, jnp.float32)
    start = jnp.asarray(rng.normal(size=(6, 6)), jnp.float32)

    def loss(x):
        return 0.5 * jnp.trace(x.T @ curvature @ x)

    def descended(transformation):
        optimiser = optax.chain(transformation, optax.scale_by_learning_rate(optax.cosine_decay_schedule(0.1, 300)))

        def step(_, carry):
            x, state = carry
            updates, state = optimiser.update(jax.grad(loss)(x), state)
            return optax.apply_updates(x, updates), state

        return float(loss(jax.lax.fori_loop(0, 300, step, (start, optimiser.init(start)))[0]))

    assert descended(scale_by_soap()) < 0.3 * descended(optax.scale_by_adam(0.95, 0.95))
