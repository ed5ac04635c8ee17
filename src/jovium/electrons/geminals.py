"""Pair functions g(r_up, r_down): what the determinants of the wave function are made of.

A singlet of n pairs is det g(r_i, r_j), i with spin up, j with spin down: the antisymmetrised product of one pair
function. A g of n separable terms sum_k phi_k(r_i) phi_k(r_j) is the Slater determinant of these n orbitals; one of
more terms lets pairs resonate between them, as along a bond that breaks or in a shell that is half filled (Casula and
Sorella, J. Chem. Phys. 119, 6500 (2003); dense hydrogen: Attaccalite and Sorella, Phys. Rev. Lett. 100, 114501 (2008)).
No parameter belongs to a position: one set serves any configuration of any number of protons."""

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
from jovium.electrons.message_passing import Features, PairFeatures, Sizes
from jovium.electrons.radial import radial_basis, soften

Vector = Float[Array, "3"]
Positions = Float[Array, "m 3"]

INVERSE_TEMPERATURE = 10.0
"""Fermi energies, or hopping energies, per temperature before training."""

WAVES_PER_ELECTRON = 12
"""Plane waves for each electron of spin up: enough to couple the filled ones to those a reciprocal vector of a
body-centred crystal away; a third of them in a uniform gas."""

WAVE_BASIS_RANGE = 2.5
"""Length up to which centres of the basis of a wave are spread, in Fermi wave vectors; of a difference of two waves,
twice that."""

ANISOTROPY = 2.0
"""How differently waves along different directions are filled before training, in units of the temperature. Alike,
levels of a shell would share a pair with equal signs, the state of highest repulsion, and training keeps symmetries."""

HOPPING_ANISOTROPY = 0.2
"""How differently electrons hop along different directions before training, for the same reason."""

DEPLETION = 0.9
"""Pairs that the levels are short of. With all of them a shell of 12 levels that holds one pair would be filled by 1/12
each, and g would lift a pair from a full level into it with that weight; short of most of the last, a hundredth."""


@runtime_checkable
class Geminal(Protocol):
    """d functions of two electrons; electrons without a partner have orbitals of their own."""

    def mean_field(self, protons: Positions, twist: Vector) -> Num[Array, "*s"]:
        """What depends on the protons and the twist alone: computed once for all electrons among them."""
        ...

    def __call__(
        self, protons: Positions, pairs: PairFeatures, features: Features, twist: Vector, mean_field: Array
    ) -> tuple[Num[Array, "d u w"], Num[Array, "d u p"]]:
        """g of every up with every down electron, and the orbitals of up electrons that have no partner."""
        ...


