"""Seconds of one joint step of protons and electrons, by part, beside the algorithms of a published code.

    python benchmarks/free_energy_step.py [N ...] [--configurations B] [--published]

Untrained models at rs 1.25, two electron configurations among each of B configurations of protons; one core when
started with OMP_NUM_THREADS=1 and XLA_FLAGS=--xla_cpu_multi_thread_eigen=false. Every figure is in seconds per 1000
electron configurations. Parts: protons (moved, with ln p), electrons (moved, 15 times), local energies, scores and
solve of the wave function, the lesson of the flow (from as many configurations); and the whole step. --published adds
what the published code does in their place with the same models: 500 moves of the electrons (counted from ours), a
Laplacian by 3N derivatives in a loop, the potential of every pair by a sum over 14,146 reciprocal vectors, and dense
solves in the space of parameters. The Markov chain of its protons is left out.
"""

import argparse
import functools
import resource
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from vmc_step import dense_direction, pairwise_potential, seconds

from jovium.coulomb.hydrogen import CoulombPotential
from jovium.electrons.kinetic import kinetic_energy
from jovium.free_energy.estimate import local_energies, wave_function_scores
from jovium.free_energy.settings import FreeEnergySettings
from jovium.free_energy.step import State, flow_learned, initial_state, learned, twists_of
from jovium.free_energy.walkers import move_protons, sample_electrons
from jovium.optimise.natural_gradient import sample_space_direction
from jovium.protons.losses import sample_scores

PUBLISHED_MOVES = 500
FEW = 4
"""Configurations of protons that the published algorithms are timed with."""


def parts(recipe: FreeEnergySettings, state: State) -> dict[str, float]:
    """Seconds of each part of our step."""
    psi, walkers = state.psi, state.walkers
    twists, key = twists_of(recipe, recipe.configurations), jax.random.key(0)
    potential = CoulombPotential.of(recipe.space, 2 * recipe.n)
    found = {
        "protons": seconds(lambda s: move_protons(s.flow, s.psi, s.walkers, recipe.stride, key), state),
        "electrons": seconds(lambda s: sample_electrons(s.psi, s.walkers, twists, recipe.sweeps, key, True), state),
        "local energies": seconds(lambda s: local_energies(s.psi, potential, s.walkers, twists), state),
        "scores of psi": seconds(lambda s: wave_function_scores(s.psi, s.walkers, twists), state),
    }
    table = wave_function_scores(psi, walkers, twists).reshape(-1, len(state.psi_last)).real
    residuals = jax.random.normal(key, (len(table),))
    found["solve of psi"] = seconds(lambda t, e: sample_space_direction(t, e, 1e-3, state.psi_last), table, residuals)
    local = eqx.filter_jit(lambda s: local_energies(s.psi, potential, s.walkers, twists))(state)
    energies = local.total.real.mean(axis=1)
    found["lesson of the flow"] = seconds(
        lambda s, e: flow_learned(recipe, s, s.walkers, e, jnp.ones(()))[0], state, energies
    )
    lesson = seconds(functools.partial(learned, recipe), state, walkers, local)
    found["whole step"] = found["protons"] + found["electrons"] + found["local energies"] + lesson
    return found


def published_parts(recipe: FreeEnergySettings, state: State, ours: dict[str, float]) -> dict[str, float]:
    """Seconds of what a published code does in their place."""
    psi, walkers = state.psi, state.walkers
    protons, electrons, twist = walkers.protons[:FEW], walkers.electrons[:FEW, 0], jnp.zeros(3)
    scale = recipe.configurations * recipe.electrons / FEW

    def loop(x: jax.Array, r: jax.Array) -> jax.Array:
        field = psi.mean_field(r, twist)
        return kinetic_energy(lambda x: psi.log_psi(x, r, twist, field), x, "loop")

    pairwise = functools.partial(pairwise_potential, recipe.cell)
    table = (
        wave_function_scores(psi, walkers, twists_of(recipe, recipe.configurations))
        .reshape(-1, len(state.psi_last))
        .real
    )
    of_flow = sample_scores(state.flow, walkers.protons)
    weights = jnp.ones(len(of_flow))
    return {
        "electron moves": ours["electrons"] * PUBLISHED_MOVES / recipe.sweeps,
        "loop Laplacian": scale * seconds(_one_by_one(loop), electrons, protons, repeat=1),
        "pairwise potential": scale * seconds(_one_by_one(pairwise), electrons, protons, repeat=1),
        "dense solve of psi": seconds(lambda t: dense_direction(t, t[:, 0], 1e-3), table, repeat=1),
        "dense solve of the flow": seconds(lambda t: dense_direction(t, weights, 1e-3), of_flow, repeat=1),
    }


def _one_by_one(function: Any) -> Any:
    return lambda electrons, protons: jax.lax.map(lambda pair: function(*pair), (electrons, protons))


def main() -> None:
    """Print a line of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", nargs="*", type=int, default=[2, 4, 8, 14, 16], metavar="N")
    parser.add_argument("--configurations", type=int, default=64)
    parser.add_argument("--published", action="store_true")
    options = parser.parse_args()
    for n in options.numbers:
        b = options.configurations
        recipe = FreeEnergySettings(n=n, configurations=b, lessons=b)
        thousands = recipe.configurations * recipe.electrons / 1000
        with jax.enable_x64(recipe.in_double_precision):
            state = initial_state(recipe)
            ours = parts(recipe, state)
            theirs = published_parts(recipe, state, ours) if options.published else {}
        print(f"N = {n}, {len(state.psi_last)} + {len(state.flow_last)} parameters: {_line(ours, thousands)}")
        if theirs:
            whole = sum(theirs.values())
            print(f"  published: {_line(theirs, thousands)}  together {whole / thousands:.3g} s")
            print(f"  {whole / ours['whole step']:.1f} times our step")
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"  at most {memory:.1f} GB so far", flush=True)


def _line(found: dict[str, float], thousands: float) -> str:
    return "  ".join(f"{name} {value / thousands:.3g} s" for name, value in found.items())


if __name__ == "__main__":
    main()
