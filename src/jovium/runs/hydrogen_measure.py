"""What a trained model of dense hydrogen says: F, E, S and P per atom, from protons drawn afresh.

Energies of electrons are dear, ln p and the fitted surface cheap: MANY times as many protons have these alone, and
every mean is controlled by them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jovium.base.devices import mapped
from jovium.base.errors import InputError
from jovium.base.files import write_json
from jovium.base.statistics import Estimate
from jovium.base.structure import Structure
from jovium.base.units import PRESSURE_GPA
from jovium.coulomb.hydrogen import HydrogenPotential
from jovium.electrons.wave_function import WaveFunction
from jovium.hydrogen.estimate import dilation_force, dilation_scores, local_energies
from jovium.hydrogen.walkers import Walkers, drawn, electrons_moved
from jovium.observe.control_variates import controlled_mean
from jovium.observe.reweighting import effective_samples, normalised_weights
from jovium.protons.flow import samples
from jovium.protons.learning import CHUNK
from jovium.runs.hydrogen_recipe import HydrogenRecipe
from jovium.runs.hydrogen_step import State, twists_of
from jovium.runs.hydrogen_training import trained, with_parameters_of

MEASURED = "measure.json"

SWEEPS, APART = 200, 10
"""Moves of the electrons after their protons are drawn, and between two looks at them."""

MANY = 16
"""Protons without electrons for each configuration that has some."""

FEW = 20
"""Effective samples under which a reweighted F means nothing."""

STRAIN = 0.005
"""Of the cells that a wave function is compared in, to see how it follows the cell."""


@dataclass(frozen=True)
class MeasuredHydrogen:
    """Per atom: F, the same without what the flow is wrong by (reweighted, None where few samples carry its weight), E
    (hartree), S (k_B); P (hartree / bohr^3); virial: P without what a wave function that is no eigenstate adds;
    parts of E (hartree): K and V_pp, V_ep, V_ee of the electrons. effective_samples: of the weights, of
    n_samples independent configurations of protons; noise: standard deviation of kT ln p + E of one configuration that
    its electrons leave (hartree)."""

    free_energy: Estimate
    reweighted: Estimate | None
    energy: Estimate
    entropy: Estimate
    pressure: Estimate
    virial: Estimate
    parts: dict[str, Estimate]
    acceptance: float
    effective_samples: float
    n_samples: int
    noise: float
    recipe: HydrogenRecipe

    def record(self) -> dict[str, Any]:
        """Figures with their units in the names."""

        def pair(estimate: Estimate | None, unit: float = 1.0) -> dict[str, float | None]:
            if estimate is None:
                return {"value": None, "error": None}
            return {"value": estimate.value * unit, "error": estimate.error * unit}

        found = {
            "F_Ha_per_atom": pair(self.free_energy),
            "F_reweighted_Ha_per_atom": pair(self.reweighted),
            "E_Ha_per_atom": pair(self.energy),
            "S_kB_per_atom": pair(self.entropy),
            "P_GPa": pair(self.pressure, PRESSURE_GPA),
            "P_virial_GPa": pair(self.virial, PRESSURE_GPA),
        }
        found |= {f"{name}_Ha_per_atom": pair(part) for name, part in self.parts.items()}
        return found | {
            "acceptance": self.acceptance,
            "effective_samples": self.effective_samples,
            "samples": self.n_samples,
            "noise_Ha": self.noise,
            "n_protons": self.recipe.n,
            "rs_bohr": self.recipe.rs,
            "T_K": self.recipe.kelvin,
            "isotope": self.recipe.isotope,
            "twists": self.recipe.twists**3,
        }


def measure_run(
    folder: Path,
    n_batches: int,
    n_looks: int,
    seed: int,
    watched: Callable[[Iterable[Any]], Iterator[Any]] = iter,
) -> MeasuredHydrogen:
    """Measure a run directory with so many batches, as large as it trains with, of fresh protons, and so many looks at
    their electrons; writes measure.json. All twists have the same protons: what is weighed is E(R) averaged over them.
    Raises InputError for no batch or one look."""
    if n_batches < 1 or n_looks < 2:
        raise InputError(f"{n_batches} batches, {n_looks} looks", "one batch, two looks or more", "take 8 and 32")
    recipe, state = trained(folder)
    # An answer is integrated better than a lesson.
    state = state._replace(flow=state.flow.with_steps(2 * state.flow.n_steps))
    program = eqx.filter_jit(
        lambda state, key: _looks(recipe, HydrogenPotential.of(recipe.space, 2 * recipe.n), state, n_looks, key)
    )
    keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), 7), n_batches)
    with jax.enable_x64(recipe.in_double_precision):
        gathered = [jax.tree.map(lambda x: np.asarray(x, float), program(state, key)) for key in watched(keys)]
    found = summary(recipe, {name: np.concatenate([batch[name] for batch in gathered]) for name in gathered[0]})
    write_json(
        folder / MEASURED,
        {"step": int(state.step), "seed": seed, "batches": n_batches, "looks": n_looks, **found.record()},
    )
    return found


def drawn_structures(folder: Path, n: int, seed: int) -> tuple[list[Structure], Float[np.ndarray, "n"]]:
    """n independent configurations of protons of a run, and ln p of each. Raises InputError for none."""
    if n < 1:
        raise InputError(f"{n} samples", "one or more", "take 100")
    recipe, state = trained(folder)
    with jax.enable_x64(recipe.in_double_precision):
        found = eqx.filter_jit(lambda flow, key: samples(flow, key, n))(state.flow, jax.random.key(seed))
    cell, atoms = recipe.cell, ("H",) * recipe.n
    structures = [Structure(cell, cell.wrap(np.asarray(x, float)), atoms) for x in found.positions]
    return structures, np.asarray(found.log_density, float)


def write_samples(folder: Path, path: Path, n: int, seed: int) -> None:
    """Write n independent configurations of protons of a run, with ln p of each. Raises InputError for none."""
    from jovium.formats.structures import write_structures

    structures, log_densities = drawn_structures(folder, n, seed)
    write_structures(path, structures, [{"log_density": float(value)} for value in log_densities])


def summary(recipe: HydrogenRecipe, found: dict[str, np.ndarray]) -> MeasuredHydrogen:
    """Figures from what every independent configuration of protons gave, and from the many without electrons."""
    controls = np.column_stack([found["log_density"], found["surface"]])
    many = np.column_stack([found["many_log_density"], found["many_surface"]])
    mean = partial(controlled_mean, controls=controls, many=many)
    state, n = replace(recipe.state, mean=mean), recipe.n
    works = state.temperature * found["log_density"] + found["energy"]
    guesses = (state.temperature * rows[:, 0] + rows[:, 1] for rows in (controls, many))
    reweighted, effective = _reweighted(works, found["noise"], state.temperature, *guesses)
    constant = state.temperature * state.momentum_and_labels
    return MeasuredHydrogen(
        state.free_energy(works),
        Estimate((reweighted.value + constant) / n, reweighted.error / n, effective) if effective >= FEW else None,
        state.energy(found["energy"]),
        state.entropy(found["log_density"]),
        state.pressure(found["kinetic"], found["energy"], found["force"]),
        state.pressure(found["kinetic"], found["energy"]),
        {
            label: mean(found[name] / n)
            for label, name in (("K", "kinetic"), ("V_pp", "pp"), ("V_ep", "ep"), ("V_ee", "ee"))
        },
        float(found["acceptance"].mean()),
        effective,
        len(works),
        float(np.sqrt(np.mean(found["noise"]))),
        recipe,
    )


def _reweighted(
    works: Float[np.ndarray, "s"],
    noise: Float[np.ndarray, "s"],
    kT: float,
    guesses: Float[np.ndarray, "s"],
    many: Float[np.ndarray, "l"],
) -> tuple[Estimate, float]:
    """-kT ln E_p[exp(-w / kT)] (Zwanzig, J. Chem. Phys. 22, 1420 (1954)), and the effective samples. Works have a
    Gaussian noise of that variance (Ha^2) from their electrons, which alone would lower it by its variance / 2 kT.
    Guesses of the works, there and of many more configurations, control it as they control a mean: to first order it
    is one, of weights over their mean."""
    log_weights = -(works + noise.mean() / (2 * kT)) / kT
    weights, guessed = (len(rows) * normalised_weights(rows) for rows in (log_weights, -guesses / kT))
    many_log_weights = -many / kT
    share = np.cov(weights, guessed)[0, 1] / max(guessed.var(ddof=1), 1e-12)
    value = _log_mean(log_weights) + share * (_log_mean(many_log_weights) - _log_mean(-guesses / kT))
    rest = weights - share * guessed
    of_many = share * len(many) * normalised_weights(many_log_weights)
    error = kT * np.sqrt(rest.var(ddof=1) / len(works) + of_many.var(ddof=1) / len(many))
    of_noise = noise.std(ddof=1) / np.sqrt(len(noise)) / (2 * kT)
    effective = effective_samples(log_weights)
    return Estimate(-kT * value, float(np.hypot(error, of_noise)), effective), effective


def _log_mean(logarithms: Float[np.ndarray, "s"]) -> float:
    return float(np.logaddexp.reduce(logarithms) - np.log(len(logarithms)))


def strained(recipe: HydrogenRecipe, psi: WaveFunction, strain: float) -> tuple[WaveFunction, WaveFunction]:
    """The wave function, with the same parameters, in cells whose edges are shorter and longer by a share."""
    cells = [replace(recipe, rs=recipe.rs * (1 + sign * strain)) for sign in (-1, 1)]
    one, other = (with_parameters_of(cell.wave_function(), psi, "the run") for cell in cells)
    return one, other


def _looks(
    recipe: HydrogenRecipe, potential: HydrogenPotential, state: State, n_looks: int, key: jax.Array
) -> dict[str, jax.Array]:
    """Means over the looks at the electrons of every configuration of protons, at all twists, and the error that these
    have left; ln p and the surface of these protons, and of many without electrons."""
    place, first, later, many = jax.random.split(key, 4)
    n_twists = recipe.twists**3
    twists = twists_of(recipe, recipe.configurations)
    smaller, larger = strained(recipe, state.psi, STRAIN)
    walkers = drawn(state.flow, place, recipe.configurations // n_twists, recipe.electrons)
    alike = "starts", "protons", "log_density", "electrons"
    walkers = walkers._replace(
        **{name: jnp.repeat(getattr(walkers, name), n_twists, axis=0) for name in alike}, width=state.walkers.width
    )
    walkers = electrons_moved(state.psi, walkers, twists, SWEEPS, first, False)

    def look(walkers: Walkers, key: jax.Array) -> tuple[Walkers, Any]:
        walkers = electrons_moved(state.psi, walkers, twists, APART, key, False)
        local = local_energies(state.psi, potential, walkers, twists)
        dilations = dilation_scores(smaller, larger, STRAIN, walkers, twists)
        force = dilation_force(local.total, dilations)
        return walkers, (jax.tree.map(lambda part: part.real, local), force)

    walkers, (local, forces) = jax.lax.scan(look, walkers, jax.random.split(later, n_looks))

    def of_protons(values: jax.Array) -> jax.Array:
        return values.reshape(-1, n_twists).mean(axis=1)

    # Electrons of one look are independent of each other, looks at one of them nearly.
    total = local.total.mean(axis=0)
    variance = total.var(axis=1, ddof=1) / total.shape[1]
    parts = {"energy": local.total, "kinetic": local.kinetic, "pp": local.pp, "ep": local.ep, "ee": local.ee}
    found = {name: of_protons(part.mean(axis=(0, 2))) for name, part in parts.items()}
    found |= {"force": of_protons(forces.mean(axis=0))}
    found |= {"noise": of_protons(variance) / n_twists, "log_density": of_protons(walkers.log_density)}
    found |= {"surface": mapped(state.surface, walkers.protons[::n_twists], CHUNK)}
    others = samples(state.flow, many, MANY * len(found["surface"]))
    found |= {"many_log_density": others.log_density, "many_surface": mapped(state.surface, others.positions, CHUNK)}
    return found | {"acceptance": jnp.full_like(found["energy"], walkers.acceptance)}
