"""The energy of the protons as a smooth function, fitted to the local energies seen so far.

The local energy of a few electrons is many kT away from its mean, and a flow that follows it walks at random. A fit
to the energies of all steps so far knows the mean well, and has forces: the flow follows these instead. Only what the
flow follows is approximate; F, E, S and P are measured with the energies themselves."""

from itertools import product

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jovium.base.box import Box
from jovium.base.cell import Cell
from jovium.base.gaussians import gaussians
from jovium.coulomb.ewald import Ewald
from jovium.electrons.local_energy import clip_energies
from jovium.protons.base_density import BaseDensity

N_PAIR, N_NEIGHBOUR = 8, 5
"""Gaussians of the distance of a pair, and of those that the neighbours of a proton are described by."""

LARGEST_WAVE = 12.0
"""Waves down to 2 pi / LARGEST_WAVE of the spacing of the protons, V^(1/3) of each: a small cell is not isotropic, and
functions of a distance leave a kT of its energy that nine shells of waves explain."""

RIDGE = 1e-3
"""Of the mean square of a feature: those that the energies say nothing of stay small."""

MEMORY = 3.0
"""An energy of step s weighs like (s / t)^MEMORY at step t: wave function and flow have changed since."""


class Surface(eqx.Module):
    """E(R) = V_pp(R) + c . f(R), with f_k of pairs and of three and four protons, invariant and periodic:

    |S(G)|^2 summed over the waves G of one length, S(G) = sum_j exp(i G.R_j), and

    sum_i of rho_ia, rho_ia rho_ib, rho_ia rho_ib rho_ic, v_ia . v_ib and Q_ia : Q_ib, where rho, v, Q are the sums over
    neighbours j of g_a(r_ij) times 1, r_ij and r_ij r_ij^T (the first terms of Drautz, Phys. Rev. B 99, 014104 (2019)),
    differences and distances smooth on the torus. gram, moment: means of f f^T and f E, f with one more column for
    every length of a twist: what it adds to the energies of all protons is not theirs."""

    box: Box = eqx.field(static=True)
    mean: Float[Array, "q"]
    scale: Float[Array, "q"]
    gram: Float[Array, "p p"]
    moment: Float[Array, "p"]
    coefficients: Float[Array, "p"]

    @classmethod
    def of(cls, box: Box, base: BaseDensity, n_shells: int, key: PRNGKeyArray) -> "Surface":
        """V_pp alone, of energies at twists of so many lengths; features are measured from their mean in the base
        density, by their standard deviation."""
        protons = jax.vmap(base.sample)(jax.random.split(key, 512))
        cell = Cell(np.array(box.vectors))
        box = Box.periodic(cell, LARGEST_WAVE / (cell.volume / protons.shape[1]) ** (1 / 3))
        rows = jax.vmap(lambda x: _descriptors(box, x))(protons)
        size = 1 + rows.shape[1] + n_shells
        zeros = jnp.zeros(size, rows.dtype)
        return cls(box, rows.mean(axis=0), rows.std(axis=0) + 1e-6, jnp.zeros((size, size), rows.dtype), zeros, zeros)

    def __call__(self, protons: Float[Array, "n 3"]) -> Float[Array, ""]:
        """E (hartree) at positions in bohr."""
        ewald = Ewald.of(Cell(np.array(self.box.vectors)), len(protons), accuracy=1e-7)
        return ewald.energy(protons, jnp.ones(len(protons), protons.dtype)) + self.electronic(protons)

    def electronic(self, protons: Float[Array, "n 3"]) -> Float[Array, ""]:
        """E - V_pp (hartree), finite where protons meet."""
        features = self._features(protons)
        return features @ self.coefficients[: len(features)]

    def fit(
        self,
        protons: Float[Array, "b n 3"],
        electronic: Float[Array, "b"],
        shells: Float[np.ndarray | Array, "b k"],
        step: Float[Array, ""],
    ) -> "Surface":
        """With E - V_pp of more configurations, of step 0, 1, ..., by least squares. shells: 1 for the length of the
        twist of each, 0 for the others; all are as frequent here as in the average over twists."""
        columns = jnp.asarray(shells - shells.mean(axis=0), electronic.dtype)
        rows = jnp.concatenate([jax.vmap(self._features)(protons), columns], axis=1)
        guess = rows @ self.coefficients
        energies = guess + clip_energies(electronic - guess)
        # Means of f f^T and f E over all steps, the old ones fading by MEMORY.
        weight = (MEMORY + 1) / (step + MEMORY + 1)
        gram = (1 - weight) * self.gram + weight * rows.T @ rows / len(rows)
        moment = (1 - weight) * self.moment + weight * energies @ rows / len(rows)
        # The first feature is 1 and needs no ridge.
        ridge = RIDGE * jnp.mean(jnp.diag(gram)) * jnp.ones(len(gram)).at[0].set(0)
        coefficients = jnp.linalg.solve(gram + jnp.diag(ridge), moment)
        return Surface(self.box, self.mean, self.scale, gram, moment, coefficients)

    def _features(self, protons: Float[Array, "n 3"]) -> Float[Array, "p"]:
        return jnp.append(jnp.ones(1), (_descriptors(self.box, protons) - self.mean) / self.scale)


def _descriptors(box: Box, protons: Float[Array, "n 3"]) -> Float[Array, "q"]:
    displacements, squares = box.periodic_displacements(protons, protons)
    others = 1 - jnp.eye(len(protons), dtype=protons.dtype)
    distances = jnp.sqrt(squares + 1 - others)

    def radial(number: int) -> Float[Array, "n n k"]:
        centres = jnp.linspace(0, box.largest_distance, number, dtype=protons.dtype)
        return gaussians(distances, centres, centres[1] - centres[0]) * others[..., None]

    # Sums over the neighbours of each proton: density, vector and tensor.
    near = radial(N_NEIGHBOUR)
    rho = near.sum(axis=1)
    vectors = jnp.einsum("ija,ijx->iax", near, displacements)
    tensors = jnp.einsum("ija,ijx,ijy->iaxy", near, displacements, displacements)
    first, second = np.triu_indices(N_NEIGHBOUR)
    third = np.array([(a, b, c) for a, b, c in product(range(N_NEIGHBOUR), repeat=3) if a <= b <= c]).T
    # |S(G)|^2, the waves of one length together.
    phases = protons @ jnp.asarray(box.waves, protons.dtype).T
    squares = jnp.cos(phases).sum(axis=0) ** 2 + jnp.sin(phases).sum(axis=0) ** 2
    shells = jax.ops.segment_sum(squares, box.shells, int(box.shells.max(initial=-1)) + 1)
    return jnp.concatenate(
        [
            shells,
            radial(N_PAIR).sum(axis=(0, 1)),
            jnp.sum(rho[:, first] * rho[:, second], axis=0),
            jnp.sum(vectors[:, first] * vectors[:, second], axis=(0, 2)),
            jnp.sum(tensors[:, first] * tensors[:, second], axis=(0, 2, 3)),
            jnp.sum(rho[:, third[0]] * rho[:, third[1]] * rho[:, third[2]], axis=0),
        ]
    )
