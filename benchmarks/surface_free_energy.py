"""The free energy of protons on the surface that a run has fitted: by its flow, and without it.

    python benchmarks/surface_free_energy.py RUN [--accept-fraction 0.2] [--chains 64] [--stages 1000]

F per atom of protons that feel the fitted surface alone, momenta included, in four ways: as the flow says,
E_p[kT ln p + surface]; of the fraction of its configurations that rejection accepts; by reweighting the flow's samples;
and by annealing protons from anywhere in the cell to the surface, which knows nothing of the flow
(`jovium.sampling.annealing`, also reweighted). The first two are upper bounds of the last two.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jovium.base.statistics import Estimate
from jovium.free_energy.step import Models
from jovium.free_energy.systems import FreeEnergySystem
from jovium.free_energy.thermodynamics import ThermodynamicState
from jovium.free_energy.training import load_run
from jovium.observe.reweighting import FreeEnergy, free_energy
from jovium.protons.flow import sample_batch
from jovium.protons.rejection import rejection_sample
from jovium.sampling.annealing import anneal

SAMPLES = 4096
"""Of the flow."""

TUNING = 200
"""Stages of a first annealing, which tunes the leapfrog step (bohr)."""


def main() -> None:
    """Print F by the four ways."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--accept-fraction", type=float, default=0.2)
    parser.add_argument("--chains", type=int, default=64)
    parser.add_argument("--stages", type=int, default=1000)
    options = parser.parse_args()
    settings, training_state = load_run(options.run)
    system, models = FreeEnergySystem(settings), training_state.model
    state = system.state
    with jax.enable_x64(system.in_double_precision):
        flow = flow_free_energy(state, models)
        report(state, "flow", flow.variational)
        accepted = accepted_free_energy(state, models, options.accept_fraction)
        report(state, f"a fraction of {options.accept_fraction} of the flow", accepted)
        report(state, f"flow, reweighted ({flow.effective_samples:.0f} effective)", flow.reweighted)
        free, acceptance = annealed_free_energy(state, models, options.chains, options.stages)
        report(state, f"annealed from free protons (acceptance {acceptance:.2f})", free.variational)
        report(state, f"annealed, reweighted ({free.effective_samples:.0f} effective)", free.reweighted)


def flow_free_energy(state: ThermodynamicState, models: Models) -> FreeEnergy:
    """By samples of the flow, which is integrated in twice its steps as in `jovium measure`."""
    kT, flow = state.temperature, models.flow.with_steps(2 * models.flow.n_steps)

    @eqx.filter_jit
    def work(key: jax.Array) -> jax.Array:
        batch = sample_batch(flow, key, SAMPLES)
        return batch.log_density + jax.lax.map(models.surface, batch.positions, batch_size=64) / kT

    return free_energy(np.asarray(work(jax.random.key(1)), float), state.momentum_and_labels)


def accepted_free_energy(state: ThermodynamicState, models: Models, fraction: float) -> Estimate:
    """Of the configurations that rejection by the surface accepts."""
    kT, flow = state.temperature, models.flow.with_steps(2 * models.flow.n_steps)
    samples = rejection_sample(flow, lambda x: models.surface(x) / kT, jax.random.key(4), SAMPLES, fraction)
    free = free_energy(samples.log_density + samples.beta_energy, state.momentum_and_labels)
    # Where more is accepted than should be, Z and the work of the accepted err together.
    error = free.variational.error + samples.log_accept_fraction.error
    return replace(free.variational, error=error)


def annealed_free_energy(
    state: ThermodynamicState, models: Models, chains: int, stages: int
) -> tuple[FreeEnergy, float]:
    """From protons anywhere; and the acceptance rate of trajectories."""
    kT, base = state.temperature, models.flow.base

    def beta_energy(positions: jax.Array) -> jax.Array:
        return models.surface(positions) / kT

    @eqx.filter_jit
    def anneal_batch(key: jax.Array, width: jax.Array, n_stages: int, tune: bool) -> tuple:
        start_key, walk_key = jax.random.split(key)
        starts = jax.vmap(base.sample)(jax.random.split(start_key, chains))
        samples, width = anneal(base.log_density, beta_energy, starts, walk_key, n_stages, width, tune)
        return samples.work, samples.acceptance, width

    _, _, width = anneal_batch(jax.random.key(2), jnp.asarray(0.02, float), TUNING, True)
    work, acceptance, _ = anneal_batch(jax.random.key(3), width, stages, False)
    return free_energy(np.asarray(work, float), state.momentum_and_labels), float(acceptance)


def report(state: ThermodynamicState, name: str, beta_free_energy: Estimate) -> None:
    """In hartree per atom."""
    unit = state.temperature / state.n
    print(
        f"F {beta_free_energy.value * unit:.5f} +- {beta_free_energy.error * unit:.5f} Ha per atom: {name}", flush=True
    )


if __name__ == "__main__":
    main()
