"""Pairs of starts and ends at short distances, for flow matching.

Particles are alike and their frame is free: a start may be matched to any relabelling of an end, shifted as a whole.
The shortest assignment makes straight paths that cross little, so that a velocity field can follow them
(equivariant optimal-transport flow matching, Klein et al., arXiv:2306.15030)."""

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

from jovium.base.cell import Cell


def shortest_displacements(
    start: Float[np.ndarray, "n d"], end: Float[np.ndarray, "n d"], cell: Cell | None = None, rounds: int = 3
) -> Float[np.ndarray, "n d"]:
    """Displacements (bohr) from every particle of `start` to one of `end`, their sum zero: the relabelling and
    the shift of least square length, each optimised for the other in turn, `rounds` times."""
    shift = np.zeros(end.shape[1])
    for _ in range(rounds):
        displacements = end + shift - start[:, None]
        displacements = displacements if cell is None else cell.minimum_image(displacements)
        rows, columns = linear_sum_assignment(np.sum(displacements**2, axis=-1))
        shortest = displacements[rows, columns]
        shift = shift - shortest.mean(axis=0)
    return shortest - shortest.mean(axis=0)
