"""Local energies E_loc = H psi / psi of samples of |psi|^2, in parts, and the scores of their gradient."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from jovium.coulomb.hydrogen import CoulombPotential
from jovium.electrons.kinetic import kinetic_energy
from jovium.optimise.natural_gradient import flatten

LogPsi = Callable[[Any, Float[Array, "n 3"], Float[Array, "m 3"]], Num[Array, ""]]
"""ln psi of a model at electrons and protons (bohr)."""

SAMPLES_PER_CHUNK = 8
"""Samples whose intermediate values are in memory at once."""


class LocalEnergy(NamedTuple):
    """Parts of the local energy (hartree); the kinetic part is complex where psi is."""

    kinetic: Num[Array, "*s"]
    pp: Float[Array, "*s"]
    ep: Float[Array, "*s"]
    ee: Float[Array, "*s"]

    @property
    def total(self) -> Num[Any, "*s"]:
        """The whole local energy."""
        return self.kinetic + self.pp + self.ep + self.ee


def local_energies(
    log_psi: LogPsi, model: Any, potential: CoulombPotential, electrons: Float[Array, "b n 3"], protons: Array
) -> LocalEnergy:
    """E_loc of every sample of electrons among the same protons; what depends on these alone is found once a chunk."""

    def local_energy(x: Array) -> LocalEnergy:
        return LocalEnergy(kinetic_energy(lambda x: log_psi(model, x, protons), x), *potential(x, protons))

    return _map_samples(local_energy, electrons)


def scores(
    log_psi: LogPsi, model: Any, electrons: Float[Array, "b n 3"], protons: Float[Array, "m 3"]
) -> Num[Array, "b p"]:
    """d ln psi / d theta of every sample, all parameters in one row."""
    arrays, rest = eqx.partition(model, eqx.is_inexact_array)

    def score(x: Array) -> Num[Array, "p"]:
        value, pull_back = jax.vjp(lambda arrays: log_psi(eqx.combine(arrays, rest), x, protons), arrays)
        row = flatten(pull_back(jnp.ones_like(value)))
        if not jnp.iscomplexobj(value):
            return row
        # The real part of -i ln psi is the imaginary part of ln psi.
        return row + 1j * flatten(pull_back(jnp.full_like(value, -1j)))

    return _map_samples(score, electrons)


def clip_energies(energies: Num[Array, "b"], widths: float = 5.0) -> Num[Array, "b"]:
    """Energies no farther from their median than `widths` mean deviations, real and imaginary parts alike: one sample
    near a node should not decide a step. What is reported is never clipped."""
    if jnp.iscomplexobj(energies):
        return clip_energies(energies.real, widths) + 1j * clip_energies(energies.imag, widths)
    median = jnp.median(energies)
    bound = widths * jnp.mean(jnp.abs(energies - median))
    return jnp.clip(energies, median - bound, median + bound)


def stack_real_imag(values: Num[Array, "b *s"]) -> Float[Array, "c *s"]:
    """Real values as they are, complex ones as real parts followed by imaginary parts."""
    return jnp.concatenate([values.real, values.imag]) if jnp.iscomplexobj(values) else values


def _map_samples(function: Callable[[Array], Any], electrons: Array) -> Any:
    """The function of every sample, SAMPLES_PER_CHUNK samples at a time."""
    return jax.lax.map(function, electrons, batch_size=min(SAMPLES_PER_CHUNK, len(electrons)))
