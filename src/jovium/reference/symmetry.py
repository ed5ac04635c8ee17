"""Space-group symmetry of a structure imposed on fields computed without it.

A k-mesh that does not map onto itself under the rotations of a crystal breaks the symmetry of its fields a little:
equivalent bonds of Cs-IV hydrogen differ by 0.003 in ELF on a 12x12x15 mesh. The average over the group,

    f_sym(s) = 1/|G| sum_{(R, t) in G} f(R^-1 (s - t)),

removes that part of the mesh error exactly. In Fourier space, with f(s) = sum_m c_m exp(2 pi i m . s) and m a row,
c_sym(m) = 1/|G| sum c(m R) exp(-2 pi i m . t): R is an integer matrix, so no interpolation is needed.
"""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.linalg import sqrtm

from jovium.base.cell import Cell
from jovium.base.grid import GridField, wave_numbers
from jovium.base.structure import Structure

POSITION_TOLERANCE = 1e-4
"""Distance (bohr) within which two atoms count as mapped onto each other."""

IDEAL_TOLERANCE = 2e-3
"""The same for a structure that is made exactly symmetric before it is computed: files print four digits, and between
0.3333 and 0.6667 one in the last is missing, 0.002 bohr of 10 angstrom."""

Operations = tuple[Int[np.ndarray, "g 3 3"], Float[np.ndarray, "g 3"]]


def space_group_operations(structure: Structure) -> Operations:
    """Rotations (fractional, columns: s' = R s + t) and translations of the space group; the identity at least."""
    symmetry = _dataset(structure, POSITION_TOLERANCE)
    if symmetry is None:
        return np.eye(3, dtype=int)[None], np.zeros((1, 3))
    return np.asarray(symmetry.rotations, dtype=int), np.asarray(symmetry.translations, dtype=float)


def space_group(structure: Structure, tolerance: float = POSITION_TOLERANCE) -> str:
    """Symbol and number of the space group, e.g. "Fm-3m (225)"; tolerance: distance (bohr) of mapped atoms."""
    symmetry = _dataset(structure, tolerance)
    return "P1 (1)" if symmetry is None else f"{symmetry.international} ({symmetry.number})"


def _dataset(structure: Structure, tolerance: float) -> Any:
    from spglib import get_symmetry_dataset

    species = {symbol: i for i, symbol in enumerate(dict.fromkeys(structure.symbols))}
    cell: Any = (
        structure.cell.vectors,
        structure.cell.fractional(structure.positions),
        [species[symbol] for symbol in structure.symbols],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return get_symmetry_dataset(cell, symprec=tolerance)


def idealised(structure: Structure, tolerance: float = IDEAL_TOLERANCE) -> Structure:
    """The structure that has the symmetry of `structure` exactly: files print few digits of lengths, angles and
    coordinates, and programs that find symmetry differ in what they forgive. No atom moves by more than `tolerance`
    (bohr). The metric of the cell is averaged over the rotations, G = 1/|G| sum R^T G R, and each atom over the images
    of the others that fall on it."""
    symmetry = _dataset(structure, tolerance)
    if symmetry is None or len(symmetry.rotations) == 1:
        return structure
    rotations, translations = np.asarray(symmetry.rotations, dtype=float), np.asarray(symmetry.translations)
    vectors = structure.cell.vectors
    metric = vectors @ vectors.T
    averaged = np.mean(np.swapaxes(rotations, 1, 2) @ metric @ rotations, axis=0)
    cell = Cell(np.real(sqrtm(averaged)) @ np.linalg.inv(np.real(sqrtm(metric))) @ vectors)
    places = structure.cell.fractional(structure.positions)
    symbols = np.array(structure.symbols)
    moved = np.zeros_like(places)
    for rotation, translation in zip(rotations, translations, strict=True):
        differences = (places @ rotation.T + translation)[None] - places[:, None]
        differences -= np.rint(differences)
        distances = np.linalg.norm(differences @ vectors, axis=-1) + np.where(symbols[:, None] == symbols, 0.0, np.inf)
        moved += differences[np.arange(len(places)), np.argmin(distances, axis=1)]
    return replace(structure, cell=cell, positions=cell.cartesian(places + moved / len(rotations)))


def standard_orientation(structure: Structure) -> Float[np.ndarray, "3 3"]:
    """The rotation Q, x_standard = Q x, that puts the symmetry axes of a crystal where the tables have them: the cubic
    axes along x, y and z, a hexagonal one along z. Some programs look for symmetry along these axes alone."""
    symmetry = _dataset(structure, POSITION_TOLERANCE)
    return np.eye(3) if symmetry is None else np.asarray(symmetry.std_rotation_matrix, dtype=float)


def mesh_images(
    rotations: Int[np.ndarray, "g 3 3"], mesh: tuple[int, int, int], offset: float
) -> tuple[Bool[np.ndarray, "i k"], Int[np.ndarray, "i k"]]:
    """Where rotations, and after them each with time reversal, take the k-points (m + offset) / n of a mesh: whether to
    a point of the mesh, and to which. Index: of the points in the order of `monkhorst_pack`; rotations: fractional, of
    the crystal."""
    n = np.array(mesh)
    steps = np.indices(mesh).reshape(3, -1).T + offset
    images = (steps / n) @ np.concatenate([rotations, -rotations]) * n - offset
    nearest = np.rint(images).astype(int)
    index = np.ravel_multi_index(tuple(np.moveaxis(nearest, -1, 0)), mesh, mode="wrap")
    return np.all(np.abs(images - nearest) < 1e-6, axis=-1), np.asarray(index)


def symmetrise(field: GridField, operations: Operations) -> GridField:
    """The average of a band-limited field over space-group operations; the field itself for the identity alone."""
    rotations, translations = operations
    if len(rotations) == 1:
        return field
    shape = np.array(field.shape)
    coefficients = np.fft.fftn(field.values)
    waves = wave_numbers(field.shape).astype(int)
    total = np.zeros_like(coefficients)
    for rotation, translation in zip(rotations, translations, strict=True):
        source = waves @ rotation
        inside = (2 * np.abs(source) < shape).all(axis=-1)  # beyond the grid the field has no waves
        i, j, k = np.moveaxis(source % shape, -1, 0)
        total += inside * coefficients[i, j, k] * np.exp(-2j * np.pi * (waves @ translation))
    return GridField(np.fft.ifftn(total).real / len(rotations), field.cell)
