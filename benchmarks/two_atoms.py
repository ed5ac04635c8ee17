"""F, E, S and P of two atoms by quadrature over the energy surface of a trained wave function: no flow.

    python benchmarks/two_atoms.py RUN [--grid 12] [--looks 64] [--strain 0.04]

Two protons in a cube differ by one vector. E of the wave function of RUN, averaged over its twists, is measured on a
grid of that vector (corners that the cube's symmetry makes alike only once), and

    F = -kT ln [ V / (2 Lambda^6) int exp(-beta E(r)) dr ]

is summed. P is the virial with what a wave function adds that is no eigenstate. The same in cells whose edges are
longer and shorter by a share `strain` gives P = -dF/dV beside it, and at temperatures 2 % above and below S =
-dF/dT. RUN/measure.json, from `jovium measure RUN`, is printed beside.
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
from jovium.free_energy.measurement import STRAIN, strained
from jovium.free_energy.settings import FreeEnergySettings
from jovium.free_energy.training import trained, with_parameters_of
from jovium.free_energy.walkers import Walkers, grid_of_twists, sample_electrons

AT_ONCE, ELECTRONS, SWEEPS, APART = 8, 8, 300, 10
"""Vectors measured together; configurations of electrons of each; moves before the first look and between two."""


@dataclass(frozen=True)
class Surface:
    """E, K and the force of a strained wave function (`pulay_term`, hartree) of two atoms at vectors of a grid,
    errors of E, and how many vectors each stands for."""

    recipe: FreeEnergySettings
    energies: Float[np.ndarray, "g"]
    kinetic: Float[np.ndarray, "g"]
    forces: Float[np.ndarray, "g"]
    errors: Float[np.ndarray, "g"]
    weights: Float[np.ndarray, "g"]

    def figures(self, kelvin: float) -> tuple[dict[str, float], dict[str, float]]:
        """F, E, S, P at a temperature, and their errors."""
        state = replace(self.recipe, kelvin=kelvin).state
        kT = state.temperature
        shares = self.weights * np.exp(-(self.energies - self.energies.min()) / kT)
        whole, shares = shares.sum() / self.weights.sum(), shares / shares.sum()
        # ln p of the two protons is that of one vector, anywhere in the cell.
        free = self.energies.min() - kT * (np.log(whole) + 2 * np.log(state.volume))
        works = np.full(2, free)
        energies, kinetic, forces = (np.full(2, shares @ rows) for rows in (self.energies, self.kinetic, self.forces))
        log_densities = (works - energies) / kT
        slope = shares * (1 - (self.energies - energies[0]) / kT)
        values = {
            "F": state.free_energy(works).value,
            "E": state.energy(energies).value,
            "S": state.entropy(log_densities).value,
            "P": state.pressure(kinetic, energies, forces).value * PRESSURE_GPA,
            "virial": state.pressure(kinetic, energies).value * PRESSURE_GPA,
        }
        of_free, of_energy = (np.sqrt(np.sum((row * self.errors) ** 2)) / 2 for row in (shares, slope))
        # K and E of one sample differ by what the virial theorem leaves; twice the error of E is a safe one of 2 K + V.
        errors = {"F": of_free, "E": of_energy, "S": float(np.hypot(of_free, of_energy) / kT)}
        of_pressure = 2 * 2 * of_energy / (3 * state.volume) * PRESSURE_GPA
        return values, {**errors, "P": of_pressure, "virial": of_pressure}


def surface(recipe: FreeEnergySettings, psi: WaveFunction, n_grid: int, n_looks: int) -> Surface:
    """Measure E(r) on a grid that lies between the places where the protons would meet."""
    places = np.array(list(combinations_with_replacement(range(n_grid // 2), 3)))
    weights = np.array([8 * len(set(permutations(place))) for place in places], float)
    vectors = (places + 0.5) / n_grid * recipe.cell.vectors[0, 0]
    psi = with_parameters_of(recipe.wave_function(), psi, "the run")
    potential = CoulombPotential.of(recipe.space, 4)
    program = eqx.filter_jit(lambda vectors, key: looks(recipe, psi, potential, vectors, n_looks, key))
    padded = np.concatenate([vectors, np.repeat(vectors[:1], -len(vectors) % AT_ONCE, axis=0)])
    keys = jax.random.split(jax.random.key(5), len(padded) // AT_ONCE)
    groups = zip(padded.reshape(-1, AT_ONCE, 3), keys, strict=True)
    energies, kinetic, forces, errors = (
        np.concatenate(found)[: len(vectors)]
        for found in zip(*(map(np.asarray, program(jnp.asarray(group), key)) for group, key in groups), strict=True)
    )
    found = (rows.astype(float) for rows in (energies, kinetic, forces, errors))
    return Surface(recipe, *found, weights)


def looks(
    recipe: FreeEnergySettings, psi: WaveFunction, potential: CoulombPotential, vectors: Array, n_looks: int, key: Array
) -> tuple[Array, Array, Array, Array]:
    """E, K, the force and the error of E of every vector, averaged over twists, electrons and looks."""
    grid = jnp.asarray(grid_of_twists(recipe.space.vectors or (), recipe.twists), vectors.dtype)
    n = len(vectors) * len(grid)
    protons = jnp.repeat(jnp.stack([0 * vectors, vectors], axis=1), len(grid), axis=0)
    twists = jnp.tile(grid, (len(vectors), 1))
    kick, first, later = jax.random.split(key, 3)
    electrons = protons[:, None] + 0.7 * jax.random.normal(kick, (n, ELECTRONS, 2, 3))
    walkers = Walkers(protons, protons, jnp.zeros(n), electrons, jnp.asarray(0.5), jnp.asarray(0.0))
    walkers = sample_electrons(psi, walkers, twists, SWEEPS, first, True)
    cells = strained(recipe, psi, STRAIN)

    def look(walkers: Walkers, key: Array) -> tuple[Walkers, tuple[Array, Array, Array]]:
        walkers = sample_electrons(psi, walkers, twists, APART, key, False)
        local = local_energies(psi, potential, walkers, twists)
        force = pulay_term(local.total, dilation_scores(*cells, STRAIN, walkers, twists))
        return walkers, (local.total.real, local.kinetic.real, force)

    _, (energies, kinetic, forces) = jax.lax.scan(look, walkers, jax.random.split(later, n_looks))
    chains = jnp.swapaxes(energies.mean(axis=0).reshape(len(vectors), -1), 0, 1)
    error = chains.std(axis=0, ddof=1) / np.sqrt(len(chains))
    means = [rows.mean(axis=0).reshape(len(vectors), -1).mean(axis=1) for rows in (kinetic, forces)]
    return chains.mean(axis=0), *means, error


def main() -> None:
    """Measure three cells, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_folder", metavar="RUN", type=Path)
    parser.add_argument("--grid", type=int, default=12, help="points along an edge, even (default 12)")
    parser.add_argument("--looks", type=int, default=64, help="at the electrons (default 64)")
    parser.add_argument("--strain", type=float, default=0.04, help="of the cells whose F gives P (default 0.04)")
    options = parser.parse_args()
    recipe, state = trained(options.run_folder)
    if recipe.n != 2:
        raise SystemExit(f"{options.run_folder} has {recipe.n} atoms; this is quadrature for two")
    here = surface(recipe, state.psi, options.grid, options.looks)
    found, errors = here.figures(recipe.kelvin)
    for name, unit in (
        ("F", "Ha per atom"),
        ("E", "Ha per atom"),
        ("S", "k_B per atom"),
        ("P", "GPa"),
        ("virial", "GPa"),
    ):
        print(f"{name} {found[name]:.5f} +- {errors[name]:.5f} {unit}", flush=True)
    step = 0.02 * recipe.kelvin
    slope = (here.figures(recipe.kelvin + step)[0]["F"] - here.figures(recipe.kelvin - step)[0]["F"]) / (2 * step)
    print(f"S {-slope / KELVIN_HARTREE:.5f} k_B per atom, -dF/dT", flush=True)
    others = [replace(recipe, rs=recipe.rs * (1 + sign * options.strain)) for sign in (-1, 1)]
    ends = [surface(other, state.psi, options.grid, options.looks).figures(recipe.kelvin) for other in others]
    apart = others[1].cell.volume - others[0].cell.volume
    pressure = -2 * (ends[1][0]["F"] - ends[0][0]["F"]) / apart
    error = 2 * np.hypot(ends[0][1]["F"], ends[1][1]["F"]) / apart
    print(f"P {pressure * PRESSURE_GPA:.1f} +- {error * PRESSURE_GPA:.1f} GPa, -dF/dV")
    measured = options.run_folder / "measure.json"
    if measured.exists():
        record = json.loads(measured.read_text())
        names = "F_Ha_per_atom", "F_reweighted_Ha_per_atom", "E_Ha_per_atom", "S_kB_per_atom", "P_GPa"
        print("of the flow:", {name: record[name] for name in names})


if __name__ == "__main__":
    main()
