"""Training a wave function at fixed protons, in a run folder or in memory."""

import functools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jovium.base.statistics import autocorrelation_time, split_r_hat
from jovium.coulomb.hydrogen import CoulombPotential
from jovium.electrons.local_energy import SAMPLES_PER_CHUNK
from jovium.electrons.settings import ElectronSettings
from jovium.electrons.step import in_double_precision, initial_state, step
from jovium.electrons.systems import ElectronSystem, electron_system
from jovium.electrons.walkers import Walkers, equilibrate, log_squares, require_same, walker_chains
from jovium.training import checkpoint
from jovium.training.loop import Metrics, Report, Training, TrainingState, run_in_folder
from jovium.training.run_folder import STATE, read_settings


def train(folder: Path, settings: ElectronSettings, report_every: int = 20) -> Iterator[Report]:
    """Train in a run folder or continue there; a report, and a save, per `report_every` steps. Raises InputError when
    the folder holds another run, OutputError when nothing can be written, JoviumError when training fails again and
    again."""
    with run_in_folder(folder, settings, report_every) as kept, precision(kept):
        yield from ElectronTraining(kept, folder).run(report_every)


@contextmanager
def precision(settings: ElectronSettings, system: ElectronSystem | None = None) -> Iterator[None]:
    """The precision that the settings ask for, inside. system: default what they name."""
    system = system or electron_system(settings.structure, settings.unpaired)
    with jax.enable_x64(in_double_precision(settings, system)):
        yield


def load_run(folder: Path) -> tuple[ElectronSettings, TrainingState]:
    """Settings and state of a run folder. Raises InputError when there is none."""
    settings = read_settings(folder, ElectronSettings)
    with precision(settings):
        return settings, checkpoint.load(folder / STATE, eqx.filter_eval_shape(initial_state, settings))


def cost(settings: ElectronSettings) -> dict[str, Any]:
    """What training will take: parameters, memory of the scores and of the Laplacian (MB), and seconds of a step and of
    all of them, measured on a step of 64 walkers."""
    few = replace(settings, walkers=min(64, settings.walkers))
    with precision(settings):
        training = ElectronTraining(few, equilibrated=False)
        key = jax.random.key(0)
        jax.block_until_ready(training.step(training.state, key)[0].step)
        begin = time.monotonic()
        jax.block_until_ready(training.step(training.state, key)[0].step)
        seconds = (time.monotonic() - begin) * settings.walkers / few.walkers
    psi = training.state.model
    n_parameters = sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(psi, eqx.is_inexact_array)))
    n = psi.n_electrons
    derivatives = SAMPLES_PER_CHUNK * 3 * n * n * (n + len(training.protons)) * settings.features * 4
    return {
        "electrons": n,
        "parameters": n_parameters,
        "memory_mb": round((3 * settings.walkers * n_parameters * 4 + derivatives) / 1e6),
        "seconds_per_step": round(seconds, 3),
        "minutes": round(seconds * settings.steps / 60, 1),
    }


class ElectronTraining(Training):
    """One training of a wave function: energies in hartree of all particles."""

    unit = "Ha"

    def __init__(self, settings: ElectronSettings, folder: Path | None = None, equilibrated: bool = True):
        super().__init__(settings, folder)
        self.system = system = electron_system(settings.structure, settings.unpaired)
        n_electrons = system.n_up + system.n_down
        self.jump, self.spread = 0.02 * n_electrons, 2e-4 * n_electrons
        self.protons = jnp.asarray(system.protons, float)
        self._potential = CoulombPotential.of(system.box, len(self.protons) + n_electrons)
        self.state = self.state or self._initial_state(equilibrated)

    def _initial_state(self, equilibrated: bool) -> TrainingState:
        state = eqx.filter_jit(initial_state)(self.settings)
        if not equilibrated:
            return state
        chains = walker_chains(state.walkers, jax.random.key(self.settings.seed))
        chains = eqx.filter_jit(functools.partial(equilibrate, self.settings))(state.model, self.protons, chains)
        return state._replace(walkers=Walkers(chains.positions, chains.width))

    def template(self, facts: dict[str, Any]) -> TrainingState:
        """Names, shapes and types of a state."""
        return eqx.filter_eval_shape(initial_state, self.settings)

    @functools.cached_property
    def _program(self) -> Any:
        return eqx.filter_jit(functools.partial(step, self.settings, self._potential))

    def step(self, state: TrainingState, key: Array) -> tuple[TrainingState, dict[str, Array]]:
        """Walkers moved, energies measured, psi changed."""
        after, metrics = self._program(state, self.protons, key)
        self._moved = state.model, after.walkers.positions, metrics["log_squares"]
        return after, metrics

    def objective(self, figures: dict[str, Any]) -> tuple[float, float]:
        """The energy."""
        return figures["energy"], figures["energy_error"]

    def summarise(self, metrics: Metrics) -> dict[str, Any]:
        """Mean local energy (hartree) over walkers and steps, its error and variance (Ha^2), kinetic energy, acceptance
        and width (bohr) of the moves, autocorrelation time (steps) and R-hat of the local energies, and how far the
        last step moved psi. Raises EngineError when walkers did not follow |psi|^2."""
        psi, positions, of_chains = self._moved
        require_same(of_chains, log_squares(psi, positions, self.protons))
        energies = np.array([of_step["energies"] for of_step in metrics], float)
        means = energies.mean(axis=1)
        finite = np.isfinite(energies).all() and len(means) > 1
        tau = float(np.mean([autocorrelation_time(chain) for chain in energies.T[:64]])) if finite else 1.0
        return {
            "energy": float(means.mean()),
            "energy_error": float(np.sqrt(energies.var() * tau / energies.size)),
            "variance": float(energies.var(axis=1).mean()),
            "kinetic": float(np.mean([of_step["kinetic"] for of_step in metrics])),
            "acceptance": float(np.mean([of_step["acceptance"] for of_step in metrics])),
            "width": float(metrics[-1]["width"]),
            "autocorrelation": tau,
            "r_hat": split_r_hat(energies.T) if finite and len(means) > 3 else float("nan"),
            "step_norm": float(metrics[-1]["step_norm"]),
        }
