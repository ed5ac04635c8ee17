"""Energies of single configurations of a fluid: by the wave function of a run, and by coupled clusters without it.

    python benchmarks/fluid_energy.py RUN [--number 2] [--bases cc-pvdz cc-pvtz] [--electron-walkers 32]
        [--electron-samples 40]

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
from jovium.free_energy.systems import FreeEnergySystem
from jovium.free_energy.training import load_run
from jovium.free_energy.walkers import Walkers, init_walkers, sample_electrons
from jovium.training.loop import TrainingState

CARDINAL = {"cc-pvdz": 2, "cc-pvtz": 3, "cc-pvqz": 4}

EQUILIBRATION_MOVES, MOVES_BETWEEN_SAMPLES = 400, 10
"""Moves of the electrons before the first sample, and between two samples."""


def main() -> None:
    """A row of every configuration."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--number", type=int, default=2, help="configurations of protons")
    parser.add_argument("--bases", nargs="+", default=["cc-pvdz", "cc-pvtz"], choices=CARDINAL)
    parser.add_argument("--narrowest", type=float, default=0.15, help="exponent (1/bohr^2) of the widest function")
    parser.add_argument("--electron-walkers", type=int, default=32, help="among each of them")
    parser.add_argument("--electron-samples", type=int, default=40, help="of every walker")
    options = parser.parse_args()
    settings, state = load_run(options.run)
    system = FreeEnergySystem(settings)
    if settings.twists > 1:
        raise InputError(
            f"{options.run} has {settings.twists}^3 twists", "a run without", "take data/free_energy/n16_gamma"
        )
    with jax.enable_x64(system.in_double_precision):
        walkers, energies, errors = wave_function_energies(
            system, state, options.number, options.electron_walkers, options.electron_samples
        )
    for protons, energy, error in zip(np.asarray(walkers.protons, float), energies, errors, strict=True):
        print(f"wave function {energy / settings.n_atoms:.5f} +- {error / settings.n_atoms:.5f}", flush=True)
        energies_of_bases = {}
        for basis in options.bases:
            hartree_fock, doubles, triples = coupled_cluster_energies(system, protons, basis, options.narrowest)
            energies_of_bases[CARDINAL[basis]] = hartree_fock, triples
            shown = "  ".join(
                f"{name} {value / settings.n_atoms:.5f}"
                for name, value in (("Hartree-Fock", hartree_fock), ("CCSD", doubles), ("CCSD(T)", triples))
            )
            print(f"  {basis}  {shown}", flush=True)
        if len(energies_of_bases) > 1:
            (x, small), (y, large) = sorted(energies_of_bases.items())[-2:]
            correlation = [energy - hartree_fock for hartree_fock, energy in (small, large)]
            limit = large[0] + (y**3 * correlation[1] - x**3 * correlation[0]) / (y**3 - x**3)
            print(f"  limit of {x}, {y}  CCSD(T) {limit / settings.n_atoms:.5f}", flush=True)


def wave_function_energies(
    system: FreeEnergySystem, state: TrainingState, number: int, n_walkers: int, n_samples: int
) -> tuple[Walkers, np.ndarray, np.ndarray]:
    """Configurations of protons, the mean local energy of each (hartree), and its error from independent electrons."""
    models, potential = state.model, CoulombPotential.of(system.box, 2 * system.settings.n_atoms)
    twists = jnp.zeros((number, 3))
    protons_key, warmup_key, *keys = jax.random.split(jax.random.key(5), 2 + n_samples)
    walkers = init_walkers(models.flow, protons_key, number, n_walkers)._replace(width=state.walkers.width)
    move = eqx.filter_jit(lambda w, key, n: sample_electrons(models.psi, w, twists, n, key, False))
    measure = eqx.filter_jit(lambda w: local_energies(models.psi, potential, w, twists).total)
    (walkers, _), samples = move(walkers, warmup_key, EQUILIBRATION_MOVES), []
    for key in keys:
        walkers, _ = move(walkers, key, MOVES_BETWEEN_SAMPLES)
        samples.append(np.asarray(measure(walkers), float))
    chains = np.mean(samples, axis=0)
    return walkers, chains.mean(axis=1), chains.std(axis=1, ddof=1) / np.sqrt(n_walkers)


def coupled_cluster_energies(
    system: FreeEnergySystem, protons: np.ndarray, basis: str, narrowest: float
) -> tuple[float, float, float]:
    """Hartree-Fock, CCSD and CCSD(T) of the whole cell (hartree)."""
    from pyscf.pbc import cc, gto, scf

    cell = gto.Cell()
    cell.unit, cell.a, cell.basis = "B", system.cell.vectors, basis
    cell.atom = [["H", tuple(position)] for position in protons]
    cell.exp_to_discard, cell.verbose = narrowest, 0
    cell.build()
    hartree_fock = scf.RHF(cell, exxdiv="ewald").density_fit()
    hartree_fock.max_cycle = 200
    hartree_fock.kernel()
    clusters = cc.CCSD(hartree_fock)
    if hartree_fock.converged:
        clusters.kernel()
    if not clusters.converged:
        raise NotConverged(
            f"Hartree-Fock or CCSD of {len(protons)} atoms in {basis}",
            "amplitudes that settle",
            "leave wide functions out: raise --narrowest",
        )
    return hartree_fock.e_tot, clusters.e_tot, clusters.e_tot + clusters.ccsd_t()


if __name__ == "__main__":
    main()
