"""Where particles live: a periodic cell or open space, and the displacements between them that a model may look at."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jovium.base.cell import Cell
from jovium.base.errors import InputError


@dataclass(frozen=True)
class Box:
    """A periodic cell, or open space of `dimensions` when vectors is None.

    vectors: reduced lattice vectors in rows (bohr), as tuples: a box is part of what a compiled program is compiled
    for. reach: pairs farther apart (bohr) do not see each other; in a cell no farther than the nearest image alone is
    enough. waves end at largest_wave (1/bohr).
    """

    vectors: tuple[tuple[float, ...], ...] | None
    dimensions: int
    reach: float
    largest_wave: float = 0.0

    def __post_init__(self):
        if not (np.isfinite(self.reach) and self.reach > 0 and self.largest_wave >= 0):
            got = f"a reach of {self.reach} bohr, waves up to {self.largest_wave} / bohr"
            raise InputError(got, "a positive reach", "give a length in bohr")

    @classmethod
    def periodic(cls, cell: Cell, largest_wave: float) -> "Box":
        """A cell. The reach is half the smallest height of the reduced cell: any closer pair is found by rounding."""
        reach = float(Cell(cell.reduced).heights.min() / 2)
        return cls(tuple(map(tuple, cell.reduced.tolist())), 3, reach, largest_wave)

    @classmethod
    def open(cls, dimensions: int, reach: float) -> "Box":
        """Open space."""
        return cls(None, dimensions, reach)

    def displacements(
        self, ends: Float[Array | np.ndarray, "n d"], starts: Float[Array | np.ndarray, "m d"]
    ) -> Float[Array, "n m d"]:
        """r_i - s_j of two sets of positions, in a cell that of the nearest image for every pair within the reach."""
        displacements = jnp.asarray(ends)[:, None] - jnp.asarray(starts)
        return displacements if self.vectors is None else nearest_images(displacements, np.array(self.vectors))

    def periodic_displacements(
        self, ends: Float[Array | np.ndarray, "n d"], starts: Float[Array | np.ndarray, "m d"]
    ) -> tuple[Float[Array, "n m d"], Float[Array, "n m"]]:
        """Displacements r_i - s_j and the squares of their lengths; in a cell, functions of these without an edge.

        A fractional displacement f becomes the vector sum_a a sin(2 pi f_a) / 2 pi, and the square
        sum_ab a.b [sin sin + (1 - cos)(1 - cos)] / (2 pi)^2 (Cassella et al., Phys. Rev. Lett. 130, 036401 (2023)):
        displacement and distance where these are small, but as periodic and smooth as a wave."""
        displacements = jnp.asarray(ends)[:, None] - jnp.asarray(starts)
        if self.vectors is None:
            return displacements, jnp.sum(displacements**2, axis=-1)
        # Vectors divided by 2 pi: their inverse takes a displacement to its phases 2 pi f.
        vectors = np.array(self.vectors) / (2 * np.pi)
        phases = displacements @ jnp.asarray(np.linalg.inv(vectors), ends.dtype)
        vectors = jnp.asarray(vectors, ends.dtype)
        sines = jnp.sin(phases) @ vectors
        # The sines alone vanish half a cell away, where the cosines keep the distance positive.
        return sines, jnp.sum(sines**2, axis=-1) + jnp.sum(((1 - jnp.cos(phases)) @ vectors) ** 2, axis=-1)

    @property
    def largest_distance(self) -> float:
        """The largest periodic distance (bohr), at a corner of the cell."""
        corners = np.array(list(product((0, 1), repeat=3))) @ np.array(self.vectors) / np.pi
        return float(np.linalg.norm(corners, axis=1).max())

    @property
    def waves(self) -> Float[np.ndarray, "g d"]:
        """One of every pair of opposite reciprocal lattice vectors up to the largest wave."""
        return _waves(self)[0]

    @property
    def shells(self) -> np.ndarray:
        """For each wave the number of its length: waves of one length are one shell."""
        return _waves(self)[1]


def nearest_images(displacements: Float[Array, "*n d"], vectors: Float[np.ndarray, "d d"]) -> Float[Array, "*n d"]:
    """Displacements (bohr) with the whole cells in them taken off: the nearest image of any that has one closer than
    half the smallest height of the cell. Vectors in rows."""
    fractional = displacements @ jnp.asarray(np.linalg.inv(vectors), displacements.dtype)
    return (fractional - jnp.round(fractional)) @ jnp.asarray(vectors, displacements.dtype)


@lru_cache
def _waves(box: Box) -> tuple[np.ndarray, np.ndarray]:
    if box.vectors is None or box.largest_wave == 0:
        return np.zeros((0, box.dimensions)), np.zeros(0, int)
    waves = Cell(np.array(box.vectors)).waves(box.largest_wave)
    return waves, np.unique(np.round(np.linalg.norm(waves, axis=1), 6), return_inverse=True)[1]
