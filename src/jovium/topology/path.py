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

Voxels = Int[np.ndarray, "n 3"]

STEPS = np.array([[-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]])
"""To the six neighbours of a voxel, in the order of `torus_graph.neighbour`."""

NO_LABELS = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class NetworkPath:
    """Three closed walks around the torus, from one maximum, in {f >= t} with t the highest for which there are any.

    cycles: grid points (n, 3) in bohr, one grid step after the other; the last is the image of the first, windings[i]
    lattice vectors away. points, maxima: the grid points and the maxima on the way, each once, inside the cell. lowest:
    value at the lowest of the points, the exact threshold of the voxel graph in three directions.
    """

    cycles: tuple[np.ndarray, ...]
    windings: Int[np.ndarray, "3 3"]
    points: Float[np.ndarray, "p 3"]
    maxima: Float[np.ndarray, "m 3"]
    lowest: float


def network_path(field: GridField) -> NetworkPath:
    """The path along which one component of the superlevel sets of `field` first spans three directions.

    It stays on the voxel graph: its points are exact to a grid step, its lowest value as a `grid_value` is. Where
    several paths are equally high the grid chooses.
    """
    flat, shape = flat_values(field.values), np.array(field.shape)
    swept = sweep(field.values, NO_LABELS)
    edges = np.concatenate([swept.cycle_edges, swept.merge_edges])
    sides = [np.stack(np.unravel_index(edges // 6, field.shape), -1)]
    sides.append(sides[0] + STEPS[edges % 6])
    ends = np.stack([_voxel(_ascend(flat, shape, side)[-1], shape) for side in sides], -1)
    tree, base, walks, maxima = defaultdict(list), int(ends[0, 0]), [], set()
    for edge, (a, b) in enumerate(ends[3:].tolist(), 3):
        tree[a].append((b, edge))
        tree[b].append((a, edge))
    for closing in range(3):
        out, back = (_route(tree, base, int(end)) for end in ends[closing])
        route = [*out, closing, *back[::-1]]
        near, far = (np.moveaxis(_ascend(flat, shape, side[route]), 1, 0) for side in sides)
        walks.append(_walk(base, [np.concatenate([a[::-1], b]) for a, b in zip(near, far, strict=True)], shape))
        maxima |= {*ends[route].flat}
    windings = np.array([(walk[-1] - walk[0]) // shape for walk in walks])
    cycles = tuple(field.cell.cartesian(walk / shape) for walk in walks)
    visited = np.unique(_voxel(np.concatenate(walks), shape))
    points, tops = (
        field.cell.cartesian(np.stack(np.unravel_index(v, field.shape), -1) / shape) for v in (visited, sorted(maxima))
    )
    return NetworkPath(cycles, windings, points, tops, float(flat[visited].min()))


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


def _route(tree: dict[int, list[tuple[int, int]]], start: int, goal: int) -> list[int]:
    """The edges that lead from one maximum to another; `tree` holds the neighbours of each and the edges to them."""
    came_by, front = {start: (start, -1)}, [start]
    for place in front:
        for other, edge in tree[place]:
            if other not in came_by:
                came_by[other] = place, edge
                front.append(other)
    route = []
    while goal != start:
        goal, edge = came_by[goal]
        route.append(edge)
    return route[::-1]


def _walk(base: int, pieces: list[np.ndarray], shape: Int[np.ndarray, "3"]) -> Int[np.ndarray, "w 3"]:
    """Pieces from maximum to maximum as one walk from the maximum `base` over the unfolded grid, each turned to fit."""
    walk = np.stack(np.unravel_index([base], tuple(shape)), -1)
    for piece in pieces:
        ordered = piece if ((piece[0] - walk[-1]) % shape == 0).all() else piece[::-1]
        walk = np.concatenate([walk, ordered + walk[-1] - ordered[0]])
    return walk[np.append(True, np.diff(walk, axis=0).any(axis=1))]
