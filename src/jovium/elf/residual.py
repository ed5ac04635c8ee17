"""What a model leaves over, in waves and in space: where in |G| its error lies and how far it hangs together."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.base.grid import wave_numbers


@dataclass(frozen=True)
class Spectrum:
    """Power of a field by wave number: power[i] is the part of the mean square in edges[i] <= |G| < edges[i + 1]
    (1/bohr). The mean, G = 0, is in the first; the sum of all is the mean square when the edges reach far enough."""

    edges: Float[np.ndarray, "edges"]
    power: Float[np.ndarray, "shells"]


@dataclass(frozen=True)
class Correlation:
    """C(r) = <f(x) f(x + r)> / <f^2> averaged over the directions of r (bohr), at the centres of shells."""

    r: Float[np.ndarray, "shells"]
    value: Float[np.ndarray, "shells"]

    @property
    def length(self) -> float:
        """Correlation length: the first r (bohr) at which C falls below 1/e, between shells by a straight line."""
        below = np.flatnonzero(self.value < 1 / np.e)
        if len(below) == 0 or below[0] == 0:
            return float(self.r[0] if len(below) else self.r[-1])
        i = below[0]
        slope = (self.value[i] - self.value[i - 1]) / (self.r[i] - self.r[i - 1])
        return float(self.r[i - 1] + (1 / np.e - self.value[i - 1]) / slope)


def spectrum(field: Float[np.ndarray, "nx ny nz"], cell: Cell, edges: Float[np.ndarray, "edges"]) -> Spectrum:
    """Power of a field in shells of |G|. Raises InputError for edges that do not rise."""
    if len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise InputError(f"edges {edges}", "two or more that rise", "give wave numbers in ascending order")
    power = np.abs(np.fft.fftn(field, norm="forward")) ** 2
    m = wave_numbers(field.shape)
    lengths = np.linalg.norm(m @ cell.reciprocal, axis=-1)
    return Spectrum(edges, np.histogram(lengths, edges, weights=power)[0])


def correlation(field: Float[np.ndarray, "nx ny nz"], cell: Cell, n_shells: int = 24) -> Correlation:
    """Correlation function up to half the shortest height of the cell, shells without a grid vector left out."""
    power = np.abs(np.fft.fftn(field)) ** 2
    values = np.fft.ifftn(power).real
    m = np.stack(np.meshgrid(*(np.fft.fftfreq(n) for n in field.shape), indexing="ij"), -1)
    distances = np.linalg.norm(cell.minimum_image((m @ cell.vectors).reshape(-1, 3)), axis=-1)
    reach = np.pi / np.linalg.norm(cell.reciprocal, axis=1).max()
    edges = np.linspace(0.0, reach, n_shells + 1)
    counts = np.histogram(distances, edges)[0]
    sums = np.histogram(distances, edges, weights=values.ravel())[0]
    centres = np.histogram(distances, edges, weights=distances)[0]
    there = counts > 0
    return Correlation(centres[there] / counts[there], sums[there] / counts[there] / values[0, 0, 0])
