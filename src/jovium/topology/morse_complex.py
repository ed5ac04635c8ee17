"""Persistence of the critical cells of a discrete gradient: which pairs of them are one and the same feature.

The critical cells with the gradient paths between them form the Morse complex, whose homology is that of the torus and
whose persistence (mod 2, for {f >= t} as t falls) is that of the whole grid: Robins, Wood, Sheppard, IEEE TPAMI 33,
1646 (2011), section 4. Three kinds of pairs exhaust it:

* (maximum, bond): a component joins an older one. Union-find over the bonds in descending order.
* (ring, cage): a void is filled. The same union-find on the dual complex, rings in ascending order.
* (bond, ring): a loop is filled. Reduction of the boundary matrix of the remaining rings, whose columns are traced
  along the gradient paths only now.

Left over are the classes of the torus itself: 1 maximum, 3 bonds, 3 rings, 1 cage.
"""

from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from jovium.topology.lower_stars import CRITICAL, discrete_gradient


@dataclass(frozen=True)
class CriticalCells:
    """Critical cells in filtration order (descending value, faces before what they bound).

    cell: index on the doubled grid. dimension: 0 maximum, 1 bond, 2 ring, 3 cage. voxel: the lowest voxel of the cell,
    where it enters {f >= t}. value: f there. persistence: |f - f(partner)|, infinite for the classes of the torus.
    """

    cell: Int[np.ndarray, "n"]
    dimension: Int[np.ndarray, "n"]
    voxel: Int[np.ndarray, "n"]
    value: Float[np.ndarray, "n"]
    persistence: Float[np.ndarray, "n"]


def persistent_cells(flat: Float[np.ndarray, "voxels"], shape: tuple[int, int, int]) -> CriticalCells:
    """All critical cells of a field (values in voxel order, every axis at least 2 long) with their persistence."""
    pairing = discrete_gradient(flat, shape)
    # Rank of a voxel in the descending order: stable, so that equal values go by index as in `is_higher`.
    order = np.argsort(-flat, kind="stable").astype(np.int32)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order), dtype=np.int32)
    cell = np.flatnonzero(pairing == CRITICAL)
    voxel, dimension = _entry_voxels(cell, rank, shape)
    # Filtration order: by entry voxel, faces before what they bound.
    sequence = np.lexsort((cell, dimension, rank[voxel]))
    cell, voxel, dimension = cell[sequence], voxel[sequence], dimension[sequence]
    partner = _partners(cell, dimension, pairing, order, rank, shape)
    value = flat[voxel]
    persistence = np.where(partner >= 0, np.abs(value - value[partner]), np.inf)
    return CriticalCells(cell, dimension, voxel, value, persistence)


def _partners(cell, dimension, pairing, order, rank, shape) -> Int[np.ndarray, "n"]:
    """Position of the partner of every critical cell in the sequence, -1 for the classes of the torus."""
    maxima, bonds, rings, cages = (np.flatnonzero(dimension == d) for d in range(4))
    # Both ends of a bond are maxima and both sides of a ring are cages: two graphs that need no boundary matrix.
    bond_ends = _indices(cell[maxima], _path_ends(pairing, cell[bonds], 1, shape))
    ring_ends = _indices(cell[cages], _path_ends(pairing, cell[rings], 0, shape))
    joined = _merge_along(bond_ends, len(maxima))
    # The dual complex grows from the lowest cage upwards: reverse both sequences, and the result back.
    filled = _merge_along(len(cages) - 1 - ring_ends[::-1], len(cages))[::-1]
    filled = np.where(filled >= 0, len(cages) - 1 - filled, -1)
    # Rings that fill no void close loops; only bonds that join no components have opened one.
    closing = np.flatnonzero(filled < 0)
    sorter = np.argsort(cell[bonds])
    closed = _reduce_rings(
        cell[rings[closing]], cell[bonds][sorter], sorter, joined < 0, pairing, order, rank, np.array(shape)
    )
    partner = np.full(len(cell), -1)
    for left, left_partner, right in ((bonds, joined, maxima), (rings, filled, cages), (rings[closing], closed, bonds)):
        paired = np.flatnonzero(left_partner >= 0)
        partner[left[paired]] = right[left_partner[paired]]
        partner[right[left_partner[paired]]] = left[paired]
    return partner


