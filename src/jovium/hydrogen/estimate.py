"""Energies of protons and electrons together, and what the wave function learns from them.

F = E_p[kT ln p(R) + E(R)], E(R) the mean local energy of psi among protons R. The wave function follows the covariance
of local energy and score among the electrons of each R, whose mean is taken off R by R; the flow follows E(R) as fitted
in `jovium.hydrogen.surface`."""

from typing import Any

import jax
from jaxtyping import Array, Float, Num

from jovium.coulomb.hydrogen import HydrogenPotential
from jovium.electrons.wave_function import WaveFunction
from jovium.energy import local
from jovium.energy.local import CHUNK, LocalEnergy, clipped, rows
from jovium.hydrogen.walkers import Walkers


def local_energies(
    psi: WaveFunction, potential: HydrogenPotential, walkers: Walkers, twists: Float[Array, "b 3"]
) -> LocalEnergy:
    """Parts of the local energy (hartree), (b, m)."""

    def one(group: tuple[Array, ...]) -> LocalEnergy:
        electrons, protons, twist = group
        field = psi.field(protons, twist)
        return local.local_energies(
            lambda model, x, r: model.log_psi(x, r, twist, field), psi, potential, electrons, protons
        )

    return _over_protons(one, walkers, twists)


def wave_scores(psi: WaveFunction, walkers: Walkers, twists: Float[Array, "b 3"]) -> Num[Array, "b m p"]:
    """d ln psi / d theta, all parameters in one row."""

    def one(group: tuple[Array, ...]) -> Num[Array, "m p"]:
        electrons, protons, twist = group
        return local.scores(lambda model, x, r: model.log_psi(x, r, twist), psi, electrons, protons)

    return _over_protons(one, walkers, twists)


def electron_residuals(
    energies: Num[Array, "b m"], scores: Num[Array, "b m p"]
) -> tuple[Float[Array, "r"], Float[Array, "r p"]]:
    """Clipped local energies and scores less their means among each configuration of protons, as real rows."""
    kept = clipped((energies - energies.mean(axis=1, keepdims=True)).reshape(-1)).reshape(energies.shape)
    kept, scores = (values - values.mean(axis=1, keepdims=True) for values in (kept, scores))
    return rows(kept.reshape(-1)), rows(scores.reshape(-1, scores.shape[-1]))


def _over_protons(function: Any, walkers: Walkers, twists: Float[Array, "b 3"]) -> Any:
    size = max(1, CHUNK // walkers.electrons.shape[1])
    return jax.lax.map(function, (walkers.electrons, walkers.protons, twists), batch_size=size)
