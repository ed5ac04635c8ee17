"""Samples spread over several devices give the same direction as on one."""

import json
import os
import subprocess
import sys

import numpy as np

PROGRAM = """
import json, sys
import jax, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
jax.config.update("jax_enable_x64", True)
from jovium.optimise.natural_gradient import clip_direction, natural_direction, sample_space_direction
random = np.random.default_rng(0)
scores, residuals, last = random.normal(size=(64, 30)), random.normal(size=64), random.normal(size=30)
spread = NamedSharding(Mesh(np.array(jax.devices()), ("samples",)), PartitionSpec("samples"))
scores, residuals = jax.device_put(scores, spread), jax.device_put(residuals, spread)
assert len(scores.sharding.device_set) == len(jax.devices())
one = jax.jit(lambda s, r: clip_direction(sample_space_direction(s, r, 1e-3, 0.9 * last), s, 0.1))(scores, residuals)
other = jax.jit(lambda s: natural_direction(s, last, 1e-2))(scores)
print(json.dumps([len(jax.devices()), one.tolist(), other.tolist()]))
"""


def on(n_devices):
    """The two directions found on so many devices of the host."""
    flags = f"--xla_force_host_platform_device_count={n_devices}"
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    told = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    found, one, other = json.loads(told.stdout.splitlines()[-1])
    assert found == n_devices
    return np.array(one), np.array(other)


def test_directions_are_the_same_on_one_and_on_four_devices():
    for one, four in zip(on(1), on(4), strict=True):
        assert np.abs(one).max() > 1e-4
        np.testing.assert_allclose(four, one, rtol=1e-9, atol=1e-12)
