"""Training a wave function at fixed protons in a run directory: saved, watched, continued.

`state.safetensors` holds the wave function, the walkers, the last direction and the step."""

import functools
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jovium.base.errors import InputError
from jovium.base.files import existing_folder, sole_writer
from jovium.base.statistics import autocorrelation_time, split_r_hat
from jovium.coulomb.hydrogen import CoulombPotential
from jovium.electrons.local_energy import CHUNK, clipped, local_energies, rows, scores
from jovium.electrons.settings import ElectronSettings
from jovium.electrons.walkers import chains_at, equilibrated, moved_walkers
from jovium.electrons.wave_function import WaveFunction
from jovium.optimise.natural_gradient import flatten, unflatten
from jovium.optimise.step_rules import Adam, NaturalEnergy
from jovium.training import checkpoint
from jovium.training.loop import WatchedTraining
from jovium.training.run_folder import METRICS, STATE, keep_config, read_config


class State(NamedTuple):
    """Everything training continues from."""

    psi: WaveFunction
    positions: Float[Array, "b n 3"]
    width: Float[Array, ""]
    last: Any
    step: Array
    rollbacks: Array


@dataclass(frozen=True)
class Progress:
    """Where training is. energy: mean local energy (hartree, of all particles) over the walkers and steps of the
    report, its error, the variance of the local energy (Ha^2); share of moves accepted, their width (bohr);
    autocorrelation time of the local energy in steps and R-hat of its chains; how far the last step moved psi."""

    step: int
    energy: float
    error: float
    variance: float
    kinetic: float
    acceptance: float
    width: float
    autocorrelation: float
    r_hat: float
    moved: float
    seconds: float
    note: str = ""


def train(folder: Path, recipe: ElectronSettings, every: int = 20) -> Iterator[Progress]:
    """Train in a run directory or continue there; a report, and a save, per `every` steps. Raises InputError when the
    folder holds another run, OutputError when nothing can be written, JoviumError when training fails again and
    again."""
    if every < 2:
        raise InputError(f"a report every {every} steps", "two or more", "take 20")
    existing_folder(folder)
    with sole_writer(folder / METRICS), jax.enable_x64(recipe.in_double_precision):
        keep_config(folder, recipe, growing=("steps",))
        yield from _Run(folder, recipe).until_done(every)


def cost(recipe: ElectronSettings) -> dict[str, Any]:
    """What training will take: parameters, memory of the scores and of the Laplacian (MB), and seconds of a step and of
    all of them, measured on a step of 64 walkers."""
    with jax.enable_x64(recipe.in_double_precision):
        return _cost(recipe)


def _cost(recipe: ElectronSettings) -> dict[str, Any]:
    few = replace(recipe, walkers=min(64, recipe.walkers))
    state, system = _initial(few), recipe.system
    potential = CoulombPotential.of(system.space, len(system.protons) + state.psi.n_electrons)
    program = eqx.filter_jit(functools.partial(_step, few, potential))
    protons, seed = jnp.asarray(system.protons, float), jax.random.key(0)
    jax.block_until_ready(program(state, protons, seed)[0].step)
    begin = time.monotonic()
    jax.block_until_ready(program(state, protons, seed)[0].step)
    seconds = (time.monotonic() - begin) * recipe.walkers / few.walkers
    n_parameters = sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(state.psi, eqx.is_inexact_array)))
    n = state.psi.n_electrons
    derivatives = CHUNK * 3 * n * n * (n + len(system.protons)) * recipe.features * 4
    return {
        "electrons": n,
        "parameters": n_parameters,
        "memory_mb": round((3 * recipe.walkers * n_parameters * 4 + derivatives) / 1e6),
        "seconds_per_step": round(seconds, 3),
        "minutes": round(seconds * recipe.steps / 60, 1),
    }


def trained(folder: Path) -> tuple[ElectronSettings, State]:
    """The recipe and the state of a run directory. Raises InputError when there is none."""
    recipe = read_recipe(folder)
    with jax.enable_x64(recipe.in_double_precision):
        return recipe, checkpoint.load(folder / STATE, eqx.filter_eval_shape(_initial, recipe))


def read_recipe(folder: Path) -> ElectronSettings:
    """What a run directory trains. Raises InputError when it is none."""
    return read_config(folder, ElectronSettings.of_dict, "run")


def log_psi(psi: WaveFunction, electrons: Float[Array, "n 3"], protons: Float[Array, "m 3"]) -> Array:
    """ln psi as a function of the model."""
    return psi.log_psi(electrons, protons)


