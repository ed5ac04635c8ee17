"""Discrete gradient of a field on the periodic cubical complex: which cells flow into which, which are critical.

Vertices are voxels; edges, squares and cubes join neighbouring ones. A cell belongs to its lowest voxel (the one last
in the descending order), so {f >= t} grows star by star. Within each star cells are paired along collapses; what stays
unpaired is critical. Robins, Wood, Sheppard, IEEE TPAMI 33, 1646 (2011), algorithm 1 (ProcessLowerStars), here for
the descending order: critical vertices are maxima, edges bonds, squares rings, cubes cages.

Their algorithm takes the cells of a star in the order of their values. The star of a grid voxel is a cone over a
subcomplex of the 2-sphere, on which every greedy collapse is optimal (a connected planar complex collapses to a tree
of its complement), so a fixed order gives the same critical cells and needs no sorting.

Cells live on the doubled grid (2 nx, 2 ny, 2 nz): even coordinates for a vertex, odd along the directions a cell
extends in. `pairing` holds per cell 0 for critical, else 1 + direction (0..5) of the step to its partner.
"""

import numpy as np
from jaxtyping import UInt8
from numba import njit

from jovium.topology.torus_graph import is_higher

CRITICAL = 0
UNSET = 255

_STEPS = sorted(
    ((i, j, k) for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1) if (i, j, k) != (0, 0, 0)),
    key=lambda step: sum(map(abs, step)),
)
STEPS = np.array([*_STEPS, (0, 0, 0)], dtype=np.int64)
"""The 26 steps from a vertex to the cells around it, 6 edges, 12 squares, 8 cubes, and at VERTEX to itself."""
VERTEX = 26


def _step_masks(dimension_drop: tuple[int, ...]) -> np.ndarray:
    """Per step, bit mask of the steps contained in it that have the given numbers of components fewer."""
    masks = []
    for step in _STEPS:
        inner = [
            n
            for n, part in enumerate(_STEPS)
            if all(p in (0, s) for p, s in zip(part, step, strict=True))
            and sum(map(abs, step)) - sum(map(abs, part)) in dimension_drop
        ]
        masks.append(sum(1 << n for n in inner))
    return np.array(masks, dtype=np.int64)


VERTICES = _step_masks((0, 1, 2))
"""Per cell of the star, the far voxels it contains."""
FACES = _step_masks((1,))
"""Per cell of the star, its faces that contain the central voxel (none for an edge: only the voxel itself)."""


@njit(cache=True)
def _difference_code(cell, face):
    """1 + direction of the step from a face to the cell it bounds."""
    for axis in range(3):
        step = STEPS[cell, axis] - STEPS[face, axis]
        if step != 0:
            return 1 + 2 * axis + (step > 0)
    return CRITICAL


@njit(cache=True)
def reverse_code(code):
    """Code of the reversed step."""
    return 1 + ((code - 1) ^ 1)


@njit(cache=True)
def _lowest_bit(mask):
    bit = 0
    while not (mask >> bit) & 1:
        bit += 1
    return bit


@njit(cache=True)
def _pair_star(star, steepest, codes):
    """Pair the cells of one star; codes[26] receives the code of every cell in it."""
    # The voxel itself flows along its steepest edge, which therefore is no longer free.
    codes[steepest] = reverse_code(_difference_code(steepest, VERTEX))
    remaining = star & ~(1 << steepest)
    while remaining:
        collapsed = False
        for cell in range(6, 26):
            if not (remaining >> cell) & 1:
                continue
            faces = FACES[cell] & remaining
            if faces and not faces & (faces - 1):  # exactly one face left: an elementary expansion
                face = _lowest_bit(faces)
                code = _difference_code(cell, face)
                codes[face], codes[cell] = code, reverse_code(code)
                remaining &= ~((1 << cell) | faces)
                collapsed = True
        if collapsed:
            continue
        # No expansion is left: a cell of lowest dimension, all of whose faces are gone, is critical.
        for cell in range(26):
            if (remaining >> cell) & 1 and not FACES[cell] & remaining:
                codes[cell] = CRITICAL
                remaining &= ~(1 << cell)
                break


@njit(cache=True)
def _star(values, i, j, k, shape):
    """Cells that belong to voxel (i, j, k) as a bit mask, and the edge to its highest neighbour (-1 if none)."""
    v = (i * shape[1] + j) * shape[2] + k
    x, y, z = _neighbours(i, shape[0]), _neighbours(j, shape[1]), _neighbours(k, shape[2])
    higher = 0  # bit mask of the 26 surrounding voxels that are above this one
    steepest = -1
    best = v
    for n in range(26):
        u = (x[STEPS[n, 0] + 1] * shape[1] + y[STEPS[n, 1] + 1]) * shape[2] + z[STEPS[n, 2] + 1]
        if is_higher(values, u, v):
            higher |= 1 << n
            if n < 6 and is_higher(values, u, best):  # the first six steps are the edges
                best = u
                steepest = n
    # A cell belongs to its lowest voxel: all its other voxels have to be higher.
    star = 0
    for n in range(26):
        if VERTICES[n] & higher == VERTICES[n]:
            star |= 1 << n
    return star, steepest


@njit(cache=True)
def _neighbours(i, n):
    return (i - 1 if i > 0 else n - 1, i, i + 1 if i < n - 1 else 0)


@njit(cache=True)
def discrete_gradient(values, shape) -> UInt8[np.ndarray, "cells"]:
    """Pairing of all 8 nx ny nz cells of the doubled grid, for values in voxel order; every n at least 2."""
    nx, ny, nz = 2 * shape[0], 2 * shape[1], 2 * shape[2]
    pairing = np.full(nx * ny * nz, UNSET, np.uint8)
    codes = np.empty(26, np.int64)
    for i in range(shape[0]):
        for j in range(shape[1]):
            for k in range(shape[2]):
                vertex = (2 * i * ny + 2 * j) * nz + 2 * k
                star, steepest = _star(values, i, j, k, shape)
                if steepest < 0:  # no higher neighbour along an edge: a maximum, whose star is itself
                    pairing[vertex] = CRITICAL
                    continue
                pairing[vertex] = _difference_code(steepest, VERTEX)
                _pair_star(star, steepest, codes)
                for n in range(26):
                    if (star >> n) & 1:
                        x = (2 * i + STEPS[n, 0]) % nx
                        y = (2 * j + STEPS[n, 1]) % ny
                        z = (2 * k + STEPS[n, 2]) % nz
                        pairing[(x * ny + y) * nz + z] = codes[n]
    return pairing
