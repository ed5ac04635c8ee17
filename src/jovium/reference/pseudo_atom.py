"""The spherical pseudo-atom: orbitals and density of a free or confined atom by density functional theory.

Radial functions are sums of Gaussians, R(r) = sum_a c_a N_a r^l exp(-alpha_a r^2), because their Fourier transforms are
Gaussians as well. Matrix elements are sums over a radial grid, smooth functions all: 1e-6 hartree.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.linalg import eigh
from scipy.special import gamma

from jovium.base.errors import EngineMissing, NotConverged, StructureError
from jovium.base.structure import ISOTOPE_MASSES
from jovium.reference.pseudopotential import Pseudopotential, pseudopotential

EXPONENTS = 0.04 * 1.75 ** np.arange(14)
"""alpha of the Gaussians, 1/bohr^2: widths from 3.5 bohr to 0.1."""

STEP, END = 0.01, 16.0
MIXING, ITERATIONS, TOLERANCE = 0.3, 300, 1e-7
F = 3
"""The largest angular momentum."""

BINDING = 0.015
"""Energy (hartree) by which an empty shell is bound that takes part in bonds: 4p of Ca has 0.049, 6p of Cs 0.014; the
4s, 5s, ... that follow a filled p shell, Rydberg states of no bond, have 0.014 at most."""

CONFINEMENT = 4.0
"""Radius (bohr) at which the walls reach half a hartree: between 3 and 6 bohr the H_DOS of H3S, CaH6, YH6 and LaH10
changes by 0.04 at most (docs/decisions/hydrogen-share.md)."""

FUNCTIONALS = {"GTH-PBE": "pbe,pbe", "GTH-PADE": "lda,pw"}

Radial = Float[np.ndarray, "n"]


@dataclass(frozen=True)
class AtomicOrbital:
    """One shell. coefficients: of the normalised Gaussians; energy (hartree); occupation: electrons in the shell."""

    l: int
    energy: float
    occupation: float
    coefficients: Float[np.ndarray, "a"]

    def __call__(self, r: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """R(r), bohr^(-3/2), with int r^2 R^2 dr = 1."""
        return np.tensordot(self.coefficients, gaussians(self.l, r), 1)

    def transform(self, k: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """4 pi int r^2 j_l(k r) R(r) dr, bohr^(3/2), from that of a Gaussian:
        r^l exp(-alpha r^2) -> (pi/alpha)^(3/2) (k / 2 alpha)^l exp(-k^2 / 4 alpha)."""
        total = np.zeros(np.shape(k))
        for c, alpha in zip(self.coefficients * norms(self.l), EXPONENTS, strict=True):
            total += c * (np.pi / alpha) ** 1.5 * (k / (2 * alpha)) ** self.l * np.exp(-(k**2) / (4 * alpha))
        return total


def norms(l: int) -> Float[np.ndarray, "a"]:
    """N of the Gaussians: int r^2 (N r^l exp(-alpha r^2))^2 dr = 1."""
    return np.sqrt(2 * (2 * EXPONENTS) ** (l + 1.5) / gamma(l + 1.5))


def gaussians(l: int, r: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "a *n"]:
    """The normalised Gaussians N r^l exp(-alpha r^2)."""
    alpha, norm = (values.reshape(-1, *[1] * np.ndim(r)) for values in (EXPONENTS, norms(l)))
    return norm * r**l * np.exp(-alpha * r**2)


def shells(n_electrons: int, l: int) -> list[float]:
    """Electrons in the shells of one angular momentum, filled from below."""
    full, rest = divmod(n_electrons, 2 * (2 * l + 1))
    return [2.0 * (2 * l + 1)] * full + ([float(rest)] if rest else [])


def occupied_shells(potential: Pseudopotential) -> list[AtomicOrbital]:
    """The shells that hold electrons in the free atom. Raises as `pseudo_atom`."""
    return [orbital for orbital in pseudo_atom(potential) if orbital.occupation > 0]


def empty_shells(potential: Pseudopotential) -> list[AtomicOrbital]:
    """The empty shells that a compressed atom may use: those that the free atom binds (3d and 4p of Ca, 4f of La), and
    the first of the next angular momentum (2p of H, 3d of S) of an atom confined to some `CONFINEMENT`, because the
    free one does not bind it. Raises as `pseudo_atom`."""
    bound = [orbital for orbital in pseudo_atom(potential) if orbital.occupation == 0 and orbital.energy < -BINDING]
    taken = {orbital.l for orbital in [*occupied_shells(potential), *bound]}
    missing = [orbital for orbital in pseudo_atom(potential, CONFINEMENT) if orbital.l not in taken]
    return [*bound, *missing[:1]]


@cache
def pseudo_atom(potential: Pseudopotential, confinement: float | None = None) -> tuple[AtomicOrbital, ...]:
    """The occupied orbitals of an atom and one empty shell of s, p, d and f, without spin, by angular momentum.

    Every step goes by `MIXING` towards the new density, until it stays. confinement (bohr): walls (r / confinement)^4
    / 2 are added to the potential. Raises NotConverged."""
    occupations = {l: [*shells(n, l), 0.0] for l, n in enumerate((*potential.configuration, 0, 0, 0)[: F + 1])}
    r = np.arange(STEP, END, STEP)
    walls = np.zeros_like(r) if confinement is None else (r / confinement) ** 4 / 2
    parts = {l: _Shells(potential, l, r, walls) for l in occupations}
    density = potential.charge * np.exp(-2 * r) / np.pi
    slope = -2 * density
    for _ in range(ITERATIONS):
        hartree, exchange_correlation, of_slope = _potentials(potential, r, density, slope)
        orbitals, new, new_slope = [], np.zeros_like(r), np.zeros_like(r)
        for l, electrons in occupations.items():
            energies, coefficients = parts[l].levels(hartree + exchange_correlation, of_slope * slope)
            for n, occupation in enumerate(electrons):
                orbital, derivative = coefficients[:, n] @ parts[l].values, coefficients[:, n] @ parts[l].slopes
                new += occupation * orbital**2 / (4 * np.pi)
                new_slope += occupation * orbital * derivative / (2 * np.pi)
                orbitals.append(AtomicOrbital(l, float(energies[n]), occupation, coefficients[:, n]))
        change = np.sum(np.abs(new - density) * 4 * np.pi * r**2) * STEP
        density, slope = density + MIXING * (new - density), slope + MIXING * (new_slope - slope)
        if change < TOLERANCE:
            return tuple(orbitals)
    raise NotConverged(
        f"the pseudo-atom of {potential.element} still changes by {change:.1e} electrons after {ITERATIONS} iterations",
        f"a change below {TOLERANCE:.0e}",
        "report it: every element of the table converges",
    )


class _Shells:
    """The Gaussians of one angular momentum on the radial grid, and their one-electron matrices."""

    def __init__(self, potential: Pseudopotential, l: int, r: Radial, walls: Radial):
        self.values = gaussians(l, r)
        self.slopes = (l / r - 2 * EXPONENTS[:, None] * r) * self.values
        self.weights = r**2 * STEP
        self.overlap = self.matrix(np.ones_like(r))
        kinetic = 0.5 * (self.slopes * self.weights) @ self.slopes.T + self.matrix(l * (l + 1) / (2 * r**2))
        self.core = kinetic + self.matrix(potential(r) + walls)
        for channel in potential.channels:
            if channel.l == l:
                projectors = [channel.projector(i, r) for i in range(len(channel.coefficients))]
                overlaps = (self.values * self.weights) @ np.reshape(projectors, (-1, len(r))).T
                self.core += overlaps @ np.reshape(channel.coefficients, [len(projectors)] * 2) @ overlaps.T

    def matrix(self, field: Radial) -> Float[np.ndarray, "a a"]:
        """<a| field |b>."""
        return (self.values * self.weights * field) @ self.values.T

    def levels(self, potential: Radial, of_slope: Radial) -> Any:
        """Energies and coefficients of the orbitals in a potential and in a field that acts on the slope of |R|^2."""
        half = (self.values * self.weights * of_slope) @ self.slopes.T
        return eigh(self.core + self.matrix(potential) + half + half.T, self.overlap)


def _potentials(potential: Pseudopotential, r: Radial, density: Radial, slope: Radial) -> tuple[Radial, Radial, Radial]:
    """Hartree potential, d e_xc / d n, and 2 d e_xc / d |n'|^2, by which the slope of n enters matrix elements."""
    from pyscf.dft import libxc

    functional = FUNCTIONALS[potential.name.rpartition("-")[0]]
    charges = 4 * np.pi * density * r * STEP  # shell charges over r
    hartree = np.cumsum(charges * r) / r + np.sum(charges) - np.cumsum(charges)
    zero = np.zeros_like(r)
    if libxc.xc_type(functional) == "LDA":
        return hartree, libxc.eval_xc(functional, density, deriv=1)[1][0], zero
    of_density, of_square, *_ = libxc.eval_xc(functional, np.stack([density, slope, zero, zero]), deriv=1)[1]
    return hartree, of_density, 2 * of_square


