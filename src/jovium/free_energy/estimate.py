"""Energies of protons and electrons together, and what the wave function learns from them.

F = E_p[kT ln p(R) + E(R)], E(R) the mean local energy of psi among protons R. The wave function follows the covariance
of local energy and score among the electrons of each R, whose mean is taken off R by R; the flow follows E(R) as fitted
in `jovium.free_energy.surface`."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from jovium.coulomb.hydrogen import CoulombPotential
from jovium.electrons import local_energy
from jovium.electrons.local_energy import SAMPLES_PER_CHUNK, LocalEnergy, clip_energies, stack_real_imag
from jovium.electrons.wave_function import WaveFunction
from jovium.free_energy.walkers import Walkers
from jovium.training.devices import map_rows


def local_energies(
    psi: WaveFunction, potential: CoulombPotential, walkers: Walkers, twists: Float[Array, "b 3"]
) -> LocalEnergy:
    """Parts of the local energy (hartree), (b, m)."""

    def among_protons(group: tuple[Array, ...]) -> LocalEnergy:
        electrons, protons, twist = group
        mean_field = psi.mean_field(protons, twist)
        return local_energy.local_energies(
            lambda model, x, r: model.log_psi(x, r, twist, mean_field), psi, potential, electrons, protons
        )

    return _over_protons(among_protons, walkers, twists)


def wave_function_scores(psi: WaveFunction, walkers: Walkers, twists: Float[Array, "b 3"]) -> Num[Array, "b m p"]:
    """d ln psi / d theta, all parameters in one row."""

    def among_protons(group: tuple[Array, ...]) -> Num[Array, "m p"]:
        electrons, protons, twist = group
        return local_energy.scores(lambda model, x, r: model.log_psi(x, r, twist), psi, electrons, protons)

    return _over_protons(among_protons, walkers, twists)


def dilation_scores(
    smaller: WaveFunction, larger: WaveFunction, strain: float, walkers: Walkers, twists: Float[Array, "b 3"]
) -> Num[Array, "b m"]:
    """D = d ln psi / d ln edge when cell, protons, electrons and 1 / twist grow alike, parameters fixed, by the
    difference of psi in cells whose edges are shorter and longer by `strain`."""

    def among_protons(group: tuple[Array, ...]) -> Num[Array, "m"]:
        electrons, protons, twist = group

        def log_psi(psi: WaveFunction, scale: float) -> Num[Array, "m"]:
            scaled, wave = scale * protons, twist / scale
            mean_field = psi.mean_field(scaled, wave)
            return jax.vmap(lambda x: psi.log_psi(scale * x, scaled, wave, mean_field))(electrons)

        change = log_psi(larger, 1 + strain) - log_psi(smaller, 1 - strain)
        if jnp.iscomplexobj(change):
            # A phase is known up to a multiple of 2 pi.
            turns = jnp.round(change.imag / (2 * jnp.pi))
            change = change - 2j * jnp.pi * turns
        return change / (2 * strain)

    return _over_protons(among_protons, walkers, twists)


def pulay_term(energies: Num[Array, "b m"], dilations: Num[Array, "b m"]) -> Float[Array, "b"]:
    """2 Re Cov(E_loc, D) among the electrons of each configuration of protons (hartree): what dE / d ln edge of the
    variational energy has beside -(2 K + V), and 0 for an eigenstate (Pulay, Mol. Phys. 17, 197 (1969))."""
    energies, dilations = (values - values.mean(axis=1, keepdims=True) for values in (energies, dilations))
    return 2 * jnp.sum(jnp.real(jnp.conj(energies) * dilations), axis=1) / (energies.shape[1] - 1)


def electron_residuals(
    energies: Num[Array, "b m"], scores: Num[Array, "b m p"]
) -> tuple[Float[Array, "r"], Float[Array, "r p"]]:
    """Clipped local energies and scores less their means among each configuration of protons, as real rows."""
    clipped = clip_energies((energies - energies.mean(axis=1, keepdims=True)).reshape(-1)).reshape(energies.shape)
    clipped, scores = (values - values.mean(axis=1, keepdims=True) for values in (clipped, scores))
    return stack_real_imag(clipped.reshape(-1)), stack_real_imag(scores.reshape(-1, scores.shape[-1]))


def _over_protons(function: Any, walkers: Walkers, twists: Float[Array, "b 3"]) -> Any:
    size = max(1, SAMPLES_PER_CHUNK // walkers.electrons.shape[1])
    return map_rows(function, (walkers.electrons, walkers.protons, twists), size)