class _Run(WatchedTraining):
    """One training of a wave function."""

    unit = "Ha"

    def __init__(self, folder: Path, recipe: ElectronSettings):
        super().__init__(folder, recipe)
        self.system = system = recipe.system
        n_electrons = system.n_up + system.n_down
        self.jump, self.spread = 0.02 * n_electrons, 2e-4 * n_electrons
        self.protons = jnp.asarray(system.protons, float)
        self.potential = CoulombPotential.of(system.space, len(self.protons) + n_electrons)
        self.state = self.state or self._begun()

    def form(self) -> State:
        """The form of a state."""
        return eqx.filter_eval_shape(_initial, self.recipe)

    def _begun(self) -> State:
        state = eqx.filter_jit(_initial)(self.recipe)
        chains = chains_at(state.positions, state.width, jax.random.key(self.recipe.seed))
        chains = eqx.filter_jit(functools.partial(equilibrated, self.recipe))(state.psi, self.protons, chains)
        return state._replace(positions=chains.positions, width=chains.width)

    @functools.cached_property
    def _program(self) -> Any:
        return eqx.filter_jit(functools.partial(_step, self.recipe, self.potential))

    def advanced(self, seed: Array) -> tuple[State, dict[str, Array]]:
        """One step."""
        return self._program(self.state, self.protons, seed)

    def forgetful(self, state: State) -> State:
        """Without the last direction."""
        return state._replace(last=jax.tree.map(jnp.zeros_like, state.last))

    def minimised(self, report: Progress) -> tuple[float, float]:
        """The energy."""
        return report.energy, report.error

    def report(self, found: list[dict[str, np.ndarray]], note: str = "") -> Progress:
        """Over the steps since the last report."""
        energies = np.array([told["energies"] for told in found], float)
        means = energies.mean(axis=1)
        finite = np.isfinite(energies).all() and len(means) > 1
        tau = float(np.mean([autocorrelation_time(chain) for chain in energies.T[:64]])) if finite else 1.0
        return Progress(
            step=int(self.state.step),
            energy=float(means.mean()),
            error=float(np.sqrt(energies.var() * tau / energies.size)),
            variance=float(energies.var(axis=1).mean()),
            kinetic=float(np.mean([told["kinetic"] for told in found])),
            acceptance=float(np.mean([told["acceptance"] for told in found])),
            width=float(found[-1]["width"]),
            autocorrelation=tau,
            r_hat=split_r_hat(energies.T) if finite and len(means) > 3 else float("nan"),
            moved=float(found[-1]["moved"]),
            seconds=time.monotonic() - self.started,
            note=note,
        )


def _initial(recipe: ElectronSettings) -> State:
    """Untrained, electrons near protons of their own or anywhere in the cell."""
    psi, system = recipe.wave_function(), recipe.system
    place, kick = jax.random.split(jax.random.key(recipe.seed + 1))
    shape = recipe.walkers, psi.n_electrons, 3
    if len(system.protons):
        order = np.argsort(np.arange(psi.n_electrons) % 2, kind="stable") if psi.n_down == psi.n_up else None
        near = system.protons[np.arange(psi.n_electrons) % len(system.protons)]
        near = near if order is None else near[order]
        positions = jnp.asarray(near, float) + 0.7 * jax.random.normal(kick, shape)
    else:
        assert system.cell is not None
        positions = jax.random.uniform(place, shape) @ jnp.asarray(system.cell.vectors, float)
    last = flatten(eqx.filter(psi, eqx.is_inexact_array))
    last = jnp.zeros_like(last) if recipe.optimiser == "natural" else Adam(1.0).start(psi)
    return State(psi, positions, jnp.asarray(0.3, float), last, jnp.int32(0), jnp.int32(0))


def _step(
    recipe: ElectronSettings, potential: CoulombPotential, state: State, protons: Array, seed: Array
) -> tuple[State, dict[str, Array]]:
    """Move walkers, measure local energies and scores, change the wave function."""
    key = jax.random.fold_in(jax.random.fold_in(seed, state.step), state.rollbacks)
    chains = moved_walkers(
        recipe, state.psi, protons, chains_at(state.positions, state.width, key), recipe.sweeps, True
    )
    local = local_energies(log_psi, state.psi, potential, chains.positions, protons)
    table = scores(log_psi, state.psi, chains.positions, protons)
    kept = clipped(local.total)
    centred, residuals = rows(table - table.mean(axis=0)), rows(kept - kept.mean())
    strength = 0.5**state.rollbacks / (1 + state.step / recipe.slowing)
    if recipe.optimiser == "natural":
        rule = NaturalEnergy(recipe.rate, recipe.damping, recipe.largest, recipe.keep)
        psi, last = rule.step(state.psi, state.last, centred, residuals, strength)
    else:
        gradient = unflatten(eqx.filter(state.psi, eqx.is_inexact_array), 2 * residuals @ centred / recipe.walkers)
        psi, last = Adam(recipe.rate, max_gradient_norm=1.0).step(state.psi, state.last, gradient, None, strength)
    change = flatten(eqx.filter(psi, eqx.is_inexact_array)) - flatten(eqx.filter(state.psi, eqx.is_inexact_array))
    told = {
        "energies": local.total.real,
        "kinetic": local.kinetic.real.mean(),
        "acceptance": chains.acceptance,
        "width": chains.width,
        "moved": jnp.sqrt(jnp.sum((centred @ change) ** 2) / recipe.walkers),
    }
    return State(psi, chains.positions, chains.width, last, state.step + 1, state.rollbacks), told
