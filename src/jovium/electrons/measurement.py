"""Measurements of a trained wave function: energy in parts with error bars, pressure, pair correlation."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.base.files import write_json
from jovium.base.statistics import Estimate, autocorrelation_time, split_r_hat
from jovium.base.units import PRESSURE_GPA
from jovium.coulomb.hydrogen import CoulombPotential
from jovium.electrons.local_energy import LocalEnergy, local_energies
from jovium.electrons.settings import ElectronSettings
from jovium.electrons.step import log_psi
from jovium.electrons.systems import ElectronSystem, electron_system
from jovium.electrons.training import load_run, precision
from jovium.electrons.walkers import equilibrate, log_squares, move_walkers, require_same, walker_chains
from jovium.electrons.wave_function import WaveFunction
from jovium.observe.pair_correlation import PairCorrelation, radial_distribution, write_pair_correlations
from jovium.observe.virial import virial_pressure
from jovium.sampling.metropolis import Chains
from jovium.training.loop import TrainingState
from jovium.training.run_folder import MEASURED

ProgressBar = Callable[[Iterable[Any]], Iterator[Any]]


@dataclass(frozen=True)
class ElectronMeasurement:
    """Energies in hartree of all particles: E, its parts K, V_pp, V_ep, V_ee, the variance of the local energy (Ha^2),
    the pressure (Ha / bohr^3, None in open space), g(r) by pairs of species (empty in open space). Errors count
    walkers, which are independent, not their successive positions."""

    energy: Estimate
    parts: dict[str, Estimate]
    variance: float
    pressure: Estimate | None
    pairs: dict[str, PairCorrelation]
    n_protons: int
    n_electrons: int
    acceptance: float
    autocorrelation: float
    r_hat: float

    def record(self) -> dict[str, Any]:
        """Plain values for files and machines, units in the names."""
        n = self.n_protons or self.n_electrons
        per = "atom" if self.n_protons else "electron"
        values: dict[str, Any] = {"E_Ha": self.energy.record(), f"E_Ha_per_{per}": self.energy.record(1 / n)}
        values |= {f"{name}_Ha_per_{per}": part.record(1 / n) for name, part in self.parts.items()}
        values["variance_Ha2"] = self.variance
        values[f"variance_Ha2_per_{per}"] = self.variance / n
        if self.pressure:
            values["P_GPa"] = self.pressure.record(PRESSURE_GPA)
        return values | {
            "n_atoms": self.n_protons,
            "n_electrons": self.n_electrons,
            "acceptance": self.acceptance,
            "autocorrelation_steps": self.autocorrelation,
            "r_hat": self.r_hat,
            "effective_samples": self.energy.n_independent,
        }


def measure_run(folder: Path, n_steps: int, seed: int, progress: ProgressBar = iter) -> ElectronMeasurement:
    """Measure a run directory over so many steps of its walkers; writes measure.json and, in a cell, g_of_r.csv.
    Raises InputError for fewer than four steps."""
    if n_steps < 4:
        raise InputError(f"{n_steps} steps", "four or more", "take 50")
    settings, state = load_run(folder)
    with precision(settings):
        measurement = measure(settings, state, n_steps, seed, progress)
    facts = {"structure": Path(settings.structure).name, "seed": seed, "steps": n_steps}
    write_json(folder / MEASURED, facts | measurement.record())
    if measurement.pairs:
        columns = {f"g_{name}": pair for name, pair in measurement.pairs.items()}
        write_pair_correlations(folder / "g_of_r.csv", columns)
    return measurement


def measure(
    settings: ElectronSettings,
    state: TrainingState,
    n_steps: int,
    seed: int,
    progress: ProgressBar = iter,
    system: ElectronSystem | None = None,
) -> ElectronMeasurement:
    """Everything from samples of a state whose parameters, and whose width of moves, stay as they are. system: default
    what the settings name. Raises EngineError when the walkers did not follow |psi|^2."""
    system, psi = system or electron_system(settings.structure, settings.unpaired), state.model
    protons = jnp.asarray(system.protons, float)
    potential = CoulombPotential.of(system.box, len(protons) + psi.n_electrons)
    chains = walker_chains(state.walkers, jax.random.fold_in(jax.random.key(seed), 1))
    chains = eqx.filter_jit(partial(equilibrate, settings))(psi, protons, chains)
    program = eqx.filter_jit(partial(_sample, settings, potential))
    energies, acceptance, counts = [], [], []
    for _ in progress(range(n_steps)):
        chains, local = program(psi, protons, chains)
        energies.append(jax.tree.map(lambda part: np.asarray(part.real, float), local))
        acceptance.append(float(chains.acceptance))
        if system.cell is not None:
            counts.append(_pair_distances(psi, np.asarray(chains.positions), system.protons, system.cell))
    require_same(-chains.beta_energies, log_squares(psi, chains.positions, protons))
    local = jax.tree.map(lambda *steps: np.stack(steps), *energies)
    return _summary(local, counts, system, float(np.mean(acceptance)))


def _summary(local: Any, counts: list[Any], system: ElectronSystem, acceptance: float) -> ElectronMeasurement:
    total = local.total
    tau = float(np.mean([autocorrelation_time(chain) for chain in total.T[:64]]))

    def estimate(values: Float[np.ndarray, "s b"]) -> Estimate:
        walkers = values.mean(axis=0)
        return Estimate(float(values.mean()), float(walkers.std(ddof=1) / np.sqrt(len(walkers))), values.size / tau)

    names = {"K": local.kinetic, "V_pp": local.pp, "V_ep": local.ep, "V_ee": local.ee}
    pressure, pairs, cell = None, {}, system.cell
    if cell is not None:
        pressure = virial_pressure(estimate(total + local.kinetic), cell.volume)
        steps = {name: np.stack([step[name] for step in counts], axis=1) for name in counts[0]}
        pairs = {name: radial_distribution(distances, cell) for name, distances in steps.items()}
    return ElectronMeasurement(
        estimate(total),
        {name: estimate(values) for name, values in names.items()},
        float(total.var(axis=1).mean()),
        pressure,
        pairs,
        len(system.protons),
        system.n_up + system.n_down,
        acceptance,
        tau,
        split_r_hat(total.T),
    )


def _sample(
    settings: ElectronSettings, potential: CoulombPotential, psi: WaveFunction, protons: Array, chains: Chains
) -> tuple[Chains, LocalEnergy]:
    chains = move_walkers(settings, psi, protons, chains, settings.mc_steps, False)
    return chains, local_energies(log_psi, psi, potential, chains.positions, protons)


def _pair_distances(
    psi: WaveFunction, positions: Float[np.ndarray, "b n 3"], protons: Float[np.ndarray, "m 3"], cell: Cell
) -> dict[str, Float[np.ndarray, "b k"]]:
    """Distances (bohr) of nearest images by pairs of species."""
    up, down = positions[:, : psi.n_up], positions[:, psi.n_up :]

    def distances(left: np.ndarray, right: np.ndarray, each_once: bool = False) -> np.ndarray:
        vectors = left[:, :, None] - right[:, None]
        i, j = np.triu_indices(left.shape[1], 1) if each_once else np.indices(vectors.shape[1:3]).reshape(2, -1)
        return np.linalg.norm(cell.minimum_image(vectors[:, i, j].reshape(-1, 3)), axis=1).reshape(len(left), -1)

    pairs = {}
    if psi.n_up > 1:
        pairs["up_up"] = distances(up, up, True)
    if psi.n_down:
        pairs["up_down"] = distances(up, down)
    if len(protons):
        pairs["electron_proton"] = distances(positions, np.broadcast_to(protons, (len(positions), *protons.shape)))
    return pairs
