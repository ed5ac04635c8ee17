"""Teaching the field network: least squares on the ELF of one structure after the other."""

import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from jovium.base.errors import InputError
from jovium.elf.invariants import WIDTHS, n_invariants
from jovium.elf.network import Atoms, FieldNetwork, grid_invariants
from jovium.elf.prediction import predict_fields
from jovium.elf.samples import Sample
from jovium.elf.soap import scale_by_soap
from jovium.elf.spectrum import Shape
from jovium.training import checkpoint


@dataclass(frozen=True)
class ElfSettings:
    """How a network is trained. steps: structures shown, one per step; learning_rate: of SOAP, falling to zero along a
    cosine; average: share of the running mean of the weights kept per step, the mean is what is evaluated. The rest
    is the form of the network, see `FieldNetwork`. Raises InputError for a form or rate that is none."""

    steps: int = 20000
    learning_rate: float = 1e-2
    average: float = 0.999
    seed: int = 0
    n_channels: int = 24
    n_hidden: int = 48
    n_layers: int = 2
    n_widths: int = len(WIDTHS)

    def __post_init__(self):
        positive = min(self.steps, self.n_channels, self.n_hidden, self.n_widths) >= 1 and self.n_layers >= 0
        if not positive or self.n_widths > len(WIDTHS) or not 0 < self.learning_rate < 1:
            widths = f"at most {len(WIDTHS)} widths"
            raise InputError(f"{self}", f"positive numbers, {widths}, a learning rate below 1", "check the recipe")


class State(NamedTuple):
    """Everything training continues from."""

    network: FieldNetwork
    average: FieldNetwork
    optimiser: Any
    step: Array


@dataclass(frozen=True)
class Progress:
    """Where training is: RMSE of the ELF over the structures since the last report, and over the validation set with
    the averaged weights."""

    step: int
    rmse: float
    validation_rmse: float
    seconds: float


def standardisation(
    samples: Sequence[Sample], n_widths: int, every: int = 41
) -> tuple[Float[Array, "f"], Float[Array, "f"]]:
    """Mean and standard deviation of the invariants over some points of some samples."""
    columns = []
    for sample in samples[:: max(1, len(samples) // 40)]:
        found = grid_invariants(sample.atoms, sample.shape, n_widths)
        columns.append(found.reshape(len(found), -1)[:, ::every])
    values = jnp.concatenate(columns, axis=1)
    return values.mean(axis=1), values.std(axis=1)


def untrained(
    recipe: ElfSettings, centre: Float[Array, "f"] | None = None, scale: Float[Array, "f"] | None = None
) -> State:
    """The state before the first step, by default without standardisation of the inputs."""
    network = FieldNetwork(
        jnp.zeros(n_invariants(recipe.n_widths)) if centre is None else centre,
        jnp.ones(n_invariants(recipe.n_widths)) if scale is None else scale,
        n_channels=recipe.n_channels,
        n_hidden=recipe.n_hidden,
        n_layers=recipe.n_layers,
        n_widths=recipe.n_widths,
        key=jax.random.key(recipe.seed),
    )
    return State(network, network, _optimiser(recipe).init(eqx.filter(network, eqx.is_array)), jnp.zeros((), jnp.int32))


def state_form(recipe: ElfSettings) -> State:
    """Names, shapes and types of a state, to load one into; nothing is computed."""
    return eqx.filter_eval_shape(untrained, recipe)


def train(
    training: Sequence[Sample],
    validation: Sequence[Sample],
    recipe: ElfSettings,
    path: Path,
    *,
    every: int = 500,
    start: FieldNetwork | None = None,
) -> Iterator[Progress]:
    """Train, or continue the training saved at `path`; one report, and one save, per `every` steps. start: weights of
    the same form to begin with, in place of random ones.

    The order of the samples depends on the seed and the step alone, so a run that was killed and repeated is the run
    that was not. Raises InputError without samples, FormatError when `path` holds another network.
    """
    if not training or not validation:
        raise InputError("no samples", "at least one to train and one to validate with", "check the splits")
    facts = {"recipe": asdict(recipe)}
    if path.exists():
        if checkpoint.read_facts(path)["recipe"] != facts["recipe"]:
            raise InputError(f"{path} was trained by another recipe", "the same recipe", "give another folder")
        state = checkpoint.load(path, state_form(recipe))
    else:
        state = untrained(recipe, *standardisation(training, recipe.n_widths))
        if start is not None:
            state = state._replace(network=start, average=start)
    started, squares = time.monotonic(), []
    while int(state.step) < recipe.steps:
        sample = training[_order(len(training), recipe.seed, int(state.step))]
        state, square = _step(state, sample.atoms, jnp.asarray(sample.elf), sample.shape, recipe)
        squares.append(square)
        step = int(state.step)
        if step % every == 0 or step == recipe.steps:
            checkpoint.save(path, state, facts)
            rmse = float(np.sqrt(np.mean(np.array(squares))))
            yield Progress(step, rmse, validation_rmse(state.average, validation), time.monotonic() - started)
            squares = []


def validation_rmse(network: FieldNetwork, samples: Sequence[Sample]) -> float:
    """RMSE of the ELF over all grid points of the samples, every sample with the same weight."""
    fields = [predict_fields(network, s.structure, s.shape)[0].values - s.elf for s in samples]
    return float(np.sqrt(np.mean([np.mean(field**2) for field in fields])))


def _order(n: int, seed: int, step: int) -> int:
    epoch, place = divmod(step, n)
    return int(np.random.default_rng([seed, epoch]).permutation(n)[place])


def _optimiser(recipe: ElfSettings) -> optax.GradientTransformation:
    schedule = optax.cosine_decay_schedule(recipe.learning_rate, recipe.steps)
    return optax.chain(optax.clip_by_global_norm(0.1), scale_by_soap(), optax.scale_by_learning_rate(schedule))


def _square_error(network: FieldNetwork, atoms: Atoms, elf: Float[Array, "nx ny nz"], shape: Shape) -> Float[Array, ""]:
    return jnp.mean((network.grid(atoms, shape).elf - elf) ** 2)


@functools.partial(jax.jit, static_argnames=("shape", "recipe"))
def _step(
    state: State, atoms: Atoms, elf: Float[Array, "nx ny nz"], shape: Shape, recipe: ElfSettings
) -> tuple[State, Float[Array, ""]]:
    square, gradient = jax.value_and_grad(_square_error)(state.network, atoms, elf, shape)
    # The standardisation of the inputs belongs to the data, not to what is learned.
    frozen = jnp.zeros_like(gradient.centre)
    gradient = eqx.tree_at(lambda g: (g.centre, g.scale), gradient, (frozen, frozen))
    updates, optimiser = _optimiser(recipe).update(gradient, state.optimiser)
    network = eqx.apply_updates(state.network, updates)
    keep = jnp.minimum(recipe.average, (1 + state.step) / (10 + state.step))
    average = jax.tree.map(lambda old, new: keep * old + (1 - keep) * new, state.average, network)
    return State(network, average, optimiser, state.step + 1), square
