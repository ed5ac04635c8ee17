"""The voxel graph of a periodic grid: 6 neighbours, one total order of the voxels, lattice windings as integers.

Voxel v = (i ny + j) nz + k. Two voxels with equal values are ordered by index, the lower index counts as the higher
one, so that every field has distinct levels and no result depends on how a plateau happens to be visited.

A winding (wx, wy, wz) says how many cells away a voxel's image lies. It is carried as ONE integer
wx + wy 2^21 + wz 2^42, which adds componentwise as long as every component stays below 2^20 in size.
"""

import numpy as np
from jaxtyping import Float
from numba import njit

from jovium.base.errors import InputError

Values = Float[np.ndarray, "voxels"]

WINDING_X = 1
WINDING_Y = 1 << 21
WINDING_Z = 1 << 42
HALF_RANGE = 1 << 20
MAX_VOXELS = 2**31 - 1


def flat_values(values: Float[np.ndarray, "nx ny nz"]) -> Values:
    """The values in voxel order, float64; no copy when they already are.

    Raises InputError for a grid whose voxels 32-bit integers cannot number.
    """
    if values.size > MAX_VOXELS:
        raise InputError(f"a grid of {values.size} points", f"at most {MAX_VOXELS} points", "use a coarser grid")
    if not np.issubdtype(values.dtype, np.number) or np.iscomplexobj(values):
        raise InputError(f"grid values of type {values.dtype}", "real numbers", "pass the real field")
    return np.ascontiguousarray(values, dtype=np.float64).reshape(-1)


@njit(cache=True)
def is_higher(values, u, v):
    """True when voxel u comes before voxel v in the descending total order."""
    return values[u] > values[v] or (values[u] == values[v] and u < v)


@njit(cache=True)
def neighbour(i, j, k, direction, shape):
    """Voxel next to (i, j, k) in direction 0..5 (-x, +x, -y, +y, -z, +z) and the winding of the step."""
    step = 2 * (direction & 1) - 1
    axis = direction >> 1
    winding = 0
    if axis == 0:
        i += step
        if i < 0 or i >= shape[0]:
            i -= step * shape[0]
            winding = step * WINDING_X
    elif axis == 1:
        j += step
        if j < 0 or j >= shape[1]:
            j -= step * shape[1]
            winding = step * WINDING_Y
    else:
        k += step
        if k < 0 or k >= shape[2]:
            k -= step * shape[2]
            winding = step * WINDING_Z
    return (i * shape[1] + j) * shape[2] + k, winding


@njit(cache=True)
def split_winding(winding):
    """The three components of a winding."""
    x = ((winding + HALF_RANGE) & (2 * HALF_RANGE - 1)) - HALF_RANGE
    winding = (winding - x) >> 21
    y = ((winding + HALF_RANGE) & (2 * HALF_RANGE - 1)) - HALF_RANGE
    return x, y, (winding - y) >> 21


@njit(cache=True)
def is_independent(a, b, c, rank):
    """True when winding c is linearly independent (over the rationals) of the first `rank` of a, b."""
    cx, cy, cz = split_winding(c)
    if rank == 0:
        return cx != 0 or cy != 0 or cz != 0
    ax, ay, az = split_winding(a)
    if rank == 1:
        return ay * cz != az * cy or az * cx != ax * cz or ax * cy != ay * cx
    if rank == 2:
        bx, by, bz = split_winding(b)
        return (ay * bz - az * by) * cx + (az * bx - ax * bz) * cy + (ax * by - ay * bx) * cz != 0
    return False
