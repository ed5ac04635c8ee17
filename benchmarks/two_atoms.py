"""F, E, S and P of two atoms by quadrature over the energy surface of a trained wave function, without a flow.

    python benchmarks/two_atoms.py RUN [--grid 12] [--electron-samples 64] [--strain 0.04]

Two protons in a cube differ by one vector. E of the wave function of RUN, averaged over its twists, is measured on a
grid of that vector (points alike by the symmetry of the cube only once), and

    F = -kT ln [ V / (2 Lambda^6) int exp(-beta E(r)) dr ]

is summed. P is the virial with the Pulay term of a wave function that is no eigenstate. The same in cells whose edges
are longer and shorter by a fraction `strain` gives P = -dF/dV beside it, and at temperatures 2 % above and below
S = -dF/dT. RUN/measure.json, from `jovium measure RUN`, is printed beside.
"""

import argparse
import json
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement, permutations
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jovium.base.units import KELVIN_HARTREE, PRESSURE_GPA
from jovium.coulomb.hydrogen import CoulombPotential
from jovium.electrons.wave_function import WaveFunction
from jovium.free_energy.estimate import dilation_scores, local_energies, pulay_term
from jovium.free_energy.measurement import STRAIN, strain
from jovium.free_energy.systems import FreeEnergySystem
from jovium.free_energy.training import load_run, with_parameters_of
from jovium.free_energy.walkers import Walkers, sample_electrons

VECTORS_AT_ONCE, ELECTRON_WALKERS, EQUILIBRATION_MOVES, MOVES_BETWEEN_SAMPLES = 8, 8, 300, 10
"""Vectors measured together; electron walkers of each; their moves before the first sample and between two."""


@dataclass(frozen=True)
class Surface:
    """E, K and the force of a strained wave function (`pulay_term`, hartree) of two atoms at vectors of a grid,
    errors of E, and how many vectors each stands for."""

    system: FreeEnergySystem
    energies: Float[np.ndarray, "g"]
    kinetic: Float[np.ndarray, "g"]
    forces: Float[np.ndarray, "g"]
    errors: Float[np.ndarray, "g"]
    weights: Float[np.ndarray, "g"]

    def figures(self, kelvin: float) -> tuple[dict[str, float], dict[str, float]]:
        """F, E, S, P at a temperature, and their errors."""
        state = FreeEnergySystem(replace(self.system.settings, kelvin=kelvin)).state
        kT = state.temperature
        weights = self.weights * np.exp(-(self.energies - self.energies.min()) / kT)
        mean, weights = weights.sum() / self.weights.sum(), weights / weights.sum()
        # ln p of the two protons is that of one vector, anywhere in the cell.
        free = self.energies.min() - kT * (np.log(mean) + 2 * np.log(state.volume))
        work = np.full(2, free)
        energies, kinetic, forces = (np.full(2, weights @ rows) for rows in (self.energies, self.kinetic, self.forces))
        log_densities = (work - energies) / kT
        slope = weights * (1 - (self.energies - energies[0]) / kT)
        values = {
            "F": state.free_energy(work).value,
            "E": state.energy(energies).value,
            "S": state.entropy(log_densities).value,
            "P": state.pressure(kinetic, energies, forces).value * PRESSURE_GPA,
            "virial": state.pressure(kinetic, energies).value * PRESSURE_GPA,
        }
        free_error, energy_error = (np.sqrt(np.sum((row * self.errors) ** 2)) / 2 for row in (weights, slope))
        # K and E of one sample differ by what the virial theorem leaves; twice the error of E is a safe one of 2 K + V.
        errors = {"F": free_error, "E": energy_error, "S": float(np.hypot(free_error, energy_error) / kT)}
        pressure_error = 2 * 2 * energy_error / (3 * state.volume) * PRESSURE_GPA
        return values, {**errors, "P": pressure_error, "virial": pressure_error}


