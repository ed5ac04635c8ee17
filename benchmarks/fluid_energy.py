"""Energies of single configurations of a fluid: by the wave function of a run, and by coupled clusters without it.

    python benchmarks/fluid_energy.py RUN [--number 2] [--bases cc-pvdz cc-pvtz] [--electrons 32] [--looks 40]

RUN has no twist. Draws protons from its flow and prints E per atom (hartree, protons at rest) of each: the mean local
energy of the run's wave function, and Hartree-Fock, CCSD and CCSD(T) in periodic Gaussian bases by PySCF (density
fitting, the same Ewald energy of all images; functions wider than --narrowest are left out, since those of many atoms
are alike in a small cell). A basis is not complete, so that its CCSD(T) is above the exact energy; the last line has
the correlation energy extrapolated with X^-3 from the last two bases.
"""

import argparse
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jovium.base.errors import InputError, NotConverged
from jovium.coulomb.hydrogen import CoulombPotential
from jovium.free_energy.estimate import local_energies
from jovium.free_energy.settings import FreeEnergySettings
from jovium.free_energy.step import State
from jovium.free_energy.training import trained
from jovium.free_energy.walkers import Walkers, drawn, sample_electrons

CARDINAL = {"cc-pvdz": 2, "cc-pvtz": 3, "cc-pvqz": 4}

FIRST, APART = 400, 10
"""Moves of the electrons before they are looked at, and between two looks."""


def main() -> None:
    """A row of every configuration."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--number", type=int, default=2, help="configurations of protons")
    parser.add_argument("--bases", nargs="+", default=["cc-pvdz", "cc-pvtz"], choices=CARDINAL)
    parser.add_argument("--narrowest", type=float, default=0.15, help="exponent (1/bohr^2) of the widest function")
    parser.add_argument("--electrons", type=int, default=32, help="configurations among each")
    parser.add_argument("--looks", type=int, default=40)
    options = parser.parse_args()
    recipe, state = trained(options.run)
    if recipe.twists > 1:
        raise InputError(
            f"{options.run} has {recipe.twists}^3 twists", "a run without", "take data/free_energy/n16_gamma"
        )
    with jax.enable_x64(recipe.in_double_precision):
        walkers, energies, errors = of_wave_function(recipe, state, options.number, options.electrons, options.looks)
    for protons, energy, error in zip(np.asarray(walkers.protons, float), energies, errors, strict=True):
        print(f"wave function {energy / recipe.n:.5f} +- {error / recipe.n:.5f}", flush=True)
        found = {}
        for basis in options.bases:
            field, doubles, triples = of_coupled_clusters(recipe, protons, basis, options.narrowest)
            found[CARDINAL[basis]] = field, triples
            shown = "  ".join(
                f"{name} {value / recipe.n:.5f}"
                for name, value in (("Hartree-Fock", field), ("CCSD", doubles), ("CCSD(T)", triples))
            )
            print(f"  {basis}  {shown}", flush=True)
        if len(found) > 1:
            (x, small), (y, large) = sorted(found.items())[-2:]
            parts = [energy - field for field, energy in (small, large)]
            limit = large[0] + (y**3 * parts[1] - x**3 * parts[0]) / (y**3 - x**3)
            print(f"  limit of {x}, {y}  CCSD(T) {limit / recipe.n:.5f}", flush=True)


def of_wave_function(
    recipe: FreeEnergySettings, state: State, number: int, n_electrons: int, n_looks: int
) -> tuple[Walkers, np.ndarray, np.ndarray]:
    """Configurations of protons, the mean local energy of each (hartree), and its error from independent electrons."""
    potential = CoulombPotential.of(recipe.space, 2 * recipe.n)
    twists = jnp.zeros((number, 3))
    place, first, *later = jax.random.split(jax.random.key(5), 2 + n_looks)
    walkers = drawn(state.flow, place, number, n_electrons)._replace(width=state.walkers.width)
    moved = eqx.filter_jit(lambda w, key, n: sample_electrons(state.psi, w, twists, n, key, False))
    look = eqx.filter_jit(lambda w: local_energies(state.psi, potential, w, twists).total)
    walkers, found = moved(walkers, first, FIRST), []
    for key in later:
        walkers = moved(walkers, key, APART)
        found.append(np.asarray(look(walkers), float))
    chains = np.mean(found, axis=0)
    return walkers, chains.mean(axis=1), chains.std(axis=1, ddof=1) / np.sqrt(n_electrons)


def of_coupled_clusters(
    recipe: FreeEnergySettings, protons: np.ndarray, basis: str, narrowest: float
) -> tuple[float, float, float]:
    """Hartree-Fock, CCSD and CCSD(T) of the whole cell (hartree)."""
    from pyscf.pbc import cc, gto, scf

    cell = gto.Cell()
    cell.unit, cell.a, cell.basis = "B", recipe.cell.vectors, basis
    cell.atom = "; ".join("H {} {} {}".format(*position) for position in protons)
    cell.exp_to_discard, cell.verbose = narrowest, 0
    cell.build()
    field = scf.RHF(cell, exxdiv="ewald").density_fit()
    field.max_cycle = 200
    field.kernel()
    clusters = cc.CCSD(field)
    if field.converged:
        clusters.kernel()
    if not clusters.converged:
        raise NotConverged(
            f"Hartree-Fock or CCSD of {len(protons)} atoms in {basis}",
            "amplitudes that settle",
            "leave wide functions out: raise --narrowest",
        )
    return field.e_tot, clusters.e_tot, clusters.e_tot + clusters.ccsd_t()


if __name__ == "__main__":
    main()