class PlaneWaveGeminal(eqx.Module):
    """g = sum_kk' m(k; i) exp(i k.x_i) D_kk' m(k'; j)* exp(-i k'.x_j), m = 1 + f a(k), at backflow coordinates x.

    D is the density matrix of independent electrons in a screened potential of the protons (in units of a temperature),

        h_kk' = T(k) delta_kk' - v(|k - k'|^2) sum_I exp(-i (k - k').R_I) / volume,

    one for each determinant. Levels that are filled are a Slater determinant in the mean field of any configuration of
    protons; levels at the edge are filled in part, and pairs resonate between them. Full levels weigh 1 and empty ones
    nothing, which keeps the matrix g well conditioned: a propagator exp(-h) in place of D lost the digits of single
    precision. k runs over complete shells of reciprocal vectors, displaced by the twist: electrons of
    spin up gain exp(i t.L) when they cross the cell, those of spin down exp(-i t.L), so that pairs are those of time
    reversal (docs/electrons.md). Without a twist everything is real. T (`dispersion` of |k|, `anisotropy` of its
    direction), v (`potential`) and a (`modulation` by features f) are functions of k in units of the Fermi wave vector:
    the parameters know nothing of the twist or of the size of the cell."""

    vectors: tuple[tuple[float, ...], ...] = eqx.field(static=True)
    twisted: bool = eqx.field(static=True)
    n_up: int = eqx.field(static=True)
    n_pairs: int = eqx.field(static=True)
    n_waves: int = eqx.field(static=True)
    dispersion: Float[Array, "d q"]
    anisotropy: Float[Array, "d 6"]
    potential: Float[Array, "d q"]
    modulation: Float[Array, "d q f"]

    @classmethod
    def of(
        cls, box: Box, n_up: int, n_down: int, sizes: Sizes, *, twisted: bool, with_protons: bool, key: PRNGKeyArray
    ) -> "PlaneWaveGeminal":
        """Independent electrons in the screened potential of Thomas and Fermi, n_down pairs of them. twisted: whether g
        is complex, for any twist. Raises InputError in open space."""
        if box.vectors is None:
            raise InputError("plane waves in open space", "a periodic cell", "take AtomicGeminal")
        waves_key, anisotropy_key = jax.random.split(key)
        shape = sizes.n_determinants, sizes.n_radial
        dispersion, potential = 0.1 * jax.random.normal(waves_key, (2, *shape)).at[:, 0].set(0.0)
        anisotropy = ANISOTROPY * jax.random.normal(anisotropy_key, (sizes.n_determinants, 6))
        modulation = jnp.zeros((*shape, sizes.n_features))
        n_waves = max(15, (WAVES_PER_ELECTRON if with_protons else WAVES_PER_ELECTRON // 3) * n_up)
        parameters = dispersion, anisotropy, potential, modulation
        return cls(box.vectors, twisted, n_up, max(n_down, 1), n_waves, *parameters)

    def __call__(
        self, protons: Positions, pairs: PairFeatures, features: Features, twist: Vector, mean_field: Array
    ) -> tuple[Num[Array, "d u w"], Num[Array, "d u p"]]:
        """g, and the next plane waves for electrons without a partner."""
        dtype = features.backflow.dtype
        # exp(i k.x), or without a twist the same space of functions in cosines and sines, which are real.
        if self.twisted:
            waves = jnp.asarray(self.waves, dtype)
            # k.x + t.x apart: of a sum of constants within a product with a matrix XLA lost the waves.
            phases = features.backflow @ waves.T + (features.backflow @ twist)[:, None]
            orbitals, squares = jnp.exp(1j * phases), jnp.sum((waves + twist) ** 2, axis=1)
        else:
            half, _ = _real_waves(self.waves)
            orbitals = _cosines_and_sines(features.backflow @ jnp.asarray(half, dtype).T)
            squares = jnp.asarray(np.sum(np.concatenate([half, half[1:]]) ** 2, axis=1), dtype)
        # m = 1 + f a(k): features of an electron make its waves larger or smaller.
        basis = _wave_basis(squares / self.fermi_square, self.modulation.shape[1], WAVE_BASIS_RANGE)
        # What all waves of an electron share is a matter of J, and would let determinants grow without bound.
        basis = basis - basis.mean(axis=1, keepdims=True)
        orbitals = orbitals * (1 + jnp.einsum("nf,dqf,qk->dnk", features.electrons, self.modulation, basis))
        up, down = orbitals[:, : self.n_up], orbitals[:, self.n_up :]
        # Electrons without a partner take the shortest waves (in k) after those that the pairs fill.
        unpaired = up[:, :, jnp.argsort(squares, stable=True)[down.shape[1] : self.n_up]]
        if not down.shape[1]:
            return jnp.zeros((*up.shape[:2], 0), up.dtype), unpaired
        return jnp.einsum("duk,dwk->duw", up @ mean_field, jnp.conj(down)), unpaired

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

    def mean_field(self, protons: Positions, twist: Vector) -> Num[Array, "d k k"]:
        """D of each determinant, between waves or, without a twist, between their cosines and sines."""
        dtype, square, n_radial = protons.dtype, self.fermi_square, self.dispersion.shape[1]
        waves = jnp.asarray(self.waves, dtype)
        waves = waves + twist if self.twisted else waves
        # T: free electrons with the Fermi energy as the unit, and what is learnt of |k| and of the direction of k.
        ratios = jnp.sum(waves**2, axis=1) / square
        # The small number gives k = 0 a direction of zero.
        directions = _products(waves) / (jnp.sum(waves**2, axis=1, keepdims=True) + 1e-6)
        levels = INVERSE_TEMPERATURE * ratios + self.dispersion @ _wave_basis(ratios, n_radial, WAVE_BASIS_RANGE)
        levels += self.anisotropy @ directions.T
        h = jnp.eye(len(waves), dtype=dtype) * levels[:, None]
        if len(protons):
            # |k - k'|^2, the same with and without a twist.
            transfers = np.sum((self.waves[:, None] - self.waves) ** 2, axis=-1)
            # Thomas and Fermi's screening; half of it, since the cusps of J already draw electrons to protons.
            screened = 2 * np.pi / (transfers + 4 * np.sqrt(square) / np.pi) / self.volume
            basis = _wave_basis(jnp.asarray(transfers.ravel() / square, dtype), n_radial, 2 * WAVE_BASIS_RANGE)
            # 2 / square: from hartree to units of the Fermi energy.
            v = jnp.asarray(2 * INVERSE_TEMPERATURE / square * screened, dtype)
            v = v * (1 + (self.potential @ basis).reshape(-1, *transfers.shape))
            # The structure factor of k - k', whatever the twist, is a product of phases of k and of k'.
            phases = jnp.exp(1j * (protons @ jnp.asarray(self.waves, dtype).T))
            h = h - v * (phases.conj().T @ phases)
        if not self.twisted:
            # With k and -k both there h is real between cosines and sines.
            _, to_real = _real_waves(self.waves)
            h = jnp.real(to_real.conj() @ h @ to_real.T).astype(dtype)
        return jax.vmap(density_matrix, (0, None))(h, jnp.asarray(self.n_pairs - DEPLETION, dtype))


class AtomicGeminal(eqx.Module):
    """g = sum_IJ,ab chi_a(x_i - R_I) (D_IJ delta_a0 delta_b0 + lambda_ab(I, J)) chi_b(x_j - R_J),
    chi_a = exp(-zeta_a q(r)) (1 + f b_a).

    D is the density matrix of independent electrons that hop between 1s orbitals with the overlap S (Hueckel's model),

        D = S^-1/2 f(S^-1/2 h S^-1/2) S^-1/2,   h_IJ = -INVERSE_TEMPERATURE t(I, J) S_IJ between different atoms,

    one for each determinant: a Slater determinant of molecular orbitals before training, for any protons. t is 1 and
    `hopping` of the distance and `anisotropy` of the direction from I to J; b is `modulation`. lambda lets pairs
    resonate; it depends on the distance of the two protons (`resonance`), with c channels `proton_channels` of the
    features of both (`feature_resonance`), and with their direction (`direction_resonance`). Without directions
    psi would have the full symmetry of the protons, which a ground state need not have: that of a square changes its
    sign when the square is turned."""

    n_pairs: int = eqx.field(static=True)
    log_zetas: Float[Array, "a"]
    modulation: Float[Array, "a f"]
    hopping: Float[Array, "k d"]
    anisotropy: Float[Array, "d 6"]
    resonance: Float[Array, "k d a a"]
    proton_channels: Float[Array, "f c"]
    feature_resonance: Float[Array, "k c d a a"]
    direction_resonance: Float[Array, "k 6 d a a"]
    unpaired: Float[Array, "p f a"]

    @classmethod
    def of(
        cls, n_pairs: int, n_unpaired: int, sizes: Sizes, *, n_channels: int = 6, key: PRNGKeyArray
    ) -> "AtomicGeminal":
        """Molecular orbitals of the orbitals of atoms, and some resonance between neighbours."""
        n_determinants, n_radial, _, n_features, _ = sizes
        channels_key, features_key, unpaired_key, directions_key, anisotropy_key = jax.random.split(key, 5)
        zetas = jnp.log(jnp.asarray([1.0, 0.7]))
        n = len(zetas)
        pattern = jnp.asarray([[0.1, 0.03], [0.03, 0.03]])[None] * (1 + 0.3 * jnp.arange(n_determinants))[:, None, None]
        return cls(
            n_pairs,
            zetas,
            jnp.zeros((n, n_features)),
            jnp.zeros((n_radial, n_determinants)),
            HOPPING_ANISOTROPY * jax.random.normal(anisotropy_key, (n_determinants, 6)),
            jnp.zeros((n_radial, n_determinants, n, n)).at[0].set(pattern),
            jax.random.normal(channels_key, (n_features, n_channels)) / np.sqrt(n_features),
            0.01 * jax.random.normal(features_key, (n_radial, n_channels, n_determinants, n, n)),
            0.01 * jax.random.normal(directions_key, (n_radial, 6, n_determinants, n, n)),
            jax.random.normal(unpaired_key, (n_unpaired, n_features, n)).at[:, :, 1:].multiply(0.0),
        )

    def mean_field(self, protons: Positions, twist: Vector) -> Num[Array, "d m m"]:
        """D of each determinant."""
        m, dtype = len(protons), protons.dtype
        displacements, identity = protons[:, None] - protons, jnp.eye(m, dtype=dtype)
        if not self.n_pairs:
            return jnp.zeros((self.hopping.shape[1], m, m), dtype)
        # An atom is at the distance 1 of itself, where the square root has a derivative.
        r = jnp.sqrt(jnp.sum(displacements**2, axis=-1) + identity)
        # Of two 1s orbitals a distance r apart.
        overlap = jnp.where(identity > 0, 1.0, jnp.exp(-r) * (1 + r + r**2 / 3))
        # t(I, J), even in the direction from I to J, so that h is symmetric.
        hopping = 1 + jnp.einsum("ijk,kd->dij", radial_basis(r, np.inf, len(self.hopping)), self.hopping)
        hopping += jnp.einsum("ijq,dq->dij", _products(displacements / r[..., None]), self.anisotropy)
        # Orthogonal orbitals (Loewdin): S^-1/2 takes the levels there and their density matrix back.
        values, vectors = jnp.linalg.eigh(overlap)
        inverse_root = (vectors / jnp.sqrt(values)) @ vectors.T
        h = -INVERSE_TEMPERATURE * inverse_root @ (hopping * overlap * (1 - identity)) @ inverse_root
        density = jax.vmap(density_matrix, (0, None))(h, jnp.asarray(self.n_pairs, dtype))
        return inverse_root @ density @ inverse_root

    def __call__(
        self, protons: Positions, pairs: PairFeatures, features: Features, twist: Vector, mean_field: Array
    ) -> tuple[Num[Array, "d u w"], Num[Array, "d u p"]]:
        """g, and orbitals of electrons without a partner, spread over all atoms."""
        # chi_a of every electron about every proton; q without a slope at r = 0 leaves the cusp to J.
        r = jnp.sqrt(jnp.sum((features.backflow[:, None] - protons) ** 2, axis=-1))
        radial = jnp.exp(-jnp.exp(self.log_zetas) * soften(r)[..., None])
        orbitals = radial * (1 + features.electrons @ self.modulation.T)[:, None]
        # lambda(I, J): of the distance alone, with features of both protons, with the direction from one to the other.
        channels = features.protons @ self.proton_channels
        products = channels[:, None] * channels
        bonds = jnp.einsum("ijk,kdab->dijab", pairs.basis_pp, self.resonance)
        bonds += jnp.einsum("ijk,ijc,kcdab->dijab", pairs.basis_pp, products, self.feature_resonance)
        directions = _products(pairs.pp / pairs.r_pp[..., None])
        bonds += jnp.einsum("ijk,ijq,kqdab->dijab", pairs.basis_pp, directions, self.direction_resonance)
        # g(r, r') = g(r', r), or psi would be no singlet.
        bonds = 0.5 * (bonds + jnp.swapaxes(jnp.swapaxes(bonds, 1, 2), 3, 4))
        bonds = bonds.at[..., 0, 0].add(mean_field)
        # One matrix between all orbitals (I, a) and (J, b).
        n, n_up = orbitals.shape[1] * orbitals.shape[2], self.n_pairs + len(self.unpaired)
        matrix = jnp.swapaxes(bonds, 2, 3).reshape(len(bonds), n, n)
        flat = orbitals.reshape(len(orbitals), n)
        shape = len(bonds), n_up, 0
        g = (flat[:n_up] @ matrix) @ flat[n_up:].T if len(flat) > n_up else jnp.zeros(shape, flat.dtype)
        if not len(self.unpaired):
            return g, jnp.zeros(shape, flat.dtype)
        # Coefficients of the orbitals of electrons without a partner are linear in the features of each proton.
        unpaired = jnp.einsum("uma,mf,pfa->up", orbitals[:n_up], features.protons, self.unpaired)
        return g, jnp.broadcast_to(unpaired, (len(bonds), *unpaired.shape))


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


def _wave_basis(squares: Float[Array, "k"], n: int, end: float) -> Float[Array, "n k"]:
    """n Gaussians of the length of a wave, given its square, from 0 to the end."""
    # The small number gives the length a derivative at k = 0.
    distances = jnp.sqrt(squares + 1e-6) - np.linspace(0, end, n).astype(squares.dtype)[:, None]
    return jnp.exp(-0.5 * (distances * (n - 1) / end) ** 2)
