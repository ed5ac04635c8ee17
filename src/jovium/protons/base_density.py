"""What a flow starts from: densities that are known and sampled exactly.

All are densities of labelled particles. `log_copies` is the logarithm of the number of relabelled copies of the region
that a density covers: none for the uniform torus, which covers every labelling; N! / m for a crystal, whose particles
stay near sites of their own, m of its translations being relabellings too. Free energies subtract it from ln N! once
(`jovium.protons.thermodynamics`)."""

import math
from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from jovium.base.cell import Cell
from jovium.base.errors import InputError


class BaseDensity(eqx.Module):
    """A density of n particles in d dimensions, by default of all configurations. Lengths in bohr."""

    @abstractmethod
    def sample(self, key: PRNGKeyArray) -> Float[Array, "n d"]:
        """One configuration."""

    @abstractmethod
    def log_density(self, positions: Float[Array, "n d"]) -> Float[Array, ""]:
        """ln p of one configuration."""

    def canonicalise(self, positions: Float[Array, "n d"]) -> Float[Array, "n d"]:
        """The image of a configuration at which `log_density` is defined: any."""
        return positions

    def covers(self, positions: Float[Array, "n d"]) -> Bool[Array, ""]:
        """Whether a configuration, not wrapped, lies in the region that is covered: always."""
        return jnp.asarray(True)

    @property
    def log_copies(self) -> float:
        """Logarithm of the number of relabelled copies of the region that is covered: one."""
        return 0.0


class UniformTorus(BaseDensity):
    """Every particle anywhere in a cell: ln p = -n ln V. The start of a fluid."""

    vectors: tuple[tuple[float, ...], ...] = eqx.field(static=True)
    n_particles: int = eqx.field(static=True)

    @classmethod
    def of(cls, cell: Cell, n_particles: int) -> "UniformTorus":
        """So many particles in this cell."""
        return cls(tuple(map(tuple, cell.vectors.tolist())), n_particles)

    def sample(self, key: PRNGKeyArray) -> Float[Array, "n d"]:
        """Independent positions, fractional coordinates in [0, 1)."""
        fractional = jax.random.uniform(key, (self.n_particles, 3))
        return fractional @ jnp.asarray(self.vectors)

    def log_density(self, positions: Float[Array, "n d"]) -> Float[Array, ""]:
        """ln p = -n ln V, wherever the particles are."""
        volume = abs(np.linalg.det(np.array(self.vectors)))
        return jnp.asarray(-self.n_particles * np.log(volume), positions.dtype)


class Lattice(BaseDensity):
    """A crystal anywhere in the cell, each particle displaced from its site by a Gaussian.

    x_i = s + R_i + u_i, s uniform in the cell, u Gaussian of width exp(log_width) with sum u_i = 0;
    ln p = -ln V - 3/2 ln n + ln N(u), the second term because the centroid is n^(1/2) shorter than an orthonormal
    coordinate. A density of the displacements, not wrapped into the cell."""

    vectors: tuple[tuple[float, ...], ...] = eqx.field(static=True)
    sites: tuple[tuple[float, ...], ...] = eqx.field(static=True)
    radius: float = eqx.field(static=True)
    log_width: Float[Array, ""]

    @classmethod
    def of(cls, cell: Cell, sites: Float[np.ndarray, "n 3"], width: float, radius: float = np.inf) -> "Lattice":
        """Sites (bohr) in a cell, the width of the displacements and the radius about the sites that counts (bohr): a
        quarter of the shortest distance of two sites where the energy does not know which particle belongs to which
        site. Raises InputError for a width <= 0."""
        if not (np.isfinite(width) and width > 0):
            raise InputError(f"a width of {width} bohr", "a positive length", "a tenth of the distance of two sites")
        rows = tuple(map(tuple, np.asarray(sites, float).tolist()))
        return cls(tuple(map(tuple, cell.vectors.tolist())), rows, radius, jnp.float32(np.log(width)))

    def sample(self, key: PRNGKeyArray) -> Float[Array, "n d"]:
        """The lattice shifted at random, and displacements whose sum is zero."""
        shift_key, displacement_key = jax.random.split(key)
        shift = jax.random.uniform(shift_key, (3,)) @ jnp.asarray(self.vectors)
        u = jnp.exp(self.log_width) * jax.random.normal(displacement_key, (len(self.sites), 3))
        return jnp.asarray(self.sites) + shift + u - u.mean(axis=0)

    def log_density(self, positions: Float[Array, "n d"]) -> Float[Array, ""]:
        """ln p of a configuration whose particles are near their sites, not wrapped (see `canonicalise`)."""
        n = len(self.sites)
        u = positions - jnp.asarray(self.sites, positions.dtype)
        volume = abs(np.linalg.det(np.array(self.vectors)))
        return _log_centred(u - u.mean(axis=0), self.log_width) - np.log(volume) - 1.5 * np.log(n)

    def canonicalise(self, positions: Float[Array, "n d"]) -> Float[Array, "n d"]:
        """The images that lie nearest to the sites of the lattice shifted with the first particle."""
        sites, vectors = (jnp.asarray(rows, positions.dtype) for rows in (self.sites, self.vectors))
        u = positions - sites - (positions[0] - sites[0])
        images = jnp.round(u @ jnp.linalg.inv(vectors))
        return positions - images @ vectors

    def covers(self, positions: Float[Array, "n d"]) -> Bool[Array, ""]:
        """Whether all particles are within the radius of their sites, the sites about the common centroid.

        Without this condition a wide density would reach configurations of other labellings, which the copies count
        already, and its free energy would fall below the exact one. A quarter of the shortest distance D of two sites
        is enough: relabelled copies x and x' in the region would differ by (u_i - u_j) - (u'_i - u'_j), shorter than D,
        where the lattice has nothing."""
        u = positions - jnp.asarray(self.sites, positions.dtype)
        u = u - u.mean(axis=0)
        return jnp.all(jnp.sum(u**2, axis=-1) < self.radius**2)

    @property
    def log_copies(self) -> float:
        """ln(n! / m), m the translations that map the sites onto themselves."""
        sites, vectors = np.array(self.sites), np.array(self.vectors)
        fractional = sites @ np.linalg.inv(vectors)

        def maps_onto_itself(shift: np.ndarray) -> bool:
            displacements = (fractional + shift)[:, None] - fractional
            displacements = (displacements - np.round(displacements)) @ vectors
            return bool((np.linalg.norm(displacements, axis=-1).min(axis=1) < 1e-4).all())

        # A translation takes the first site to some site: these are all there can be.
        m = sum(maps_onto_itself(site - fractional[0]) for site in fractional)
        return math.lgamma(len(sites) + 1) - math.log(m)


