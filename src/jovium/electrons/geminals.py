"""Pair functions g(r_up, r_down): what the determinants of the wave function are made of.

A singlet of n pairs is det g(r_i, r_j), i with spin up, j with spin down: the antisymmetrised product of one pair
function. A g of n separable terms sum_k phi_k(r_i) phi_k(r_j) is the Slater determinant of these n orbitals; one of
more terms lets pairs resonate between them, as along a bond that breaks or in a shell that is half filled (Casula and
Sorella, J. Chem. Phys. 119, 6500 (2003); dense hydrogen: Attaccalite and Sorella, Phys. Rev. Lett. 100, 114501 (2008)).
No parameter belongs to a place: one set serves any configuration of any number of protons."""

import functools
from typing import Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num, PRNGKeyArray

from jovium.base.box import Box
from jovium.base.cell import Cell, lattice_points
from jovium.base.errors import InputError
from jovium.electrons.density_matrix import density_matrix
from jovium.electrons.message_passing import Features, Pairs
from jovium.electrons.radial import basis, softened

INVERSE_TEMPERATURE = 10.0
"""Fermi energies, or hopping energies, per temperature before training."""

PER_ELECTRON = 12
"""Plane waves for each electron of spin up: enough to couple the filled ones to those a reciprocal vector of a
body-centred crystal away. A third of them in a uniform gas, where nothing couples them."""

FARTHEST_WAVE = 2.5
"""Length up to which functions of a wave are laid out, in Fermi wave vectors; of a difference of two, twice that."""

ANISOTROPY = 2.0
"""How differently waves along different directions are filled before training, in units of the temperature. Alike, the
levels of a shell in a crystal would share a pair with equal signs, which is the state with the highest repulsion and
not the lowest; training, that keeps symmetries, would stay there."""

HOPPING_ANISOTROPY = 0.2
"""How differently electrons hop along different directions before training, for the same reason."""

DEPLETION = 0.9
"""Pairs that the levels are short of. With all of them a shell of 12 levels that holds one pair would be filled by 1/12
each, and g would lift a pair from a full level into it with a twelfth of the weight: psi is no normalised average but a
product of such weights. Short of most of the last pair the weight is a hundredth, and the rest of g is as it was."""


@runtime_checkable
class Geminal(Protocol):
    """d functions of two electrons; electrons without a partner have orbitals of their own."""

    def field(self, protons: Float[Array, "m 3"], twist: Float[Array, "3"]) -> Num[Array, "*s"]:
        """What depends on the protons and the twist alone: found once for all electrons among them."""
        ...

    def __call__(
        self,
        protons: Float[Array, "m 3"],
        pairs: Pairs,
        seen: Features,
        n_up: int,
        twist: Float[Array, "3"],
        field: Array,
    ) -> tuple[Num[Array, "d u w"], Num[Array, "d u p"]]:
        """g of every up with every down electron, and the orbitals of up electrons that have no partner."""
        ...


