"""How far a predicted ELF is from the computed one."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Accuracy:
    """Errors over all grid points of some structures: R^2 = 1 - sum (p - t)^2 / sum (t - mean t)^2, root mean square
    and mean absolute error. n_structures: how many there were."""

    n_structures: int
    r2: float
    rmse: float
    mae: float


def accuracy(pairs: Iterable[tuple[Float[np.ndarray, "*p"], Float[np.ndarray, "*p"]]]) -> Accuracy:
    """Accuracy of (predicted, true) fields, every grid point with the same weight, in one pass."""
    n = n_structures = 0
    total = total_square = absolute = square = 0.0
    for predicted, true in pairs:
        error, values = np.asarray(predicted, float) - true, np.asarray(true, float)
        n, n_structures = n + values.size, n_structures + 1
        total, total_square = total + values.sum(), total_square + (values**2).sum()
        absolute, square = absolute + np.abs(error).sum(), square + (error**2).sum()
    spread = total_square - total**2 / n
    return Accuracy(n_structures, float(1 - square / spread), float(np.sqrt(square / n)), float(absolute / n))
