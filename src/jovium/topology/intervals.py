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

SHARPEST = 0.003
"""No computed threshold is known better: what the k-mesh and the cutoff of a label leave (docs/data_card.md)."""


def threshold_intervals(
    network: Network,
    field: GridField,
    band: GridField,
    hydrogens: Float[np.ndarray, "n 3"] | None = None,
    factors: Mapping[str, float] | None = None,
) -> dict[str, Interval]:
    """Lowest and highest value of every threshold for fields within field +- band, between 0 and 1.

    network: of `field` itself; both ends are shifted as far as refinement to a saddle shifted its threshold, and hold
    it. factors: by name of the threshold, multiply the distances of both ends from it: where `band` holds most points
    but not all, they make of the interval one that holds the threshold as often as is said. Such an interval is at
    least SHARPEST wide to both sides."""
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
            if factors and name in factors:
                below, above = (max(SHARPEST, factors[name] * distance) for distance in (below, above))
            intervals[name] = (float(max(0.0, value - below)), float(min(1.0, value + above)))
    return intervals
