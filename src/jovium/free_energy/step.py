"""One step of protons and electrons: what training continues from, and what both models learn from their walkers."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jovium.electrons.local_energy import LocalEnergy
from jovium.electrons.wave_function import WaveFunction
from jovium.free_energy.estimate import electron_residuals, wave_function_scores
from jovium.free_energy.settings import FreeEnergySettings
from jovium.free_energy.surface import Surface
from jovium.free_energy.walkers import Walkers, carried, drawn, grid_of_twists, twist_shells
from jovium.optimise.natural_gradient import flatten
from jovium.optimise.step_rules import Natural, NaturalEnergy
from jovium.protons.flow import Flow
from jovium.protons.losses import ROWS_AT_ONCE, VariationalFreeEnergy
from jovium.training.devices import mapped

LARGEST_STEP = 0.05
"""Change of psi in a step (square root of twice the Kullback-Leibler divergence) at most."""

FLOW_LARGEST_STEP = 0.05
"""Change of the flow in a step at most: electrons must follow a flow that moves."""


class State(NamedTuple):
    """Everything training continues from."""

    flow: Flow
    psi: WaveFunction
    walkers: Walkers
    surface: Surface
    flow_last: Float[Array, "p"]
    psi_last: Float[Array, "q"]
    step: Array
    rollbacks: Array


def twists_of(recipe: FreeEnergySettings, n: int) -> Float[Array, "b 3"]:
    """The grid of twists, configuration i with the twist i modulo their number."""
    return jnp.asarray(_grid(recipe, n), float)


def _grid(recipe: FreeEnergySettings, n: int) -> Float[np.ndarray, "b 3"]:
    grid = grid_of_twists(recipe.space.vectors or (), recipe.twists)
    return np.tile(grid, (n // len(grid), 1))


def initial_state(recipe: FreeEnergySettings) -> State:
    """Untrained models, protons of the flow, electrons near them."""
    flow, psi = recipe.flow(), recipe.wave_function()
    return first_state(recipe, flow, psi, drawn(flow, jax.random.key(0), recipe.configurations, recipe.electrons))


def first_state(recipe: FreeEnergySettings, flow: Flow, psi: WaveFunction, walkers: Walkers) -> State:
    """Of models and walkers, before anything is known of energies."""
    n_kinds = twist_shells(_grid(recipe, recipe.configurations)).shape[1]
    surface = Surface.of(recipe.space, flow.base, n_kinds, jax.random.key(recipe.seed + 3))
    flow_last, psi_last = (0 * flatten(eqx.filter(model, eqx.is_inexact_array)) for model in (flow, psi))
    return State(flow, psi, walkers, surface, flow_last, psi_last, jnp.int32(0), jnp.int32(0))


def learned(
    recipe: FreeEnergySettings, state: State, walkers: Walkers, local: LocalEnergy
) -> tuple[State, dict[str, Array]]:
    """The state after both models learned from walkers and their local energies, and what a report needs."""
    energies = local.total.real.mean(axis=1)
    strength = 0.5**state.rollbacks / (1 + state.step / recipe.slowing)
    flow, flow_last, surface, table = flow_learned(recipe, state, walkers, energies - local.pp.mean(axis=1), strength)

    scores = wave_function_scores(state.psi, walkers, twists_of(recipe, recipe.configurations))
    residuals, centred = electron_residuals(local.total, scores)
    rule = NaturalEnergy(recipe.rate, recipe.damping, LARGEST_STEP, recipe.keep)
    psi, psi_last = rule.step(state.psi, state.psi_last, centred, residuals, strength)
    moved = [
        flatten(eqx.filter(after, eqx.is_inexact_array)) - flatten(eqx.filter(before, eqx.is_inexact_array))
        for after, before in ((flow, state.flow), (psi, state.psi))
    ]
    told = {
        "works": recipe.state.temperature * walkers.log_density + energies,
        "energies": energies,
        "log_densities": walkers.log_density,
        "kinetic": local.kinetic.real.mean(axis=1),
        "variance": local.total.real.var(axis=1, ddof=1).mean(),
        "acceptance": walkers.acceptance,
        "moved_protons": jnp.sqrt(jnp.mean(((table - table.mean(axis=0)) @ moved[0]) ** 2)),
        "moved_electrons": jnp.sqrt(jnp.sum((centred @ moved[1]) ** 2) / walkers.electrons[..., 0, 0].size),
    }
    return State(flow, psi, walkers, surface, flow_last, psi_last, state.step + 1, state.rollbacks), told


def integration_errors(flow: Flow, better: Flow, starts: Float[Array, "b n 3"]) -> Float[Array, "b"]:
    """ln p by a better integration, back from where the flow ends, less ln p as the flow says."""
    protons, log_density = carried(flow, starts)
    return mapped(better.log_density, protons, ROWS_AT_ONCE) - log_density


def flow_learned(
    recipe: FreeEnergySettings,
    state: State,
    walkers: Walkers,
    electronic: Float[Array, "b"],
    strength: Float[Array, ""],
) -> tuple[Flow, Float[Array, "p"], Surface, Float[Array, "m p"]]:
    """The flow and its direction after a step down kT ln p + surface, the surface with the energies E - V_pp (hartree)
    of the walkers, and the scores of the configurations that the flow learned from."""
    kinds = twist_shells(_grid(recipe, recipe.configurations))
    surface = state.surface.fitted(walkers.protons, electronic, kinds, state.step.astype(electronic.dtype))
    lesson = VariationalFreeEnergy(lambda protons: surface(protons) / recipe.state.temperature, recipe.lessons)
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(recipe.seed + 4), state.step), state.rollbacks)
    gradient, _, table = lesson(state.flow, key, with_scores=True)
    assert table is not None
    rule = Natural(recipe.proton_rate, recipe.proton_damping, FLOW_LARGEST_STEP)
    flow, last = rule.step(state.flow, state.flow_last, gradient, table, strength * (state.step >= recipe.waiting))
    return flow, last, surface, table
