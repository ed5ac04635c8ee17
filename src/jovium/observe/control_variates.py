"""Means of what is dear to compute, with the help of what is cheap and goes along with it."""

import numpy as np
from jaxtyping import Float

from jovium.base.statistics import Estimate

MIN_DIFFERENCE = 1e-3
"""Controls that differ by less than this fraction of their spread are one: the difference may be rounding in the m
samples and more than that in a few of the l, and its slope would be noise."""


def controlled_mean(
    values: Float[np.ndarray, "m"], controls: Float[np.ndarray, "m k"], further_controls: Float[np.ndarray, "l k"]
) -> Estimate:
    """The mean of values y, known of m independent samples, whose controls c are known of l others of the same density:

    y ~ a + b.c by least squares, mean = a + b.<c>_l, error^2 = var(y - a - b.c) / m + var(b.c) / l

    (Glasserman, Monte Carlo Methods in Financial Engineering, 2004, 4.1, with the mean of c itself estimated). It is
    linear in y: figures that add up still do. A control that says nothing costs nothing but its degree of freedom."""
    scale = further_controls.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    middle, centre = controls.mean(axis=0), values.mean()
    sampled, further = (controls - middle) / scale, (further_controls - middle) / scale
    slopes, _, rank, _ = np.linalg.lstsq(sampled, values - centre, rcond=MIN_DIFFERENCE)
    residuals = values - centre - sampled @ slopes
    explained = further @ slopes
    of_residuals = np.sum(residuals**2) / max(1, len(values) - rank - 1) / len(values)
    of_controls = explained.var() / len(further_controls)
    return Estimate(float(centre + explained.mean()), float(np.sqrt(of_residuals + of_controls)), len(values))
