"""The periodic box: three lattice vectors in rows, in bohr."""

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from jaxtyping import Float, Real

from jovium.base.errors import InputError, StructureError

LARGEST_GRID = 4e8
"""Points of the largest grid that is made: 3 GB of double precision."""

Vectors = Float[np.ndarray, "3 3"]
Points = Float[np.ndarray, "*n 3"]


@dataclass(frozen=True)
class Cell:
    """A periodic cell spanned by a, b, c, the rows of `vectors` (bohr); r = s @ vectors for fractional s.

    Raises StructureError when a component is not finite or the vectors span no volume. A left-handed set is
    accepted: only |det| enters.
    """

    vectors: Vectors

    def __post_init__(self):
        vectors = np.array(self.vectors, dtype=float)
        if vectors.shape != (3, 3) or not np.isfinite(vectors).all():
            raise StructureError(
                f"lattice vectors {vectors.tolist()}", "three finite vectors (rows), in bohr", "check the cell"
            )
        lengths = np.linalg.norm(vectors, axis=1)
        if abs(np.linalg.det(vectors)) <= 1e-8 * max(np.prod(lengths), 1e-300):
            raise StructureError(
                f"lattice vectors {vectors.tolist()} that span no volume",
                "three linearly independent lattice vectors",
                "give the structure a periodic cell (a molecule needs a box around it)",
            )
        vectors.setflags(write=False)
        object.__setattr__(self, "vectors", vectors)

    @classmethod
    def cubic(cls, n_atoms: int, rs: float) -> "Cell":
        """The cube with a volume of 4 pi rs^3 / 3 for each of n_atoms (rs: Wigner-Seitz radius, bohr)."""
        return cls(np.eye(3) * rs * (4 * np.pi * n_atoms / 3) ** (1 / 3))

    @cached_property
    def volume(self) -> float:
        """Volume |a . (b x c)| in bohr^3."""
        return float(abs(np.linalg.det(self.vectors)))

    @cached_property
    def reciprocal(self) -> Vectors:
        """Reciprocal lattice vectors in rows, a_i . b_j = 2 pi delta_ij, in 1/bohr."""
        return 2 * np.pi * np.linalg.inv(self.vectors).T

    @cached_property
    def lengths(self) -> Float[np.ndarray, "3"]:
        """|a|, |b|, |c| in bohr."""
        return np.linalg.norm(self.vectors, axis=1)

    @cached_property
    def heights(self) -> Float[np.ndarray, "3"]:
        """Distances between opposite faces, in bohr."""
        return _heights(self.vectors)

    def fractional(self, points: Points) -> Points:
        """Fractional coordinates s of Cartesian `points` (bohr): points = s @ vectors."""
        return np.asarray(points, dtype=float) @ np.linalg.inv(self.vectors)

    def cartesian(self, fractional_points: Real[np.ndarray, "*n 3"]) -> Points:
        """Cartesian coordinates (bohr) of fractional ones."""
        return np.asarray(fractional_points, dtype=float) @ self.vectors

    def wrap(self, points: Points) -> Points:
        """The images of `points` (bohr) inside the cell, fractional coordinates in [0, 1)."""
        fractional_points = self.fractional(points)
        wrapped = fractional_points - np.floor(fractional_points)
        # A coordinate of -1e-17 wraps to 1 - 1e-17, which rounds to 1.0: that is the point 0.
        wrapped[wrapped >= 1.0] = 0.0
        return self.cartesian(wrapped)

    @cached_property
    def reduced(self) -> Vectors:
        """Minkowski-reduced vectors (rows, bohr) of the same lattice: as short and as orthogonal as possible."""
        from ase.geometry import minkowski_reduce

        return np.asarray(minkowski_reduce(self.vectors, pbc=True)[0])

    def minimum_image(self, displacements: Points) -> Points:
        """The shortest periodic image of each displacement (bohr), exact for any triclinic cell.

        In a Minkowski-reduced basis the shortest image lies among the 27 neighbours of the wrapped displacement.
        """
        reduced = self.reduced
        fractional_part = np.asarray(displacements, dtype=float) @ np.linalg.inv(reduced)
        wrapped = (fractional_part - np.round(fractional_part)) @ reduced
        images = np.array(list(product((-1, 0, 1), repeat=3))) @ reduced
        candidates = wrapped[..., None, :] + images
        nearest = np.argmin(np.sum(candidates**2, axis=-1), axis=-1)
        return np.take_along_axis(candidates, nearest[..., None, None], axis=-2)[..., 0, :]

    def waves(self, largest: float) -> Float[np.ndarray, "g 3"]:
        """One of every pair of opposite reciprocal lattice vectors with 0 < |G| <= largest (1/bohr), Cartesian."""
        points = lattice_points(self.reciprocal, largest)
        x, y, z = np.round(points @ np.linalg.inv(self.reciprocal)).T
        return points[(x > 0) | ((x == 0) & ((y > 0) | ((y == 0) & (z > 0))))]

    def supercell(self, multiples: tuple[int, int, int]) -> "Cell":
        """The cell with its vectors multiplied by three positive integers."""
        return Cell(self.vectors * np.array(multiples)[:, None])

    def grid_shape(self, spacing: float) -> tuple[int, int, int]:
        """Smallest FFT-friendly grid (factors 2, 3, 5) whose point spacing along every axis is <= `spacing` (bohr).

        Raises InputError for a spacing that is not positive or gives more than LARGEST_GRID points.
        """
        from scipy.fft import next_fast_len

        if not (np.isfinite(spacing) and spacing > 0) or np.prod(self.lengths / spacing) > LARGEST_GRID:
            raise InputError(
                f"a grid spacing of {spacing:.3g} bohr in a cell of {self.volume:.3g} bohr^3",
                f"a positive spacing that gives at most {LARGEST_GRID:.0e} points",
                "choose a wider spacing",
            )
        n_points = [next_fast_len(max(2, int(np.ceil(length / spacing - 1e-9))), real=True) for length in self.lengths]
        return n_points[0], n_points[1], n_points[2]  # pyright: ignore[reportReturnType] (scipy declares None)


def lattice_points(vectors: Vectors, radius: float) -> Float[np.ndarray, "p 3"]:
    """Points of the lattice spanned by `vectors` (rows) no farther than `radius` from the origin."""
    reach = np.ceil(radius / _heights(vectors)).astype(int)
    points = np.array(list(product(*(range(-n, n + 1) for n in reach))), dtype=float) @ vectors
    return points[np.linalg.norm(points, axis=1) <= radius]


def _heights(vectors: Vectors) -> Float[np.ndarray, "3"]:
    return 1 / np.linalg.norm(np.linalg.inv(vectors), axis=0)
