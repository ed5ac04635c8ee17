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
from jaxtyping import Array, Float

from jovium.base.errors import InputError
from jovium.base.files import write_json
from jovium.base.statistics import Estimate
from jovium.base.structure import Structure
from jovium.base.units import PRESSURE_GPA
from jovium.coulomb.hydrogen import CoulombPotential
from jovium.electrons.wave_function import WaveFunction
from jovium.free_energy.estimate import dilation_scores, local_energies, pulay_term
from jovium.free_energy.settings import FreeEnergySettings
from jovium.free_energy.step import State, twists_of
from jovium.free_energy.surface import Surface
from jovium.free_energy.training import trained, with_parameters_of
from jovium.free_energy.walkers import Walkers, electrons_near, sample_electrons
from jovium.observe.control_variates import controlled_mean
from jovium.observe.reweighting import effective_samples, normalised_weights
from jovium.protons.rejection import RejectionSamples, check_accept_fraction, kept

MEASURED, ASKED = "measure.json", "kept_asked"

SWEEPS, APART = 200, 10
"""Moves of the electrons after their protons are drawn, and between two looks at them."""

MANY = 16
"""Protons without electrons for each configuration that has some."""

FEW = 20
"""Effective samples under which a reweighted F means nothing."""

FEWEST = 4
"""Configurations of protons with electrons, under which two controls leave nothing to tell an error by."""

STRAIN = 0.005
"""Of the cells that a wave function is compared in, to see how it follows the cell."""


@dataclass(frozen=True)
class FreeEnergyMeasurement:
    """Per atom: F, the same without what the flow is wrong by (reweighted, None where few samples carry its weight), E
    (hartree), S (k_B); P (hartree / bohr^3); virial: P without what a wave function that is no eigenstate adds;
    parts of E (hartree): K and V_pp, V_ep, V_ee of the electrons. effective_samples: of the weights, of
    n_samples independent configurations of protons; noise: standard deviation of kT ln p + E of one configuration that
    its electrons leave (hartree); kept: the share of the flow's configurations that p consists of."""

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
    kept: float
    recipe: FreeEnergySettings

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
            "kept": self.kept,
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
    share: float = 1.0,
) -> FreeEnergyMeasurement:
    """Measure a run directory with so many batches, as large as it trains with, of fresh protons, and so many looks at
    their electrons; writes measure.json. All twists have the same protons: what is weighed is E(R) averaged over them.
    share: of the flow's configurations, those that the fitted surface likes best (`jovium.protons.rejection`). Raises
    InputError for no batch, one look or a share that is none."""
    if n_batches < 1 or n_looks < 2:
        raise InputError(f"{n_batches} batches, {n_looks} looks", "one batch, two looks or more", "take 8 and 32")
    check_accept_fraction(share)
    recipe, state = _to_measure(folder)
    per_batch = recipe.configurations // recipe.twists**3
    n_samples = n_batches * per_batch
    if n_samples < FEWEST:
        raise InputError(f"{n_samples} configurations of protons", f"{FEWEST} or more", "take more --batches")
    place, key = jax.random.split(jax.random.fold_in(jax.random.key(seed), 7))
    potential = CoulombPotential.of(recipe.space, 2 * recipe.n)
    program = eqx.filter_jit(lambda state, protons, key: _looks(recipe, potential, state, n_looks, protons, key))
    with jax.enable_x64(recipe.in_double_precision):
        protons = _kept(recipe, state, (1 + MANY) * n_samples, share, place)
        batches = protons.positions[:n_samples].reshape(n_batches, per_batch, recipe.n, 3)
        pairs = list(zip(batches, jax.random.split(key, n_batches), strict=True))
        gathered = [jax.tree.map(lambda x: np.asarray(x, float), program(state, *pair)) for pair in watched(pairs)]
    energies = {name: np.concatenate([batch[name] for batch in gathered]) for name in gathered[0]}
    found = summary(recipe, protons, energies)
    facts = {"step": int(state.step), "seed": seed, "batches": n_batches, "looks": n_looks, ASKED: share}
    write_json(folder / MEASURED, facts | found.record())
    return found


def _to_measure(folder: Path) -> tuple[FreeEnergySettings, State]:
    """A run whose flow takes twice its steps: an answer is integrated better than a lesson."""
    recipe, state = trained(folder)
    return recipe, state._replace(flow=state.flow.with_steps(2 * state.flow.n_steps))


def _kept(recipe: FreeEnergySettings, state: State, n: int, share: float, key: jax.Array) -> RejectionSamples:
    """n configurations of protons, a share of the flow's kept by the fitted surface."""
    return kept(state.flow, eqx.Partial(_beta_energy, state.surface, recipe.state.temperature), key, n, share)


def _beta_energy(surface: Surface, kT: float, protons: Float[Array, "n 3"]) -> Float[Array, ""]:
    return surface(protons) / kT


def sample_structures(
    folder: Path, n: int, seed: int, share: float = 1.0
) -> tuple[list[Structure], Float[np.ndarray, "n"]]:
    """n independent configurations of protons of a run, and ln p of each; share as in `measure_run`. Raises InputError
    for none."""
    if n < 1:
        raise InputError(f"{n} samples", "one or more", "take 100")
    recipe, state = _to_measure(folder)
    with jax.enable_x64(recipe.in_double_precision):
        found = _kept(recipe, state, n, share, jax.random.key(seed))
    cell, atoms = recipe.cell, ("H",) * recipe.n
    return [Structure(cell, cell.wrap(x), atoms) for x in found.positions], found.log_density


