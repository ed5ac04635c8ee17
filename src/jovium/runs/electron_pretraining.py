"""Pretraining: pair functions of a wave function made to resemble the density matrix of Hartree-Fock.

With orbitals phi_k of a closed shell, det phi_k(r_i) det phi_k(r_j) = det g for g(r, r') = sum_k phi_k(r) phi_k(r'):
the pair function of Hartree-Fock is its density matrix, and a regression on it needs no sampling of a determinant. The
other determinants of psi begin with a pair lifted to an empty orbital."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from jovium.electrons.jastrow import proton_cusp
from jovium.electrons.surroundings import pairs_of
from jovium.electrons.wave_function import WaveFunction
from jovium.reference.hartree_fock import density_matrices
from jovium.runs.electron_recipe import ElectronRecipe
from jovium.runs.electron_systems import ElectronSystem

SAMPLES, BATCH = 8192, 256
"""Configurations to learn from, and of one step."""


def pretrained(recipe: ElectronRecipe, system: ElectronSystem, psi: WaveFunction) -> WaveFunction:
    """psi with pair functions near those of Hartree-Fock; as it is in a periodic cell, where plane waves fill the Fermi
    sphere from the start, and for unpaired electrons."""
    if system.cell is not None or psi.n_up != psi.n_down or not recipe.pretraining:
        return psi
    rng = np.random.default_rng(recipe.seed)
    electrons = _around(system.protons, psi.n_electrons, rng)
    up, down = electrons[:, : psi.n_up], electrons[:, psi.n_up :]
    wanted = density_matrices(system.protons, up, down, recipe.determinants)
    return _fitted(psi, jnp.asarray(system.protons, float), electrons, wanted, recipe.pretraining, recipe.seed)


def _around(protons: Float[np.ndarray, "m 3"], n: int, rng: np.random.Generator) -> Float[np.ndarray, "b n 3"]:
    """Electrons around random protons, at distances of the hydrogen atom."""
    centres = protons[rng.integers(len(protons), size=(SAMPLES, n))]
    directions = rng.normal(size=(SAMPLES, n, 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    return centres + rng.gamma(3, 0.5, size=(SAMPLES, n, 1)) * directions


def _fitted(
    psi: WaveFunction, protons: Array, electrons: np.ndarray, wanted: np.ndarray, n_steps: int, seed: int
) -> WaveFunction:
    scale = np.sqrt(np.mean(wanted**2))
    data = jnp.asarray(electrons, float), jnp.asarray(wanted / scale, float)
    rule = optax.adam(optax.cosine_decay_schedule(1e-2, n_steps))

    def one(psi: WaveFunction, electrons: Array, wanted: Array) -> Array:
        pairs = pairs_of(psi.space, electrons, protons, psi.n_up, psi.surroundings.n_radial)
        seen = psi.surroundings(electrons, pairs)
        g = psi.pairing(protons, pairs, seen, psi.n_up, jnp.zeros(3), psi.field(protons))[0]
        cusps = jnp.sum(proton_cusp(pairs.r_ep), axis=1)
        whole = g * jnp.exp(cusps[: psi.n_up, None] + cusps[psi.n_up :])
        return jnp.mean((whole - wanted) ** 2)

    @eqx.filter_jit
    def step(psi: WaveFunction, state: optax.OptState, key: Array) -> tuple[WaveFunction, optax.OptState, Array]:
        chosen = jax.random.randint(key, (BATCH,), 0, SAMPLES)
        loss = lambda psi: jnp.mean(jax.vmap(one, (None, 0, 0))(psi, data[0][chosen], data[1][chosen]))  # noqa: E731
        value, gradient = eqx.filter_value_and_grad(loss)(psi)
        change, state = rule.update(gradient, state)
        return eqx.apply_updates(psi, change), state, value

    state, key = rule.init(eqx.filter(psi, eqx.is_inexact_array)), jax.random.key(seed)
    for number in range(n_steps):
        psi, state, _ = step(psi, state, jax.random.fold_in(key, number))
    return psi
