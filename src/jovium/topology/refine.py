"""From a grid event to the critical point behind it: Newton on the twice differentiable interpolant."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from jovium.base.grid import GridField, Interpolant

MAX_STEPS = 40
REACH = 2.0
"""Largest distance between a grid event and its critical point, in grid steps along any axis."""
LONGEST_STEP = 0.5
CHUNK = 4096
CENTRE = np.zeros((1, 3))
SIDES = 0.5 * np.concatenate([np.eye(3), -np.eye(3)])

Points = Float[np.ndarray, "n 3"]


@dataclass(frozen=True)
class Refined:
    """Critical points (bohr), their values, and which of them were found; the others keep the grid event."""

    positions: Points
    values: Float[np.ndarray, "n"]
    found: Bool[np.ndarray, "n"]


def refine(field: GridField, positions: Points, values: Float[np.ndarray, "n"], index: Int[np.ndarray, "n"]) -> Refined:
    """Critical points of the interpolated field next to grid events at `positions` (bohr) with grid `values`.

    index: number of positive Hessian eigenvalues wanted (0 maximum, 1 bond, 2 ring, 3 cage). Newton starts from the
    event; where that fails, from half a grid step to its six sides, and the nearest point found wins. A point x counts
    when the gradient vanishes there, the signature is right, it lies within REACH grid steps of the event x_v, and
    |f(x) - f(x_v)| <= |lambda|_max |x - x_v|^2, twice the second-order bound of Taylor's theorem: O(h^2). A saddle must
    also lie in the range of the grid values: the spline rings at the edge of a plateau, and that is no saddle.
    """
    interpolant = field.interpolant()
    positions, values = positions.copy(), np.array(values, dtype=float)
    index = np.asarray(index)
    is_saddle = (index == 1) | (index == 2)
    lowest = np.where(is_saddle, field.values.min(), -np.inf)
    highest = np.where(is_saddle, field.values.max(), np.inf)
    found = np.zeros(len(positions), dtype=bool)
    for starts in (CENTRE, SIDES):
        missing = np.flatnonzero(~found)
        for first in range(0, len(missing), CHUNK):
            part = missing[first : first + CHUNK]
            ends, end_values, good = _refine_chunk(interpolant, starts, positions[part], values[part], index[part])
            good &= (end_values >= lowest[part]) & (end_values <= highest[part])
            positions[part[good]], values[part[good]], found[part] = ends[good], end_values[good], good
    return Refined(positions, values, found)


def _refine_chunk(
    interpolant: Interpolant, starts: Float[np.ndarray, "k 3"], events: Points, values: np.ndarray, index: np.ndarray
):
    points = events[None] + interpolant.cell.cartesian(starts / interpolant.shape)[:, None]
    index = np.broadcast_to(index, points.shape[:2]).reshape(-1)
    ends, converged = _newton(interpolant, points.reshape(-1, 3), index)
    ends, converged = ends.reshape(points.shape), converged.reshape(points.shape[:2])
    steps = np.abs(interpolant.cell.fractional(ends - events) * interpolant.shape).max(axis=-1)
    end_values, _, hessian = interpolant.value_gradient_hessian(ends)
    curvature = np.abs(np.linalg.eigvalsh(hessian)).max(axis=-1)
    rounding = 1e-12 * (1 + np.abs(values))
    close = np.abs(end_values - values) <= curvature * np.sum((ends - events) ** 2, axis=-1) + rounding
    steps = np.where(converged & close & (steps <= REACH), steps, np.inf)
    best = np.argmin(steps, axis=0)[None]
    found = np.isfinite(np.take_along_axis(steps, best, 0)[0])
    best_ends = np.take_along_axis(ends, best[..., None], 0)[0]
    best_values = np.take_along_axis(end_values, best, 0)[0]
    return np.where(found[:, None], best_ends, events), np.where(found, best_values, values), found


def _newton(interpolant: Interpolant, points: Points, index: np.ndarray) -> tuple[Points, np.ndarray]:
    """Newton with the signs of the Hessian eigenvalues set to the wanted index.

    Uphill along the 3 - index lowest modes, downhill along the rest: identical to Newton near a critical point of the
    wanted kind, and not attracted by those of another kind.
    """
    points = points.copy()
    converged = np.zeros(len(points), dtype=bool)
    active = np.arange(len(points))
    origin = points.copy()
    for _ in range(MAX_STEPS):
        if len(active) == 0:
            break
        _, gradient, hessian = interpolant.value_gradient_hessian(points[active])
        curvature, modes = np.linalg.eigh(hessian)
        sign = np.where(np.arange(3) < 3 - index[active, None], -1.0, 1.0)
        largest = np.abs(curvature).max(axis=1, keepdims=True)
        bounded = np.maximum(np.abs(curvature), 1e-6 * largest + 1e-300)
        along = -sign * np.einsum("nij,ni->nj", modes, gradient) / bounded
        step = np.einsum("nij,nj->ni", modes, along)
        scaled = np.abs(interpolant.cell.fractional(step) * interpolant.shape).max(axis=1)
        right = (curvature * sign > 1e-9 * largest).all(axis=1)
        converged[active] = right & (scaled < 1e-7)
        points[active] += step * np.minimum(1.0, LONGEST_STEP / np.maximum(scaled, 1e-300))[:, None]
        drift = np.abs(interpolant.cell.fractional(points[active] - origin[active]) * interpolant.shape).max(axis=1)
        # Settled (rightly or wrongly) or gone astray: no further steps.
        active = active[(scaled >= 1e-7) & (drift <= 2 * REACH)]
    return points, converged
