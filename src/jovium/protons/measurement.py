"""What a trained proton density says: free energy in both ways, means, g(r), and configurations to go on with."""

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
from jovium.observe.pair_correlation import PairCorrelation, pair_histogram
from jovium.observe.reweighting import FreeEnergy, effective_samples, free_energy, normalised_weights, reweighted_mean
from jovium.protons.flow import Flow, samples, works
from jovium.protons.targets import Target
from jovium.protons.training import offset_of, trained_flow
from jovium.sampling.annealing import anneal
from jovium.sampling.independence import IndependenceChain, independence_chain
from jovium.training.run_folder import finite_or_none

BATCH = 512
"""Configurations drawn at once."""

ANNEALED = 128
"""Configurations annealed at once."""


@dataclass(frozen=True)
class Drawn:
    """Independent samples of a flow: positions (bohr), ln p, and U / kT of each."""

    positions: Float[np.ndarray, "m n d"]
    log_density: Float[np.ndarray, "m"]
    beta_energy: Float[np.ndarray, "m"]

    @property
    def work(self) -> Float[np.ndarray, "m"]:
        """ln p + beta U."""
        return self.log_density + self.beta_energy


@dataclass(frozen=True)
class Measured:
    """Per particle and in kT: beta F - beta F_ideal (without a cell -ln Z of the whole system instead, not per
    particle), U of the target by reweighting, and g(r) of the model and of the target where there is a cell."""

    free_energy: FreeEnergy
    energy: Estimate
    model_energy: Estimate
    chain: IndependenceChain
    n_particles: int
    in_cell: bool
    n_infinite: int
    pairs: PairCorrelation | None
    model_pairs: PairCorrelation | None
    annealed: FreeEnergy | None = None

    def record(self) -> dict[str, Any]:
        """Plain values for files and machines."""

        def pair(one: Estimate, scale: int = 1) -> dict[str, float]:
            return {"value": finite_or_none(one.value / scale), "error": finite_or_none(one.error / scale)}

        n = self.n_particles
        name, scale = ("F_excess_kT_per_particle", n) if self.in_cell else ("minus_ln_Z", 1)
        energy = "U_kT_per_particle" if self.in_cell else "U_kT"
        annealed = {}
        if self.annealed:
            annealed[f"{name}_annealed_bound"] = pair(self.annealed.variational, scale)
            annealed[f"{name}_annealed_reweighted"] = pair(self.annealed.reweighted, scale)
            annealed["annealed_effective_samples"] = self.annealed.effective_samples
            annealed["annealed_samples"] = self.annealed.n_samples
        return {
            f"{name}_variational": pair(self.free_energy.variational, scale),
            f"{name}_reweighted": pair(self.free_energy.reweighted, scale),
            **annealed,
            f"{energy}_model": pair(self.model_energy, scale),
            f"{energy}_reweighted": pair(self.energy, scale),
            "samples": self.free_energy.n_samples,
            "effective_samples": self.free_energy.effective_samples,
            "acceptance": self.chain.acceptance,
            "longest_stay": self.chain.longest_stay,
            "n_particles": n,
            "infinite_samples": self.n_infinite,
        }


