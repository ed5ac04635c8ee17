"""From a grid event to the critical point behind it: Newton on the twice differentiable interpolant."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from jovium.base.grid import GridField, Interpolant

MAX_NEWTON_STEPS = 40
MAX_DISPLACEMENT = 2.0
"""Largest distance between a grid event and its critical point, in grid steps along any axis."""
MAX_STEP_LENGTH = 0.5
"""Longest Newton step, in grid steps along any axis."""
POINTS_PER_CHUNK = 4096
CENTRE = np.zeros((1, 3))
SIDES = 0.5 * np.concatenate([np.eye(3), -np.eye(3)])

Points = Float[np.ndarray, "n 3"]


@dataclass(frozen=True)
class Refinement:
    """Critical points (bohr), their values, and where Newton succeeded; elsewhere they are the grid event."""

    positions: Points
    values: Float[np.ndarray, "n"]
    success: Bool[np.ndarray, "n"]


def refine(
    field: GridField, positions: Points, values: Float[np.ndarray, "n"], index: Int[np.ndarray, "n"]
) -> Refinement:
    """Critical points of the interpolated field next to grid events at `positions` (bohr) with grid `values`.

    index: number of positive Hessian eigenvalues wanted (0 maximum, 1 bond, 2 ring, 3 cage). Newton starts from the
    event; where that fails, from half a grid step to its six sides, and the nearest critical point wins. A point x
    counts when the gradient vanishes there, the signature is right, it lies within MAX_DISPLACEMENT grid steps of the
    event x_v, and |f(x) - f(x_v)| <= |lambda|_max |x - x_v|^2, twice the second-order bound of Taylor's theorem:
    O(h^2). A saddle must also lie in the range of the grid values: the spline rings at the edge of a plateau, and that
    is no saddle.
    """
    interpolant = field.interpolant()
    positions, values = positions.copy(), np.array(values, dtype=float)
    index = np.asarray(index)
    is_saddle = (index == 1) | (index == 2)
    lowest = np.where(is_saddle, field.values.min(), -np.inf)
    highest = np.where(is_saddle, field.values.max(), np.inf)
    success = np.zeros(len(positions), dtype=bool)
    for starts in (CENTRE, SIDES):
        missing = np.flatnonzero(~success)
        for first in range(0, len(missing), POINTS_PER_CHUNK):
            part = missing[first : first + POINTS_PER_CHUNK]
            ends, end_values, good = _refine_chunk(interpolant, starts, positions[part], values[part], index[part])
            good &= (end_values >= lowest[part]) & (end_values <= highest[part])
            positions[part[good]], values[part[good]], success[part] = ends[good], end_values[good], good
    return Refinement(positions, values, success)


def _refine_chunk(
    interpolant: Interpolant, starts: Float[np.ndarray, "k 3"], events: Points, values: np.ndarray, index: np.ndarray
):
    # All starting points of all events in one batch: (starts, events, 3).
    points = events[None] + interpolant.cell.cartesian(starts / interpolant.shape)[:, None]
    index = np.broadcast_to(index, points.shape[:2]).reshape(-1)
    ends, converged = _newton(interpolant, points.reshape(-1, 3), index)
    ends, converged = ends.reshape(points.shape), converged.reshape(points.shape[:2])
    steps = np.abs(interpolant.cell.fractional(ends - events) * interpolant.shape).max(axis=-1)
    end_values, _, hessian = interpolant.value_gradient_hessian(ends)
    # Second-order bound on the change of the field between the event and the point.
    curvature = np.abs(np.linalg.eigvalsh(hessian)).max(axis=-1)
    rounding = 1e-12 * (1 + np.abs(values))
    close = np.abs(end_values - values) <= curvature * np.sum((ends - events) ** 2, axis=-1) + rounding
    steps = np.where(converged & close & (steps <= MAX_DISPLACEMENT), steps, np.inf)
    # Of several starting points the one that ends nearest to the event.
    best = np.argmin(steps, axis=0), np.arange(len(events))
    success = np.isfinite(steps[best])
    return np.where(success[:, None], ends[best], events), np.where(success, end_values[best], values), success


def _newton(interpolant: Interpolant, points: Points, index: np.ndarray) -> tuple[Points, np.ndarray]:
    """Newton with the signs of the Hessian eigenvalues set to the wanted index.

    Uphill along the 3 - index lowest modes, downhill along the rest: identical to Newton near a critical point of the
    wanted kind, and not attracted by those of another kind.
    """
    points = points.copy()
    converged = np.zeros(len(points), dtype=bool)
    active = np.arange(len(points))
    origin = points.copy()
    for _ in range(MAX_NEWTON_STEPS):
        if len(active) == 0:
            break
        _, gradient, hessian = interpolant.value_gradient_hessian(points[active])
        curvature, modes = np.linalg.eigh(hessian)
        sign = np.where(np.arange(3) < 3 - index[active, None], -1.0, 1.0)
        # Flat modes would make endless steps: no curvature below 1e-6 of the largest.
        largest = np.abs(curvature).max(axis=1, keepdims=True)
        bounded = np.maximum(np.abs(curvature), 1e-6 * largest + 1e-300)
        along = -sign * np.einsum("nij,ni->nj", modes, gradient) / bounded
        step = np.einsum("nij,nj->ni", modes, along)
        scaled = np.abs(interpolant.cell.fractional(step) * interpolant.shape).max(axis=1)
        # `eigh` sorts ascending: of index k exactly the last k curvatures are positive.
        right = (curvature * sign > 1e-9 * largest).all(axis=1)
        converged[active] = right & (scaled < 1e-7)
        points[active] += step * np.minimum(1.0, MAX_STEP_LENGTH / np.maximum(scaled, 1e-300))[:, None]
        drift = np.abs(interpolant.cell.fractional(points[active] - origin[active]) * interpolant.shape).max(axis=1)
        # Settled (rightly or wrongly) or gone astray: no further steps.
        active = active[(scaled >= 1e-7) & (drift <= 2 * MAX_DISPLACEMENT)]
    return points, converged