def _indices(cells: Int[np.ndarray, "n"], ends: Int[np.ndarray, "m 2"]) -> Int[np.ndarray, "m 2"]:
    """Index in `cells` of every cell in `ends`."""
    sorter = np.argsort(cells)
    return sorter[np.searchsorted(cells, ends, sorter=sorter)]


@njit(cache=True)
def _coordinates(cell, shape):
    """Coordinates of a cell on the doubled grid."""
    return cell // (4 * shape[1] * shape[2]), cell // (2 * shape[2]) % (2 * shape[1]), cell % (2 * shape[2])


@njit(cache=True)
def _shift_cell(cell, direction, distance, shape):
    """The cell `distance` steps away on the doubled grid, direction 0..5."""
    x, y, z = _coordinates(cell, shape)
    step = distance * (2 * (direction & 1) - 1)
    axis = direction >> 1
    if axis == 0:
        x = (x + step) % (2 * shape[0])
    elif axis == 1:
        y = (y + step) % (2 * shape[1])
    else:
        z = (z + step) % (2 * shape[2])
    return (x * 2 * shape[1] + y) * 2 * shape[2] + z


@njit(cache=True)
def _entry_voxels(cells, rank, shape):
    """Voxel with which each cell enters {f >= t} (the last of its vertices), and the dimension of each cell."""
    voxels = np.empty(cells.size, np.int64)
    dimensions = np.empty(cells.size, np.int64)
    for n in range(cells.size):
        x, y, z = _coordinates(cells[n], shape)
        dimensions[n] = x % 2 + y % 2 + z % 2
        last = -1
        for i in range(x // 2, x // 2 + x % 2 + 1):
            for j in range(y // 2, y // 2 + y % 2 + 1):
                for k in range(z // 2, z // 2 + z % 2 + 1):
                    v = ((i % shape[0]) * shape[1] + j % shape[1]) * shape[2] + k % shape[2]
                    if last < 0 or rank[v] > rank[last]:
                        last = v
        voxels[n] = last
    return voxels, dimensions


@njit(cache=True)
def _path_ends(pairing, cells, odd, shape):
    """The critical cells at the ends of the two gradient paths that leave each cell.

    odd = 1: from a bond along itself to the maxima; odd = 0: from a ring along its normal to the cages.
    """
    ends = np.empty((cells.size, 2), np.int64)
    for n in range(cells.size):
        coordinates = _coordinates(cells[n], shape)
        axis = 0
        while coordinates[axis] % 2 != odd:
            axis += 1
        for side in range(2):
            cell = _shift_cell(cells[n], 2 * axis + side, 1, shape)
            while pairing[cell] != CRITICAL:  # over the partner to the next cell of the same dimension: two steps
                cell = _shift_cell(cell, np.int64(pairing[cell]) - 1, 2, shape)
            ends[n, side] = cell
    return ends


@njit(cache=True)
def _merge_along(ends, n_nodes):
    """Node whose component each edge ends: the younger (higher-numbered) of two roots; -1 for an edge in a cycle."""
    parent = np.arange(n_nodes)
    ended = np.full(len(ends), -1, np.int64)
    for n in range(len(ends)):
        a, b = ends[n]
        while parent[a] != a:  # roots, halving the paths on the way
            parent[a] = parent[parent[a]]
            a = parent[a]
        while parent[b] != b:
            parent[b] = parent[parent[b]]
            b = parent[b]
        if a != b:
            ended[n] = max(a, b)
            parent[max(a, b)] = min(a, b)
    return ended


@njit(cache=True)
def _pop_odd(heap):
    """Remove the smallest key; keys present an even number of times cancel. 1 when the heap runs empty."""
    while len(heap) > 0:
        key = heappop(heap)
        odd = True
        while len(heap) > 0 and heap[0] == key:
            heappop(heap)
            odd = not odd
        if odd:
            return key
    return np.int64(1)


@njit(cache=True)
def _push_edges(heap, square, origin, rank, shape):
    """Push the edges of a square except `origin`; later entry comes first, key -(8 rank + direction)."""
    coordinates = _coordinates(square, shape)
    for direction in range(6):
        if coordinates[direction >> 1] % 2 == 0:
            continue
        edge = _shift_cell(square, direction, 1, shape)
        if edge == origin:
            continue
        along = _coordinates(edge, shape)
        axis = 0
        while along[axis] % 2 == 0:
            axis += 1
        latest = np.int64(-1)
        for side in range(2):
            x, y, z = _coordinates(_shift_cell(edge, 2 * axis + side, 1, shape), shape)
            entry = np.int64(rank[(x // 2 * shape[1] + y // 2) * shape[2] + z // 2])
            latest = max(latest, 8 * entry + 2 * axis + 1 - side)
        heappush(heap, -latest)


@njit(cache=True)
def _edge_from_key(key, order, shape):
    """The edge a heap key stands for."""
    v = order[-key >> 3]
    x, y, z = v // (shape[1] * shape[2]), v // shape[2] % shape[1], v % shape[2]
    return _shift_cell((4 * x * shape[1] + 2 * y) * 2 * shape[2] + 2 * z, -key & 7, 1, shape)


@njit(cache=True)
def _trace_ring(column, ring, bond_cells, bond_numbers, creates_loop, pairing, order, rank, shape):
    """Push -number of every bond the boundary of a ring flows to (mod 2), bonds that join components left out.

    The boundary is pushed along the gradient from the last entered edge to the first, so each edge is met about once.
    """
    front = [np.int64(0) for _ in range(0)]
    _push_edges(front, ring, np.int64(-1), rank, shape)
    while True:
        key = _pop_odd(front)
        if key > 0:
            return
        edge = _edge_from_key(key, order, shape)
        code = np.int64(pairing[edge])
        if code == CRITICAL:
            bond = bond_numbers[np.searchsorted(bond_cells, edge)]
            if creates_loop[bond]:
                heappush(column, -bond)
            continue
        if _coordinates(edge, shape)[(code - 1) >> 1] % 2 == 0:  # paired with a square, not with a vertex
            _push_edges(front, _shift_cell(edge, code - 1, 1, shape), edge, rank, shape)


@njit(cache=True)
def _reduce_rings(rings, bond_cells, bond_numbers, creates_loop, pairing, order, rank, shape):
    """Bond whose loop each ring fills, -1 for the rings of the torus: column reduction mod 2 with lowest pivots.

    Columns hold only bonds that create loops: rows of bonds that join components never become pivots.
    """
    filled = np.full(rings.size, -1, np.int64)
    owner = np.full(bond_numbers.size, -1, np.int64)
    starts = np.zeros(rings.size + 1, np.int64)
    entries = [np.int64(0) for _ in range(0)]
    for n in range(rings.size):
        column = [np.int64(0) for _ in range(0)]
        _trace_ring(column, rings[n], bond_cells, bond_numbers, creates_loop, pairing, order, rank, shape)
        while True:
            pivot = -_pop_odd(column)
            if pivot < 0:
                break
            previous = owner[pivot]
            if previous < 0:  # a new pivot: this ring fills the loop of that bond
                owner[pivot] = n
                filled[n] = pivot
                break
            # Add (mod 2) the reduced column with the same pivot, which cancels it.
            for entry in entries[starts[previous] : starts[previous + 1]]:
                heappush(column, entry)
        while len(column) > 0:  # keep what is left of the reduced column for later rings
            key = _pop_odd(column)
            if key <= 0:
                entries.append(key)
        starts[n + 1] = len(entries)
    return filled
