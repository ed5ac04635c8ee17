"""Trained densities that come with the repository say what is published about their systems."""

from pathlib import Path

import jax
import numpy as np
import pytest

from jovium.base.structure import Structure
from jovium.observe.pair_correlation import pair_histogram
from jovium.protons.measurement import draw_samples, measure
from jovium.protons.systems import target_of
from jovium.protons.training import load_run
from jovium.sampling.metropolis import init_chains, sweep_chains

DENSITIES = Path(__file__).parents[2] / "data" / "protons"

EXACT = {"ocp_n16_gamma10": (-7.2523, 0.0006, 0.03), "ocp_n16_gamma20": (-15.4662, 0.0009, 0.08)}
"""F_ex / NkT, its error, and how far above it the bound may be: what docs/protons.md reports, and a margin."""


@pytest.fixture(scope="module", params=[pytest.param("ocp_n16_gamma10", marks=pytest.mark.slow), "ocp_n16_gamma20"])
def density(request):
    """A density, its target and some thousand samples."""
    settings, flow = load_run(DENSITIES / request.param)
    target = target_of(settings)
    samples = draw_samples(flow, target, 3072, 5)
    return request.param, target, measure(samples, target, flow, n_bins=24)


def test_bound_is_close_and_never_below(density):
    name, _, found = density
    exact, error, above = EXACT[name]
    bound = found.free_energy.variational
    value, spread = bound.value / 16, np.hypot(bound.error / 16, error)
    assert exact - 3 * spread < value < exact + above + 3 * spread


def test_reweighted_free_energy_is_the_published_one(density):
    name, _, found = density
    exact, error, _ = EXACT[name]
    value, spread = found.free_energy.reweighted.value / 16, np.hypot(found.free_energy.reweighted.error / 16, error)
    assert abs(value - exact) < 3 * spread
    assert spread < 0.005


def test_pair_correlation_is_that_of_a_metropolis_run(density):
    """g(r) of independent, weighted samples against chains, bin by bin."""
    _, target, found = density
    start = np.asarray(jax.random.uniform(jax.random.key(0), (48, 16, 3))) * target.cell.vectors[0, 0]
    chains = sweep_chains(target.beta_energy, init_chains(target.beta_energy, start, 0.5), 60, tune=True)
    edges = np.linspace(0, target.cell.vectors[0, 0] / 2, 25)
    blocks = []
    for _ in range(10):
        chains = sweep_chains(target.beta_energy, chains, 6)
        structures = [Structure(target.cell, np.asarray(x), ("H",) * 16) for x in chains.positions]
        blocks.append([pair_histogram(structure, edges) for structure in structures])
    per_chain = np.mean(blocks, axis=0)
    oracle, oracle_error = per_chain.mean(axis=0), per_chain.std(axis=0, ddof=1) / np.sqrt(len(per_chain))
    deviation = (found.pairs.g - oracle) / np.hypot(found.pairs.error, oracle_error + 2e-3)
    assert np.sqrt(np.mean(deviation**2)) < 1.7
    assert np.abs(deviation).max() < 5