def write_samples(folder: Path, path: Path, n: int, seed: int, share: float = 1.0) -> None:
    """Write n independent configurations of protons of a run, with ln p of each; share as in `measure_run`. Raises
    InputError for none."""
    from jovium.formats.structures import write_structures

    structures, log_densities = sample_structures(folder, n, seed, share)
    write_structures(path, structures, [{"log_density": float(value)} for value in log_densities])


def summary(
    recipe: FreeEnergySettings, protons: RejectionSamples, found: dict[str, np.ndarray]
) -> FreeEnergyMeasurement:
    """Figures from all protons, and from what the first of them, which have electrons, gave."""
    state, n, n_samples = recipe.state, recipe.n, len(found["energy"])
    surface = state.temperature * protons.beta_energy
    controls, many = np.split(np.column_stack([protons.log_density, surface]), [n_samples])
    state = replace(state, mean=partial(controlled_mean, controls=controls, further_controls=many))
    works = state.temperature * controls[:, 0] + found["energy"]
    guesses = (state.temperature * rows[:, 0] + rows[:, 1] for rows in (controls, many))
    reweighted, effective = _reweighted(works, found["noise"], state.temperature, *guesses)
    exact = reweighted.value + state.temperature * state.momentum_and_labels
    reweighted = Estimate(exact / n, reweighted.error / n, effective)
    log_share = protons.log_share

    def with_share(figure: Estimate, unit: float) -> Estimate:
        return replace(figure, error=float(np.hypot(figure.error, unit * log_share.error / n)))

    return FreeEnergyMeasurement(
        with_share(state.free_energy(works), state.temperature),
        with_share(reweighted, state.temperature) if effective >= FEW else None,
        state.energy(found["energy"]),
        with_share(state.entropy(controls[:, 0]), 1.0),
        state.pressure(found["kinetic"], found["energy"], found["force"]),
        state.pressure(found["kinetic"], found["energy"]),
        {
            label: state.mean(found[name] / n)
            for label, name in (("K", "kinetic"), ("V_pp", "pp"), ("V_ep", "ep"), ("V_ee", "ee"))
        },
        float(found["acceptance"].mean()),
        effective,
        n_samples,
        float(np.sqrt(np.mean(found["noise"]))),
        float(np.exp(log_share.value)),
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
    # Guesses that rejection has made all alike say nothing, and neither do the few that are not.
    spread = max(guessed.var(ddof=1), 0.01 * (len(many) * normalised_weights(many_log_weights)).var(), 1e-12)
    share = np.cov(weights, guessed)[0, 1] / spread
    value = _log_mean(log_weights) + share * (_log_mean(many_log_weights) - _log_mean(-guesses / kT))
    rest = weights - share * guessed
    of_many = share * len(many) * normalised_weights(many_log_weights)
    error = kT * np.sqrt(rest.var(ddof=1) / len(works) + of_many.var(ddof=1) / len(many))
    of_noise = noise.std(ddof=1) / np.sqrt(len(noise)) / (2 * kT)
    effective = effective_samples(log_weights)
    return Estimate(-kT * value, float(np.hypot(error, of_noise)), effective), effective


def _log_mean(logarithms: Float[np.ndarray, "s"]) -> float:
    return float(np.logaddexp.reduce(logarithms) - np.log(len(logarithms)))


def strained(recipe: FreeEnergySettings, psi: WaveFunction, strain: float) -> tuple[WaveFunction, WaveFunction]:
    """The wave function, with the same parameters, in cells whose edges are shorter and longer by a share."""
    cells = [replace(recipe, rs=recipe.rs * (1 + sign * strain)) for sign in (-1, 1)]
    one, other = (with_parameters_of(cell.wave_function(), psi, "the run") for cell in cells)
    return one, other


def _looks(
    recipe: FreeEnergySettings,
    potential: CoulombPotential,
    state: State,
    n_looks: int,
    protons: Float[Array, "c n 3"],
    key: jax.Array,
) -> dict[str, jax.Array]:
    """Means over the looks at the electrons of every configuration of protons, at all twists, and the error that these
    have left."""
    place, first, later = jax.random.split(key, 3)
    n_twists = recipe.twists**3
    twists = twists_of(recipe, recipe.configurations)
    smaller, larger = strained(recipe, state.psi, STRAIN)
    electrons = electrons_near(protons, recipe.electrons, place)
    protons, electrons = (jnp.repeat(x, n_twists, axis=0) for x in (protons, electrons))
    walkers = state.walkers._replace(protons=protons, electrons=electrons)
    walkers = sample_electrons(state.psi, walkers, twists, SWEEPS, first, False)

    def look(walkers: Walkers, key: jax.Array) -> tuple[Walkers, Any]:
        walkers = sample_electrons(state.psi, walkers, twists, APART, key, False)
        local = local_energies(state.psi, potential, walkers, twists)
        dilations = dilation_scores(smaller, larger, STRAIN, walkers, twists)
        force = pulay_term(local.total, dilations)
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
    found |= {"noise": of_protons(variance) / n_twists}
    return found | {"acceptance": jnp.full_like(found["energy"], walkers.acceptance)}
