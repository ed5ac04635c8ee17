"""Fields on the torus whose topology is known, and brute-force twins of the sweep."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from jovium.base.cell import Cell
from jovium.base.grid import GridField

Fractional = Float[np.ndarray, "*n 3"]


def fractional_grid(shape: tuple[int, int, int]) -> Fractional:
    """Fractional coordinates of the points of a grid."""
    return np.stack(np.meshgrid(*[np.arange(n) / n for n in shape], indexing="ij"), -1)


@dataclass(frozen=True)
class Waves:
    """f(s) = sum A cos 2 pi (m . s + phase): band-limited, so it can be evaluated in any cell of its lattice."""

    amplitudes: Float[np.ndarray, "n"]
    wave_vectors: Int[np.ndarray, "n 3"]
    phases: Float[np.ndarray, "n"]

    def __call__(self, fractional: Fractional) -> Float[np.ndarray, "*n"]:
        return np.cos(2 * np.pi * (fractional @ self.wave_vectors.T + self.phases)) @ self.amplitudes

    def on_grid(self, shape: tuple[int, int, int], cell: Cell) -> GridField:
        return GridField(self(fractional_grid(shape)), cell)


def three_cosines(shift: tuple[float, float, float] = (0, 0, 0)) -> Waves:
    """cos 2 pi s1 + cos 2 pi s2 + cos 2 pi s3, shifted off the grid points."""
    return Waves(np.ones(3), np.eye(3, dtype=int), np.array(shift))


def random_waves(seed: int, highest: int) -> Waves:
    """Twelve waves with wave-vector components up to `highest`."""
    rng = np.random.default_rng(seed)
    wave_vectors = rng.integers(-highest, highest + 1, size=(12, 3))
    return Waves(rng.normal(size=12), wave_vectors, rng.random(12))


def gaussians(centres: Fractional, width: float, cell: Cell, points: Float[np.ndarray, "*n 3"]) -> np.ndarray:
    """Periodic sum of exp(-|r - R|^2 / (2 width^2)) at Cartesian `points` (bohr), widths far below the cell size."""
    images = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3, indexing="ij"), -1).reshape(-1, 3)
    sites = cell.cartesian((np.asarray(centres)[:, None] + images).reshape(-1, 3))
    return sum(np.exp(-np.sum((points - site) ** 2, axis=-1) / (2 * width**2)) for site in sites)


def painted(shape: tuple[int, int, int], background: float, *strokes: tuple[float, list]) -> np.ndarray:
    """A background with sets of voxels, each an index expression, raised to a value."""
    values = np.full(shape, background)
    for value, voxels in strokes:
        for voxel in voxels:
            values[voxel] = value
    return values


def highest_periodicity(above: np.ndarray, labels: list[tuple[int, int, int]]) -> tuple[int, bool]:
    """Rank of the most periodic component of a voxel set, and whether labels connect: breadth-first twin.

    Walks every component in the universal cover; a voxel met again in another cell is a cycle.
    """
    best, connected, seen = 0, False, {}
    for start in map(tuple, np.argwhere(above)):
        if start in seen:
            continue
        seen[start] = np.zeros(3, dtype=int)
        queue, cycles, members = [start], [np.zeros(3, dtype=int)], {start}
        while queue:
            voxel = queue.pop()
            for step in (*np.eye(3, dtype=int), *-np.eye(3, dtype=int)):
                moved = np.array(voxel) + step
                cell, other = moved // above.shape, tuple(int(n) for n in moved % above.shape)
                offset = seen[voxel] + cell
                if not above[other]:
                    continue
                if other in members:
                    cycles.append(offset - seen[other])
                else:
                    seen[other] = offset
                    members.add(other)
                    queue.append(other)
        rank = int(np.linalg.matrix_rank(np.array(cycles)))
        n_labels = sum(label in members for label in labels)
        best = max(best, rank)
        connected = connected or n_labels >= 2 or (n_labels == 1 and rank > 0)
    return best, connected
