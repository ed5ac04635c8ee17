"""A flow fitted in memory, to a Hamiltonian or to data."""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jovium.base.cell import Cell
from jovium.base.errors import InputError, JoviumError
from jovium.optimise.step_rules import Adam, Natural
from jovium.protons.data import assign_sites, flow_matching_loss
from jovium.protons.flow import Flow, sample_batch
from jovium.protons.losses import ROWS_AT_ONCE, Loss, MaximumLikelihood, VariationalFreeEnergy, integration_error
from jovium.protons.measurement import ProtonMeasurement, draw_samples, measure
from jovium.protons.systems import fluid_flow, gaussian_flow
from jovium.protons.targets import Target
from jovium.training.devices import single_precision


@dataclass(frozen=True, eq=False)
class FittedFlow:
    """A trained flow, the values of every loss step by step, and the target where there was one."""

    flow: Flow
    losses: dict[str, Float[np.ndarray, "s"]]
    target: Target | None = None

    @single_precision()
    def sample(self, n: int, seed: int = 0) -> Float[np.ndarray, "m n d"]:
        """n independent configurations (bohr), not wrapped into a cell."""
        return np.asarray(eqx.filter_jit(sample_batch)(self.flow, jax.random.key(seed), n).positions)

    @single_precision()
    def log_prob(self, positions: Float[np.ndarray, "m n d"]) -> Float[np.ndarray, "m"]:
        """ln p of configurations (bohr) of labelled particles."""
        return np.asarray(_log_density(self.flow, jnp.asarray(positions, jnp.float32)))

    @single_precision()
    def measure(self, n_samples: int = 4096, seed: int = 1) -> ProtonMeasurement:
        """Free energy of the target, bound and reweighted, energy and g(r), integrated in twice the steps of training.
        Raises InputError where there is no target."""
        if self.target is None:
            raise InputError("a flow fitted to data alone", "a target with an energy", "give fit_flow a target")
        flow = self.flow.with_steps(2 * self.flow.n_steps)
        return measure(draw_samples(flow, self.target, n_samples, seed), self.target, flow)


@eqx.filter_jit
def _log_density(flow: Flow, positions: Float[Array, "m n d"]) -> Float[Array, "m"]:
    return jax.lax.map(flow.log_density, positions, batch_size=ROWS_AT_ONCE)


@single_precision()
def fit_flow(
    target: Target | None = None,
    data: Float[np.ndarray, "m n d"] | None = None,
    *,
    cell: Cell | None = None,
    flow: Flow | None = None,
    n_steps: int = 400,
    likelihood_steps: int = 0,
    batch_size: int = 128,
    learning_rate: float | None = None,
    optimiser: str = "adam",
    ode_steps: int = 6,
    seed: int = 0,
    **sizes: Any,
) -> FittedFlow:
    """A flow p fitted to configurations `data` (bohr), to exp(-beta U) of a `target`, or to one after the other.

    From data: n_steps of flow matching, then likelihood_steps of maximum likelihood. From a target: n_steps down
    beta F = E_p[ln p + beta U]. Training begins with `flow`; without it with particles anywhere in the cell (of the
    target, or `cell`), in open space with a Gaussian as wide as the data, and a velocity of `sizes` (n_knots, n_radial,
    n_channels) in ode_steps Runge-Kutta steps. The learning rate falls to zero along a cosine in each loss; optimiser:
    "adam" (4e-3), or "natural" (0.2; Adam for flow matching). Raises InputError where neither target nor data is given
    or no flow follows from them, JoviumError for a loss that is not finite or too few ode_steps.

    >>> fitted = fit_flow(OneComponentPlasma(2, 2.0), n_steps=100)
    >>> fitted.measure().free_energy.reweighted  # beta F - beta F_ideal of both charges
    """
    if (target is None and data is None) or optimiser not in ("adam", "natural"):
        raise InputError(f"neither target nor data, or optimiser {optimiser}", "one of them, adam or natural", "check")
    cell = cell if target is None else target.cell
    if flow is None and cell is not None:
        n = target.n_particles if target is not None else np.shape(np.asarray(data))[1]
        flow = fluid_flow(cell, n, ode_steps, seed, **sizes)
    elif flow is None:
        flow = gaussian_flow(data, ode_steps, seed, **sizes)
    rule = Natural(learning_rate or 0.2) if optimiser == "natural" else Adam(learning_rate or 4e-3)
    losses = {}
    if data is not None:
        data = assign_sites(flow, data, cell)
        matching = flow_matching_loss(flow, data, cell, 2 * batch_size, jax.random.key(seed + 1))
        flow, losses["flow_matching"] = _minimise(flow, matching, Adam(learning_rate or 4e-3, 1.0), n_steps, seed)
        likelihood = MaximumLikelihood(data, batch_size)
        flow, losses["maximum_likelihood"] = _minimise(flow, likelihood, rule, likelihood_steps, seed)
    if target is not None:
        energy = VariationalFreeEnergy(target.beta_energy, batch_size)
        flow, losses["variational_free_energy"] = _minimise(flow, energy, rule, n_steps, seed)
        error = abs(float(eqx.filter_jit(integration_error)(flow, jax.random.key(seed), 64))) / target.n_particles
        if not error < 0.01:  # a flow can lower the free energy by being integrated badly
            raise JoviumError(f"an integration error of {error:.2g} kT per particle", "0.01", "take more ode_steps")
    return FittedFlow(flow, losses, target)


def _minimise(flow: Flow, loss: Loss, rule: Adam | Natural, n_steps: int, seed: int) -> tuple[Flow, np.ndarray]:
    """The flow after n_steps of one loss, and its value in each."""

    @eqx.filter_jit
    def step(flow: Flow, state: Any, number: Array) -> tuple[Flow, Any, Array]:
        result = loss(flow, jax.random.fold_in(jax.random.key(seed), number), rule.needs_scores)
        lr_scale = 0.5 * (1 + jnp.cos(jnp.pi * number / n_steps))
        return *rule.step(flow, state, result.gradient, result.scores, lr_scale), result.value

    state, values = rule.start(flow), []
    for number in range(n_steps):
        flow, state, value = step(flow, state, jnp.int32(number))
        values.append(float(value))
        if not np.isfinite(values[-1]):
            raise JoviumError(f"a loss of {value} in step {number}", "a finite loss", "take a lower learning rate")
    return flow, np.array(values)
