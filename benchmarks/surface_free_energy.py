"""The free energy of protons on the surface that a run has fitted: by its flow, and without it.

    python benchmarks/surface_free_energy.py RUN [--kept 0.2] [--chains 64] [--stages 1000]

F per atom of protons that feel the fitted surface alone, momenta included, in four ways: as the flow says,
E_p[kT ln p + surface]; of the share of its configurations that rejection keeps; by weighting the flow's samples; and by
annealing protons from anywhere in the cell to the surface, which knows nothing of the flow
(`jovium.sampling.annealing`, also weighted). The first two are upper bounds of the last two, and how far above says
what they lack of the surface.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jovium.base.statistics import Estimate
from jovium.free_energy.settings import FreeEnergySettings
from jovium.free_energy.step import State
from jovium.free_energy.training import trained
from jovium.observe.reweighting import FreeEnergy, free_energy
from jovium.protons.flow import samples
from jovium.protons.rejection import kept
from jovium.sampling.annealing import anneal

SAMPLES = 4096
"""Of the flow."""

TUNING = 200
"""Stages of a first annealing, which finds the width of a leap (bohr)."""


def main() -> None:
    """Print the four."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--kept", type=float, default=0.2)
    parser.add_argument("--chains", type=int, default=64)
    parser.add_argument("--stages", type=int, default=1000)
    options = parser.parse_args()
    recipe, state = trained(options.run)
    with jax.enable_x64(recipe.in_double_precision):
        flow = of_flow(recipe, state)
        tell(recipe, "flow", flow.variational)
        tell(recipe, f"a share of {options.kept} of the flow", of_share(recipe, state, options.kept))
        tell(recipe, f"flow, weighted ({flow.effective_samples:.0f} effective)", flow.reweighted)
        free, accepted = of_annealing(recipe, state, options.chains, options.stages)
        tell(recipe, f"annealed from free protons (acceptance {accepted:.2f})", free.variational)
        tell(recipe, f"annealed, weighted ({free.effective_samples:.0f} effective)", free.reweighted)


def of_flow(recipe: FreeEnergySettings, state: State) -> FreeEnergy:
    """By samples of the flow, which is integrated in twice its steps as in `jovium measure`."""
    kT, flow = recipe.state.temperature, state.flow.with_steps(2 * state.flow.n_steps)

    @eqx.filter_jit
    def works(key: jax.Array) -> jax.Array:
        found = samples(flow, key, SAMPLES)
        return found.log_density + jax.lax.map(state.surface, found.positions, batch_size=64) / kT

    return free_energy(np.asarray(works(jax.random.key(1)), float), recipe.state.momentum_and_labels)


def of_share(recipe: FreeEnergySettings, state: State, share: float) -> Estimate:
    """Of the configurations that the surface keeps."""
    kT, flow = recipe.state.temperature, state.flow.with_steps(2 * state.flow.n_steps)
    found = kept(flow, lambda x: state.surface(x) / kT, jax.random.key(4), SAMPLES, share)
    free = free_energy(found.log_density + found.beta_energy, recipe.state.momentum_and_labels)
    # Where more is kept than should be, Z and the works of what is kept err together.
    error = free.variational.error + found.log_share.error
    return replace(free.variational, error=error)


def of_annealing(recipe: FreeEnergySettings, state: State, chains: int, stages: int) -> tuple[FreeEnergy, float]:
    """From protons anywhere; and the share of trajectories accepted."""
    kT, base = recipe.state.temperature, state.flow.base

    @eqx.filter_jit
    def carried(key: jax.Array, width: jax.Array, n_stages: int, tune: bool) -> tuple:
        place, walk = jax.random.split(key)
        starts = jax.vmap(base.sample)(jax.random.split(place, chains))
        found, width = anneal(base.log_density, lambda x: state.surface(x) / kT, starts, walk, n_stages, width, tune)
        return found.work, found.acceptance, width

    _, _, width = carried(jax.random.key(2), jnp.asarray(0.02, float), TUNING, True)
    work, accepted, _ = carried(jax.random.key(3), width, stages, False)
    return free_energy(np.asarray(work, float), recipe.state.momentum_and_labels), float(accepted)


def tell(recipe: FreeEnergySettings, name: str, beta_free_energy: Estimate) -> None:
    """In hartree per atom."""
    unit = recipe.state.temperature / recipe.n
    print(
        f"F {beta_free_energy.value * unit:.5f} +- {beta_free_energy.error * unit:.5f} Ha per atom: {name}", flush=True
    )


if __name__ == "__main__":
    main()
