"""Pair correlation function of a fluid."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.base.statistics import mean_with_error
from jovium.base.structure import Structure


@dataclass(frozen=True)
class PairCorrelation:
    """g(r) with its standard error at bin centres r (bohr)."""

    r: Float[np.ndarray, "bins"]
    g: Float[np.ndarray, "bins"]
    error: Float[np.ndarray, "bins"]


def pair_histogram(structure: Structure, edges: Float[np.ndarray, "edges"]) -> Float[np.ndarray, "bins"]:
    """g(r) of one configuration: pairs per shell over those of an ideal gas of N - 1 others, V / (4/3 pi d(r^3)).

    g(r) = V / (N (N - 1)) * 2 n_pairs(r) / shell volume. Distances are those of nearest images, so `edges` must end
    within half the shortest height of the cell; raises InputError beyond, and for fewer than two atoms.
    """
    n = structure.n_atoms
    heights = structure.cell.heights
    if n < 2 or edges[-1] > heights.min() / 2 * (1 + 1e-9):
        raise InputError(
            f"g(r) up to {edges[-1]:.3f} bohr for {n} atoms in a cell of height {heights.min():.3f} bohr",
            "at least two atoms and distances up to half the height of the cell",
            "ask for a shorter range or use a larger cell",
        )
    i, j = np.triu_indices(n, 1)
    distances = np.linalg.norm(structure.cell.minimum_image(structure.positions[i] - structure.positions[j]), axis=1)
    counts = np.histogram(distances, edges)[0]
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    return structure.cell.volume * 2 * counts / (n * (n - 1) * shells)


def pair_correlation(structures: Sequence[Structure], n_bins: int = 60) -> PairCorrelation:
    """g(r) averaged over successive configurations of one cell, errors from the autocorrelation of each bin.

    Raises InputError for fewer than two configurations.
    """
    if len(structures) < 2:
        raise InputError(f"{len(structures)} configurations", "at least two", "sample longer")
    edges = np.linspace(0.0, structures[0].cell.heights.min() / 2, n_bins + 1)
    histograms = np.array([pair_histogram(structure, edges) for structure in structures])
    estimates = [mean_with_error(column) for column in histograms.T]
    return PairCorrelation(
        0.5 * (edges[1:] + edges[:-1]),
        np.array([estimate.value for estimate in estimates]),
        np.array([estimate.error for estimate in estimates]),
    )


def radial_distribution(distances: Float[np.ndarray, "w s k"], cell: Cell, n_bins: int = 40) -> PairCorrelation:
    """g(r) from the distances (bohr) of k pairs in s successive configurations of w independent walkers.

    Pairs per shell over those of k uniform ones, to half the shortest height of the cell. Errors count walkers alone.
    """
    edges = np.linspace(0.0, cell.heights.min() / 2, n_bins + 1)
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    n_pairs = distances.shape[1] * distances.shape[2]
    counts = np.array([np.histogram(walker, edges)[0] for walker in distances]) * cell.volume / (n_pairs * shells)
    return PairCorrelation(
        0.5 * (edges[1:] + edges[:-1]), counts.mean(axis=0), counts.std(axis=0, ddof=1) / np.sqrt(len(counts))
    )
