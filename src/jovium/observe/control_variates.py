"""Means of what is dear to compute, with the help of what is cheap and goes along with it."""

import numpy as np
from jaxtyping import Float

from jovium.base.statistics import Estimate


def controlled_mean(
    values: Float[np.ndarray, "m"], controls: Float[np.ndarray, "m k"], many: Float[np.ndarray, "l k"]
) -> Estimate:
    """The mean of values y, known of m independent samples, whose controls c are known of l others of the same density:

    y ~ a + b.c by least squares, mean = a + b.<c>_l, error^2 = var(y - a - b.c) / m + var(b.c) / l

    (Glasserman, Monte Carlo Methods in Financial Engineering, 2004, 4.1, with the mean of c itself estimated). It is
    linear in y: figures that add up still do. A control that says nothing costs nothing but its degree of freedom."""
    middle, scale = many.mean(axis=0), many.std(axis=0)
    shares = (controls - middle) / np.where(scale > 0, scale, 1.0)
    design = np.column_stack([np.ones(len(values)), shares])
    fitted, _, rank, _ = np.linalg.lstsq(design, values, rcond=1e-8)
    rest = values - design @ fitted
    explained = (many - middle) / np.where(scale > 0, scale, 1.0) @ fitted[1:]
    variance = np.sum(rest**2) / max(1, len(values) - rank) / len(values) + np.mean(explained**2) / len(many)
    return Estimate(float(fitted[0]), float(np.sqrt(variance)), len(values))
