"""One descending sweep over a periodic grid: merge tree, periodicity of the components, hydrogen connections.

Superlevel sets {f >= t} of the voxel graph. Every voxel is first assigned to the maximum its steepest ascent ends at,
together with the winding of that path. A voxel whose higher neighbours all agree with it (same maximum, no net
winding) neither joins components nor closes a cycle around the torus: below it nothing changes. Only the remaining
voxels, the walls between basins, are sorted and swept. The result is exactly that of sweeping all voxels, for a
fraction of the memory traffic.

A component is a tree of basins with windings on its links (union-find). An edge inside one component whose net
winding is not zero closes a cycle around the torus; the number of independent cycles of ONE component is its
periodicity. Labelled voxels (protons) are carried along.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from jovium.topology.torus_graph import flat_values, is_higher, is_independent, neighbour


@dataclass(frozen=True)
class MergeTree:
    """Births and deaths of the components of {f >= t}, one entry per maximum, ordered by birth voxel.

    birth_voxel, birth_value: the maximum. merge_voxel, merge_value: where and when its component joins an older one
    (one with a higher maximum). parent: index of that older maximum. The oldest never merges: -1, -inf, -1.
    """

    birth_voxel: Int[np.ndarray, "maxima"]
    birth_value: Float[np.ndarray, "maxima"]
    merge_voxel: Int[np.ndarray, "maxima"]
    merge_value: Float[np.ndarray, "maxima"]
    parent: Int[np.ndarray, "maxima"]

    @property
    def persistence(self) -> Float[np.ndarray, "maxima"]:
        """birth_value - merge_value, infinite for the oldest maximum."""
        return self.birth_value - self.merge_value


@dataclass(frozen=True)
class Sweep:
    """Merge tree and events of a sweep.

    rank_voxels: voxels at which one component first has 1, 2, 3 independent cycles around the torus.
    label_voxel: voxel at which two labels, or a label and its own image, first share a component; -1 without labels.
    merge_edges, cycle_edges: the edges 6 voxel + direction that make the tree of the basins, and the three that close
    the independent cycles of the component that is first to have three.
    """

    merge_tree: MergeTree
    rank_voxels: tuple[int, int, int]
    label_voxel: int
    merge_edges: Int[np.ndarray, "merges"]
    cycle_edges: Int[np.ndarray, "3"]


def sweep(values: Float[np.ndarray, "nx ny nz"], labels: Int[np.ndarray, "n"]) -> Sweep:
    """Sweep a field downwards with labels (protons) at the given voxels; the same voxel may carry several labels.

    Deterministic: equal values are taken in the order of their voxel index.
    """
    flat = flat_values(values)
    # Basins: every voxel is led to the maximum of its steepest ascent, with the winding of the way there.
    basin, winding = _ascend(flat, values.shape)
    _unwind(basin, winding)
    births = np.flatnonzero(basin == np.arange(basin.size, dtype=np.int32))
    number = np.empty_like(basin)
    number[births] = np.arange(births.size)
    basin = number[basin]
    labels = np.sort(np.asarray(labels, dtype=np.int64))
    # Only walls between basins can change the topology: they alone are sorted and swept.
    walls = _walls(flat, basin, winding, values.shape, labels)
    walls = walls[np.argsort(-flat[walls], kind="stable")]  # stable: walls come in ascending index
    merge_edge, parent, cycle_edges, events = _sweep_walls(flat, basin, winding, births, walls, labels, values.shape)
    merge_voxel = merge_edge // 6  # -1 stays -1
    merge_value = np.where(merge_voxel >= 0, flat[merge_voxel], -np.inf)
    tree = MergeTree(births, flat[births], merge_voxel, merge_value, parent)
    first, second, third, label = (int(voxel) for voxel in events)
    return Sweep(tree, (first, second, third), label, merge_edge[merge_edge >= 0], cycle_edges)


@njit(cache=True)
def _ascend(values, shape):
    """Highest neighbour of every voxel (itself at a maximum) and the winding of the step to it."""
    link = np.empty(values.size, np.int32)
    winding = np.empty(values.size, np.int64)
    v = 0
    for i in range(shape[0]):
        for j in range(shape[1]):
            for k in range(shape[2]):
                best = v
                step = 0
                for direction in range(6):
                    u, crossing = neighbour(i, j, k, direction, shape)
                    if is_higher(values, u, best):
                        best = u
                        step = crossing
                link[v] = best
                winding[v] = step
                v += 1
    return link, winding


@njit(cache=True)
def _unwind(link, winding):
    """Follow the links to the maxima, in place: afterwards every link ends there and carries the whole winding."""
    for v in range(link.size):
        # First pass: find the maximum and the winding of the whole path to it.
        total = 0
        root = v
        while link[root] != root:
            total += winding[root]
            root = link[root]
        # Second pass: shorten the path, so that later voxels meet the maximum in one step.
        u = v
        while link[u] != root:
            following = link[u]
            link[u] = root
            step = winding[u]
            winding[u] = total
            total -= step
            u = following


@njit(cache=True)
def _walls(values, basin, winding, shape, labels):
    """Voxels with a higher neighbour in another basin or around the torus, and the labelled voxels, ascending."""
    is_wall = np.zeros(values.size, np.bool_)
    for label in labels:
        is_wall[label] = True
    v = 0
    for i in range(shape[0]):
        for j in range(shape[1]):
            for k in range(shape[2]):
                for direction in range(6):
                    u, crossing = neighbour(i, j, k, direction, shape)
                    differs = basin[u] != basin[v] or crossing + winding[u] != winding[v]
                    if differs and not is_higher(values, v, u):  # u == v on an axis of one point
                        is_wall[v] = True
                        break
                v += 1
    return np.flatnonzero(is_wall).astype(np.int32)


@njit(cache=True)
def _root(parent, shift, b):
    """Root of basin b and the winding from b to it, halving the path on the way."""
    total = 0
    while parent[b] != b:
        up = parent[b]
        if parent[up] != up:  # skip one generation: paths stay short without a rank per basin
            shift[b] += shift[up]
            parent[b] = parent[up]
        total += shift[b]
        b = parent[b]
    return b, total


@njit(cache=True)
def _add_cycle(basis, closing, rank, root, cycle, edge):
    """Extend the cycle basis of a component by one winding, closed by an edge, if it is independent of the basis."""
    if rank[root] < 3 and is_independent(basis[root, 0], basis[root, 1], cycle, rank[root]):
        basis[root, rank[root]] = cycle
        closing[root, rank[root]] = edge
        rank[root] += 1


@njit(cache=True)
def _note_events(events, voxel, rank, labels):
    """Write `voxel` into every event that a component of this rank and label count is the first to be."""
    for r in range(rank):
        if events[r] < 0:
            events[r] = voxel
    if events[3] < 0 and (labels >= 2 or (labels >= 1 and rank >= 1)):
        events[3] = voxel


@njit(cache=True)
def _sweep_walls(values, basin, winding, births, walls, labels, shape):
    """Union-find over the basins along the sorted walls; returns the edges that merge, tree parents, the edges
    that close three cycles, and the four events."""
    parent = np.arange(births.size).astype(np.int32)
    shift = np.zeros(births.size, np.int64)  # (basin, cell c) is joined to (parent, cell c + shift)
    basis = np.zeros((births.size, 3), np.int64)
    closing = np.full((births.size, 3), -1, np.int64)
    rank = np.zeros(births.size, np.int8)
    n_labels = np.zeros(births.size, np.int32)
    merge_edge = np.full(births.size, -1, np.int64)
    older = np.full(births.size, -1, np.int32)
    cycle_edges = np.full(3, -1, np.int64)
    events = np.full(4, -1, np.int64)  # 1, 2, 3 independent cycles, first contact of labels
    for v in walls:
        i, j, k = v // (shape[1] * shape[2]), v // shape[2] % shape[1], v % shape[2]
        for direction in range(6):
            u, crossing = neighbour(i, j, k, direction, shape)
            if is_higher(values, v, u):  # u is not yet in {f >= t}
                continue
            net = crossing + winding[u] - winding[v]
            if basin[u] == basin[v] and net == 0:  # the edge closes no cycle around the torus
                continue
            a, to_a = _root(parent, shift, basin[v])
            b, to_b = _root(parent, shift, basin[u])
            net += to_b - to_a  # (a, cell c) is joined to (b, cell c + net)
            if a != b:  # two components join: the one with the lower maximum ends (elder rule)
                if is_higher(values, births[b], births[a]):
                    a, b, net = b, a, -net
                parent[b], shift[b] = a, -net
                merge_edge[b], older[b] = 6 * v + direction, a
                n_labels[a] += n_labels[b]
                for r in range(rank[b]):
                    _add_cycle(basis, closing, rank, a, basis[b, r], closing[b, r])
            elif net != 0:  # a cycle around the torus inside one component
                _add_cycle(basis, closing, rank, a, net, 6 * v + direction)
            if rank[a] == 3 and events[2] < 0:
                cycle_edges[:] = closing[a]
            _note_events(events, v, rank[a], n_labels[a])
        n_here = np.searchsorted(labels, v, side="right") - np.searchsorted(labels, v)
        if n_here > 0:  # protons of this voxel, after its edges: it belongs to the component by now
            a, _ = _root(parent, shift, basin[v])
            n_labels[a] += n_here
            _note_events(events, v, rank[a], n_labels[a])
    return merge_edge, older, cycle_edges, events
