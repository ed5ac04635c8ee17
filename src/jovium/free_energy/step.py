"""One step down F = E_p[kT ln p(R) + E(R)],  E(R) = <E_loc(r; R)> over r ~ |psi(r; R)|^2.

protons     R ~ p            latents walk at random, the flow pushes them forward to R and ln p(R)
electrons   r ~ |psi|^2      Metropolis moves among the protons where they are now
energies    E_loc(r; R)      of every electron walker
surface     E(R)             fitted to the energies of all steps so far
flow        p                down E_p[kT ln p + surface], in the metric of p
electrons   psi              down <E_loc> among the electrons of each R, in the metric of |psi|^2"""

from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jovium.coulomb.hydrogen import CoulombPotential
from jovium.electrons.local_energy import LocalEnergy
from jovium.electrons.wave_function import WaveFunction
from jovium.free_energy.estimate import electron_residuals, local_energies, wave_function_scores
from jovium.free_energy.surface import Surface
from jovium.free_energy.systems import FreeEnergySystem
from jovium.free_energy.walkers import (
    Walkers,
    init_walkers,
    log_squares,
    move_protons,
    push_forward,
    sample_electrons,
)
from jovium.optimise.natural_gradient import flatten
from jovium.optimise.step_rules import Natural, NaturalEnergy
from jovium.protons.flow import Flow
from jovium.protons.losses import ROWS_AT_ONCE, VariationalFreeEnergy
from jovium.training.devices import compile_program, map_rows
from jovium.training.loop import TrainingState

MAX_NORM = 0.05
"""Change of psi in a step (square root of twice the Kullback-Leibler divergence) at most."""

FLOW_MAX_NORM = 0.05
"""Change of the flow in a step at most: electrons must follow a flow that moves."""


class Models(NamedTuple):
    """The density of the protons, the wave function of the electrons, and the surface that the flow follows."""

    flow: Flow
    psi: WaveFunction
    surface: Surface


class Momenta(NamedTuple):
    """The last directions of the natural gradients."""

    flow: Float[Array, "p"]
    psi: Float[Array, "q"]


class FreeEnergyStep:
    """The parts of a step, each compiled once: a first state and the equilibration bias are made of the same ones."""

    def __init__(self, system: FreeEnergySystem):
        settings = system.settings
        potential = CoulombPotential.of(system.box, 2 * settings.n_atoms)
        twists = system.twists(settings.proton_walkers)

        def with_twists(function: Any) -> Any:
            """A program that is handed the twists: constants alike in every row were lost by XLA."""
            return partial(compile_program(function), twists)

        self.move_protons = compile_program(
            lambda models, walkers, key: move_protons(models.flow, models.psi, walkers, settings.latent_step, key)
        )
        self.sample_electrons = with_twists(
            lambda twists, psi, walkers, key: sample_electrons(psi, walkers, twists, settings.mc_steps, key, True)
        )
        self.log_squares = with_twists(lambda twists, psi, walkers: log_squares(psi, walkers, twists))
        self.local_energies = with_twists(lambda twists, psi, walkers: local_energies(psi, potential, walkers, twists))
        self.update = with_twists(lambda twists, state, walkers, local: update(system, state, walkers, twists, local))

    def __call__(self, state: TrainingState, key: Array) -> tuple[TrainingState, dict[str, Array]]:
        """The state after one step, and its metrics."""
        proton_key, electron_key = jax.random.split(key)
        psi = state.model.psi
        walkers = self.move_protons(state.model, state.walkers, proton_key)
        walkers, _ = self.sample_electrons(psi, walkers, electron_key)
        return self.update(state, walkers, self.local_energies(psi, walkers))


