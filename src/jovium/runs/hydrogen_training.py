"""Training protons and electrons together on F, in a run directory: saved, watched, continued.

`config.json` says what is trained, `state.safetensors` holds the flow, the wave function, the walkers, the last
directions and the step, `metrics.jsonl` has a line per report. Random numbers depend on the seed, the step and the
number of roll-backs alone: a run that was killed and repeated is the run that was not."""

import functools
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jovium.base import checkpoint
from jovium.base.errors import InputError, JoviumError
from jovium.base.files import append_durably, existing_folder, sole_writer, write_json
from jovium.base.statistics import Estimate, autocorrelation_time
from jovium.coulomb.hydrogen import HydrogenPotential
from jovium.electrons.wave_function import WaveFunction
from jovium.hydrogen.estimate import electron_residuals, local_energies, proton_weights, wave_scores
from jovium.hydrogen.walkers import Walkers, drawn, electrons_moved, grid_of_twists, protons_moved
from jovium.optimise.natural_gradient import flattened, unflattened
from jovium.optimise.step_rules import Natural, NaturalEnergy
from jovium.protons.flow import Flow
from jovium.protons.learning import score_table
from jovium.runs.hydrogen_recipe import HydrogenRecipe
from jovium.runs.metrics import METRICS

CONFIG, STATE = "config.json", "state.safetensors"

FIRST_SWEEPS = 200
"""Moves of the electrons before the first step."""

JUMP = 10.0
"""A free energy above the last good one by so many errors and 0.05 Ha per atom diverges; so does an error that has
grown so many times."""

MOST_ROLLBACKS = 6


class State(NamedTuple):
    """Everything training continues from."""

    flow: Flow
    psi: WaveFunction
    walkers: Walkers
    flow_last: Float[Array, "p"]
    psi_last: Float[Array, "q"]
    step: Array
    rollbacks: Array


@dataclass(frozen=True)
class Progress:
    """Where training is, over the steps of a report. Per atom: F, E (hartree), S (k_B), the nuclei's momenta included;
    P in hartree / bohr^3. variance: of the local energy among the
    electrons of one configuration of protons (Ha^2 per atom); lag: by how much E (hartree per atom) would change if the
    electrons had moved three times as long after the protons, with its error."""

    step: int
    free_energy: float
    free_energy_error: float
    energy: float
    energy_error: float
    entropy: float
    pressure: float
    variance: float
    lag: float
    lag_error: float
    acceptance: float
    moved_protons: float
    moved_electrons: float
    seconds: float
    note: str = ""

    def record(self) -> dict[str, Any]:
        """Plain values; what is not finite is None."""
        return {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in asdict(self).items()}


def train(folder: Path, recipe: HydrogenRecipe, every: int = 20) -> Iterator[Progress]:
    """Train in a run directory or continue there; a report, and a save, per `every` steps. Raises InputError when the
    folder holds another run, OutputError when nothing can be written, JoviumError when training fails again and
    again."""
    if every < 2:
        raise InputError(f"a report every {every} steps", "two or more", "take 20")
    existing_folder(folder)
    with sole_writer(folder / METRICS):
        keep_config(folder, recipe)
        yield from _Run(folder, recipe).until_done(every)


def trained(folder: Path) -> tuple[HydrogenRecipe, State]:
    """The recipe and the state of a run directory. Raises InputError when there is none."""
    recipe = read_recipe(folder)
    return recipe, checkpoint.load(folder / STATE, eqx.filter_eval_shape(_initial, recipe))


def read_recipe(folder: Path) -> HydrogenRecipe:
    """What a run directory trains. Raises InputError when it is none."""
    try:
        return HydrogenRecipe.of_dict(json.loads((folder / CONFIG).read_text()))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{folder} holds no free-energy run: {error}", f"a folder with {CONFIG}", "give the folder of a run"
        ) from error


def keep_config(folder: Path, recipe: HydrogenRecipe) -> None:
    """Write the recipe of a new run; one that was trained keeps its own, but may get more steps. Raises InputError."""
    if (folder / STATE).exists():
        old, new = asdict(read_recipe(folder)), asdict(recipe)
        changed = [f"{name} {old[name]} -> {new[name]}" for name in old if old[name] != new[name] and name != "steps"]
        if changed:
            raise InputError(
                f"{folder} holds a run with other settings ({', '.join(changed)})",
                "the same settings, but for the number of steps",
                "give another folder",
            )
    write_json(folder / CONFIG, asdict(recipe))


