"""What a band around a field says about its thresholds.

Thresholds are monotone: f <= g everywhere implies phi(f) <= phi(g). A field that lies within f +- band therefore has
its thresholds between those of f - band and f + band, of the same grid.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from jovium.base.grid import GridField
from jovium.topology.network import Network, hydrogen_network

Interval = tuple[float, float]

Widening = tuple[float, float]
"""factor, offset: they make of the distance d from a threshold to the end that a band gives it the one of an interval
that holds as often as it says, factor d + offset, at least SHARPEST."""

SHARPEST = 0.003
"""No computed threshold is known better: what the k-mesh and the cutoff of a label leave (docs/data_card.md)."""


def threshold_intervals(
    network: Network,
    field: GridField,
    band: GridField,
    hydrogens: Float[np.ndarray, "n 3"] | None = None,
    widenings: Mapping[str, Widening] | None = None,
) -> dict[str, Interval]:
    """Lowest and highest value of every threshold for fields within field +- band, between 0 and 1.

    network: of `field` itself; both ends are shifted as far as refinement to a saddle shifted its threshold, and hold
    it. widenings: by name of the threshold, of the distances of both ends from it: `band` holds most points, not
    all."""
    lower, upper = (
        hydrogen_network(GridField(np.clip(values, 0.0, 1.0), field.cell), hydrogens, refine=False)
        for values in (field.values - band.values, field.values + band.values)
    )
    intervals = {}
    for name, threshold in network.thresholds().items():
        if threshold is not None:
            low, high = getattr(lower, name).grid_value, getattr(upper, name).grid_value
            value, shift = threshold.value, threshold.value - threshold.grid_value
            below, above = max(0.0, value - low - shift), max(0.0, high + shift - value)
            if widenings and name in widenings:
                factor, offset = widenings[name]
                below, above = (max(SHARPEST, factor * distance + offset) for distance in (below, above))
            intervals[name] = (float(max(0.0, value - below)), float(min(1.0, value + above)))
    return intervals