class PlaneWaveGeminal(eqx.Module):
    """g = sum_kk' m(k; i) exp(i k.x_i) D_kk' m(k'; j)* exp(-i k'.x_j), m = 1 + f a(k), at backflow places x.

    D is the density matrix of independent electrons in a screened potential of the protons (in units of a temperature),

        h_kk' = T(k^2) delta_kk' - v(|k - k'|^2) sum_I exp(-i (k - k').R_I) / volume,

    one for each determinant. Levels that are filled are a Slater determinant in the mean field of any configuration of
    protons; levels at the edge are filled in part, and pairs resonate between them. Full levels weigh 1 and empty ones
    nothing, which keeps the matrix g well conditioned: a propagator exp(-h) in place of D lost the digits of single
    precision. k runs over complete shells of reciprocal vectors, displaced by the twist: electrons of
    spin up gain exp(i t.L) when they cross the cell, those of spin down exp(-i t.L), so that pairs are those of time
    reversal (docs/electrons.md). Without a twist everything is real. T, v and a are functions of |k| in units of the
    Fermi wave vector: the parameters know nothing of the twist or of the size of the cell.
    """

    vectors: tuple[tuple[float, ...], ...] = eqx.field(static=True)
    twisted: bool = eqx.field(static=True)
    n_up: int = eqx.field(static=True)
    n_pairs: int = eqx.field(static=True)
    n_waves: int = eqx.field(static=True)
    energies: Float[Array, "d q"]
    tilts: Float[Array, "d 6"]
    potentials: Float[Array, "d q"]
    scales: Float[Array, "d q f"]

    @classmethod
    def of(
        cls,
        space: Box,
        n_up: int,
        n_down: int,
        *,
        twisted: bool,
        with_protons: bool = True,
        n_determinants: int,
        n_features: int = 32,
        n_radial: int = 8,
        key: PRNGKeyArray,
    ) -> "PlaneWaveGeminal":
        """Independent electrons in the screened potential of Thomas and Fermi, n_down pairs of them. twisted: whether g
        is complex, for any twist. Raises InputError in open space."""
        if space.vectors is None:
            raise InputError("plane waves in open space", "a periodic cell", "take AtomicGeminal")
        of_waves, of_tilts = jax.random.split(key)
        energies, potentials = 0.1 * jax.random.normal(of_waves, (2, n_determinants, n_radial)).at[:, 0].set(0.0)
        tilts = ANISOTROPY * jax.random.normal(of_tilts, (n_determinants, 6))
        scales = jnp.zeros((*energies.shape, n_features))
        n_waves = max(15, (PER_ELECTRON if with_protons else PER_ELECTRON // 3) * n_up)
        return cls(space.vectors, twisted, n_up, max(n_down, 1), n_waves, energies, tilts, potentials, scales)

    def __call__(
        self,
        protons: Float[Array, "m 3"],
        pairs: Pairs,
        seen: Features,
        n_up: int,
        twist: Float[Array, "3"],
        field: Array,
    ) -> tuple[Num[Array, "d u w"], Num[Array, "d u p"]]:
        """g, and the next plane waves for electrons without a partner."""
        dtype = seen.places.dtype
        if self.twisted:
            waves = jnp.asarray(self.waves, dtype) + twist
            orbitals, squares = jnp.exp(1j * (seen.places @ waves.T)), jnp.sum(waves**2, axis=1)
        else:
            half, _ = _real_waves(self.waves)
            orbitals = _cosines_and_sines(seen.places @ jnp.asarray(half, dtype).T)
            squares = jnp.asarray(np.sum(np.concatenate([half, half[1:]]) ** 2, axis=1), dtype)
        shapes = _shapes(squares / self.fermi_square, self.scales.shape[1], FARTHEST_WAVE)
        # What all waves of an electron share is a matter of J, and would let determinants grow without bound.
        shapes = shapes - shapes.mean(axis=1, keepdims=True)
        orbitals = orbitals * (1 + jnp.einsum("nf,dqf,qk->dnk", seen.electrons, self.scales, shapes))
        up, down = orbitals[:, :n_up], orbitals[:, n_up:]
        alone = up[:, :, jnp.argsort(squares, stable=True)[down.shape[1] : n_up]]
        if not down.shape[1]:
            return jnp.zeros((*up.shape[:2], 0), up.dtype), alone
        return jnp.einsum("duk,dwk->duw", up @ field, jnp.conj(down)), alone

    @property
    def waves(self) -> Float[np.ndarray, "k 3"]:
        """Complete shells of reciprocal vectors (1/bohr)."""
        return _waves(self.vectors, self.n_waves)

    @property
    def volume(self) -> float:
        """Volume of the cell (bohr^3)."""
        return float(abs(np.linalg.det(np.array(self.vectors))))

    @property
    def fermi_square(self) -> float:
        """Square of the Fermi wave vector (1/bohr^2) of the electrons of spin up in a uniform gas."""
        return float((6 * np.pi**2 * self.n_up / self.volume) ** (2 / 3))

    def field(self, protons: Float[Array, "m 3"], twist: Float[Array, "3"]) -> Num[Array, "d k k"]:
        """D of each determinant, between waves or, without a twist, between their cosines and sines."""
        dtype, square, n_radial = protons.dtype, self.fermi_square, self.energies.shape[1]
        waves = jnp.asarray(self.waves, dtype)
        waves = waves + twist if self.twisted else waves
        ratios = jnp.sum(waves**2, axis=1) / square
        directions = _products(waves) / (jnp.sum(waves**2, axis=1, keepdims=True) + 1e-6)
        levels = (
            INVERSE_TEMPERATURE * ratios
            + self.energies @ _shapes(ratios, n_radial, FARTHEST_WAVE)
            + self.tilts @ directions.T
        )
        h = jnp.eye(len(waves), dtype=dtype) * levels[:, None]
        if len(protons):
            apart = np.sum((self.waves[:, None] - self.waves) ** 2, axis=-1)
            # Thomas and Fermi's screening; half of it, since the cusps of J already draw electrons to protons.
            screened = 2 * np.pi / (apart + 4 * np.sqrt(square) / np.pi) / self.volume
            changes = self.potentials @ _shapes(jnp.asarray(apart.ravel() / square, dtype), n_radial, 2 * FARTHEST_WAVE)
            v = jnp.asarray(2 * INVERSE_TEMPERATURE / square * screened, dtype) * (
                1 + changes.reshape(-1, *apart.shape)
            )
            places = jnp.exp(1j * (protons @ waves.T))
            h = h - v * (places.conj().T @ places)
        if not self.twisted:
            _, turned = _real_waves(self.waves)
            h = jnp.real(turned.conj() @ h @ turned.T).astype(dtype)
        return jax.vmap(density_matrix, (0, None))(h, jnp.asarray(self.n_pairs - DEPLETION, dtype))


class AtomicGeminal(eqx.Module):
    """g = sum_IJ,ab chi_a(x_i - R_I) (D_IJ delta_a0 delta_b0 + lambda_ab(I, J)) chi_b(x_j - R_J),
    chi_a = exp(-zeta_a q(r)) (1 + f b_a).

    D is the density matrix of independent electrons that hop between 1s orbitals with the overlap S (Hueckel's model),

        D = S^-1/2 f(S^-1/2 h S^-1/2) S^-1/2,   h_IJ = -INVERSE_TEMPERATURE t(I, J) S_IJ between different atoms,

    one for each determinant: a Slater determinant of molecular orbitals before training, for any protons. lambda lets
    pairs resonate; it depends on the distance of the two protons and on what each of them sees of the others. Both know
    the direction of the line between the two: without it psi would have the full symmetry of the protons, which a
    ground state need not have: that of a square changes its sign when the square is turned.
    """

    n_pairs: int = eqx.field(static=True)
    log_zetas: Float[Array, "a"]
    shapes: Float[Array, "a f"]
    hops: Float[Array, "k d"]
    tilts: Float[Array, "d 6"]
    bond: Float[Array, "k d a a"]
    site: Float[Array, "f c"]
    mixed: Float[Array, "k c d a a"]
    tilted: Float[Array, "k 6 d a a"]
    alone: Float[Array, "p f a"]

    @classmethod
    def of(
        cls,
        n_pairs: int,
        n_unpaired: int,
        *,
        n_determinants: int,
        n_radial: int = 8,
        n_features: int = 32,
        n_sites: int = 6,
        key: PRNGKeyArray,
    ) -> "AtomicGeminal":
        """Molecular orbitals of the orbitals of atoms, and some resonance between neighbours."""
        of_sites, of_mixed, of_alone, of_tilted, of_tilts = jax.random.split(key, 5)
        zetas = jnp.log(jnp.asarray([1.0, 0.7]))
        n = len(zetas)
        pattern = jnp.asarray([[0.1, 0.03], [0.03, 0.03]])[None] * (1 + 0.3 * jnp.arange(n_determinants))[:, None, None]
        return cls(
            n_pairs,
            zetas,
            jnp.zeros((n, n_features)),
            jnp.zeros((n_radial, n_determinants)),
            HOPPING_ANISOTROPY * jax.random.normal(of_tilts, (n_determinants, 6)),
            jnp.zeros((n_radial, n_determinants, n, n)).at[0].set(pattern),
            jax.random.normal(of_sites, (n_features, n_sites)) / np.sqrt(n_features),
            0.01 * jax.random.normal(of_mixed, (n_radial, n_sites, n_determinants, n, n)),
            0.01 * jax.random.normal(of_tilted, (n_radial, 6, n_determinants, n, n)),
            jax.random.normal(of_alone, (n_unpaired, n_features, n)).at[:, :, 1:].multiply(0.0),
        )

    def field(self, protons: Float[Array, "m 3"], twist: Float[Array, "3"]) -> Num[Array, "d m m"]:
        """D of each determinant."""
        m, dtype = len(protons), protons.dtype
        between, itself = protons[:, None] - protons, jnp.eye(m, dtype=dtype)
        if not self.n_pairs:
            return jnp.zeros((self.hops.shape[1], m, m), dtype)
        r = jnp.sqrt(jnp.sum(between**2, axis=-1) + itself)
        # Of two 1s orbitals a distance r apart.
        overlap = jnp.where(itself > 0, 1.0, jnp.exp(-r) * (1 + r + r**2 / 3))
        strength = 1 + jnp.einsum("ijk,kd->dij", basis(r, np.inf, len(self.hops)), self.hops)
        strength += jnp.einsum("ijq,dq->dij", _products(between / r[..., None]), self.tilts)
        values, vectors = jnp.linalg.eigh(overlap)
        root = (vectors / jnp.sqrt(values)) @ vectors.T
        h = -INVERSE_TEMPERATURE * root @ (strength * overlap * (1 - itself)) @ root
        filled = jax.vmap(density_matrix, (0, None))(h, jnp.asarray(self.n_pairs, dtype))
        return root @ filled @ root

    def __call__(
        self,
        protons: Float[Array, "m 3"],
        pairs: Pairs,
        seen: Features,
        n_up: int,
        twist: Float[Array, "3"],
        field: Array,
    ) -> tuple[Num[Array, "d u w"], Num[Array, "d u p"]]:
        """g, and orbitals of electrons without a partner, spread over all atoms."""
        r = jnp.sqrt(jnp.sum((seen.places[:, None] - protons) ** 2, axis=-1))
        radial = jnp.exp(-jnp.exp(self.log_zetas) * softened(r)[..., None])
        orbitals = radial * (1 + seen.electrons @ self.shapes.T)[:, None]
        sites = seen.protons @ self.site
        both = sites[:, None] * sites
        bonds = jnp.einsum("ijk,kdab->dijab", pairs.basis_pp, self.bond)
        bonds += jnp.einsum("ijk,ijc,kcdab->dijab", pairs.basis_pp, both, self.mixed)
        tilts = _products(pairs.pp / pairs.r_pp[..., None])
        bonds += jnp.einsum("ijk,ijq,kqdab->dijab", pairs.basis_pp, tilts, self.tilted)
        bonds = 0.5 * (bonds + jnp.swapaxes(jnp.swapaxes(bonds, 1, 2), 3, 4))
        bonds = bonds.at[..., 0, 0].add(field)
        n = orbitals.shape[1] * orbitals.shape[2]
        matrix = jnp.swapaxes(bonds, 2, 3).reshape(len(bonds), n, n)
        flat = orbitals.reshape(len(orbitals), n)
        shape = len(bonds), n_up, 0
        g = (flat[:n_up] @ matrix) @ flat[n_up:].T if len(flat) > n_up else jnp.zeros(shape, flat.dtype)
        if not len(self.alone):
            return g, jnp.zeros(shape, flat.dtype)
        alone = jnp.einsum("uma,mf,pfa->up", orbitals[:n_up], seen.protons, self.alone)
        return g, jnp.broadcast_to(alone, (len(bonds), *alone.shape))


def _products(vectors: Float[Array, "*s 3"]) -> Float[Array, "*s 6"]:
    """The six products of the components of vectors."""
    first, second = np.triu_indices(3)
    return vectors[..., first] * vectors[..., second]


@functools.lru_cache
def _waves(vectors: tuple[tuple[float, ...], ...], n: int) -> Float[np.ndarray, "g 3"]:
    """Complete shells, n waves or more, by length."""
    reciprocal = Cell(np.array(vectors)).reciprocal
    radius = 2 * np.linalg.norm(reciprocal, axis=1).max() * (2 + (n / 4) ** (1 / 3))
    waves = lattice_points(reciprocal, radius)
    lengths = np.round(np.linalg.norm(waves, axis=1), 6)
    order = np.lexsort((*waves.T, lengths))
    waves, lengths = waves[order], lengths[order]
    return waves[lengths <= lengths[n - 1]]


def _real_waves(waves: Float[np.ndarray, "g 3"]) -> tuple[Float[np.ndarray, "h 3"], Num[np.ndarray, "g g"]]:
    """k = 0 and one of every pair k, -k; and the matrix that makes 1, sqrt(2) cos, sqrt(2) sin of all the waves."""
    signs = np.array([next((np.sign(x) for x in wave if abs(x) > 1e-9), 0.0) for wave in waves])
    half = np.flatnonzero(signs >= 0)
    opposite = np.argmin(np.linalg.norm(waves[half][:, None] + waves, axis=-1), axis=1)
    ones = np.eye(len(waves))
    cosines = (ones[half] + ones[opposite]) / np.where(half == opposite, 2, np.sqrt(2))[:, None]
    sines = (ones[half] - ones[opposite])[1:] / (np.sqrt(2) * 1j)
    return waves[half], np.concatenate([cosines, sines])


def _cosines_and_sines(phases: Float[Array, "n h"]) -> Float[Array, "n g"]:
    """1, sqrt(2) cos, sqrt(2) sin of phases of which the first is zero."""
    waves = np.sqrt(2) * jnp.concatenate([jnp.cos(phases), jnp.sin(phases[:, 1:])], axis=1)
    return waves * np.where(np.arange(waves.shape[1]) == 0, np.sqrt(0.5), 1.0).astype(phases.dtype)


def _shapes(squares: Float[Array, "k"], n: int, end: float) -> Float[Array, "n k"]:
    """n Gaussians of the length of a wave, given its square, from 0 to the end."""
    apart = jnp.sqrt(squares + 1e-6) - np.linspace(0, end, n).astype(squares.dtype)[:, None]
    return jnp.exp(-0.5 * (apart * (n - 1) / end) ** 2)
