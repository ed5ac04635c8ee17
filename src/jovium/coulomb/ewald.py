"""The Ewald sum: Coulomb energy of point charges in a periodic cell, any shape, with a neutralising background.

E = 1/2 sum_ij q_i q_j sum_R' erfc(a |r_ij + R|) / |r_ij + R|
    + (2 pi / V) sum_{G != 0} exp(-G^2 / 4 a^2) / G^2 |S(G)|^2
    - a / sqrt(pi) sum_i q_i^2  -  pi / (2 V a^2) (sum_i q_i)^2,     S(G) = sum_i q_i exp(-i G.r_i).

(P. P. Ewald, Ann. Phys. 369, 253 (1921); in this form e.g. Allen and Tildesley, Computer Simulation of Liquids, 6.3.)
The second sum is a matrix product of N by the number of waves, not of N^2. The result does not depend on a. Charges
enter by species, so every energy comes in parts: proton-proton, electron-proton, electron-electron.
"""

from dataclasses import dataclass
from itertools import product

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erfc
from jaxtyping import Array, Float

from jovium.base.box import nearest_images
from jovium.base.cell import Cell, lattice_points
from jovium.base.errors import InputError

ERFC_COST = 0.6
"""Cost of a distance in the first sum, an erfc, beside a phase in the second: where the splitting is cheapest."""


@dataclass(frozen=True)
class Ewald:
    """The two sums for one cell. splitting: a (1/bohr). images: lattice vectors R whose distances count. waves: half of
    all G, weights: 4 pi / V exp(-G^2 / 4 a^2) / G^2 with both halves counted. Energies are in hartree for charges in
    units of e and positions in bohr, in the precision of the positions."""

    cell: Cell
    splitting: float
    images: Float[np.ndarray, "r 3"]
    waves: Float[np.ndarray, "g 3"]
    weights: Float[np.ndarray, "g"]

    @classmethod
    def of(cls, cell: Cell, n_charges: int, accuracy: float = 1e-10, splitting: float | None = None) -> "Ewald":
        """Sums whose terms left out are smaller than `accuracy` times e^2 / bohr each, at the least cost for so many
        charges unless the splitting (1/bohr) is given. Raises InputError for numbers that make no sum."""
        if not (0 < accuracy < 1e-2 and n_charges >= 1):
            expected = "an accuracy between 0 and 0.01, one charge or more"
            raise InputError(f"accuracy {accuracy}, {n_charges} charges", expected, "1e-10 is the default")
        reach = np.sqrt(-np.log(accuracy))
        if splitting is None:
            # Real terms ~ n^2 4 pi (reach / a)^3 / 3 V, waves ~ n 4 pi (2 a reach)^3 / 3 / ((2 pi)^3 / V) / 2.
            splitting = float((2 * ERFC_COST * n_charges * np.pi**3 / cell.volume**2) ** (1 / 6))
        if not (np.isfinite(splitting) and splitting > 0):
            raise InputError(f"a splitting of {splitting} / bohr", "a positive number", "leave it out")
        diagonal = np.linalg.norm(np.array(list(product([-1, 1], repeat=3))) @ cell.vectors, axis=1).max()
        images = lattice_points(cell.vectors, reach / splitting + 0.5 * float(diagonal))
        waves = cell.waves(2 * splitting * reach)
        square = np.sum(waves**2, axis=1)
        weights = 8 * np.pi / cell.volume * np.exp(-square / (4 * splitting**2)) / square
        return cls(cell, splitting, images, waves, weights)

    def energy(self, positions: Float[Array, "n 3"], charges: Float[Array, "n"]) -> Float[Array, ""]:
        """Energy (hartree) of charges at Cartesian positions (bohr), with the background where they are not neutral."""
        distances, phases = self._distances(positions), self._phases(positions)
        # Smeared charges see each other as points less the potential of their clouds, erfc / r: short-ranged.
        close = self._close(distances, charges[:, None] * charges)
        # The clouds themselves, smooth, as waves: |S(G)|^2 from its cosine and sine parts.
        structure_factor = jnp.sum(charges[:, None, None] * phases, axis=0)
        far = jnp.sum(self._cast(self.weights, positions) * jnp.sum(structure_factor**2, axis=-1))
        # Taken off: every charge in its own cloud, and what erfc / r has at G = 0, which the background cancels.
        cloud, background = -2 * self.splitting / np.sqrt(np.pi), -np.pi / (self.cell.volume * self.splitting**2)
        own = float(cloud) * jnp.sum(charges**2) + float(background) * jnp.sum(charges) ** 2
        return 0.5 * (close + far + own)

    def parts(self, left: Float[Array, "n 3"], right: Float[Array, "m 3"]) -> tuple[Array, Array, Array]:
        """Energies of unit charges `left` among themselves, `left` with `right`, `right` among themselves: V_pp, -V_ep,
        V_ee of protons and electrons, each with its own background, which cancels in a neutral sum."""
        both = jnp.concatenate([left, right])
        whole, first, second = (self.energy(r, jnp.ones(len(r), left.dtype)) for r in (both, left, right))
        return first, whole - first - second, second

    def _distances(self, positions: Float[Array, "n 3"]) -> Float[Array, "n n r"]:
        """Distances of all pairs in all images; those of a charge to itself are replaced by infinity."""
        # Rounding leaves at most half a diagonal, by which `images` reach farther than the accuracy asks for.
        nearest = nearest_images(positions[:, None] - positions, self.cell.vectors)
        square = jnp.sum((nearest[:, :, None] + self._cast(self.images, positions)) ** 2, axis=-1)
        n = len(positions)
        itself = jnp.eye(n, dtype=bool)[:, :, None] & (np.abs(self.images).sum(axis=1) < 1e-9)
        return jnp.sqrt(jnp.where(itself, jnp.inf, square))

    def _close(self, distances: Float[Array, "n n r"], weights: Float[Array, "n n"]) -> Float[Array, ""]:
        # Infinity has a value, zero, but no gradient: it is replaced before and after.
        safe = jnp.where(jnp.isinf(distances), 1.0, distances)
        terms = jnp.where(jnp.isinf(distances), 0.0, erfc(self.splitting * safe) / safe)
        return jnp.sum(weights * jnp.sum(terms, axis=-1))

    def _phases(self, positions: Float[Array, "n 3"]) -> Float[Array, "n g 2"]:
        """cos and sin of G.r."""
        angle = positions @ self._cast(self.waves, positions).T
        return jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)

    @staticmethod
    def _cast(values: np.ndarray, like: Array) -> Array:
        return jnp.asarray(values, like.dtype)
