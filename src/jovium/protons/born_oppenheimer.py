"""Hydrogen as a target: energies and forces of the Born-Oppenheimer surface from the first-principles engine.

The engine runs outside the compiled program: a batch of configurations goes to as many engines as there are workers,
energies and forces come back, and the gradient of the energy is minus the forces. Protons are classical at rs and a
temperature."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jovium.base.cell import Cell
from jovium.base.errors import EngineError, InputError, StructureError
from jovium.base.structure import Structure
from jovium.base.units import kelvin_to_hartree
from jovium.reference.engine import Engine, open_engine
from jovium.reference.kohn_sham import CHEAP, KohnShamSettings

ATOM = -0.5
"""Zero of energies, hartree per atom: an isolated atom. Without it single precision would lose the last digits."""


class BornOppenheimer:
    """N hydrogen atoms in a cube at rs (bohr), protons and electrons at a temperature (kelvin; kT in hartree).
    beta_energy is F_el(R) / kT with the electronic free energy counted from N ATOM; infinite where the engine refuses a
    configuration (protons that overlap) or does not converge. Raises InputError for numbers that make no system."""

    def __init__(
        self,
        n_particles: int,
        rs: float,
        kelvin: float,
        *,
        workers: int = 1,
        protocol: KohnShamSettings = CHEAP,
        engine: Callable[[], Engine] = open_engine,
    ):
        if n_particles < 1 or n_particles % 2 or not (np.isfinite([rs, kelvin]).all() and rs > 0 and kelvin > 0):
            got = f"{n_particles} atoms, rs {rs} bohr, {kelvin} K"
            raise InputError(got, "an even number >= 2, rs > 0, T > 0", "check them")
        self.n_particles, self.cell = n_particles, Cell.cubic(n_particles, rs)
        self.temperature = kelvin_to_hartree(kelvin)
        self.protocol = replace(protocol, electronic_kT=self.temperature)
        engine().close()  # a missing engine says so here, not inside a compiled program
        self._open, self._thread = engine, threading.local()
        self._pool = ThreadPoolExecutor(workers)
        self.refused, self.first_refusal = 0, ""

    def beta_energy(self, positions: Float[Array, "n 3"]) -> Float[Array, ""]:
        """Electronic free energy / kT of one configuration (bohr), above N separate atoms."""
        return _from_engine(self, positions)

    def evaluate(self, positions: Float[np.ndarray | Array, "*b n 3"]) -> tuple[np.ndarray, np.ndarray]:
        """Energies / kT (*b) and their gradients (*b, n, 3) per bohr, the batch divided among the workers."""
        positions = np.asarray(positions, float)
        flat = positions.reshape(-1, *positions.shape[-2:])
        results = list(self._pool.map(self._evaluate_configuration, flat))
        energies = np.array([energy for energy, _ in results], np.float32).reshape(positions.shape[:-2])
        return energies, np.array([gradient for _, gradient in results], np.float32).reshape(positions.shape)

    def _evaluate_configuration(self, positions: Float[np.ndarray, "n 3"]) -> tuple[float, np.ndarray]:
        if not hasattr(self._thread, "engine"):
            self._thread.engine = self._open()
        try:
            structure = Structure(self.cell, self.cell.wrap(positions), ("H",) * self.n_particles)
            state = self._thread.engine.ground_state(structure, self.protocol, fields=False, stress=False)
        except (StructureError, EngineError) as error:
            self.refused += 1
            self.first_refusal = self.first_refusal or str(error)
            return np.inf, np.zeros_like(positions)
        assert state.forces is not None
        free_energy = state.free_energy - ATOM * self.n_particles
        return free_energy / self.temperature, -np.asarray(state.forces) / self.temperature


def _call_engine(target: BornOppenheimer, positions: Float[Array, "n 3"]) -> tuple[Array, Array]:
    shapes = jax.ShapeDtypeStruct((), jnp.float32), jax.ShapeDtypeStruct(positions.shape, jnp.float32)
    return jax.pure_callback(target.evaluate, shapes, positions, vmap_method="expand_dims")


_from_engine = jax.custom_vjp(lambda target, positions: _call_engine(target, positions)[0], nondiff_argnums=(0,))
_from_engine.defvjp(_call_engine, lambda target, gradient, cotangent: (cotangent * gradient,))
