"""Pair functions g(r_up, r_down): what the determinants of the wave function are made of.

A singlet of n pairs is det g(r_i, r_j), i with spin up, j with spin down: the antisymmetrised product of one pair
function. A g of n separable terms sum_k phi_k(r_i) phi_k(r_j) is the Slater determinant of these n orbitals; one of
more terms lets pairs resonate between them, as along a bond that breaks or in a shell that is half filled (Casula and
Sorella, J. Chem. Phys. 119, 6500 (2003); dense hydrogen: Attaccalite and Sorella, Phys. Rev. Lett. 100, 114501 (2008)).
No parameter belongs to a place: one set serves any configuration of any number of protons."""

from typing import Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num, PRNGKeyArray

from jovium.base.cell import Cell, lattice_points
from jovium.base.errors import InputError
from jovium.base.space import Space
from jovium.electrons.radial import length, range_of, softened, window
from jovium.electrons.surroundings import Pairs, Seen


class PairFunction(Protocol):
    """d functions of two electrons; electrons without a partner have orbitals of their own."""

    def __call__(
        self, protons: Float[Array, "m 3"], pairs: Pairs, seen: Seen, n_up: int
    ) -> tuple[Num[Array, "d u w"], Num[Array, "d u p"]]:
        """g of every up with every down electron, and the orbitals of up electrons that have no partner."""
        ...


class PlaneWavePairs(eqx.Module):
    """g = sum_k f(k) m(k; i) m(k; j) exp(i k.(x_i - x_j)), m = 1 + h a(k), at backflow coordinates x.

    k runs over complete shells of reciprocal vectors, displaced by the twist: electrons of spin up gain exp(i t.L)
    when they cross the cell, those of spin down exp(-i t.L), so that pairs are those of time reversal (docs/electrons
    .md). Without a twist everything is real. f and a are functions of k^2: the parameters know nothing of the twist or
    of the size of the cell.
    """

    vectors: tuple[tuple[float, ...], ...] = eqx.field(static=True)
    twist: tuple[float, float, float] = eqx.field(static=True)
    n_pairs: int = eqx.field(static=True)
    weights: Float[Array, "d q"]
    scales: Float[Array, "d q f"]

    @classmethod
    def of(
        cls,
        space: Space,
        n_pairs: int,
        *,
        twist: tuple[float, float, float],
        n_determinants: int,
        n_features: int = 32,
        n_radial: int = 8,
        key: PRNGKeyArray,
    ) -> "PlaneWavePairs":
        """Plane waves of the cell for so many pairs, at least twice as many as pairs: those of filled
        shells with the weight 1, others with less. twist: a wave vector (1/bohr). Raises InputError in open
        space."""
        if space.vectors is None:
            raise InputError("plane waves in open space", "a periodic cell", "take AtomPairs")
        weights = 0.1 * jax.random.normal(key, (n_determinants, n_radial)).at[0].set(0.0)
        return cls(space.vectors, twist, n_pairs, weights, jnp.zeros((*weights.shape, n_features)))

    def __call__(
        self, protons: Float[Array, "m 3"], pairs: Pairs, seen: Seen, n_up: int
    ) -> tuple[Num[Array, "d u w"], Num[Array, "d u p"]]:
        """g, and the next plane waves for electrons without a partner."""
        waves = _waves(self.vectors, self.twist, self.n_pairs)
        if not any(self.twist):
            waves = waves[_half(waves)]
        shapes, start = self._functions(waves, seen.places.dtype)
        weights = start * (1 + self.weights @ shapes)
        phases = seen.places @ jnp.asarray(waves, seen.places.dtype).T
        scales = 1 + jnp.einsum("nf,dqf,qk->dnk", seen.electrons, self.scales, shapes)
        if any(self.twist):
            orbitals = scales * jnp.exp(1j * phases)
            order = np.arange(len(waves))
        else:
            orbitals = jnp.concatenate([scales * jnp.cos(phases), (scales * jnp.sin(phases))[:, :, 1:]], axis=-1)
            weights = jnp.concatenate([weights, weights[:, 1:]], axis=-1)
            squares = np.sum(waves**2, axis=1)
            order = np.argsort(np.concatenate([squares, squares[1:]]), kind="stable")
        up, down = orbitals[:, :n_up], orbitals[:, n_up:]
        alone = up[:, :, order[down.shape[1] : n_up]]
        if not down.shape[1]:
            return jnp.zeros((*up.shape[:2], 0), up.dtype), alone
        return jnp.einsum("duk,dwk->duw", up * weights[:, None], jnp.conj(down)), alone

    def _functions(self, waves: Float[np.ndarray, "k 3"], dtype: jnp.dtype) -> tuple[Array, Array]:
        """Gaussians of k^2 in units of the Fermi wave vector squared, and f of the start."""
        volume = abs(np.linalg.det(np.array(self.vectors)))
        fermi = (6 * np.pi**2 * self.n_pairs / volume) ** (2 / 3)
        square = np.sum(waves**2, axis=1)
        n_radial = self.weights.shape[1]
        apart = square / fermi - 3 * np.arange(n_radial)[:, None] / (n_radial - 1)
        every = np.sort(np.sum(_waves(self.vectors, self.twist, self.n_pairs) ** 2, axis=1))
        # The first wave vector beyond filled shells: a shell that is filled in part begins like an empty one.
        empty = every[self.n_pairs] if every[self.n_pairs] > every[self.n_pairs - 1] + 1e-6 else every[self.n_pairs - 1]
        start = np.where(square < empty - 1e-6, 1.0, 0.1 * np.exp(-(square - empty) / fermi))
        shapes = np.exp(-0.5 * (apart * (n_radial - 1) / 3) ** 2)
        return jnp.asarray(shapes, dtype), jnp.asarray(start, dtype)


