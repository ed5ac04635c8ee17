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
from jovium.electrons.radial import length, softened, window
from jovium.electrons.surroundings import Pairs, Seen


class PairFunction(Protocol):
    """d functions of two electrons; electrons without a partner have orbitals of their own."""

    def __call__(
        self, protons: Float[Array, "m 3"], pairs: Pairs, seen: Seen, n_up: int
    ) -> tuple[Num[Array, "d u w"], Num[Array, "d u p"]]:
        """g of every up with every down electron, and the orbitals of up electrons that have no partner."""
        ...


class PlaneWavePairs(eqx.Module):
    """g = sum_k f(|k|) m_k(i) m_k(j) exp(i k.(x_i - x_j)), m_k = 1 + h a_k, at backflow coordinates x.

    k runs over complete shells of reciprocal vectors, displaced by the twist: electrons of spin up gain exp(i t.L)
    when they cross the cell, those of spin down exp(-i t.L), so that pairs are those of time reversal (docs/electrons
    .md). Without a twist everything is real.
    """

    vectors: tuple[tuple[float, ...], ...] = eqx.field(static=True)
    twist: tuple[float, float, float] = eqx.field(static=True)
    n_pairs: int = eqx.field(static=True)
    weights: Float[Array, "d s"]
    scales: Float[Array, "d s f"]

    @classmethod
    def of(
        cls, space: Space, n_pairs: int, *, twist: tuple[float, float, float], n_determinants: int, n_features: int = 32
    ) -> "PlaneWavePairs":
        """Plane waves of the cell for so many pairs, at least twice as many as pairs: those below the Fermi surface
        with the weight 1, those above with less. twist: in units of the reciprocal vectors. Raises InputError in open
        space."""
        if space.vectors is None:
            raise InputError("plane waves in open space", "a periodic cell", "take AtomPairs")
        waves, shells = _shells(space.vectors, twist, n_pairs)
        square = np.array([np.sum(waves[shells == s] ** 2, axis=1).mean() for s in range(shells.max() + 1)])
        filled = np.sort(np.sum(waves**2, axis=1))[n_pairs - 1]
        weights = np.exp(-3 * np.maximum(square - filled, 0) / max(filled, square[min(1, len(square) - 1)]))
        weights = np.tile(weights, (n_determinants, 1))
        zeros = jnp.zeros((n_determinants, len(square), n_features))
        return cls(space.vectors, twist, n_pairs, jnp.asarray(weights, jnp.float32), zeros)

    def __call__(
        self, protons: Float[Array, "m 3"], pairs: Pairs, seen: Seen, n_up: int
    ) -> tuple[Num[Array, "d u w"], Num[Array, "d u p"]]:
        """g, and the next plane waves for electrons without a partner."""
        waves, shells = _shells(self.vectors, self.twist, self.n_pairs)
        half = _half(waves, shells) if not any(self.twist) else np.arange(len(waves))
        waves, shells = waves[half], shells[half]
        phases = seen.places @ jnp.asarray(waves, seen.places.dtype).T
        scales = 1 + jnp.einsum("nf,dsf->dns", seen.electrons, self.scales)[:, :, shells]
        if any(self.twist):
            orbitals = scales * jnp.exp(1j * phases)
        else:
            orbitals = jnp.concatenate([scales * jnp.cos(phases), (scales * jnp.sin(phases))[:, :, 1:]], axis=-1)
            shells = np.concatenate([shells, shells[1:]])
        up, down = orbitals[:, :n_up], orbitals[:, n_up:]
        g = jnp.einsum("duk,dwk->duw", up * self.weights[:, None, shells], jnp.conj(down))
        order = np.argsort(shells, kind="stable")[down.shape[1] : n_up]
        return g, up[:, :, order]


