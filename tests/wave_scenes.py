"""Wave functions with random parameters, in double precision: what holds for these holds for all."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jovium.base.box import Box
from jovium.base.cell import Cell
from jovium.electrons.message_passing import pair_features
from jovium.electrons.wave_function import WaveFunction

TWIST = 0.25, 0.1, 0.4
"""In units of the reciprocal vectors of the triclinic cell."""

TRICLINIC = Cell(np.array([[5.0, 0.0, 0.0], [1.5, 4.6, 0.0], [0.7, 0.9, 5.2]]))


def shake(model, seed=7, size=0.03):
    """All parameters displaced at random."""
    arrays, rest = eqx.partition(model, eqx.is_inexact_array)
    leaves, form = jax.tree.flatten(arrays)
    random = np.random.default_rng(seed)
    leaves = [jnp.asarray(leaf + size * random.normal(size=leaf.shape), jnp.float64) for leaf in leaves]
    return eqx.combine(jax.tree.unflatten(form, leaves), rest)


CASES = {
    "open": (Box.open(3, 10.0), 3, 3, 6, (0.0, 0.0, 0.0)),
    "polarised": (Box.open(3, 10.0), 4, 2, 6, (0.0, 0.0, 0.0)),
    "cell": (Box.periodic(TRICLINIC, 3.0), 3, 3, 6, (0.0, 0.0, 0.0)),
    "twisted": (Box.periodic(TRICLINIC, 3.0), 3, 3, 6, tuple((np.array(TWIST) @ TRICLINIC.reciprocal).tolist())),
    "polarised gas": (Box.periodic(TRICLINIC, 3.0), 3, 1, 0, (0.0, 0.0, 0.0)),
    "gas": (Box.periodic(TRICLINIC, 3.0), 3, 3, 0, (0.0, 0.0, 0.0)),
}


class Scene:
    """A wave function with electrons and protons to look at."""

    def __init__(self, name):
        box, n_up, n_down, n_protons, twist = CASES[name]
        psi = WaveFunction.of(
            box, n_up, n_down, with_protons=n_protons > 0, twist=twist, n_determinants=2, n_features=12, n_backflow=3,
            key=jax.random.key(1),
        )  # fmt: skip
        self.psi, self.box, self.n_up = shake(psi), box, n_up
        random = np.random.default_rng(3)
        vectors = TRICLINIC.vectors if box.vectors else np.eye(3) * 4
        self.electrons = jnp.asarray(random.random((n_up + n_down, 3)) @ vectors)
        self.protons = jnp.asarray(random.random((n_protons, 3)) @ vectors)

    def log_psi(self, electrons, protons=None):
        return _log_psi(self.psi, electrons, self.protons if protons is None else protons)

    def value(self, electrons):
        """psi itself with its sign, which ln|psi| has lost."""
        return _value(self.psi, electrons, self.protons)


@eqx.filter_jit
def _log_psi(psi, electrons, protons):
    return psi.log_psi(electrons, protons)


@eqx.filter_jit
def _value(psi, electrons, protons):
    pairs = pair_features(psi.box, electrons, protons, psi.n_up, psi.message_passing.n_radial)
    features = psi.message_passing(electrons, pairs)
    orbitals = psi.geminal(protons, pairs, features, jnp.asarray(psi.twist), psi.mean_field(protons))
    determinants = jnp.linalg.det(jnp.concatenate(orbitals, axis=-1))
    return jnp.sum(psi.coefficients * determinants) * jnp.exp(psi.jastrow(pairs, features))