class AtomPairs(eqx.Module):
    """g = sum_IJ,ab chi_a(x_i - R_I) lambda_ab(I, J) chi_b(x_j - R_J), chi_a = exp(-zeta_a q(r)) w(r) (1 + h b_a).

    lambda depends on the distance of the two protons, on the direction of their line and on what each of them sees of
    the others; it is symmetric. Without directions psi would have the full symmetry of the protons, which a ground
    state need not have: that of a square changes its sign when the square is turned.
    """

    space: Space = eqx.field(static=True)
    twist: tuple[float, float, float] = eqx.field(static=True)
    log_zetas: Float[Array, "a"]
    shapes: Float[Array, "a f"]
    bond: Float[Array, "k d a a"]
    site: Float[Array, "f c"]
    mixed: Float[Array, "k c d a a"]
    tilted: Float[Array, "k 6 d a a"]
    alone: Float[Array, "p f a"]

    @classmethod
    def of(
        cls,
        space: Space,
        n_unpaired: int,
        *,
        twist: tuple[float, float, float] = (0.0, 0.0, 0.0),
        n_determinants: int,
        n_radial: int = 8,
        n_features: int = 32,
        n_sites: int = 6,
        strength: float = 1.0,
        key: PRNGKeyArray,
    ) -> "AtomPairs":
        """Orbitals like those of atoms; pairs within an atom and between neighbours, of this strength."""
        of_sites, of_mixed, of_alone, of_tilted = jax.random.split(key, 4)
        zetas = jnp.log(jnp.asarray([1.0, 0.7]))
        n = len(zetas)
        pattern = jnp.asarray([[1.0, 0.3], [0.3, 0.3]])[None] * (1 + 0.3 * jnp.arange(n_determinants))[:, None, None]
        bond = jnp.zeros((n_radial, n_determinants, n, n)).at[0].set(strength * pattern)
        site = jax.random.normal(of_sites, (n_features, n_sites)) / np.sqrt(n_features)
        mixed = 0.1 * strength * jax.random.normal(of_mixed, (n_radial, n_sites, n_determinants, n, n))
        tilted = 0.1 * strength * jax.random.normal(of_tilted, (n_radial, 6, n_determinants, n, n))
        alone = jax.random.normal(of_alone, (n_unpaired, n_features, n)).at[:, :, 1:].multiply(0.0)
        return cls(space, twist, zetas, jnp.zeros((n, n_features)), bond, site, mixed, tilted, alone)

    def __call__(
        self, protons: Float[Array, "m 3"], pairs: Pairs, seen: Seen, n_up: int
    ) -> tuple[Num[Array, "d u w"], Num[Array, "d u p"]]:
        """g, and orbitals of electrons without a partner, spread over all atoms."""
        r = length(self.space.between(seen.places, protons))
        ends = window(r, range_of(self.space))[..., None]
        radial = jnp.exp(-jnp.exp(self.log_zetas) * softened(r)[..., None]) * ends
        orbitals = radial * (1 + seen.electrons @ self.shapes.T)[:, None]
        if any(self.twist):
            signs = np.where(np.arange(len(radial)) < n_up, 1.0, -1.0)
            turns = jnp.exp(1j * signs * (seen.places @ jnp.asarray(self.twist, seen.places.dtype)))
            orbitals = orbitals * turns[:, None, None]
        sites = seen.protons @ self.site
        both = sites[:, None] * sites
        bonds = jnp.einsum("ijk,kdab->dijab", pairs.basis_pp, self.bond)
        bonds += jnp.einsum("ijk,ijc,kcdab->dijab", pairs.basis_pp, both, self.mixed)
        along = pairs.pp / length(pairs.pp, itself=True)[..., None]
        first, second = np.triu_indices(3)
        tilts = along[..., first] * along[..., second]
        bonds += jnp.einsum("ijk,ijq,kqdab->dijab", pairs.basis_pp, tilts, self.tilted)
        bonds = 0.5 * (bonds + jnp.swapaxes(jnp.swapaxes(bonds, 1, 2), 3, 4))
        n = orbitals.shape[1] * orbitals.shape[2]
        matrix = jnp.swapaxes(bonds, 2, 3).reshape(len(bonds), n, n)
        flat = orbitals.reshape(len(orbitals), n)
        shape = len(bonds), n_up, 0
        g = (flat[:n_up] @ matrix) @ flat[n_up:].T if len(flat) > n_up else jnp.zeros(shape, flat.dtype)
        if not len(self.alone):
            return g, jnp.zeros(shape, flat.dtype)
        alone = jnp.einsum("uma,mf,pfa->up", orbitals[:n_up], seen.protons, self.alone)
        return g, jnp.broadcast_to(alone, (len(bonds), *alone.shape))


def _waves(
    vectors: tuple[tuple[float, ...], ...], twist: tuple[float, float, float], n_pairs: int
) -> Float[np.ndarray, "g 3"]:
    """Complete shells of k = G + twist, at least twice as many as pairs, by length."""
    reciprocal = Cell(np.array(vectors)).reciprocal
    radius = 2 * np.linalg.norm(reciprocal, axis=1).max() * (1 + n_pairs ** (1 / 3))
    waves = lattice_points(reciprocal, radius) + np.array(twist)
    lengths = np.round(np.linalg.norm(waves, axis=1), 6)
    order = np.lexsort((*waves.T, lengths))
    waves, lengths = waves[order], lengths[order]
    return waves[lengths <= lengths[min(2 * n_pairs, len(lengths)) - 1]]


def _half(waves: Float[np.ndarray, "g 3"]) -> np.ndarray:
    """Indices of k = 0 and of one of every pair k, -k."""
    signs = np.array([next((np.sign(x) for x in wave if abs(x) > 1e-9), 0.0) for wave in waves])
    return np.flatnonzero(signs >= 0)
