"""What a band around a field says about its thresholds.

Thresholds are monotone: f <= g everywhere implies phi(f) <= phi(g). A field that lies within f +- band therefore has
its thresholds between those of f - band and f + band, of the same grid.
"""

import numpy as np
from jaxtyping import Float

from jovium.base.grid import GridField
from jovium.topology.network import Network, hydrogen_network

NAMES = ("phi_1d", "phi_2d", "phi_3d", "phi_star")

Interval = tuple[float, float]


def threshold_intervals(
    network: Network, field: GridField, band: GridField, hydrogens: Float[np.ndarray, "n 3"] | None = None
) -> dict[str, Interval]:
    """Lowest and highest value of every threshold for fields within field +- band, between 0 and 1.

    network: of `field` itself; where its thresholds were moved from the grid to saddles the ends are moved by as much.
    """
    lower, upper = (
        hydrogen_network(GridField(np.clip(values, 0.0, 1.0), field.cell), hydrogens, refine=False)
        for values in (field.values - band.values, field.values + band.values)
    )
    found = {}
    for name in NAMES:
        here, low, high = (getattr(one, name) for one in (network, lower, upper))
        if here is not None:
            moved = here.value - here.grid_value
            found[name] = (float(max(0.0, low.grid_value + moved)), float(min(1.0, high.grid_value + moved)))
    return found
