"""Step rules behind one interface: what becomes of parameters, given what a lesson found."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from jovium.optimise.natural_gradient import (
    bounded,
    flatten,
    natural_direction,
    sample_space_direction,
    unflatten,
)


@runtime_checkable
class StepRule(Protocol):
    """Parameters after parameters. `strength` multiplies the rate of one step: how far a schedule has come down."""

    @property
    def needs_scores(self) -> bool:
        """Whether `step` wants the scores of the samples."""
        ...

    def start(self, model: Any) -> Any:
        """The state before the first step."""
        ...

    def step(
        self, model: Any, state: Any, gradient: Any, scores: Float[Array, "b p"] | None, strength: Float[Array, ""]
    ) -> tuple[Any, Any]:
        """The model and the state after one step."""
        ...


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba, arXiv:1412.6980), the gradient shortened to `longest` where it is longer."""

    rate: float
    longest: float = 20.0

    @property
    def needs_scores(self) -> bool:
        """The gradient alone is enough."""
        return False

    def start(self, model: Any) -> Any:
        """Means of gradients that are zero."""
        return self._rule().init(eqx.filter(model, eqx.is_inexact_array))

    def step(
        self, model: Any, state: Any, gradient: Any, scores: Float[Array, "b p"] | None, strength: Float[Array, ""]
    ) -> tuple[Any, Any]:
        """One step down the gradient."""
        change, state = self._rule().update(gradient, state)
        return eqx.apply_updates(model, _scaled(change, -self.rate * strength)), state

    def _rule(self) -> optax.GradientTransformation:
        return optax.chain(optax.clip_by_global_norm(self.longest), optax.scale_by_adam())


@dataclass(frozen=True)
class Natural:
    """The natural gradient with a step that moves the distribution by at most `largest` (the square root of twice the
    Kullback-Leibler divergence); `keep` of the last direction where samples say nothing."""

    rate: float
    damping: float = 1e-2
    largest: float = 0.1
    keep: float = 0.9

    @property
    def needs_scores(self) -> bool:
        """They are its metric."""
        return True

    def start(self, model: Any) -> Any:
        """No last direction."""
        return jnp.zeros_like(flatten(eqx.filter(model, eqx.is_inexact_array)))

    def step(
        self, model: Any, state: Any, gradient: Any, scores: Float[Array, "b p"] | None, strength: Float[Array, ""]
    ) -> tuple[Any, Any]:
        """One step against the natural gradient."""
        assert scores is not None
        direction = natural_direction(scores, flatten(gradient), self.damping, self.keep * state)
        row = strength * bounded(self.rate * direction, scores, self.largest)
        return eqx.apply_updates(model, _scaled(unflatten(gradient, row), -1.0)), direction


@dataclass(frozen=True)
class NaturalEnergy:
    """The natural gradient of an energy, solved in the space of samples, with a part `keep` of the last direction
    (SPRING, Goldshlager, Abrahamsen and Lin, arXiv:2401.10190). A step moves the distribution by at most `largest`."""

    rate: float
    damping: float = 1e-3
    largest: float = 0.1
    keep: float = 0.95

    def step(
        self,
        model: Any,
        last: Float[Array, "p"],
        scores: Float[Array, "b p"],
        residuals: Float[Array, "b"],
        strength: Float[Array, ""],
    ) -> tuple[Any, Float[Array, "p"]]:
        """The model and the direction after one step: scores and residuals centred, in real rows."""
        direction = sample_space_direction(scores, residuals, self.damping, self.keep * last)
        row = bounded(strength * self.rate * direction, scores, self.largest)
        arrays = eqx.filter(model, eqx.is_inexact_array)
        return eqx.apply_updates(model, _scaled(unflatten(arrays, row), -1.0)), direction


def _scaled(tree: Any, factor: Any) -> Any:
    return jax.tree.map(lambda leaf: factor * leaf, tree)
