"""One step of a field network: least squares on the ELF of one structure."""

import functools
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from jovium.elf.network import Atoms, FieldNetwork, Scales
from jovium.elf.settings import ElfSettings
from jovium.elf.soap import scale_by_soap
from jovium.elf.spectrum import Shape
from jovium.training.loop import TrainingState


class Networks(NamedTuple):
    """The network as it is trained, and the running mean of its weights, which is what is evaluated."""

    network: FieldNetwork
    average: FieldNetwork


def untrained_network(settings: ElfSettings, inner: Scales | None = None, outer: Scales | None = None) -> FieldNetwork:
    """A network before training, by default without standardisation of its inputs."""
    return FieldNetwork(
        inner,
        outer,
        n_channels=settings.field_channels,
        n_vectors=settings.vector_channels,
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


def step(
    state: TrainingState, atoms: Atoms, elf: Float[Array, "nx ny nz"], inner: Shape, settings: ElfSettings
) -> tuple[TrainingState, dict[str, Array]]:
    """The state after one step down the mean square error of one structure, and that error. inner: grid of the hidden
    fields."""
    square, gradient = _gradient(state.model.network, atoms, elf, inner)
    return _descend(state, gradient, settings), {"square_error": square}


_compiled: set[Shape] = set()


def make_room_for(shape: Shape, at_once: int) -> None:
    """Forget the compiled steps of all other grids when one of a new grid would be too many."""
    if shape not in _compiled and len(_compiled) >= at_once:
        _gradient.clear_cache()  # pyright: ignore[reportAttributeAccessIssue]
        _compiled.clear()
    _compiled.add(shape)


@functools.partial(jax.jit, static_argnames="inner")  # for every grid; the rest of a step is compiled once
def _gradient(
    network: FieldNetwork, atoms: Atoms, elf: Float[Array, "nx ny nz"], inner: Shape
) -> tuple[Float[Array, ""], FieldNetwork]:
    square, gradient = jax.value_and_grad(_square_error)(network, atoms, elf, inner)
    # The scales of the inputs belong to the data, not to what is learned.
    frozen = jax.tree.map(jnp.zeros_like, (gradient.inner, gradient.outer))
    return square, eqx.tree_at(lambda g: (g.inner, g.outer), gradient, frozen)


@functools.partial(jax.jit, static_argnames="settings")
def _descend(state: TrainingState, gradient: Any, settings: ElfSettings) -> TrainingState:
    network, average = state.model
    updates, momentum = _optimiser(settings).update(gradient, state.momentum)
    updates = jax.tree.map(lambda update: 0.5**state.rollbacks * update, updates)
    network = eqx.apply_updates(network, updates)
    keep = jnp.minimum(settings.weight_average, (1 + state.step) / (10 + state.step))
    average = jax.tree.map(lambda old, new: keep * old + (1 - keep) * new, average, network)
    return TrainingState(Networks(network, average), None, momentum, state.step + 1, state.rollbacks)


def _optimiser(settings: ElfSettings) -> optax.GradientTransformation:
    schedule = optax.cosine_decay_schedule(settings.learning_rate, settings.steps)
    return optax.chain(optax.clip_by_global_norm(0.1), scale_by_soap(), optax.scale_by_learning_rate(schedule))


def _square_error(network: FieldNetwork, atoms: Atoms, elf: Float[Array, "nx ny nz"], inner: Shape) -> Float[Array, ""]:
    nx, ny, nz = elf.shape
    return jnp.mean((network.grid(atoms, (nx, ny, nz), inner).elf - elf) ** 2)
