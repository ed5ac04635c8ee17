"""Targets of a density: exp(-beta U) on configurations of particles.

Model systems with published or exact answers. Each takes one configuration and gives U / kT; where a periodic cell is
missing the system lives in open space, and ln Z = ln int exp(-beta U) is over the orthonormal coordinates of particles
whose centroid rests, as in `jovium.protons.base_density.GaussianCloud`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jovium.base.box import nearest_images
from jovium.base.cell import Cell, lattice_points
from jovium.base.errors import InputError
from jovium.coulomb.ewald import Ewald

UNIT_SPHERE = 4 * np.pi / 3
WALL = 100.0
"""Steepness of the wall between the sides of a double well, kT / bohr^2."""


@runtime_checkable
class Target(Protocol):
    """Particles at a temperature, in a cell or in open space. Lengths in bohr; energies in units of kT."""

    @property
    def n_particles(self) -> int:
        """How many there are."""
        ...

    @property
    def cell(self) -> Cell | None:
        """The cell they fill periodically, None for open space."""
        ...

    def beta_energy(self, positions: Float[Array, "n d"]) -> Float[Array, ""]:
        """U / kT of one configuration, Cartesian positions."""
        ...


@dataclass(frozen=True)
class Charges:
    """Charges in a cubic cell at rs = 1; coupling: Gamma = e^2 / (rs kT)."""

    n_particles: int
    coupling: float

    @property
    def cell(self) -> Cell:
        """A cube with a volume of 4 pi / 3 per particle."""
        return _cube(UNIT_SPHERE * self.n_particles)


@dataclass(frozen=True)
class OneComponentPlasma(Charges):
    """Classical point charges in a neutralising background. The energy holds that of every charge with its own images,
    so that u / (Gamma kT) of the body-centred cube is -0.89592926 (Ichimaru, Rev. Mod. Phys. 54, 1017 (1982)). Raises
    InputError for fewer than one particle or a coupling that is not positive."""

    def __post_init__(self):
        _positive(self, self.n_particles, self.coupling)

    @cached_property
    def _ewald(self) -> Ewald:
        # Single precision keeps seven digits: an accuracy beyond would cost terms and give nothing.
        return Ewald.of(self.cell, self.n_particles, accuracy=1e-7)

    def beta_energy(self, positions: Float[Array, "n 3"]) -> Float[Array, ""]:
        """U / kT of one configuration (bohr)."""
        return self.coupling * self._ewald.energy(positions, jnp.ones(self.n_particles, positions.dtype))


@dataclass(frozen=True)
class Yukawa(Charges):
    """Screened charges, U / kT = Gamma sum_pairs exp(-kappa r) / r over all images, without a background; screening:
    kappa >= 1 in units of 1 / rs, where a plain sum over images converges."""

    screening: float

    def __post_init__(self):
        _positive(self, self.n_particles, self.coupling, self.screening)
        if self.screening < 1:
            raise InputError(f"a screening of {self.screening} / rs", "1 or more", "take the one-component plasma")

    def beta_energy(self, positions: Float[Array, "n 3"]) -> Float[Array, ""]:
        """U / kT of one configuration (bohr)."""
        kappa = self.screening
        return self.coupling * _image_sum(positions, self.cell, 16 / kappa, lambda r: jnp.exp(-kappa * r) / r)


@dataclass(frozen=True)
class LennardJones:
    """4 epsilon [(sigma / r)^12 - (sigma / r)^6] in a cubic cell, all images to a distance of `reach` sigma; sigma = 1.
    density: N sigma^3 / V, temperature: kT / epsilon. The energy beyond the reach is added as that of a uniform fluid
    (Allen and Tildesley, Computer Simulation of Liquids, 2.8)."""

    n_particles: int
    density: float
    temperature: float
    reach: float = 4.0

    def __post_init__(self):
        _positive(self, self.n_particles, self.density, self.temperature, self.reach)

    @property
    def cell(self) -> Cell:
        """A cube of N / density."""
        return _cube(self.n_particles / self.density)

    def beta_energy(self, positions: Float[Array, "n 3"]) -> Float[Array, ""]:
        """U / kT of one configuration, lengths in units of sigma."""
        pairs = _image_sum(positions, self.cell, self.reach, lambda r: 4 * (r**-12 - r**-6), cut=True)
        tail = 8 * np.pi * self.n_particles * self.density * (self.reach**-9 / 9 - self.reach**-3 / 3)
        return (pairs + tail) / self.temperature


@dataclass(frozen=True)
class LennardJonesCluster:
    """LJ13 of the literature on flows: sum over ordered pairs of (1/r)^12 - 2 (1/r)^6, in a harmonic trap about the
    centroid, 1/2 sum |x|^2 (Koehler, Klein and Noe, arXiv:2006.02425); kT = 1, open space."""

    n_particles: int = 13
    cell = None

    def beta_energy(self, positions: Float[Array, "n 3"]) -> Float[Array, ""]:
        """U / kT of one configuration."""
        distances = _pair_distances(positions)
        pairs = 2 * jnp.sum(distances**-12 - 2 * distances**-6)
        return pairs + 0.5 * jnp.sum((positions - positions.mean(axis=0)) ** 2)


@dataclass(frozen=True)
class FourParticleDoubleWell:
    """DW4 of the literature on flows: four particles in a plane, sum over pairs of -4 (r - 4)^2 + 0.9 (r - 4)^4
    (Koehler, Klein and Noe, arXiv:2006.02425); kT = 1."""

    n_particles: int = 4
    cell = None

    def beta_energy(self, positions: Float[Array, "4 2"]) -> Float[Array, ""]:
        """U / kT of one configuration."""
        x = _pair_distances(positions) - 4
        return jnp.sum(-4 * x**2 + 0.9 * x**4)


@dataclass(frozen=True)
class DoubleWell:
    """One particle in a plane, U / kT = x^4 / 4 - 3 x^2 + x + y^2 / 2; side: left or right of a wall at x = 0, WALL x^2
    beyond it, or both. The wall moves free energies by some 1e-5: it stands on a barrier of 9 kT and more."""

    side: str = "both"
    n_particles: int = 1
    cell = None

    def __post_init__(self):
        if self.side not in ("both", "left", "right"):
            raise InputError(f"side '{self.side}'", "both, left or right", "choose one of them")

    def beta_energy(self, positions: Float[Array, "1 2"]) -> Float[Array, ""]:
        """U / kT of one position."""
        x, y = positions[0]
        beyond = {"both": 0.0, "left": jnp.maximum(x, 0.0), "right": jnp.minimum(x, 0.0)}[self.side]
        return x**4 / 4 - 3 * x**2 + x + y**2 / 2 + WALL * beyond**2


@dataclass(frozen=True, eq=False)
class HarmonicCrystal:
    """Particles tied to their neighbours, U / kT = stiffness / 2 sum_bonds |u_i - u_j|^2, u_i = x_i - R_i: bonds join
    sites (bohr) no farther apart than `bond`; stiffness in 1 / bohr^2. The crystal may be anywhere in the cell."""

    cell: Cell
    sites: Float[np.ndarray, "n 3"]
    stiffness: float
    bond: float

    def __post_init__(self):
        _positive(self, len(self.sites), self.stiffness, self.bond)
        if np.linalg.eigvalsh(self._bonds)[1] < 1e-9:
            raise InputError(f"loose parts with bonds of {self.bond} bohr", "one connected crystal", "longer bonds")

    @property
    def n_particles(self) -> int:
        """One on every site."""
        return len(self.sites)

    @cached_property
    def _bonds(self) -> Float[np.ndarray, "n n"]:
        """The matrix whose quadratic form is the sum over bonds of (u_i - u_j)^2."""
        displacements = self.sites[:, None] - self.sites
        radius = self.bond + 0.5 * np.linalg.norm(self.cell.vectors, axis=1).sum()
        images = lattice_points(self.cell.vectors, radius)
        bonded = np.linalg.norm(displacements[:, :, None] + images, axis=-1) <= self.bond
        counts = bonded.sum(axis=-1) * (1 - np.eye(self.n_particles))
        return np.diag(counts.sum(axis=1)) - counts

    def beta_energy(self, positions: Float[Array, "n 3"]) -> Float[Array, ""]:
        """U / kT of one configuration, particle i near site i, not wrapped (bohr)."""
        u = positions - jnp.asarray(self.sites, positions.dtype)
        u = u - u.mean(axis=0)
        bonds = jnp.asarray(self._bonds, positions.dtype)
        return 0.5 * self.stiffness * jnp.sum(u * (bonds @ u))

    @property
    def exact_log_integral(self) -> float:
        """ln int exp(-beta U) over displacements and over the position of the crystal in the cell."""
        modes = self.stiffness * np.linalg.eigvalsh(self._bonds)[1:]
        displacements = 1.5 * float(np.sum(np.log(2 * np.pi / modes)))
        return displacements + float(np.log(self.cell.volume)) + 1.5 * float(np.log(self.n_particles))


def _cube(volume: float) -> Cell:
    return Cell(np.eye(3) * volume ** (1 / 3))


def _pair_distances(positions: Float[Array, "n d"]) -> Float[Array, "p"]:
    """Distances of all pairs, each once."""
    i, j = np.triu_indices(len(positions), 1)
    return jnp.sqrt(jnp.sum((positions[i] - positions[j]) ** 2, axis=-1))


def _image_sum(
    positions: Float[Array, "n 3"], cell: Cell, reach: float, pair: Callable[[Array], Array], cut: bool = False
) -> Float[Array, ""]:
    """sum over pairs and images, and over each particle with its own images once, of a pair energy: nearest images and
    all that can come within the reach of them; cut: nothing beyond the reach counts."""
    n = len(positions)
    vectors = cell.reduced
    images = lattice_points(vectors, reach + 0.5 * np.linalg.norm(vectors, axis=1).sum())
    i, j = np.triu_indices(n, 1)
    nearest = nearest_images(positions[i] - positions[j], vectors)
    distances = jnp.sqrt(jnp.sum((nearest[:, None] + jnp.asarray(images, positions.dtype)) ** 2, axis=-1))
    energies = pair(distances)
    if cut:
        energies = jnp.where(distances < reach, energies, 0.0)
    own = np.linalg.norm(images, axis=1)
    own = own[(own > 1e-9) & (own < reach)]
    return jnp.sum(energies) + 0.5 * n * jnp.sum(pair(jnp.asarray(own, positions.dtype)))


def _positive(target: object, *values: float) -> None:
    """Raise InputError unless every number is finite and positive."""
    if not all(np.isfinite(value) and value > 0 for value in values):
        raise InputError(f"{target}", "positive numbers, one particle or more", "check the system")