def core_radii(symbols: Iterable[str]) -> dict[str, float]:
    """Radius of the core (bohr) of every element but hydrogen that has a pseudopotential."""
    found = {}
    for element in sorted({*symbols} - {"H", *ISOTOPE_MASSES}):
        with suppress(StructureError, EngineMissing):
            found[element] = core_radius(pseudopotential(element))
    return found


def core_radius(potential: Pseudopotential) -> float:
    """Radius (bohr) of the core of an atom: where the ELF of the free atom is lowest between two shells, which parts
    the shells of the core from those of the valence (Kohout and Savin, Int. J. Quantum Chem. 60, 875 (1996)). Where the
    potential has no shell below the valence: 2 r_loc, out of which it is that of a point charge to 5 %. Raises as
    `pseudo_atom`."""
    r = np.arange(2 * potential.r_loc, 10.0, STEP)
    density, slope, kinetic = np.zeros((3, len(r)))
    for orbital in pseudo_atom(potential):
        values, electrons = orbital(r), orbital.occupation / (4 * np.pi)
        density += electrons * values**2
        slope += 2 * electrons * values * np.gradient(values, r)
        kinetic += electrons / 2 * (np.gradient(values, r) ** 2 + orbital.l * (orbital.l + 1) * (values / r) ** 2)
    excess = (kinetic - slope**2 / (8 * density)) / density ** (5 / 3)  # D / D_0 of the ELF, up to a factor
    peaks = np.flatnonzero((excess[1:-1] > excess[:-2]) & (excess[1:-1] >= excess[2:])) + 1
    return float(r[peaks[np.argmax(excess[peaks])]] if len(peaks) else r[0])
