"""Losses of a flow: from configurations of the right distribution, or from the Hamiltonian they would follow.

From data, p is fitted to them: by maximum likelihood, -E_data[ln p], or by matching the velocity to straight paths
from the base density to the data (flow matching; Lipman et al., arXiv:2210.02747), which integrates nothing. From the
Hamiltonian, beta F = E_p[ln p + beta U] is minimised: its gradient follows the samples where forces are known
(pathwise), or weighs their scores d ln p / d theta with ln p + beta U where only energies are. Both minimise a distance
between the same two densities, in its two directions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, PRNGKeyArray

from jovium.base.errors import InputError
from jovium.optimise.natural_gradient import flatten, unflatten
from jovium.protons.flow import Flow, Sample, sample_batch
from jovium.training.devices import map_rows

SOFTENING_ONSET = 50.0
"""Energies by more kT than this above the median grow as their logarithm in a loss: particles that overlap
are driven apart without drowning everything else. What is measured is never softened."""

ROWS_AT_ONCE = 32
"""Configurations whose intermediate values are in memory at once."""

BetaEnergy = Callable[[Float[Array, "n d"]], Float[Array, ""]]


class Gradient(NamedTuple):
    """The gradient of a loss, its value, and the scores d ln p / d theta of the samples it came from (None where the
    loss gives none)."""

    gradient: Any
    value: Float[Array, ""]
    scores: Float[Array, "b p"] | None


@runtime_checkable
class Loss(Protocol):
    """What is minimised, differentiated with respect to the arrays of a flow; a random key draws the batch."""

    def __call__(self, flow: Flow, key: PRNGKeyArray, with_scores: bool) -> Gradient:
        """The gradient of a batch; with the scores of its samples where they are asked for."""
        ...


@dataclass(frozen=True, eq=False)
class VariationalFreeEnergy:
    """Minimise beta F = E_p[ln p + beta U] over `batch` fresh samples.

    pathwise: the gradient runs through the samples and the forces. Otherwise E[(w - mean w) d ln p / d theta], w = ln p
    + beta U, which needs energies alone; the mean is the control variate, without the sample itself. A `reference`
    energy whose forces are known and that follows beta U closely takes the noise of the weights: pathwise for the
    reference, scores for the difference."""

    beta_energy: BetaEnergy
    batch: int = 128
    pathwise: bool = True
    reference: BetaEnergy | None = None

    def __call__(self, flow: Flow, key: PRNGKeyArray, with_scores: bool = False) -> Gradient:
        """The gradient of beta F."""
        keys = jax.random.split(key, self.batch)
        smooth = self.beta_energy if self.pathwise else self.reference
        samples, gradient = self._pathwise_gradient(flow, keys, smooth)
        energies = soften_energies(map_rows(self.beta_energy, samples.positions, ROWS_AT_ONCE))
        work = samples.log_density + energies
        scores = sample_scores(flow, samples.positions) if with_scores or not self.pathwise else None
        if scores is not None and not self.pathwise:
            # What the pathwise part has not followed is weighed by scores: all of w, or the error of the reference.
            followed = (
                soften_energies(map_rows(smooth, samples.positions, ROWS_AT_ONCE)) if smooth else -samples.log_density
            )
            rest = energies - followed
            weights = (rest - rest.mean()) / (self.batch - 1)
            gradient = jax.tree.map(jnp.add, gradient, unflatten(gradient, weights @ scores))
        return Gradient(gradient, work.mean(), scores)

    def _pathwise_gradient(self, flow: Flow, keys: Key[Array, "b"], smooth: BetaEnergy | None) -> tuple[Sample, Any]:
        """Samples, and the gradient of mean(ln p + smooth energy) along them; zero without a smooth energy."""
        if smooth is None:
            zero = jax.tree.map(jnp.zeros_like, eqx.filter(flow, eqx.is_inexact_array))
            return jax.lax.map(flow.sample, keys, batch_size=ROWS_AT_ONCE), zero

        def work(flow: Flow, keys: Key[Array, "b"]) -> tuple[Float[Array, ""], Sample]:
            samples = jax.vmap(flow.sample)(keys)
            return jnp.sum(samples.log_density + soften_energies(jax.vmap(smooth)(samples.positions))), samples

        return _summed_gradient(work, flow, keys, self.batch)


@dataclass(frozen=True, eq=False)
class MaximumLikelihood:
    """Minimise -E_data[ln p] over batches of configurations (bohr)."""

    configurations: Float[np.ndarray, "m n d"]
    batch: int = 128

    def __post_init__(self):
        _check(self.configurations)

    def __call__(self, flow: Flow, key: PRNGKeyArray, with_scores: bool = False) -> Gradient:
        """The gradient of -E_data[ln p]."""
        chosen = jax.random.randint(key, (self.batch,), 0, len(self.configurations))
        data = jnp.asarray(self.configurations, jnp.float32)[chosen]

        def loss(flow: Flow, data: Float[Array, "b n d"]) -> tuple[Float[Array, ""], Float[Array, "b"]]:
            values = -jax.vmap(flow.log_density)(data)
            return jnp.sum(values), values

        values, gradient = _summed_gradient(loss, flow, data, self.batch)
        return Gradient(gradient, values.mean(), sample_scores(flow, data) if with_scores else None)


@dataclass(frozen=True, eq=False)
class FlowMatching:
    """Minimise E|v(x_t, t) - (x_1 - x_0)|^2, x_t = x_0 + t (x_1 - x_0), over pairs of latents and data (bohr) and their
    displacements x_1 - x_0; `jovium.protons.assignment` makes them short."""

    latents: Float[np.ndarray, "m n d"]
    displacements: Float[np.ndarray, "m n d"]
    batch: int = 256

    def __post_init__(self):
        _check(self.latents)
        _check(self.displacements)

    def __call__(self, flow: Flow, key: PRNGKeyArray, with_scores: bool = False) -> Gradient:
        """The gradient of the mean square deviation of the velocity."""
        pair_key, time_key = jax.random.split(key)
        chosen = jax.random.randint(pair_key, (self.batch,), 0, len(self.latents))
        starts, displacements = (jnp.asarray(rows, jnp.float32)[chosen] for rows in (self.latents, self.displacements))
        times = jax.random.uniform(time_key, (self.batch,))

        def loss(flow: Flow, batch: tuple[Array, ...]) -> tuple[Float[Array, ""], Float[Array, "b"]]:
            values = jax.vmap(lambda x, d, t: jnp.sum((flow.velocity(x + t * d, t).velocity - d) ** 2))(*batch)
            return jnp.sum(values), values

        values, gradient = _summed_gradient(loss, flow, (starts, displacements, times), self.batch)
        return Gradient(gradient, values.mean(), None)


def soften_energies(energies: Float[Array, "b"]) -> Float[Array, "b"]:
    """Energies, those far above the median by their logarithm; infinite ones by a large number without a slope."""
    top = jax.lax.stop_gradient(jnp.median(energies)) + SOFTENING_ONSET
    above = jnp.where(energies > top, jnp.minimum(energies, 1e30) - top, 0.0)
    return jnp.where(energies > top, top + jnp.log1p(above), energies)


def sample_scores(flow: Flow, positions: Float[Array, "b n d"]) -> Float[Array, "b p"]:
    """d ln p(x) / d theta of every configuration x held fixed, parameters in one row."""

    def score(x: Float[Array, "n d"]) -> Float[Array, "p"]:
        return flatten(eqx.filter_grad(lambda flow: flow.log_density(x))(flow))

    return map_rows(score, positions, ROWS_AT_ONCE)


def integration_error(flow: Flow, key: PRNGKeyArray, batch: int) -> Float[Array, ""]:
    """ln p as integrated minus the same with twice as many steps, from the same starts: the median, since the error is
    nearly the same for all samples."""
    coarse, fine = (sample_batch(f, key, batch).log_density for f in (flow, flow.with_steps(2 * flow.n_steps)))
    return jnp.median(coarse - fine)


def _summed_gradient(loss: Callable[..., Any], flow: Flow, rows: Any, batch: int) -> tuple[Any, Any]:
    """What `loss` gives beside its sum for all rows, and the gradient of its mean; ROWS_AT_ONCE rows at a time."""
    gradient = eqx.filter_grad(loss, has_aux=True)
    if batch <= ROWS_AT_ONCE:
        total, values = gradient(flow, rows)
        return values, jax.tree.map(lambda leaf: leaf / batch, total)
    if batch % ROWS_AT_ONCE:
        next_multiple = ROWS_AT_ONCE * (batch // ROWS_AT_ONCE + 1)
        raise InputError(f"a batch of {batch}", f"at most {ROWS_AT_ONCE} or a multiple of it", f"take {next_multiple}")
    chunks = jax.tree.map(lambda row: row.reshape(-1, ROWS_AT_ONCE, *row.shape[1:]), rows)
    parts, values = map_rows(lambda chunk: gradient(flow, chunk), chunks, None)
    total = jax.tree.map(lambda part: part.sum(axis=0), parts)
    values = jax.tree.map(lambda row: row.reshape(batch, *row.shape[2:]), values)
    return values, jax.tree.map(lambda leaf: leaf / batch, total)


def _check(configurations: Float[np.ndarray, "m n d"]) -> None:
    if configurations.ndim != 3 or not len(configurations) or not np.isfinite(configurations).all():
        bad = f"{np.count_nonzero(~np.isfinite(configurations))} coordinates not finite"
        got = f"configurations of shape {configurations.shape} with {bad}"
        raise InputError(got, "(m, n, d) finite numbers, m >= 1", "check where they come from")
