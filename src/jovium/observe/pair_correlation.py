"""Pair correlation function of a fluid."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.base.files import write_lines
from jovium.base.statistics import mean_with_error
from jovium.base.structure import Structure


@dataclass(frozen=True)
class PairCorrelation:
    """g(r) with its standard error at bin centres r (bohr)."""

    r: Float[np.ndarray, "bins"]
    g: Float[np.ndarray, "bins"]
    error: Float[np.ndarray, "bins"]

    @classmethod
    def of_histograms(cls, edges: Float[np.ndarray, "edges"], rows: Float[np.ndarray, "n bins"]) -> "PairCorrelation":
        """The mean of the g(r) of independent samples."""
        error = rows.std(axis=0, ddof=1) / np.sqrt(len(rows))
        return cls(0.5 * (edges[1:] + edges[:-1]), rows.mean(axis=0), error)


def pair_histogram(structure: Structure, edges: Float[np.ndarray, "edges"]) -> Float[np.ndarray, "bins"]:
    """g(r) = V / (N (N - 1)) * 2 n_pairs(r) / shell volume of one configuration. Distances are those of nearest images,
    so `edges` must end within half the shortest height of the cell; raises InputError beyond, and for fewer than two
    atoms."""
    n = structure.n_atoms
    heights = structure.cell.heights
    if n < 2 or edges[-1] > heights.min() / 2 * (1 + 1e-9):
        got = f"g(r) up to {edges[-1]:.3f} bohr for {n} atoms in a cell of height {heights.min():.3f} bohr"
        expected = "at least two atoms and distances up to half the height of the cell"
        raise InputError(got, expected, "ask for a shorter range or use a larger cell")
    i, j = np.triu_indices(n, 1)
    distances = np.linalg.norm(structure.cell.minimum_image(structure.positions[i] - structure.positions[j]), axis=1)
    counts = np.histogram(distances, edges)[0]
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    return structure.cell.volume * 2 * counts / (n * (n - 1) * shells)


def pair_correlation(structures: Sequence[Structure], n_bins: int = 60) -> PairCorrelation:
    """g(r) averaged over successive configurations of one cell, errors from the autocorrelation of each bin. Raises
    InputError for fewer than two configurations."""
    if len(structures) < 2:
        raise InputError(f"{len(structures)} configurations", "at least two", "sample longer")
    edges = np.linspace(0.0, structures[0].cell.heights.min() / 2, n_bins + 1)
    histograms = np.array([pair_histogram(structure, edges) for structure in structures])
    estimates = [mean_with_error(column) for column in histograms.T]
    g, error = np.array([(estimate.value, estimate.error) for estimate in estimates]).T
    return PairCorrelation(0.5 * (edges[1:] + edges[:-1]), g, error)


def radial_distribution(distances: Float[np.ndarray, "w s k"], cell: Cell, n_bins: int = 40) -> PairCorrelation:
    """g(r) from the distances (bohr) of k pairs in s successive configurations of w independent walkers: pairs per
    shell over those of k uniform ones, to half the shortest height of the cell. Errors count walkers alone."""
    edges = np.linspace(0.0, cell.heights.min() / 2, n_bins + 1)
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    n_pairs = distances.shape[1] * distances.shape[2]
    counts = np.array([np.histogram(walker, edges)[0] for walker in distances]) * cell.volume / (n_pairs * shells)
    return PairCorrelation.of_histograms(edges, counts)


def write_pair_correlations(path: Path, pairs: dict[str, PairCorrelation]) -> None:
    """A table of all g(r), with the names of their columns."""
    columns = [next(iter(pairs.values())).r]
    for correlation in pairs.values():
        columns += [correlation.g, correlation.error]
    header = "r_bohr," + ",".join(f"{name},{name}_error" for name in pairs)
    lines = [",".join(f"{value:.6g}" for value in row) + "\n" for row in zip(*columns, strict=True)]
    write_lines(path, [header + "\n", *lines])
