"""Measuring a proton density: its free energy, bound and reweighted, energy, g(r), and samples as files."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.base.files import write_json
from jovium.base.statistics import Estimate
from jovium.base.structure import Structure
from jovium.observe.pair_correlation import PairCorrelation, pair_histogram, write_pair_correlations
from jovium.observe.reweighting import FreeEnergy, effective_samples, free_energy, normalised_weights, reweighted_mean
from jovium.protons.flow import Flow, FlowSamples, reduced_work, sample_batch
from jovium.protons.settings import ProtonSettings
from jovium.protons.systems import target_of
from jovium.protons.targets import Target
from jovium.protons.thermodynamics import excess_offset
from jovium.protons.training import load_run
from jovium.sampling.annealing import anneal
from jovium.sampling.independence import IndependenceChain, independence_chain
from jovium.training.devices import single_precision
from jovium.training.run_folder import MEASURED

SAMPLES_AT_ONCE, ANNEALED_AT_ONCE = 512, 128
"""Configurations in one call, of sampling and of annealing."""

ProgressBar = Callable[[Iterable[Any]], Iterator[Any]]


@dataclass(frozen=True)
class ProtonMeasurement:
    """Per particle and in kT: beta F - beta F_ideal (without a cell -ln Z of the whole system instead, not per
    particle), U of the target by reweighting, g(r) of the model and of the target where there is a cell, and the
    free energy of annealed importance sampling where it was asked for."""

    free_energy: FreeEnergy
    energy: Estimate
    model_energy: Estimate
    chain: IndependenceChain
    n_particles: int
    in_cell: bool
    n_infinite: int
    pairs: PairCorrelation | None
    model_pairs: PairCorrelation | None
    ais: FreeEnergy | None = None

    def record(self) -> dict[str, Any]:
        """Plain values for files and machines."""
        n = self.n_particles
        name, scale = ("F_excess_kT_per_particle", 1 / n) if self.in_cell else ("minus_ln_Z", 1.0)
        energy = "U_kT_per_particle" if self.in_cell else "U_kT"
        ais = self.ais and {
            f"{name}_ais_bound": self.ais.variational.record(scale),
            f"{name}_ais_reweighted": self.ais.reweighted.record(scale),
            "ais_effective_samples": self.ais.effective_samples,
            "ais_samples": self.ais.n_samples,
        }
        return {
            f"{name}_variational": self.free_energy.variational.record(scale),
            f"{name}_reweighted": self.free_energy.reweighted.record(scale),
            **(ais or {}),
            f"{energy}_model": self.model_energy.record(scale),
            f"{energy}_reweighted": self.energy.record(scale),
            "samples": self.free_energy.n_samples,
            "effective_samples": self.free_energy.effective_samples,
            "acceptance": self.chain.acceptance,
            "longest_stay": self.chain.longest_stay,
            "n_atoms": n,
            "infinite_samples": self.n_infinite,
        }


def draw_samples(flow: Flow, target: Target, n_samples: int, seed: int, progress: ProgressBar = iter) -> FlowSamples:
    """Independent samples, SAMPLES_AT_ONCE at a time; the energy of those beyond the region of the base density is
    infinite. Raises InputError for less than one."""
    if n_samples < 1:
        raise InputError(f"{n_samples} samples", "one or more", "ask for some hundreds")
    size = min(SAMPLES_AT_ONCE, n_samples)

    @eqx.filter_jit
    def draw(flow: Flow, key: jax.Array) -> tuple[jax.Array, ...]:
        batch = sample_batch(flow, key, size)
        energies = reduced_work(flow, target.beta_energy, batch) - batch.log_density
        return batch.positions, batch.log_density, energies

    keys = jax.random.split(jax.random.key(seed), -(-n_samples // size))
    columns = zip(*(tuple(map(np.asarray, draw(flow, key))) for key in progress(keys)), strict=True)
    positions, log_density, energies = (np.concatenate(column)[:n_samples] for column in columns)
    return FlowSamples(positions, log_density.astype(float), energies.astype(float))


def measure(samples: FlowSamples, target: Target, flow: Flow, n_bins: int = 40) -> ProtonMeasurement:
    """Free energy, energy, acceptance of independence Metropolis and g(r) from the samples."""
    work = samples.work
    # Energies whose weight is zero anyway are made finite.
    finite = np.isfinite(samples.beta_energy)
    mean, error = reweighted_mean(np.where(finite, samples.beta_energy, 0.0), work)
    energies = samples.beta_energy[finite]
    pairs = model_pairs = None
    if target.cell is not None and target.n_particles > 1:
        edges = np.linspace(0, float(target.cell.heights.min() / 2), n_bins + 1)
        counts = np.array([pair_histogram(_structure(x, target.cell), edges) for x in samples.positions])
        model_pairs = PairCorrelation.of_histograms(edges, counts)
        pairs = PairCorrelation(model_pairs.r, *reweighted_mean(counts, work))
    return ProtonMeasurement(
        free_energy(work, excess_offset(target, flow)),
        Estimate(float(mean), float(error), effective_samples(-work)),
        Estimate(float(energies.mean()), float(energies.std(ddof=1) / np.sqrt(len(energies))), len(energies)),
        independence_chain(work),
        target.n_particles,
        target.cell is not None,
        int(np.isinf(work).sum()),
        pairs,
        model_pairs,
    )


def annealing_work(
    flow: Flow, target: Target, samples: FlowSamples, ais_stages: int, seed: int, progress: ProgressBar = iter
) -> Float[np.ndarray, "m"]:
    """The work of annealing every sample in ais_stages, ANNEALED_AT_ONCE at a time. The leapfrog step is tuned on the
    first of them before."""
    starts = samples.positions
    size = min(ANNEALED_AT_ONCE, len(starts))

    def energy(positions: jax.Array) -> jax.Array:
        return jnp.where(flow.base.covers(positions), target.beta_energy(positions), jnp.inf)

    @eqx.filter_jit
    def anneal_batch(flow: Flow, positions: jax.Array, key: jax.Array, width: jax.Array, tune: bool) -> Any:
        return anneal(flow.log_density, energy, positions, key, ais_stages, width, tune)

    spacing = (target.cell.volume / target.n_particles) ** (1 / 3) if target.cell else 1.0
    width, keys = jnp.float32(0.02 * spacing), jax.random.split(jax.random.key(seed), len(starts) // size + 3)
    for key in keys[-2:]:
        _, width = anneal_batch(flow, jnp.asarray(starts[:size]), key, width, True)
    work = []
    for first in progress(range(0, len(starts), size)):
        batch = starts[first : first + size]
        batch = np.concatenate([batch, starts[: size - len(batch)]])  # one shape, one program
        annealed, _ = anneal_batch(flow, jnp.asarray(batch), keys[first // size], width, False)
        work.append(np.asarray(annealed.work, float))
    return np.concatenate(work)[: len(starts)]


@single_precision()
def measure_run(
    folder: Path, n_samples: int, seed: int, progress: ProgressBar = iter, ais_stages: int = 0, ais_samples: int = 1024
) -> ProtonMeasurement:
    """Measure a run directory; writes measure.json and g_of_r.csv there. The first ais_samples are annealed in
    ais_stages (0: none). Raises InputError for fewer than two samples or a negative number of stages."""
    if n_samples < 2 or ais_samples < 2 or ais_stages < 0:
        got = f"{n_samples} samples, {ais_samples} to anneal in {ais_stages} stages"
        raise InputError(got, "two or more samples, no stages or some", "take thousands of samples, and 8 stages")
    settings, target, flow = _load_measured(folder)
    samples = draw_samples(flow, target, n_samples, seed, progress)
    measurement = measure(samples, target, flow)
    if ais_stages:
        first = FlowSamples(*(column[:ais_samples] for column in samples))
        work = annealing_work(flow, target, first, ais_stages, seed, progress)
        measurement = replace(measurement, ais=free_energy(work, excess_offset(target, flow)))
    write_json(folder / MEASURED, {"system": settings.system, "seed": seed, **measurement.record()})
    if measurement.pairs and measurement.model_pairs:
        write_pair_correlations(folder / "g_of_r.csv", {"g": measurement.pairs, "g_model": measurement.model_pairs})
    return measurement


@single_precision()
def sample_run(folder: Path, path: Path, n_samples: int, seed: int, exact: bool) -> int:
    """Write configurations of a run as a trajectory with ln p and the weight of each; exact: as independence Metropolis
    accepts them, repeated where the chain stays. The number of different configurations written. Raises InputError for
    a system without a cell."""
    from jovium.formats.structures import write_structures

    settings, target, flow = _load_measured(folder)
    if target.cell is None:
        raise InputError(f"{settings.system} has no cell", "a system in a periodic cell", "take `measure`")
    samples = draw_samples(flow, target, n_samples, seed)
    weights = np.ones(n_samples) if exact else normalised_weights(-samples.work) * n_samples
    frames = independence_chain(samples.work).shown if exact else np.arange(n_samples)
    structures = [_structure(samples.positions[i], target.cell, wrapped=True) for i in frames]
    facts = [{"log_density": float(samples.log_density[i]), "weight": float(weights[i])} for i in frames]
    write_structures(path, structures, facts)
    return len(np.unique(frames))


def _load_measured(folder: Path) -> tuple[ProtonSettings, Target, Flow]:
    """Settings, target and flow of a run, integrated better than in training."""
    settings, flow = load_run(folder)
    return settings, target_of(settings), flow.with_steps(2 * flow.n_steps)


def _structure(positions: Float[np.ndarray, "n 3"], cell: Cell, wrapped: bool = False) -> Structure:
    positions = cell.wrap(positions) if wrapped else np.asarray(positions, float)
    return Structure(cell, positions, ("H",) * len(positions))
