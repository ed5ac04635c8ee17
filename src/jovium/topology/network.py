"""Thresholds of the hydrogen network: networking value and molecularity index, with the saddles they sit on."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float, Int

from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.base.grid import GridField
from jovium.topology.refine import refine as refine_points
from jovium.topology.sweep import MergeTree, sweep

Points = Float[np.ndarray, "n 3"]

THRESHOLDS = ("phi_1d", "phi_2d", "phi_3d", "phi_star")
"""Names of the isovalues at which the network changes, in the order every table lists them."""

BOND_INDEX = 1
"""A bond saddle rises along one direction: one positive Hessian eigenvalue."""


@dataclass(frozen=True)
class Threshold:
    """An isovalue at which the connectivity of {f >= t} changes.

    value: field value at the bond saddle, or the grid value where no saddle is near. position: of that point, bohr.
    grid_value: exact threshold of the voxel graph; |phi(f + e) - phi(f)| <= max |e| holds for it without exception.
    refined: True when `value` is that of a saddle of the interpolant.
    """

    value: float
    position: Float[np.ndarray, "3"]
    grid_value: float
    refined: bool


@dataclass(frozen=True)
class Network:
    """Connectivity of the superlevel sets of one field.

    phi_1d >= phi_2d >= phi_3d: highest isovalue at which ONE connected component of {f >= t} is periodic in 1, 2, 3
    independent directions; phi_3d is the networking value. phi_star: molecularity index, the highest isovalue at
    which two hydrogens, or a hydrogen and its own image, are connected; None when no hydrogens were given.
    """

    phi_1d: Threshold
    phi_2d: Threshold
    phi_3d: Threshold
    phi_star: Threshold | None
    merge_tree: MergeTree

    def thresholds(self) -> dict[str, Threshold | None]:
        """The thresholds by name; None for one that does not exist."""
        return {name: getattr(self, name) for name in THRESHOLDS}


def hydrogen_network(field: GridField, hydrogens: Points | None = None, *, refine: bool = True) -> Network:
    """Thresholds of `field`, with the protons at `hydrogens` (bohr) for the molecularity index.

    A proton belongs to the voxel nearest to it and is present once that voxel is. With `refine` every event moves
    from its voxel to the bond saddle next to it. Where two saddles compete whose values differ by less than the
    O(h^2) of the grid, the grid chooses: `value` then is that of the other saddle. In a constant field every threshold
    is that constant, unrefined.
    Raises InputError when `hydrogens` is not (n, 3), n >= 1, of finite numbers.
    """
    labels = _label_voxels(field, hydrogens)
    result = sweep(field.values, labels)
    voxels = [*result.rank_voxels]
    if len(labels):
        voxels.append(result.label_voxel)
    thresholds = _thresholds(field, np.array(voxels), refine)
    # The cycle behind phi_2d presupposes that behind phi_1d: if refinement reverses two events, their order was an
    # artefact of the grid, and the higher saddle is the one that opens the lower dimension.
    phi_1d, phi_2d, phi_3d = sorted(thresholds[:3], key=lambda threshold: -threshold.value)
    phi_star = thresholds[3] if len(labels) else None
    return Network(phi_1d, phi_2d, phi_3d, phi_star, result.merge_tree)


def _thresholds(field: GridField, voxels: Int[np.ndarray, "n"], refine: bool) -> list[Threshold]:
    fractional = np.stack(np.unravel_index(voxels, field.shape), -1) / np.array(field.shape)
    positions = field.cell.cartesian(fractional)
    grid_values = np.asarray(field.values, dtype=float).reshape(-1)[voxels]
    values, success = grid_values, np.zeros(len(voxels), dtype=bool)
    if refine:
        saddles = refine_points(field, positions, grid_values, np.full(len(voxels), BOND_INDEX))
        positions, values, success = saddles.positions, saddles.values, saddles.success
    return [
        Threshold(float(value), field.cell.wrap(position), float(grid_value), bool(is_refined))
        for value, position, grid_value, is_refined in zip(values, positions, grid_values, success, strict=True)
    ]


def _label_voxels(field: GridField, hydrogens: Points | None) -> Int[np.ndarray, "n"]:
    if hydrogens is None:
        return np.empty(0, dtype=np.int64)
    points = np.asarray(hydrogens, dtype=float)
    if points.ndim != 2 or points.shape[1:] != (3,) or len(points) == 0:
        raise InputError(
            f"hydrogen positions of shape {points.shape}",
            "(n, 3) with n >= 1, in bohr",
            "pass the protons' Cartesian positions, or None to leave the molecularity index out",
        )
    bad = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(bad):
        raise InputError(
            f"hydrogen {bad[0]} at {points[bad[0]].tolist()}", "finite coordinates", "check the structure it came from"
        )
    return nearest_voxels(field.cell, field.shape, points)


def nearest_voxels(cell: Cell, shape: tuple[int, int, int], points: Points) -> Int[np.ndarray, "n"]:
    """Voxel whose grid point lies nearest to each of `points` (bohr), in the Cartesian metric of the cell."""
    scaled = cell.fractional(points) * np.array(shape)
    # In a skewed cell the nearest grid point need not be the rounded one: compare all 4^3 around the point.
    candidates = np.floor(scaled)[:, None] + np.array(list(product((-1, 0, 1, 2), repeat=3)))
    distance = np.sum(cell.cartesian((candidates - scaled[:, None]) / np.array(shape)) ** 2, axis=-1)
    nearest = candidates[np.arange(len(points)), np.argmin(distance, axis=1)].astype(np.int64)
    return np.asarray(np.ravel_multi_index(tuple((nearest % np.array(shape)).T), shape))