def drawn(
    flow: Flow, target: Target, n_samples: int, seed: int, watched: Callable[[Iterable[Any]], Iterator[Any]] = iter
) -> Drawn:
    """So many samples, BATCH at a time; the energy of those beyond the region of the base density is infinite. watched:
    shows progress over the batches. Raises InputError for less than one."""
    if n_samples < 1:
        raise InputError(f"{n_samples} samples", "one or more", "ask for some hundreds")
    size = min(BATCH, n_samples)

    @eqx.filter_jit
    def batch(flow: Flow, key: jax.Array) -> tuple[jax.Array, ...]:
        found = samples(flow, key, size)
        return found.positions, found.log_density, works(flow, target.beta_energy, found) - found.log_density

    keys = jax.random.split(jax.random.key(seed), -(-n_samples // size))
    columns = zip(*(tuple(map(np.asarray, batch(flow, key))) for key in watched(keys)), strict=True)
    positions, log_density, energies = (np.concatenate(column)[:n_samples] for column in columns)
    return Drawn(positions, log_density.astype(float), energies.astype(float))


def measured(found: Drawn, target: Target, flow: Flow, n_bins: int = 40) -> Measured:
    """Everything from the samples."""
    work = found.work
    mean, error = reweighted_mean(_finite(found.beta_energy), work)
    plain = found.beta_energy[np.isfinite(found.beta_energy)]
    model = Estimate(float(plain.mean()), float(plain.std(ddof=1) / np.sqrt(len(plain))), len(plain))
    pairs = model_pairs = None
    if target.cell is not None and target.n_particles > 1:
        edges = np.linspace(0, _range(target.cell), n_bins + 1)
        counts = np.array([pair_histogram(_structure(x, target.cell), edges) for x in found.positions])
        centres = 0.5 * (edges[1:] + edges[:-1])
        pairs = PairCorrelation(centres, *reweighted_mean(counts, work))
        model_pairs = PairCorrelation(centres, counts.mean(axis=0), counts.std(axis=0, ddof=1) / np.sqrt(len(counts)))
    return Measured(
        free_energy(work, offset_of(target, flow)),
        Estimate(float(mean), float(error), effective_samples(-work)),
        model,
        independence_chain(work),
        target.n_particles,
        target.cell is not None,
        int(np.isinf(work).sum()),
        pairs,
        model_pairs,
    )


def annealing_work(
    flow: Flow,
    target: Target,
    found: Drawn,
    n_stages: int,
    seed: int,
    watched: Callable[[Iterable[Any]], Iterator[Any]] = iter,
) -> Float[np.ndarray, "m"]:
    """The work of annealing every sample in n_stages, ANNEALED at a time. The step is tuned on one batch before."""
    size = min(ANNEALED, len(found.positions))

    def energy(positions: jax.Array) -> jax.Array:
        return jnp.where(flow.base.covers(positions), target.beta_energy(positions), jnp.inf)

    @eqx.filter_jit
    def batch(flow: Flow, positions: jax.Array, key: jax.Array, width: jax.Array, tune: bool) -> tuple[Any, jax.Array]:
        return anneal(flow.log_density, energy, positions, key, n_stages, width, tune)

    spacing = (target.cell.volume / target.n_particles) ** (1 / 3) if target.cell else 1.0
    width, keys = jnp.float32(0.02 * spacing), jax.random.split(jax.random.key(seed), len(found.positions) // size + 3)
    for key in keys[-2:]:
        width = batch(flow, jnp.asarray(found.positions[:size]), key, width, True)[1]
    works = []
    for start in watched(range(0, len(found.positions), size)):
        positions = found.positions[start : start + size]
        positions = np.concatenate([positions, found.positions[: size - len(positions)]])  # one shape, one program
        works.append(np.asarray(batch(flow, jnp.asarray(positions), keys[start // size], width, False)[0].work, float))
    return np.concatenate(works)[: len(found.positions)]


def measure_run(
    folder: Path,
    n_samples: int,
    seed: int,
    watched: Callable[[Iterable[Any]], Iterator[Any]] = iter,
    n_stages: int = 0,
    n_annealed: int = 1024,
) -> Measured:
    """Measure a run directory; writes measure.json, g_of_r.csv and figures there. n_stages: anneal the first n_annealed
    samples so (none when 0). Raises InputError for fewer than two samples or a negative number of stages."""
    if n_samples < 2 or n_annealed < 2 or n_stages < 0:
        raise InputError(
            f"{n_samples} samples, {n_annealed} to anneal in {n_stages} stages",
            "two or more samples, no stages or some",
            "some thousands of samples give error bars; take 8 stages",
        )
    recipe, flow = trained_flow(folder)
    target = recipe.system.target()
    flow = flow.with_steps(2 * flow.n_steps)  # an answer is integrated better than a lesson
    samples_of_run = drawn(flow, target, n_samples, seed, watched)
    found = measured(samples_of_run, target, flow)
    if n_stages:
        few = Drawn(*(column[:n_annealed] for column in vars(samples_of_run).values()))
        work = annealing_work(flow, target, few, n_stages, seed, watched)
        found = replace(found, annealed=free_energy(work, offset_of(target, flow)))
    write_json(folder / "measure.json", {"system": recipe.system.__dict__, "seed": seed, **found.record()})
    if found.pairs and found.model_pairs:
        _write_pairs(folder / "g_of_r.csv", found.pairs, found.model_pairs)
    return found


def sample_run(folder: Path, path: Path, n_samples: int, seed: int, exact: bool) -> int:
    """Write configurations of a run as a trajectory with ln p and the weight of each; exact: as independence Metropolis
    accepts them, repeated where the chain stays. The number of different configurations written. Raises InputError for
    a system without a cell."""
    from jovium.formats.structures import write_structures

    recipe, flow = trained_flow(folder)
    target = recipe.system.target()
    if target.cell is None:
        raise InputError(f"{recipe.system.name} has no cell", "a system in a periodic cell", "take `measure`")
    flow = flow.with_steps(2 * flow.n_steps)
    found = drawn(flow, target, n_samples, seed)
    weights = normalised_weights(-found.work) * n_samples
    shown = independence_chain(found.work).shown if exact else np.arange(n_samples)
    structures = [_structure(found.positions[i], target.cell, wrapped=True) for i in shown]
    facts = [{"log_density": float(found.log_density[i]), "weight": 1.0 if exact else float(weights[i])} for i in shown]
    write_structures(path, structures, facts)
    return len(np.unique(shown))


def _structure(positions: Float[np.ndarray, "n 3"], cell: Cell, wrapped: bool = False) -> Structure:
    placed = cell.wrap(positions) if wrapped else np.asarray(positions, float)
    return Structure(cell, placed, ("H",) * len(positions))


def _range(cell: Cell) -> float:
    """How far g(r) is known: half the smallest height."""
    return float(cell.heights.min() / 2)


def _finite(values: Float[np.ndarray, "m"]) -> Float[np.ndarray, "m"]:
    """Energies whose weight is zero anyway, made finite."""
    return np.where(np.isfinite(values), values, 0.0)


def _write_pairs(path: Path, exact: PairCorrelation, model: PairCorrelation) -> None:
    from jovium.base.files import write_lines

    rows = zip(exact.r, exact.g, exact.error, model.g, model.error, strict=True)
    lines = ["r_bohr,g,g_error,g_model,g_model_error\n"]
    write_lines(path, lines + [",".join(f"{value:.6g}" for value in row) + "\n" for row in rows])