class GaussianCloud(BaseDensity):
    """n >= 2 particles in open space whose centroid rests: a density of the (n - 1) d orthonormal coordinates
    orthogonal to the centroid, each a Gaussian of width exp(log_width)."""

    n_particles: int = eqx.field(static=True)
    dimensions: int = eqx.field(static=True)
    log_width: Float[Array, ""]

    @classmethod
    def of(cls, n_particles: int, dimensions: int, width: float) -> "GaussianCloud":
        """So many particles, the width in bohr."""
        return cls(n_particles, dimensions, jnp.float32(np.log(width)))

    def sample(self, key: PRNGKeyArray) -> Float[Array, "n d"]:
        """Gaussian positions about their centroid."""
        positions = jnp.exp(self.log_width) * jax.random.normal(key, (self.n_particles, self.dimensions))
        return positions - positions.mean(axis=0)

    def log_density(self, positions: Float[Array, "n d"]) -> Float[Array, ""]:
        """ln p of a configuration about its centroid."""
        return _log_centred(self.canonicalise(positions), self.log_width)

    def canonicalise(self, positions: Float[Array, "n d"]) -> Float[Array, "n d"]:
        """The configuration about its centroid."""
        return positions - positions.mean(axis=0)


class GaussianPoint(BaseDensity):
    """One particle around a point: independent Gaussians along each axis."""

    mean: Float[Array, "d"]
    log_width: Float[Array, "d"]

    @classmethod
    def of(cls, mean: tuple[float, ...], width: float) -> "GaussianPoint":
        """The point and the width (bohr)."""
        return cls(jnp.asarray(mean, jnp.float32), jnp.full(len(mean), np.log(width), jnp.float32))

    def sample(self, key: PRNGKeyArray) -> Float[Array, "n d"]:
        """One position."""
        return (self.mean + jnp.exp(self.log_width) * jax.random.normal(key, self.mean.shape))[None]

    def log_density(self, positions: Float[Array, "n d"]) -> Float[Array, ""]:
        """ln p of one position."""
        scaled = (positions[0] - self.mean) * jnp.exp(-self.log_width)
        return jnp.sum(-0.5 * scaled**2 - self.log_width - 0.5 * np.log(2 * np.pi))


def _log_centred(u: Float[Array, "n d"], log_width: Float[Array, ""]) -> Float[Array, ""]:
    """ln of a Gaussian on the (n - 1) d coordinates orthogonal to the centroid."""
    n, dimensions = u.shape
    # sum u = 0: the squares of n d dependent coordinates are those of (n - 1) d orthonormal ones.
    square = jnp.sum((u * jnp.exp(-log_width)) ** 2)
    return -0.5 * square - (n - 1) * dimensions * (log_width + 0.5 * np.log(2 * np.pi))
