"""The wave function: a sum of determinants of pair functions at backflow coordinates, times exp(J)."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num, PRNGKeyArray

from jovium.base.box import Box
from jovium.base.errors import InputError
from jovium.electrons.geminals import AtomicGeminal, Geminal, PlaneWaveGeminal
from jovium.electrons.jastrow import Jastrow
from jovium.electrons.message_passing import MessagePassing, Sizes, pair_features


class WaveFunction(eqx.Module):
    """psi(r; R) = exp(J) sum_d c_d det [g_d(r_up, r_down), phi_d(r_up)] of n_up + n_down electrons among protons R.

    The first determinant leads to begin with. Positions in bohr, electrons of spin up first, both in double precision
    where psi needs it: others raise InputError unless `allow_single_precision`."""

    box: Box = eqx.field(static=True)
    n_up: int = eqx.field(static=True)
    n_down: int = eqx.field(static=True)
    twist: tuple[float, float, float] = eqx.field(static=True)
    allow_single_precision: bool = eqx.field(static=True)
    coefficients: Float[Array, "d"]
    message_passing: MessagePassing
    geminal: Geminal
    jastrow: Jastrow

    @classmethod
    def of(
        cls,
        box: Box,
        n_up: int,
        n_down: int,
        *,
        with_protons: bool = True,
        twist: tuple[float, float, float] = (0.0, 0.0, 0.0),
        twisted: bool = False,
        allow_single_precision: bool = False,
        key: PRNGKeyArray,
        **sizes: int,
    ) -> "WaveFunction":
        """Pairs of atoms in open space, of plane waves in a cell, of the `Sizes` given.

        twist: a wave vector (1/bohr), that of every psi that is not given another; twisted: whether one may be given.
        Raises InputError for fewer electrons of spin up than of spin down, unpaired electrons among protons in a cell,
        or a twist in open space."""
        if not 0 <= n_down <= n_up or n_up < 1 or (box.vectors is None and (any(twist) or not with_protons)):
            expected = "one or more, no fewer of spin up; a twist and a uniform gas only in a periodic cell"
            got = f"{n_up} electrons of spin up, {n_down} of spin down, twist {twist}"
            raise InputError(got, expected, "name the majority spin up")
        if box.vectors is not None and with_protons and n_up != n_down:
            got = f"{n_up - n_down} electrons without a partner in a cell of protons"
            expected = (
                "as many of spin up as of spin down: unpaired ones would be in waves that do not know the protons"
            )
            raise InputError(got, expected, "take an even number of atoms and leave out --unpaired")
        geminal_key, messages_key, jastrow_key = jax.random.split(key, 3)
        all_sizes, spacing = Sizes(**sizes), 1.5
        if box.vectors is None:
            geminal = AtomicGeminal.of(n_down, n_up - n_down, all_sizes, key=geminal_key)
        else:
            flags = {"twisted": twisted or any(twist), "with_protons": with_protons}
            geminal = PlaneWaveGeminal.of(box, n_up, n_down, all_sizes, **flags, key=geminal_key)
            spacing = float((3 * geminal.volume / (4 * np.pi * (n_up + n_down))) ** (1 / 3))
        return cls(
            box,
            n_up,
            n_down,
            twist,
            allow_single_precision,
            jnp.full(all_sizes.n_determinants, 0.1, float).at[0].set(1.0),
            MessagePassing.of(all_sizes, key=messages_key),
            geminal,
            Jastrow.of(all_sizes, spacing=spacing, key=jastrow_key),
        )

    @property
    def n_electrons(self) -> int:
        """Of both spins."""
        return self.n_up + self.n_down

    @property
    def is_complex(self) -> bool:
        """Whether a twist makes psi complex."""
        return isinstance(self.geminal, PlaneWaveGeminal) and self.geminal.twisted

    def mean_field(self, protons: Float[Array, "m 3"], twist: Float[Array, "3"] | None = None) -> Array:
        """What the protons and the twist alone decide: the density matrix of the pairs, to be handed to `log_psi`."""
        self._check_precision(protons)
        return self.geminal.mean_field(protons, self._twist(protons, twist))

    def log_psi(
        self,
        electrons: Float[Array, "n 3"],
        protons: Float[Array, "m 3"],
        twist: Float[Array, "3"] | None = None,
        mean_field: Array | None = None,
    ) -> Num[Array, ""]:
        """ln psi: complex with a twist, otherwise ln|psi|. The phase is known up to a multiple of 2 pi."""
        self._check_precision(electrons, protons)
        pairs = pair_features(self.box, electrons, protons, self.n_up, self.message_passing.n_radial)
        features = self.message_passing(electrons, pairs)
        mean_field = self.mean_field(protons, twist) if mean_field is None else mean_field
        orbitals = self.geminal(protons, pairs, features, self._twist(protons, twist), mean_field)
        # Columns: electrons of spin down, then orbitals of those of spin up that have no partner.
        matrices = jnp.concatenate([columns for columns in orbitals if columns.shape[-1]], axis=-1)
        return log_determinant_sum(matrices, self.coefficients) + self.jastrow(pairs, features)

    def _twist(self, protons: Float[Array, "m 3"], twist: Float[Array, "3"] | None) -> Float[Array, "3"]:
        return jnp.asarray(self.twist, protons.dtype) if twist is None else twist

    def _check_precision(self, *positions: Array) -> None:
        # Without x64 JAX makes float32 of everything, of double parameters too.
        single = any(jnp.result_type(x) != jnp.float64 for x in positions)
        if single and not self.allow_single_precision and needs_double_precision(self.box, self.n_electrons):
            got = f"{self.n_electrons} electrons in a cell in single precision"
            expected = "positions in double precision, without which local energies are wrong by a hartree"
            do = "jax.config.update('jax_enable_x64', True) first; allow_single_precision=True if that is what you want"
            raise InputError(got, expected, do)


def needs_double_precision(box: Box, n_electrons: int) -> bool:
    """Whether single precision loses psi: in a cell g = m D m* has the square of the condition of its waves m, and the
    local energies of 16 electrons were wrong by a hartree."""
    return box.vectors is not None and n_electrons > 4


def log_determinant_sum(matrices: Num[Array, "d n n"], coefficients: Float[Array, "d"]) -> Num[Array, ""]:
    """ln |sum_d c_d det M_d| of real, ln sum_d c_d det M_d of complex matrices, without overflow."""
    signs, logs = jnp.linalg.slogdet(matrices)
    largest = jax.lax.stop_gradient(logs.max())
    total = jnp.sum(coefficients * signs * jnp.exp(logs - largest))
    return largest + (jnp.log(total) if jnp.iscomplexobj(matrices) else jnp.log(jnp.abs(total)))