def surface(system: FreeEnergySystem, psi: WaveFunction, n_grid: int, n_samples: int) -> Surface:
    """Measure E(r) on a grid that lies between the points where the protons would meet."""
    indices = np.array(list(combinations_with_replacement(range(n_grid // 2), 3)))
    weights = np.array([8 * len(set(permutations(index))) for index in indices], float)
    vectors = (indices + 0.5) / n_grid * system.cell.vectors[0, 0]
    psi = with_parameters_of(system.wave_function(), psi, "the run")
    potential = CoulombPotential.of(system.box, 4)
    program = eqx.filter_jit(lambda vectors, key: electron_averages(system, psi, potential, vectors, n_samples, key))
    padded = np.concatenate([vectors, np.repeat(vectors[:1], -len(vectors) % VECTORS_AT_ONCE, axis=0)])
    keys = jax.random.split(jax.random.key(5), len(padded) // VECTORS_AT_ONCE)
    groups = zip(padded.reshape(-1, VECTORS_AT_ONCE, 3), keys, strict=True)
    energies, kinetic, forces, errors = (
        np.concatenate(column)[: len(vectors)].astype(float)
        for column in zip(*(map(np.asarray, program(jnp.asarray(group), key)) for group, key in groups), strict=True)
    )
    return Surface(system, energies, kinetic, forces, errors, weights)


def electron_averages(
    system: FreeEnergySystem,
    psi: WaveFunction,
    potential: CoulombPotential,
    vectors: Array,
    n_samples: int,
    key: Array,
) -> tuple[Array, Array, Array, Array]:
    """E, K, the force and the error of E of every vector, averaged over twists, walkers and samples."""
    n = len(vectors) * system.n_twists
    protons = jnp.repeat(jnp.stack([0 * vectors, vectors], axis=1), system.n_twists, axis=0)
    twists = system.twists(n)
    start_key, warmup_key, sample_key = jax.random.split(key, 3)
    electrons = protons[:, None] + 0.7 * jax.random.normal(start_key, (n, ELECTRON_WALKERS, 2, 3))
    walkers = Walkers(protons, protons, jnp.zeros(n), electrons, jnp.asarray(0.5), jnp.asarray(0.0))
    walkers, _ = sample_electrons(psi, walkers, twists, EQUILIBRATION_MOVES, warmup_key, True)
    smaller, larger = strain(system, psi, STRAIN)

    def sample(walkers: Walkers, key: Array) -> tuple[Walkers, tuple[Array, Array, Array]]:
        walkers, _ = sample_electrons(psi, walkers, twists, MOVES_BETWEEN_SAMPLES, key, False)
        local = local_energies(psi, potential, walkers, twists)
        force = pulay_term(local.total, dilation_scores(smaller, larger, STRAIN, walkers, twists))
        return walkers, (local.total.real, local.kinetic.real, force)

    _, (energies, kinetic, forces) = jax.lax.scan(sample, walkers, jax.random.split(sample_key, n_samples))
    chains = jnp.swapaxes(energies.mean(axis=0).reshape(len(vectors), -1), 0, 1)
    error = chains.std(axis=0, ddof=1) / np.sqrt(len(chains))
    kinetic, forces = (rows.mean(axis=0).reshape(len(vectors), -1).mean(axis=1) for rows in (kinetic, forces))
    return chains.mean(axis=0), kinetic, forces, error


def main() -> None:
    """Measure three cells, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_folder", metavar="RUN", type=Path)
    parser.add_argument("--grid", type=int, default=12, help="points along an edge, even (default 12)")
    parser.add_argument(
        "--electron-samples", type=int, default=64, help="steps of the electrons that are averaged (default 64)"
    )
    parser.add_argument("--strain", type=float, default=0.04, help="of the cells whose F gives P (default 0.04)")
    options = parser.parse_args()
    settings, state = load_run(options.run_folder)
    if settings.n_atoms != 2:
        raise SystemExit(f"{options.run_folder} has {settings.n_atoms} atoms; this is quadrature for two")
    psi = state.model.psi
    measured = surface(FreeEnergySystem(settings), psi, options.grid, options.electron_samples)
    values, errors = measured.figures(settings.kelvin)
    for name, unit in (
        ("F", "Ha per atom"),
        ("E", "Ha per atom"),
        ("S", "k_B per atom"),
        ("P", "GPa"),
        ("virial", "GPa"),
    ):
        print(f"{name} {values[name]:.5f} +- {errors[name]:.5f} {unit}", flush=True)
    step = 0.02 * settings.kelvin
    slope = (measured.figures(settings.kelvin + step)[0]["F"] - measured.figures(settings.kelvin - step)[0]["F"]) / (
        2 * step
    )
    print(f"S {-slope / KELVIN_HARTREE:.5f} k_B per atom, -dF/dT", flush=True)
    systems = [FreeEnergySystem(replace(settings, rs=settings.rs * (1 + sign * options.strain))) for sign in (-1, 1)]
    ends = [surface(system, psi, options.grid, options.electron_samples).figures(settings.kelvin) for system in systems]
    change = systems[1].cell.volume - systems[0].cell.volume
    pressure = -2 * (ends[1][0]["F"] - ends[0][0]["F"]) / change
    error = 2 * np.hypot(ends[0][1]["F"], ends[1][1]["F"]) / change
    print(f"P {pressure * PRESSURE_GPA:.1f} +- {error * PRESSURE_GPA:.1f} GPa, -dF/dV")
    path = options.run_folder / "measure.json"
    if path.exists():
        record = json.loads(path.read_text())
        names = "F_Ha_per_atom", "F_reweighted_Ha_per_atom", "E_Ha_per_atom", "S_kB_per_atom", "P_GPa"
        print("of the flow:", {name: record[name] for name in names})


if __name__ == "__main__":
    main()
