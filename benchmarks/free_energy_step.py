"""Seconds of one joint step of protons and electrons, by part, beside the algorithms of a published code.

    python benchmarks/free_energy_step.py [N ...] [--proton-walkers B] [--published]

Untrained models at rs 1.25, two electron configurations among each of B configurations of protons; one core when
started with OMP_NUM_THREADS=1 and XLA_FLAGS=--xla_cpu_multi_thread_eigen=false. Every figure is in seconds per 1000
electron configurations. Parts: protons (moved, with ln p), electrons (moved, 15 times), local energies, scores and
solve of the wave function, the gradient of the flow (from as many samples); and the whole step. --published adds
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
from jovium.free_energy.step import initial_state, update, update_flow
from jovium.free_energy.systems import FreeEnergySystem
from jovium.free_energy.walkers import move_protons, sample_electrons
from jovium.optimise.natural_gradient import sample_space_direction
from jovium.protons.losses import sample_scores
from jovium.training.loop import TrainingState

PUBLISHED_MOVES = 500
FEW = 4
"""Configurations of protons that the published algorithms are timed with."""


def parts(system: FreeEnergySystem, state: TrainingState) -> dict[str, float]:
    """Seconds of each part of our step."""
    settings, psi, walkers, momentum = system.settings, state.model.psi, state.walkers, state.momentum.psi
    twists, key = system.twists(settings.proton_walkers), jax.random.key(0)
    potential = CoulombPotential.of(system.box, 2 * settings.n_atoms)
    times = {
        "protons": seconds(
            lambda models, walkers: move_protons(models.flow, models.psi, walkers, settings.latent_step, key),
            state.model,
            walkers,
        ),
        "electrons": seconds(
            lambda psi, walkers: sample_electrons(psi, walkers, twists, settings.mc_steps, key, True), psi, walkers
        ),
        "local energies": seconds(lambda psi, walkers: local_energies(psi, potential, walkers, twists), psi, walkers),
        "scores of psi": seconds(lambda psi, walkers: wave_function_scores(psi, walkers, twists), psi, walkers),
    }
    scores = wave_function_scores(psi, walkers, twists).reshape(-1, len(momentum)).real
    residuals = jax.random.normal(key, (len(scores),))
    times["solve of psi"] = seconds(lambda s, e: sample_space_direction(s, e, 1e-3, momentum), scores, residuals)
    local = eqx.filter_jit(lambda psi, walkers: local_energies(psi, potential, walkers, twists))(psi, walkers)
    electronic = local.total.real.mean(axis=1) - local.pp.mean(axis=1)
    times["gradient of the flow"] = seconds(
        lambda state, e: update_flow(system, state, state.walkers, e, jnp.ones(()))[0], state, electronic
    )
    updates = seconds(functools.partial(update, system), state, walkers, twists, local)
    times["whole step"] = times["protons"] + times["electrons"] + times["local energies"] + updates
    return times


def published_parts(system: FreeEnergySystem, state: TrainingState, ours: dict[str, float]) -> dict[str, float]:
    """Seconds of what a published code does in their place."""
    settings, psi, walkers = system.settings, state.model.psi, state.walkers
    protons, electrons, twist = walkers.protons[:FEW], walkers.electrons[:FEW, 0], jnp.zeros(3)
    scale = settings.proton_walkers * settings.electron_walkers / FEW

    def loop(x: jax.Array, r: jax.Array) -> jax.Array:
        field = psi.mean_field(r, twist)
        return kinetic_energy(lambda x: psi.log_psi(x, r, twist, field), x, "loop")

    pairwise = functools.partial(pairwise_potential, system.cell)
    twists = system.twists(settings.proton_walkers)
    scores = wave_function_scores(psi, walkers, twists).reshape(-1, len(state.momentum.psi)).real
    flow_scores = sample_scores(state.model.flow, walkers.protons)
    weights = jnp.ones(len(flow_scores))
    return {
        "electron moves": ours["electrons"] * PUBLISHED_MOVES / settings.mc_steps,
        "loop Laplacian": scale * seconds(_map_configurations(loop), electrons, protons, repeat=1),
        "pairwise potential": scale * seconds(_map_configurations(pairwise), electrons, protons, repeat=1),
        "dense solve of psi": seconds(lambda s: dense_direction(s, s[:, 0], 1e-3), scores, repeat=1),
        "dense solve of the flow": seconds(lambda s: dense_direction(s, weights, 1e-3), flow_scores, repeat=1),
    }


def _map_configurations(function: Any) -> Any:
    return lambda electrons, protons: jax.lax.map(lambda pair: function(*pair), (electrons, protons))


def main() -> None:
    """Print a line of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", nargs="*", type=int, default=[2, 4, 8, 14, 16], metavar="N")
    parser.add_argument("--proton-walkers", type=int, default=64)
    parser.add_argument("--published", action="store_true")
    options = parser.parse_args()
    for n in options.numbers:
        b = options.proton_walkers
        settings = FreeEnergySettings(n_atoms=n, twists=1, proton_walkers=b, flow_batch_size=b)
        system, thousands = FreeEnergySystem(settings), b * settings.electron_walkers / 1000
        with jax.enable_x64(system.in_double_precision):
            state = initial_state(system)
            ours = parts(system, state)
            theirs = published_parts(system, state, ours) if options.published else {}
        n_psi, n_flow = len(state.momentum.psi), len(state.momentum.flow)
        print(f"N = {n}, {n_psi} + {n_flow} parameters: {_line(ours, thousands)}")
        if theirs:
            whole = sum(theirs.values())
            print(f"  published: {_line(theirs, thousands)}  together {whole / thousands:.3g} s")
            print(f"  {whole / ours['whole step']:.1f} times our step")
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"  at most {memory:.1f} GB so far", flush=True)


def _line(times: dict[str, float], thousands: float) -> str:
    return "  ".join(f"{name} {value / thousands:.3g} s" for name, value in times.items())


if __name__ == "__main__":
    main()
