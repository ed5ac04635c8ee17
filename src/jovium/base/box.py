"""Where particles live: a periodic cell or open space, and the differences between them that a model may look at."""

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

    vectors: reduced lattice vectors in rows (bohr), as tuples: a space is part of what a compiled program is compiled
    for. reach: pairs farther apart (bohr) do not see each other; in a cell no farther than the nearest image alone is
    enough. waves end at largest_wave (1/bohr).
    """

    vectors: tuple[tuple[float, ...], ...] | None
    dimensions: int
    reach: float
    largest_wave: float = 0.0

    def __post_init__(self):
        if not (np.isfinite(self.reach) and self.reach > 0 and self.largest_wave >= 0):
            raise InputError(f"{self}", "a positive reach", "give a length in bohr")

    @classmethod
    def periodic(cls, cell: Cell, largest_wave: float) -> "Box":
        """A cell. The reach is half the smallest height of the reduced cell: any closer pair is found by rounding."""
        heights = 1 / np.linalg.norm(np.linalg.inv(cell.reduced), axis=0)
        return cls(tuple(map(tuple, cell.reduced.tolist())), 3, float(heights.min() / 2), largest_wave)

    @classmethod
    def open(cls, dimensions: int, reach: float) -> "Box":
        """Open space."""
        return cls(None, dimensions, reach)

    def differences(self, positions: Float[Array, "n d"]) -> Float[Array, "n n d"]:
        """r_i - r_j, in a cell that of the nearest image for every pair within the reach."""
        return self.between(positions, positions)

    def between(
        self, one: Float[Array | np.ndarray, "n d"], other: Float[Array | np.ndarray, "m d"]
    ) -> Float[Array, "n m d"]:
        """r_i - s_j of two sets of positions, likewise."""
        between = jnp.asarray(one)[:, None] - jnp.asarray(other)
        if self.vectors is None:
            return between
        vectors = np.array(self.vectors)
        fractional = between @ jnp.asarray(np.linalg.inv(vectors), one.dtype)
        return (fractional - jnp.round(fractional)) @ jnp.asarray(vectors, one.dtype)

    def periodic_displacements(
        self, one: Float[Array | np.ndarray, "n d"], other: Float[Array | np.ndarray, "m d"]
    ) -> tuple[Float[Array, "n m d"], Float[Array, "n m"]]:
        """Differences r_i - s_j and the squares of their lengths; in a cell, functions of these without an edge.

        A fractional difference f becomes the vector sum_a a sin(2 pi f_a) / 2 pi, and the square
        sum_ab a.b [sin sin + (1 - cos)(1 - cos)] / (2 pi)^2 (Cassella et al., Phys. Rev. Lett. 130, 036401 (2023)):
        difference and distance where these are small, but as periodic and smooth as a wave."""
        if self.vectors is None:
            between = jnp.asarray(one)[:, None] - jnp.asarray(other)
            return between, jnp.sum(between**2, axis=-1)
        vectors = np.array(self.vectors) / (2 * np.pi)
        angles = (jnp.asarray(one)[:, None] - jnp.asarray(other)) @ jnp.asarray(np.linalg.inv(vectors), one.dtype)
        vectors = jnp.asarray(vectors, one.dtype)
        between = jnp.sin(angles) @ vectors
        return between, jnp.sum(between**2, axis=-1) + jnp.sum(((1 - jnp.cos(angles)) @ vectors) ** 2, axis=-1)

    @property
    def farthest(self) -> float:
        """The largest smooth distance (bohr), at a corner of the cell."""
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


@lru_cache
def _waves(space: Box) -> tuple[np.ndarray, np.ndarray]:
    if space.vectors is None or space.largest_wave == 0:
        return np.zeros((0, space.dimensions)), np.zeros(0, int)
    waves = Cell(np.array(space.vectors)).waves(space.largest_wave)
    return waves, np.unique(np.round(np.linalg.norm(waves, axis=1), 6), return_inverse=True)[1]
