"""The exact energy of two electrons in a cell, by diffusion Monte Carlo guided by a trained wave function.

    python benchmarks/diffusion.py RUN [--walkers 256] [--time 80] [--steps 0.02 0.01]

Two electrons of opposite spin have no nodes: the projection exp(-t H) of any psi ends in the ground state. For every
step of imaginary time (1/hartree) prints the mixed estimate of the energy with its blocked error, then the
extrapolation to a step of zero, beside the variational energy of RUN/measure.json.

Drift limited near singularities, moves accepted by Metropolis, weights by the mean local energy of both ends: Umrigar,
Nightingale and Runge, J. Chem. Phys. 99, 2865 (1993). The number of walkers is fixed (systematic resampling): its bias,
of the order of variance / walkers, is far below the errors here.
"""

import argparse
import json
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jovium.base.statistics import Estimate, autocorrelation_time
from jovium.coulomb.hydrogen import CoulombPotential
from jovium.electrons.local_energy import local_energies
from jovium.electrons.step import log_psi
from jovium.electrons.systems import electron_system
from jovium.electrons.training import load_run

WARMUP_TIME = 5.0
"""Imaginary time (1/hartree) before energies count."""


def project(folder: Path, n_walkers: int, time: float, step: float) -> tuple[Estimate, float]:
    """Ground-state energy (hartree) at one step of time, and the acceptance rate."""
    settings, state = load_run(folder)
    system, psi = electron_system(settings.structure, settings.unpaired), state.model
    protons = jnp.asarray(system.protons, float)
    potential = CoulombPotential.of(system.box, len(protons) + psi.n_electrons)
    velocity = jax.vmap(jax.grad(lambda x: psi.log_psi(x, protons)))
    log_values = jax.vmap(lambda x: psi.log_psi(x, protons))

    def limit_drift(x: Float[Array, "b n 3"]) -> Float[Array, "b n 3"]:
        v = velocity(x)
        squares = jnp.sum(v**2, axis=-1, keepdims=True) * step
        return v * (jnp.sqrt(1 + 2 * squares) - 1) / (squares + 1e-12)

    def step_walkers(walkers: tuple[Array, ...], key: Array) -> tuple[tuple[Array, ...], tuple[Array, Array]]:
        x, v, log, energy, trial = walkers
        kick_key, accept_key, resample_key = jax.random.split(key, 3)
        proposed = x + step * v + np.sqrt(step) * jax.random.normal(kick_key, x.shape)
        drift, log_proposed = limit_drift(proposed), log_values(proposed)
        forward = jnp.sum((proposed - x - step * v) ** 2, axis=(1, 2))
        backward = jnp.sum((x - proposed - step * drift) ** 2, axis=(1, 2))
        probability = jnp.exp(2 * (log_proposed - log) + (forward - backward) / (2 * step))
        accept = jax.random.uniform(accept_key, probability.shape) < probability
        x = jnp.where(accept[:, None, None], proposed, x)
        v = jnp.where(accept[:, None, None], drift, v)
        log, before = jnp.where(accept, log_proposed, log), energy
        energy = local_energies(log_psi, psi, potential, x, protons).total.real
        weights = jnp.exp(-step * accept.mean() * (0.5 * (energy + before) - trial))
        mean = jnp.sum(weights * energy) / weights.sum()
        quantiles = (jnp.arange(len(x)) + jax.random.uniform(resample_key)) / len(x)
        indices = jnp.searchsorted(jnp.cumsum(weights) / weights.sum(), quantiles).clip(0, len(x) - 1)
        return (x[indices], v[indices], log[indices], energy[indices], 0.99 * trial + 0.01 * mean), (
            mean,
            accept.mean(),
        )

    x = state.walkers.positions[:n_walkers]
    energy = local_energies(log_psi, psi, potential, x, protons).total.real
    walkers = x, limit_drift(x), log_values(x), energy, energy.mean()
    program = eqx.filter_jit(lambda walkers, keys: jax.lax.scan(step_walkers, walkers, keys))
    keys = jax.random.split(jax.random.key(3), round(time / step))
    energies, acceptance = [], []
    for chunk in np.array_split(np.arange(len(keys)), max(1, len(keys) // 500)):
        walkers, (means, rates) = program(walkers, keys[chunk])
        energies.append(np.asarray(means, float))
        acceptance.append(float(rates.mean()))
    series = np.concatenate(energies)[round(WARMUP_TIME / step) :]
    tau = autocorrelation_time(series)
    energy = Estimate(series.mean(), series.std() * np.sqrt(tau / len(series)), len(series) / tau)
    return energy, float(np.mean(acceptance))


def main() -> None:
    """Project, extrapolate, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_folder", metavar="RUN", type=Path)
    parser.add_argument("--walkers", type=int, default=256)
    parser.add_argument("--time", type=float, default=80.0, help="of imaginary time (1/hartree)")
    parser.add_argument("--steps", type=float, nargs="+", default=[0.02, 0.01], help="of imaginary time")
    options = parser.parse_args()
    energies = []
    for step in options.steps:
        energy, acceptance = project(options.run_folder, options.walkers, options.time, step)
        energies.append(energy)
        print(
            f"step {step}: {energy.value:.5f} +- {energy.error:.5f} Ha, {100 * acceptance:.1f} % accepted", flush=True
        )
    if len(energies) > 1:
        (a, b), (coarse, fine) = options.steps[-2:], energies[-2:]
        limit = (a * fine.value - b * coarse.value) / (a - b)
        error = np.hypot(a * fine.error, b * coarse.error) / abs(a - b)
        print(f"step 0: {limit:.5f} +- {error:.5f} Ha")
    path = options.run_folder / "measure.json"
    if path.exists():
        print(f"variational: {json.loads(path.read_text())['E_Ha']}")


if __name__ == "__main__":
    main()
