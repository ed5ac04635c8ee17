"""One step of a proton density: the gradient of a loss, and the step rule that follows it."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from jovium.optimise.natural_gradient import flatten
from jovium.optimise.step_rules import Adam, Natural, StepRule
from jovium.protons.flow import reduced_work, sample_batch
from jovium.protons.losses import Gradient, Loss, integration_error
from jovium.protons.settings import ProtonSettings
from jovium.protons.targets import Target
from jovium.training.loop import TrainingState


def step_rule(settings: ProtonSettings, stage: str) -> StepRule:
    """The rule of a stage: flow matching has no scores, and always takes Adam."""
    if settings.optimiser == "natural" and stage != "flow-matching":
        return Natural(settings.natural_learning_rate)
    return Adam(settings.learning_rate, max_gradient_norm=1.0 if stage == "flow-matching" else 20.0)


def step_program(loss: Loss, rule: StepRule) -> Callable[..., tuple[TrainingState, dict[str, Array]]]:
    """A compiled step of a stage, given its first step and its number of steps: state, first, steps, key -> state,
    metrics."""

    @eqx.filter_jit
    def program(state: TrainingState, first: Array, steps: Array, key: Array) -> tuple[TrainingState, dict[str, Array]]:
        gradient: Gradient = loss(state.model, key, rule.needs_scores)
        # A cosine from 1 to 0 along the stage, halved by every return to a good state.
        done = (state.step - first) / steps
        lr_scale = 0.5 * (1 + jnp.cos(jnp.pi * done)) * 0.5**state.rollbacks
        flow, momentum = rule.step(state.model, state.momentum, gradient.gradient, gradient.scores, lr_scale)
        norm = jnp.sqrt(jnp.sum(flatten(gradient.gradient) ** 2))
        new_state = TrainingState(flow, None, momentum, state.step + 1, state.rollbacks)
        return new_state, {"loss": gradient.value, "gradient_norm": norm}

    return program


def judge_program(target: Target, n: int) -> Callable[[Any, Array, Array], tuple[Array, Array, Array]]:
    """Of n fresh samples of a flow: ln p + beta U, ln p, and the error of integrating ln p; compiled."""

    @eqx.filter_jit
    def program(flow: Any, key: Array, other_key: Array) -> tuple[Array, Array, Array]:
        batch = sample_batch(flow, key, n)
        return reduced_work(flow, target.beta_energy, batch), batch.log_density, integration_error(flow, other_key, 64)

    return program
