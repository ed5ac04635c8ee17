"""Means of what is dear to compute, with the help of what is cheap and goes along with it."""

import numpy as np
from jaxtyping import Float

from jovium.base.statistics import Estimate

ALIKE = 1e-3
"""Controls that differ by less than this share of their spread are one: the difference may be rounding in the m samples
and more than that in a few of the l, and its slope would be noise."""


def controlled_mean(
    values: Float[np.ndarray, "m"], controls: Float[np.ndarray, "m k"], many: Float[np.ndarray, "l k"]
) -> Estimate:
    """The mean of values y, known of m independent samples, whose controls c are known of l others of the same density:

    y ~ a + b.c by least squares, mean = a + b.<c>_l, error^2 = var(y - a - b.c) / m + var(b.c) / l

    (Glasserman, Monte Carlo Methods in Financial Engineering, 2004, 4.1, with the mean of c itself estimated). It is
    linear in y: figures that add up still do. A control that says nothing costs nothing but its degree of freedom."""
    scale = many.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    middle, centre = controls.mean(axis=0), values.mean()
    shares, apart = (controls - middle) / scale, (many - middle) / scale
    slopes, _, rank, _ = np.linalg.lstsq(shares, values - centre, rcond=ALIKE)
    rest = values - centre - shares @ slopes
    explained = apart @ slopes
    of_rest = np.sum(rest**2) / max(1, len(values) - rank - 1) / len(values)
    return Estimate(
        float(centre + explained.mean()), float(np.sqrt(of_rest + explained.var() / len(many))), len(values)
    )
