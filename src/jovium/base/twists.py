"""Meshes of the Brillouin zone."""

import numpy as np
from jaxtyping import Float


def monkhorst_pack(mesh: tuple[int, int, int], offset: float | None = None) -> Float[np.ndarray, "k 3"]:
    """Points k_i = (m + offset) / n_i, m = 0 ... n_i - 1, in units of the reciprocal vectors; all weigh the same.

    Without an offset those of Monkhorst and Pack, Phys. Rev. B 13, 5188 (1976), eq. 3: k_i = (2 m + 1 - n_i) / 2 n_i,
    symmetric about 0; a mesh of 1 is no twist.
    """
    steps = np.indices(mesh).reshape(3, -1).T
    return (steps + ((1 - np.array(mesh)) / 2 if offset is None else offset)) / np.array(mesh)


def twist_grid(vectors: Float[np.ndarray, "3 3"], n: int) -> Float[np.ndarray, "t 3"]:
    """The n^3 twists (1/bohr) of Monkhorst and Pack of a cell with these lattice vectors (rows, bohr); n = 1: none."""
    return monkhorst_pack((n, n, n)) @ (2 * np.pi * np.linalg.inv(vectors).T)