class AtomPairs(eqx.Module):
    """g = sum_IJ,ab chi_a(x_i - R_I) lambda_ab(I, J) chi_b(x_j - R_J), chi_a = exp(-zeta_a q(r)) w(r) (1 + h b_a).

    lambda depends on the distance of the two protons and on what each of them sees of the others; it is symmetric.
    """

    space: Space = eqx.field(static=True)
    log_zetas: Float[Array, "a"]
    shapes: Float[Array, "a f"]
    bond: Float[Array, "k d a a"]
    site: Float[Array, "f c"]
    mixed: Float[Array, "k c d a a"]
    alone: Float[Array, "p f a"]

    @classmethod
    def of(
        cls,
        space: Space,
        n_unpaired: int,
        *,
        n_determinants: int,
        n_radial: int = 8,
        n_features: int = 32,
        n_sites: int = 6,
        strength: float = 1.0,
        key: PRNGKeyArray,
    ) -> "AtomPairs":
        """Orbitals like those of atoms; pairs within an atom and between neighbours, of this strength."""
        of_sites, of_mixed, of_alone = jax.random.split(key, 3)
        zetas = jnp.log(jnp.asarray([1.0, 0.7]))
        n = len(zetas)
        pattern = jnp.asarray([[1.0, 0.3], [0.3, 0.3]])[None] * (1 + 0.3 * jnp.arange(n_determinants))[:, None, None]
        bond = jnp.zeros((n_radial, n_determinants, n, n)).at[0].set(strength * pattern)
        site = jax.random.normal(of_sites, (n_features, n_sites)) / np.sqrt(n_features)
        mixed = 0.1 * strength * jax.random.normal(of_mixed, (n_radial, n_sites, n_determinants, n, n))
        alone = jax.random.normal(of_alone, (n_unpaired, n_features, n)).at[:, :, 1:].multiply(0.0)
        return cls(space, zetas, jnp.zeros((n, n_features)), bond, site, mixed, alone)

    def __call__(
        self, protons: Float[Array, "m 3"], pairs: Pairs, seen: Seen, n_up: int
    ) -> tuple[Num[Array, "d u w"], Num[Array, "d u p"]]:
        """g, and orbitals of electrons without a partner, spread over all atoms."""
        r = length(self.space.between(seen.places, protons))
        ends = window(r, self.space.reach)[..., None]
        radial = jnp.exp(-jnp.exp(self.log_zetas) * softened(r)[..., None]) * ends
        orbitals = radial * (1 + seen.electrons @ self.shapes.T)[:, None]
        sites = seen.protons @ self.site
        both = sites[:, None] * sites
        bonds = jnp.einsum("ijk,kdab->dijab", pairs.basis_pp, self.bond)
        bonds += jnp.einsum("ijk,ijc,kcdab->dijab", pairs.basis_pp, both, self.mixed)
        bonds = 0.5 * (bonds + jnp.swapaxes(jnp.swapaxes(bonds, 1, 2), 3, 4))
        n = orbitals.shape[1] * orbitals.shape[2]
        matrix = jnp.swapaxes(bonds, 2, 3).reshape(len(bonds), n, n)
        flat = orbitals.reshape(len(orbitals), n)
        g = (flat[:n_up] @ matrix) @ flat[n_up:].T
        alone = jnp.einsum("uma,mf,pfa->up", orbitals[:n_up], seen.protons, self.alone)
        return g, jnp.broadcast_to(alone, (len(bonds), *alone.shape))


def _shells(
    vectors: tuple[tuple[float, ...], ...], twist: tuple[float, float, float], n_pairs: int
) -> tuple[Float[np.ndarray, "g 3"], np.ndarray]:
    """Complete shells of k = G + twist, at least twice as many as pairs, by length, and the shell of each."""
    reciprocal = Cell(np.array(vectors)).reciprocal
    radius = 2 * np.linalg.norm(reciprocal, axis=1).max() * (1 + n_pairs ** (1 / 3))
    waves = lattice_points(reciprocal, radius) + np.array(twist) @ reciprocal
    lengths = np.round(np.linalg.norm(waves, axis=1), 6)
    order = np.lexsort((*waves.T, lengths))
    waves, lengths = waves[order], lengths[order]
    last = lengths[min(2 * n_pairs, len(lengths)) - 1]
    kept = lengths <= last
    return waves[kept], np.unique(lengths[kept], return_inverse=True)[1]


def _half(waves: Float[np.ndarray, "g 3"], shells: np.ndarray) -> np.ndarray:
    """Indices of k = 0 and of one of every pair k, -k."""
    signs = np.array([next((np.sign(x) for x in wave if abs(x) > 1e-9), 0.0) for wave in waves])
    return np.flatnonzero(signs >= 0)