def update(
    system: FreeEnergySystem, state: TrainingState, walkers: Walkers, twists: Float[Array, "b 3"], local: LocalEnergy
) -> tuple[TrainingState, dict[str, Array]]:
    """The state after both models followed walkers and their local energies, and the metrics of the step."""
    settings, kT = system.settings, system.state.temperature
    energies = local.total.real.mean(axis=1)
    lr_scale = 0.5**state.rollbacks / (1 + state.step / settings.decay_steps)

    flow, flow_momentum, surface, flow_scores = update_flow(
        system, state, walkers, energies - local.pp.mean(axis=1), lr_scale
    )
    psi, psi_momentum, psi_scores = update_wave_function(system, state, walkers, twists, local, lr_scale)

    flow_change, psi_change = (
        flatten(eqx.filter(after, eqx.is_inexact_array)) - flatten(eqx.filter(before, eqx.is_inexact_array))
        for after, before in ((flow, state.model.flow), (psi, state.model.psi))
    )
    metrics = {
        "work": kT * walkers.log_density + energies,
        "energy": energies,
        "log_density": walkers.log_density,
        "kinetic": local.kinetic.real.mean(axis=1),
        "variance": local.total.real.var(axis=1, ddof=1).mean(),
        "acceptance": walkers.acceptance,
        # How far both distributions moved, in their Fisher metrics.
        "flow_step_norm": jnp.sqrt(jnp.mean(((flow_scores - flow_scores.mean(axis=0)) @ flow_change) ** 2)),
        "psi_step_norm": jnp.sqrt(jnp.sum((psi_scores @ psi_change) ** 2) / walkers.electrons[..., 0, 0].size),
    }
    models, momenta = Models(flow, psi, surface), Momenta(flow_momentum, psi_momentum)
    return TrainingState(models, walkers, momenta, state.step + 1, state.rollbacks), metrics


def update_flow(
    system: FreeEnergySystem,
    state: TrainingState,
    walkers: Walkers,
    electronic: Float[Array, "b"],
    lr_scale: Float[Array, ""],
) -> tuple[Flow, Float[Array, "p"], Surface, Float[Array, "m p"]]:
    """The flow and its direction after a step down kT ln p + surface, the surface with the energies E - V_pp (hartree)
    of the walkers, and the scores of the samples that the flow followed."""
    settings, kT = system.settings, system.state.temperature
    shells = system.twist_shells(settings.proton_walkers)
    surface = state.model.surface.fit(walkers.protons, electronic, shells, state.step.astype(electronic.dtype))
    loss = VariationalFreeEnergy(lambda protons: surface(protons) / kT, settings.flow_batch_size)
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(settings.seed + 4), state.step), state.rollbacks)
    gradient, _, scores = loss(state.model.flow, key, with_scores=True)
    assert scores is not None
    rule = Natural(settings.flow_learning_rate, settings.flow_damping, FLOW_MAX_NORM)
    lr_scale = lr_scale * (state.step >= settings.wavefunction_warmup)
    flow, momentum = rule.step(state.model.flow, state.momentum.flow, gradient, scores, lr_scale)
    return flow, momentum, surface, scores


def update_wave_function(
    system: FreeEnergySystem,
    state: TrainingState,
    walkers: Walkers,
    twists: Float[Array, "b 3"],
    local: LocalEnergy,
    lr_scale: Float[Array, ""],
) -> tuple[WaveFunction, Float[Array, "q"], Float[Array, "r q"]]:
    """psi and its direction after a step down the energy, and its centred scores in real rows."""
    settings, psi = system.settings, state.model.psi
    scores = wave_function_scores(psi, walkers, twists)
    residuals, centred = electron_residuals(local.total, scores)
    rule = NaturalEnergy(settings.learning_rate, settings.damping, MAX_NORM, settings.momentum)
    psi, momentum = rule.step(psi, state.momentum.psi, centred, residuals, lr_scale)
    return psi, momentum, centred


def initial_state(system: FreeEnergySystem) -> TrainingState:
    """Untrained models, protons of the flow, electrons near them."""
    flow, psi, settings = system.flow(), system.wave_function(), system.settings
    walkers = init_walkers(flow, jax.random.key(0), settings.proton_walkers, settings.electron_walkers)
    return first_state(system, flow, psi, walkers)


def first_state(system: FreeEnergySystem, flow: Flow, psi: WaveFunction, walkers: Walkers) -> TrainingState:
    """Of models and walkers, before anything is known of energies."""
    settings = system.settings
    n_shells = system.twist_shells(settings.proton_walkers).shape[1]
    surface = Surface.of(system.box, flow.base, n_shells, jax.random.key(settings.seed + 3))
    momenta = Momenta(*(0 * flatten(eqx.filter(model, eqx.is_inexact_array)) for model in (flow, psi)))
    return TrainingState.first(Models(flow, psi, surface), walkers, momenta)


def integration_errors(flow: Flow, better: Flow, latents: Float[Array, "b n 3"]) -> Float[Array, "b"]:
    """ln p by a better integration, back from where the flow ends, less ln p as the flow says."""
    protons, log_density = push_forward(flow, latents)
    return map_rows(better.log_density, protons, ROWS_AT_ONCE) - log_density


def parameters(tree: Any) -> int:
    """Numbers that training changes."""
    return sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(tree, eqx.is_inexact_array)))
