"""One step of a field network: least squares on the ELF of one structure."""

import functools
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from jovium.elf.invariants import n_invariants
from jovium.elf.network import Atoms, FieldNetwork
from jovium.elf.settings import ElfSettings
from jovium.elf.soap import scale_by_soap
from jovium.elf.spectrum import Shape
from jovium.training.loop import TrainingState


class Networks(NamedTuple):
    """The network as it is trained, and the running mean of its weights, which is what is evaluated."""

    network: FieldNetwork
    average: FieldNetwork


def untrained_network(
    settings: ElfSettings, centre: Float[Array, "f"] | None = None, scale: Float[Array, "f"] | None = None
) -> FieldNetwork:
    """A network before training, by default without standardisation of its inputs."""
    n_inputs = n_invariants(settings.gaussian_widths)
    return FieldNetwork(
        jnp.zeros(n_inputs) if centre is None else centre,
        jnp.ones(n_inputs) if scale is None else scale,
        n_channels=settings.field_channels,
        n_hidden=settings.hidden_width,
        n_layers=settings.convolutions,
        n_widths=settings.gaussian_widths,
        key=jax.random.key(settings.seed),
    )


def network_template(settings: ElfSettings) -> FieldNetwork:
    """Names, shapes and types of a network, to load one into; nothing is computed."""
    return eqx.filter_eval_shape(untrained_network, settings)


def first_state(settings: ElfSettings, network: FieldNetwork) -> TrainingState:
    """A network before its first step."""
    momentum = _optimiser(settings).init(eqx.filter(network, eqx.is_array))
    return TrainingState.first(Networks(network, network), None, momentum)


def initial_state(settings: ElfSettings) -> TrainingState:
    """An untrained network before its first step."""
    return first_state(settings, untrained_network(settings))


@functools.partial(jax.jit, static_argnames=("shape", "settings"))
def step(
    state: TrainingState, atoms: Atoms, elf: Float[Array, "nx ny nz"], shape: Shape, settings: ElfSettings
) -> tuple[TrainingState, dict[str, Array]]:
    """The state after one step down the mean square error of one structure, and that error."""
    network, average = state.model
    square, gradient = jax.value_and_grad(_square_error)(network, atoms, elf, shape)
    # The standardisation of the inputs belongs to the data, not to what is learned.
    frozen = jnp.zeros_like(gradient.centre)
    gradient = eqx.tree_at(lambda g: (g.centre, g.scale), gradient, (frozen, frozen))
    updates, momentum = _optimiser(settings).update(gradient, state.momentum)
    updates = jax.tree.map(lambda update: 0.5**state.rollbacks * update, updates)
    network = eqx.apply_updates(network, updates)
    keep = jnp.minimum(settings.weight_average, (1 + state.step) / (10 + state.step))
    average = jax.tree.map(lambda old, new: keep * old + (1 - keep) * new, average, network)
    models = Networks(network, average)
    return TrainingState(models, None, momentum, state.step + 1, state.rollbacks), {"square_error": square}


def _optimiser(settings: ElfSettings) -> optax.GradientTransformation:
    schedule = optax.cosine_decay_schedule(settings.learning_rate, settings.steps)
    return optax.chain(optax.clip_by_global_norm(0.1), scale_by_soap(), optax.scale_by_learning_rate(schedule))


def _square_error(network: FieldNetwork, atoms: Atoms, elf: Float[Array, "nx ny nz"], shape: Shape) -> Float[Array, ""]:
    return jnp.mean((network.grid(atoms, shape).elf - elf) ** 2)
