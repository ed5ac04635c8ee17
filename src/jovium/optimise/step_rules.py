"""Step rules behind one interface: what becomes of parameters, given a gradient."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from jovium.optimise.natural_gradient import (
    clip_direction,
    flatten,
    natural_direction,
    sample_space_direction,
    unflatten,
)


@runtime_checkable
class StepRule(Protocol):
    """Parameters after parameters. `lr_scale` multiplies the learning rate of one step, as a schedule has it."""

    @property
    def needs_scores(self) -> bool:
        """Whether `step` wants the scores of the samples."""
        ...

    def start(self, model: Any) -> Any:
        """The state before the first step."""
        ...

    def step(
        self, model: Any, state: Any, gradient: Any, scores: Float[Array, "b p"] | None, lr_scale: Float[Array, ""]
    ) -> tuple[Any, Any]:
        """The model and the state after one step."""
        ...


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba, arXiv:1412.6980), the gradient shortened to `max_gradient_norm` where it is longer."""

    rate: float
    max_gradient_norm: float = 20.0
    needs_scores = False

    def start(self, model: Any) -> Any:
        """Means of gradients that are zero."""
        return self._rule().init(eqx.filter(model, eqx.is_inexact_array))

    def step(
        self, model: Any, state: Any, gradient: Any, scores: Float[Array, "b p"] | None, lr_scale: Float[Array, ""]
    ) -> tuple[Any, Any]:
        """One step down the gradient."""
        change, state = self._rule().update(gradient, state)
        return eqx.apply_updates(model, _scale(change, -self.rate * lr_scale)), state

    def _rule(self) -> optax.GradientTransformation:
        return optax.chain(optax.clip_by_global_norm(self.max_gradient_norm), optax.scale_by_adam())


@dataclass(frozen=True)
class Natural:
    """The natural gradient with a step that moves the distribution by at most `max_norm` (the square root of twice the
    Kullback-Leibler divergence); `momentum` times the last direction where samples say nothing."""

    rate: float
    relative_damping: float = 1e-2
    max_norm: float = 0.1
    momentum: float = 0.9
    needs_scores = True

    def start(self, model: Any) -> Any:
        """No last direction."""
        return jnp.zeros_like(flatten(eqx.filter(model, eqx.is_inexact_array)))

    def step(
        self, model: Any, state: Any, gradient: Any, scores: Float[Array, "b p"] | None, lr_scale: Float[Array, ""]
    ) -> tuple[Any, Any]:
        """One step against the natural gradient."""
        assert scores is not None
        direction = natural_direction(scores, flatten(gradient), self.relative_damping, self.momentum * state)
        row = lr_scale * clip_direction(self.rate * direction, scores, self.max_norm)
        return eqx.apply_updates(model, _scale(unflatten(gradient, row), -1.0)), direction


@dataclass(frozen=True)
class NaturalEnergy:
    """The natural gradient of an energy, solved in the space of samples, with `momentum` times the last direction
    (SPRING, Goldshlager, Abrahamsen and Lin, arXiv:2401.10190). A step moves the distribution by at most `max_norm`.
    Damping here is absolute, that of `Natural` relative."""

    rate: float
    damping: float = 1e-3
    max_norm: float = 0.1
    momentum: float = 0.95

    def step(
        self, model: Any, last: Array, scores: Float[Array, "b p"], residuals: Float[Array, "b"], lr_scale: Array
    ) -> tuple[Any, Float[Array, "p"]]:
        """The model and the direction after one step: scores and residuals centred, in real rows."""
        direction = sample_space_direction(scores, residuals, self.damping, self.momentum * last)
        row = clip_direction(lr_scale * self.rate * direction, scores, self.max_norm)
        arrays = eqx.filter(model, eqx.is_inexact_array)
        return eqx.apply_updates(model, _scale(unflatten(arrays, row), -1.0)), direction


def _scale(tree: Any, factor: Any) -> Any:
    return jax.tree.map(lambda leaf: factor * leaf, tree)
