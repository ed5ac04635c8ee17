"""The path of the network: where in space it runs that spans three directions at the networking value.

The sweep joins the basins of maxima along a tree and closes three independent cycles around the torus. Its edges lie at
bond saddles, and steepest ascent leads from both sides of each to maxima: a cycle is a chain of maxima with saddles in
between. Of all chains from one maximum to another that of the tree has the highest lowest point.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from jovium.base.grid import GridField
from jovium.topology.sweep import sweep
from jovium.topology.torus_graph import flat_values

Points = Float[np.ndarray, "n 3"]
Voxels = Int[np.ndarray, "n 3"]

STEPS = np.array([[-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]])
"""To the six neighbours of a voxel, in the order of `torus_graph.neighbour`."""

NO_LABELS = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class NetworkPath:
    """Three cycles around the torus that meet in one component of {f >= t}, t the highest for which there are any.

    cycles: grid points in bohr, one grid step after the other; the last one is the image of the first, windings[i]
    lattice vectors away. maxima: the maxima on the way, each once, inside the cell. lowest: value at the lowest point,
    the `grid_value` of phi_3d.
    """

    cycles: tuple[Points, Points, Points]
    windings: Int[np.ndarray, "3 3"]
    maxima: Points
    lowest: float

    @property
    def points(self) -> Points:
        """The grid points of the three cycles, where they start once."""
        return np.concatenate([cycle[:-1] for cycle in self.cycles])


def network_path(field: GridField) -> NetworkPath:
    """The path along which one component of the superlevel sets of `field` first spans three directions.

    It stays on the voxel graph, so its points are exact to a grid step, and as exact as `grid_value` in the field.
    Where several paths are equally high the grid chooses.
    """
    flat, shape = flat_values(field.values), np.array(field.shape)
    swept = sweep(field.values, NO_LABELS)
    edges = np.concatenate([swept.cycle_edges, swept.merge_edges])
    near = np.stack(np.unravel_index(edges // 6, field.shape), -1)
    far = near + STEPS[edges % 6]
    ends = np.stack([_voxel(_ascend(flat, shape, side)[-1], shape) for side in (near, far)], -1)
    cycles, maxima = [], set()
    for closing in range(3):
        route = [closing, *_route(ends, closing)]
        maxima |= {*ends[route].flat}
        ascents = [np.moveaxis(_ascend(flat, shape, side[route]), 1, 0) for side in (near, far)]
        cycles.append(_chain([np.concatenate([a[::-1], b]) for a, b in zip(*ascents, strict=True)], shape))
    top = np.stack(np.unravel_index(sorted(maxima), field.shape), -1)
    first, second, third = (field.cell.cartesian(cycle / shape) for cycle in cycles)
    windings = np.array([(cycle[-1] - cycle[0]) // shape for cycle in cycles])
    lowest = min(flat[_voxel(cycle, shape)].min() for cycle in cycles)
    return NetworkPath((first, second, third), windings, field.cell.cartesian(top / shape), float(lowest))


def _voxel(places: Int[np.ndarray, "*n 3"], shape: Int[np.ndarray, "3"]) -> Int[np.ndarray, "*n"]:
    """Voxels at places of the unfolded grid."""
    return np.asarray(np.ravel_multi_index(tuple(np.moveaxis(places % shape, -1, 0)), tuple(shape)))


def _ascend(flat: Float[np.ndarray, "voxels"], shape: Int[np.ndarray, "3"], places: Voxels) -> Int[np.ndarray, "t n 3"]:
    """Steepest ascents from places of the unfolded grid, step by step; who has arrived waits for the others."""
    ascent = [places]
    while len(ascent) == 1 or (ascent[-1] != ascent[-2]).any():
        places = ascent[-1]
        best, top = places, _voxel(places, shape)
        for step in STEPS:
            voxel = _voxel(places + step, shape)
            is_higher = (flat[voxel] > flat[top]) | ((flat[voxel] == flat[top]) & (voxel < top))
            best, top = np.where(is_higher[:, None], places + step, best), np.where(is_higher, voxel, top)
        ascent.append(best)
    return np.stack(ascent)


def _route(ends: Int[np.ndarray, "m 2"], closing: int) -> list[int]:
    """The edges of the tree that lead from the far end of a closing edge back to the near one."""
    start, goal = ends[closing, 1], ends[closing, 0]
    edges_at = defaultdict(list)
    for edge in range(3, len(ends)):
        for end in ends[edge]:
            edges_at[end].append(edge)
    came_by, front = {start: closing}, [start]
    for place in front:
        for edge in edges_at[place]:
            other = ends[edge].sum() - place
            if other not in came_by:
                came_by[other] = edge
                front.append(other)
    route = []
    while goal != start:
        route.append(came_by[goal])
        goal = ends[came_by[goal]].sum() - goal
    return route[::-1]


def _chain(pieces: list[Voxels], shape: Int[np.ndarray, "3"]) -> Voxels:
    """Pieces from maximum to maximum as one walk on the unfolded grid; all but the first turn round where they have to."""
    walk = pieces[0]
    for piece in pieces[1:]:
        ordered = piece if ((piece[0] - walk[-1]) % shape == 0).all() else piece[::-1]
        walk = np.concatenate([walk, ordered + walk[-1] - ordered[0]])
    moves = np.append(True, np.diff(walk, axis=0).any(axis=1))
    return walk[moves]