def twists_of(recipe: HydrogenRecipe, n: int) -> Float[Array, "b 3"]:
    """The grid of twists, configuration i with the twist i modulo their number."""
    grid = grid_of_twists(recipe.space.vectors or (), recipe.twists)
    return jnp.asarray(np.tile(grid, (n // len(grid), 1)), float)


class _Run:
    """One training: the state and the last good one."""

    def __init__(self, folder: Path, recipe: HydrogenRecipe):
        self.folder, self.recipe = folder, recipe
        self.potential = HydrogenPotential.of(recipe.space, 2 * recipe.n)
        self.started = time.monotonic()
        self.good: tuple[float, float] | None = None
        if (folder / STATE).exists():
            facts = checkpoint.read_facts(folder / STATE)
            self.state = checkpoint.load(folder / STATE, eqx.filter_eval_shape(_initial, recipe))
            self.good = tuple(facts["good"]) if facts["good"] else None
        else:
            self.state = self._begun()

    def _begun(self) -> State:
        state = _initial(self.recipe)
        if self.recipe.protons:
            from jovium.runs.proton_training import trained_flow

            flow = trained_flow(Path(self.recipe.protons))[1]
            if jax.tree.structure(flow) != jax.tree.structure(state.flow):
                raise InputError(
                    f"{self.recipe.protons} holds a flow of another form",
                    f"{self.recipe.n} protons at rs {self.recipe.rs} with the sizes of this run",
                    "train it with the same --n, --rs, --channels, --radial, --times and --integration-steps",
                )
            state = state._replace(flow=flow)
        place, move = jax.random.split(jax.random.key(self.recipe.seed + 1))
        walkers = drawn(state.flow, place, self.recipe.configurations, self.recipe.electrons)
        twists = twists_of(self.recipe, self.recipe.configurations)
        program = eqx.filter_jit(lambda psi, walkers: electrons_moved(psi, walkers, twists, FIRST_SWEEPS, move, True))
        return state._replace(walkers=program(state.psi, walkers))

    @functools.cached_property
    def _program(self) -> Any:
        return eqx.filter_jit(functools.partial(_step, self.recipe, self.potential))

    @functools.cached_property
    def _later(self) -> Any:
        return eqx.filter_jit(functools.partial(_lagging, self.recipe, self.potential))

    def until_done(self, every: int) -> Iterator[Progress]:
        """Steps and reports until the recipe is at its end."""
        seed = jax.random.key(self.recipe.seed)
        while int(self.state.step) < self.recipe.steps:
            good, found = self.state, []
            stop = min((int(self.state.step) // every + 1) * every, self.recipe.steps)
            while int(self.state.step) < stop:
                self.state, told = self._program(self.state, seed)
                found.append(jax.tree.map(np.asarray, told))
                if not np.isfinite(found[-1]["works"].mean() + found[-1]["moved_electrons"]):
                    break
            yield self._judged(good, found)

    def _judged(self, good: State, found: list[dict[str, np.ndarray]]) -> Progress:
        report = self._report(found)
        note = self._verdict(report)
        if note:
            if int(good.rollbacks) >= MOST_ROLLBACKS:
                raise JoviumError(
                    f"{self.folder}: {note}, after {MOST_ROLLBACKS} returns to a good state",
                    "training that stays finite",
                    "the last good state is kept; train with lower rates or more configurations in another folder",
                )
            self.state = good._replace(
                rollbacks=good.rollbacks + 1, flow_last=0 * good.flow_last, psi_last=0 * good.psi_last
            )
            report = self._report(found, f"{note}; back to step {int(good.step)} with half the rates")
        else:
            self.good = report.free_energy, report.free_energy_error
        checkpoint.save(self.folder / STATE, self.state, {"good": self.good})
        append_durably(self.folder / METRICS, json.dumps(report.record()) + "\n")
        return report

    def _verdict(self, report: Progress) -> str:
        """What is wrong, or nothing."""
        if not np.isfinite([report.free_energy, report.variance, report.moved_protons, report.moved_electrons]).all():
            return "not a number"
        if self.good is None:
            return ""
        if report.free_energy > self.good[0] + max(JUMP * self.good[1], 0.05):
            return f"diverging: {self.good[0]:.4f} -> {report.free_energy:.4f} Ha per atom"
        if report.free_energy_error > JUMP * max(self.good[1], 5e-3):
            return f"diverging: an error of {self.good[1]:.4f} -> {report.free_energy_error:.4f} Ha per atom"
        return ""

    def _report(self, found: list[dict[str, np.ndarray]], note: str = "") -> Progress:
        state, n = self.recipe.state, self.recipe.n
        gathered = {name: np.stack([told[name] for told in found]).astype(float) for name in found[0]}

        def along(values: Float[np.ndarray, "s b"], estimate: Any) -> Estimate:
            whole = estimate(values.ravel())
            usable = len(values) > 3 and np.isfinite(values).all()
            tau = float(np.mean([autocorrelation_time(chain) for chain in values.T[:32]])) if usable else 1.0
            return Estimate(whole.value, whole.error * np.sqrt(tau), whole.n_independent / tau)

        free = along(gathered["works"], state.free_energy)
        energy = along(gathered["energies"], state.energy)
        entropy = along(gathered["log_densities"], state.entropy)
        pressure = state.pressure(gathered["kinetic"].ravel(), gathered["energies"].ravel())
        lag = np.asarray(self._later(self.state, jax.random.key(self.recipe.seed + 2)), float) / n
        return Progress(
            step=int(self.state.step),
            free_energy=free.value,
            free_energy_error=free.error,
            energy=energy.value,
            energy_error=energy.error,
            entropy=entropy.value,
            pressure=pressure.value,
            variance=float(gathered["variance"].mean()) / n,
            lag=float(lag.mean()),
            lag_error=float(lag.std(ddof=1) / np.sqrt(len(lag))),
            acceptance=float(gathered["acceptance"].mean()),
            moved_protons=float(found[-1]["moved_protons"]),
            moved_electrons=float(found[-1]["moved_electrons"]),
            seconds=time.monotonic() - self.started,
            note=note,
        )


def _initial(recipe: HydrogenRecipe) -> State:
    """Untrained."""
    flow, psi = recipe.flow(), recipe.wave_function()
    walkers = drawn(flow, jax.random.key(0), recipe.configurations, recipe.electrons)
    flow_last, psi_last = (0 * flattened(eqx.filter(model, eqx.is_inexact_array)) for model in (flow, psi))
    return State(flow, psi, walkers, flow_last, psi_last, jnp.int32(0), jnp.int32(0))


def _step(
    recipe: HydrogenRecipe, potential: HydrogenPotential, state: State, seed: Array
) -> tuple[State, dict[str, Array]]:
    """Move protons and electrons, measure, change both models."""
    key = jax.random.fold_in(jax.random.fold_in(seed, state.step), state.rollbacks)
    of_protons, of_electrons = jax.random.split(key)
    twists = twists_of(recipe, recipe.configurations)
    walkers = protons_moved(state.flow, state.psi, state.walkers, recipe.stride, of_protons)
    walkers = electrons_moved(state.psi, walkers, twists, recipe.sweeps, of_electrons, True)
    local = local_energies(state.psi, potential, walkers, twists)
    temperature = recipe.state.temperature
    energies = local.total.real.mean(axis=1)
    works = temperature * walkers.log_density + energies
    strength = 0.5**state.rollbacks / (1 + state.step / recipe.slowing)

    residuals, centred = electron_residuals(local.total, wave_scores(state.psi, walkers, twists))
    rule = NaturalEnergy(recipe.rate, recipe.damping, 0.05, recipe.keep)
    psi, psi_last = rule.step(state.psi, state.psi_last, centred, residuals, strength)

    table = score_table(state.flow, walkers.protons)
    weights = proton_weights(works, recipe.twists**3) / temperature
    gradient = unflattened(eqx.filter(state.flow, eqx.is_inexact_array), weights @ table / (len(weights) - 1))
    learning = strength * (state.step >= recipe.waiting)
    flow_rule = Natural(recipe.proton_rate, damping=0.1, largest=0.03)
    flow, flow_last = flow_rule.step(state.flow, state.flow_last, gradient, table, learning)
    moved = [
        flattened(eqx.filter(after, eqx.is_inexact_array)) - flattened(eqx.filter(before, eqx.is_inexact_array))
        for after, before in ((flow, state.flow), (psi, state.psi))
    ]
    told = {
        "works": works,
        "energies": energies,
        "log_densities": walkers.log_density,
        "kinetic": local.kinetic.real.mean(axis=1),
        "variance": local.total.real.var(axis=1, ddof=1).mean(),
        "acceptance": walkers.acceptance,
        "moved_protons": jnp.sqrt(jnp.mean(((table - table.mean(axis=0)) @ moved[0]) ** 2)),
        "moved_electrons": jnp.sqrt(jnp.sum((centred @ moved[1]) ** 2) / walkers.electrons[..., 0, 0].size),
    }
    return State(flow, psi, walkers, flow_last, psi_last, state.step + 1, state.rollbacks), told


def _lagging(recipe: HydrogenRecipe, potential: HydrogenPotential, state: State, key: Array) -> Float[Array, "b"]:
    """What E of each configuration (hartree) gains from twice as many moves again after those of a step."""
    of_protons, of_electrons = jax.random.split(jax.random.fold_in(key, state.step))
    twists = twists_of(recipe, recipe.configurations)
    walkers = protons_moved(state.flow, state.psi, state.walkers, recipe.stride, of_protons)

    def later(walkers: Walkers, key: Array) -> tuple[Walkers, Array]:
        walkers = electrons_moved(state.psi, walkers, twists, recipe.sweeps, key, False)
        return walkers, walkers.electrons

    def energies(electrons: Float[Array, "b m k 3"]) -> Float[Array, "b"]:
        found = local_energies(state.psi, potential, walkers._replace(electrons=electrons), twists)
        return found.total.real.mean(axis=1)

    _, electrons = jax.lax.scan(later, walkers, jax.random.split(of_electrons, 3))
    soon, late = jax.lax.map(energies, electrons[jnp.asarray([0, 2])])
    return late - soon
