"""Whether the planes of a grid fit a periodic cell: ends that repeat, faces that do not join, atoms outside.

A grid of n points along a lattice vector leaves out its far end, which is the near end again. Some programs write it.
"""

import numpy as np
from jaxtyping import Float

from jovium.base.grid import GridField
from jovium.base.structure import Structure

Values = Float[np.ndarray, "nx ny nz"]

LEAST_POINTS = 512
"""Points of a grid below which its steps and its mean say nothing about what they are."""

END_TOLERANCE = 1e-4
"""Difference of repeated planes, relative to the range of the field: printed digits and interpolation."""

TELLING_VALUES = 8
"""Different values on a plane that cannot repeat by chance; a face in vacuum has one."""

JUMP_RATIO = 1.5
"""How much larger than any other jump between planes that between the last and the first may be."""

LEAST_PLANES = 8
"""Planes along an axis below which the jumps between them say nothing."""


def drop_repeated_planes(values: Values) -> tuple[Float[np.ndarray, "mx my mz"], list[str]]:
    """The values without last planes that repeat the first, and a warning that names the axes.

    An axis whose planes say nothing (vacuum, or no change along it) follows the others.
    """
    verdicts = [_repeats(values, axis) for axis in range(3)] if np.isfinite(values).all() else []
    if True not in verdicts:
        return values, []
    dropped = [axis for axis in range(3) if verdicts[axis] is not False]
    names = ", ".join("abc"[axis] for axis in dropped)
    warning = f"the grid repeats its first plane as its last along {names}: the last was dropped"
    return values[tuple(slice(-1 if axis in dropped else None) for axis in range(3))], [warning]


def ends_agree(values: Values, axis: int) -> bool:
    """True when the last plane is the first again, and not only its neighbour."""
    planes = np.moveaxis(values, axis, 0)
    gap, step = np.abs(planes[-1] - planes[0]).max(), np.abs(planes[1] - planes[0]).max()
    return bool(gap <= min(END_TOLERANCE * np.ptp(values), 0.2 * step))


def _repeats(values: Values, axis: int) -> bool | None:
    """Whether the last plane repeats the first; None when the field cannot tell."""
    planes = np.moveaxis(values, axis, 0)
    if len(planes) < 3 or not ends_agree(values, axis):
        return False
    if len(np.unique(planes[0])) < TELLING_VALUES:
        return None
    if np.abs(planes[1] - planes[-2]).max() > 10 * END_TOLERANCE * np.ptp(values):
        return True
    # In a mirror-symmetric field points half a step off the mirror agree as well. The third difference across it
    # vanishes for a parabola on such points, or on points of which one lies on the mirror: the smoother of the two.
    between = np.abs(planes[2] - 3 * planes[1] + 2 * planes[0]).sum()
    on = np.abs(planes[2] - 4 * planes[1] + 3 * planes[0]).sum()
    return None if between == on else bool(on < between)


def joins(values: Values, axis: int) -> bool:
    """False when the field jumps from the last plane to the first more than anywhere else along the axis."""
    planes = np.moveaxis(values, axis, 0)
    jumps = np.sqrt(np.mean((np.roll(planes, -1, axis=0) - planes) ** 2, axis=(1, 2)))
    return len(planes) < LEAST_PLANES or bool(jumps[-1] <= JUMP_RATIO * jumps[:-1].max())


def grid_warnings(structure: Structure, field: GridField) -> tuple[str, ...]:
    """What speaks against a grid that is one period of the structure around it.

    Hydrogen atoms may be anywhere, as in a trajectory: the ELF tells whether their images are in place.
    """
    warnings = []
    others = np.setdiff1d(np.arange(structure.n_atoms), structure.hydrogens)
    fractional = structure.cell.fractional(structure.positions[others])
    outside = np.count_nonzero((np.abs(fractional - 0.25) > 0.75 + 1e-3).any(axis=1))
    if outside:
        warnings.append(
            f"{outside} atoms lie outside the box of the grid and count where their periodic images are: if the grid "
            "is a part of a larger system, no number here is that of the system"
        )
    torn = ", ".join("abc"[axis] for axis in range(3) if not joins(field.values, axis))
    if torn:
        warnings.append(
            f"the field does not join its periodic image along {torn}: it is a part of a larger system, or cut off"
        )
    return tuple(warnings)
