"""What a band around a field says about its thresholds.

Thresholds are monotone: f <= g everywhere implies phi(f) <= phi(g). A field that lies within f +- band therefore has
its thresholds between those of f - band and f + band, of the same grid.
"""

import numpy as np
from jaxtyping import Float

from jovium.base.grid import GridField
from jovium.topology.network import Network, hydrogen_network

Interval = tuple[float, float]


def threshold_intervals(
    network: Network, field: GridField, band: GridField, hydrogens: Float[np.ndarray, "n 3"] | None = None
) -> dict[str, Interval]:
    """Lowest and highest value of every threshold for fields within field +- band, between 0 and 1.

    network: of `field` itself; both ends are shifted as far as refinement to a saddle shifted its threshold.
    """
    lower, upper = (
        hydrogen_network(GridField(np.clip(values, 0.0, 1.0), field.cell), hydrogens, refine=False)
        for values in (field.values - band.values, field.values + band.values)
    )
    intervals = {}
    for name, threshold in network.thresholds().items():
        if threshold is not None:
            low, high = getattr(lower, name).grid_value, getattr(upper, name).grid_value
            shift = threshold.value - threshold.grid_value
            intervals[name] = (float(max(0.0, low + shift)), float(min(1.0, high + shift)))
    return intervals
