"""What a trained model of dense hydrogen says: F, E, S and P per atom, from protons drawn afresh.

Energies of electrons are dear, ln p and the fitted surface cheap: CONTROLS_PER_SAMPLE times as many protons have these
alone, and every mean is controlled by them."""

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
from jovium.base.statistics import Estimate, round_to_error
from jovium.base.structure import Structure
from jovium.base.units import PRESSURE_GPA
from jovium.coulomb.hydrogen import CoulombPotential
from jovium.electrons.walkers import require_same
from jovium.electrons.wave_function import WaveFunction
from jovium.free_energy.estimate import dilation_scores, local_energies, pulay_term
from jovium.free_energy.finite_size import size_error, size_notes
from jovium.free_energy.settings import FreeEnergySettings, MeasurementSettings
from jovium.free_energy.step import Models
from jovium.free_energy.surface import Surface
from jovium.free_energy.systems import FreeEnergySystem
from jovium.free_energy.training import load_run, precision, with_parameters_of
from jovium.free_energy.walkers import Walkers, log_squares, place_electrons, sample_electrons
from jovium.observe.control_variates import controlled_mean
from jovium.observe.reweighting import reweighted_free_energy
from jovium.protons.rejection import RejectionSamples, rejection_sample
from jovium.training.loop import TrainingState
from jovium.training.run_folder import MEASURED

EQUILIBRATION_MOVES, MOVES_BETWEEN_SAMPLES = 200, 10
"""Moves of the electrons after their protons are drawn, and between two samples of them."""

CONTROLS_PER_SAMPLE = 16
"""Protons without electrons for each configuration that has some."""

MIN_EFFECTIVE_SAMPLES = 20
"""Effective samples under which a reweighted F means nothing."""

MIN_SAMPLES = 4
"""Configurations of protons with electrons, under which two controls leave nothing to tell an error by."""

DEFAULT_BATCHES = 8
"""Batches, as many protons as a step of training has, that are measured unless told otherwise."""

STRAIN = 0.005
"""Of the cells that a wave function is compared in, to see how it follows the cell."""

DEFAULT = MeasurementSettings()

Progress = Callable[[Iterable[Any]], Iterator[Any]]


@dataclass(frozen=True)
class FreeEnergyMeasurement:
    """Per atom: F, the same without what the flow is wrong by (reweighted, None where few samples carry its weight), E
    (hartree), S (k_B); P (hartree / bohr^3); virial: P without what a wave function adds that is no eigenstate;
    parts of E (hartree): K and V_pp, V_ep, V_ee of the electrons. effective_samples: of the weights, of n_samples
    independent configurations of protons; noise: standard deviation of kT ln p + E of one configuration that its
    electrons leave (hartree); accept_fraction: of the flow's configurations that p consists of; size_error: see
    `finite_size.size_error`."""

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
    accept_fraction: float
    settings: FreeEnergySettings
    size_error: tuple[float, float]

    def record(self) -> dict[str, Any]:
        """Figures with their units in the names."""
        unknown = {"value": None, "error": None}
        record = {
            "F_Ha_per_atom": self.free_energy.record(),
            "F_reweighted_Ha_per_atom": self.reweighted.record() if self.reweighted else unknown,
            "E_Ha_per_atom": self.energy.record(),
            "S_kB_per_atom": self.entropy.record(),
            "P_GPa": self.pressure.record(PRESSURE_GPA),
            "P_virial_GPa": self.virial.record(PRESSURE_GPA),
        }
        record |= {f"{name}_Ha_per_atom": part.record() for name, part in self.parts.items()}
        return record | {
            "size_error_Ha_per_atom": self.size_error[0],
            "size_error_GPa": self.size_error[1] * PRESSURE_GPA,
            "acceptance": self.acceptance,
            "effective_samples": self.effective_samples,
            "samples": self.n_samples,
            "noise_Ha": self.noise,
            "accept_fraction": self.accept_fraction,
            "n_atoms": self.settings.n_atoms,
            "rs_bohr": self.settings.rs,
            "T_K": self.settings.kelvin,
            "isotope": self.settings.isotope,
            "n_twists": self.settings.twists**3,
        }

    def __str__(self) -> str:
        lines = [f"{name:28s} {show_value(value)}" for name, value in self.record().items()]
        return "\n".join([*lines, *self.notes()])

    def notes(self) -> list[str]:
        """What a reader has to know before these numbers are taken for hydrogen."""
        return size_notes(self.record())

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{name}</td><td>{show_value(value)}</td></tr>" for name, value in self.record().items())
        return f"<table>{rows}</table>" + "".join(f"<p>{note}</p>" for note in self.notes())


def show_value(value: Any) -> str:
    """A figure of a record: a value and its error rounded to two digits of the error."""
    if not isinstance(value, dict):
        return f"{value:.4g}" if isinstance(value, float) else str(value)
    if value["value"] is None:
        return "not known, too few effective samples"
    return round_to_error(value["value"], value["error"])


def measure_run(folder: Path, how: MeasurementSettings = DEFAULT, progress: Progress = iter) -> FreeEnergyMeasurement:
    """Measure a run folder; writes measure.json. See `measure`. Raises InputError for a folder that holds no run."""
    settings, state = load_run(folder)
    measurement = measure(settings, state, how, progress)
    write_json(folder / MEASURED, request(settings, state, how) | measurement.record())
    return measurement


def request(settings: FreeEnergySettings, state: TrainingState, how: MeasurementSettings) -> dict[str, Any]:
    """What measure.json says of how it was made: a state measured in the same way has the same."""
    n_batches, per_batch = _batches(settings, how)
    return {
        "step": int(state.step),
        "seed": how.seed,
        "samples": n_batches * per_batch,
        "electron_samples": how.electron_samples,
        "accept_fraction_requested": how.accept_fraction,
    }


def measure(
    settings: FreeEnergySettings,
    state: TrainingState,
    how: MeasurementSettings = DEFAULT,
    progress: Progress = iter,
) -> FreeEnergyMeasurement:
    """F, E, S and P of a trained state. All twists have the same protons: E(R) is averaged over them. Raises InputError
    for fewer than MIN_SAMPLES configurations of protons, EngineError when the electrons did not follow |psi|^2."""
    n_batches, per_batch = _batches(settings, how)
    n_samples = n_batches * per_batch
    if n_samples < MIN_SAMPLES:
        raise InputError(f"{n_samples} configurations of protons", f"{MIN_SAMPLES} or more", "take more --samples")
    system, models = FreeEnergySystem(settings), _integrate_better(state.model)
    with precision(settings):
        proton_key, key = jax.random.split(jax.random.fold_in(jax.random.key(how.seed), 7))
        potential = CoulombPotential.of(system.box, 2 * settings.n_atoms)
        program = eqx.filter_jit(
            lambda models, walkers, twists, protons, key: _sample_energies(
                system, potential, models, walkers, twists, how.electron_samples, protons, key
            )
        )
        protons = _draw(system, models, (1 + CONTROLS_PER_SAMPLE) * n_samples, how.accept_fraction, proton_key)
        batches = protons.positions[:n_samples].reshape(n_batches, per_batch, settings.n_atoms, 3)
        twists, afresh = system.twists(settings.proton_walkers), eqx.filter_jit(log_squares)
        pairs, measured = list(zip(batches, jax.random.split(key, n_batches), strict=True)), []
        for pair in progress(pairs):
            means, walkers, of_chains = program(models, state.walkers, twists, *pair)
            require_same(of_chains, afresh(models.psi, walkers, twists))
            measured.append(jax.tree.map(lambda x: np.asarray(x, float), means))
    return summarise(system, protons, {name: np.concatenate([b[name] for b in measured]) for name in measured[0]})


def _batches(settings: FreeEnergySettings, how: MeasurementSettings) -> tuple[int, int]:
    """How many batches, of how many configurations of protons."""
    per_batch = settings.proton_walkers // settings.twists**3
    return (DEFAULT_BATCHES if how.samples is None else -(-how.samples // per_batch)), per_batch


def _integrate_better(models: Models) -> Models:
    """With twice the Runge-Kutta steps: an answer is integrated better than a step of training."""
    return models._replace(flow=models.flow.with_steps(2 * models.flow.n_steps))


def _draw(system: FreeEnergySystem, models: Models, n: int, accept_fraction: float, key: jax.Array) -> RejectionSamples:
    """n configurations of protons, a fraction of the flow's accepted by the fitted surface."""
    beta_energy = eqx.Partial(_beta_energy, models.surface, system.state.temperature)
    return rejection_sample(models.flow, beta_energy, key, n, accept_fraction)


def _beta_energy(surface: Surface, kT: float, protons: Float[Array, "n 3"]) -> Float[Array, ""]:
    return surface(protons) / kT


def sample(
    settings: FreeEnergySettings, state: TrainingState, n: int, seed: int = 1, accept_fraction: float = 1.0
) -> tuple[list[Structure], Float[np.ndarray, "n"]]:
    """n independent configurations of protons, and ln p of each; accept_fraction as in `measure`. Raises InputError for
    none."""
    if n < 1:
        raise InputError(f"{n} samples", "one or more", "take 100")
    system = FreeEnergySystem(settings)
    with precision(settings):
        protons = _draw(system, _integrate_better(state.model), n, accept_fraction, jax.random.key(seed))
    cell, atoms = system.cell, ("H",) * settings.n_atoms
    return [Structure(cell, cell.wrap(x), atoms) for x in protons.positions], protons.log_density


def write_samples(folder: Path, path: Path, n: int, seed: int = 1, accept_fraction: float = 1.0) -> None:
    """Write n independent configurations of protons of a run, with ln p of each; as `sample`."""
    from jovium.formats.structures import write_structures

    structures, log_densities = sample(*load_run(folder), n, seed, accept_fraction)
    write_structures(path, structures, [{"log_density": float(value)} for value in log_densities])


def summarise(
    system: FreeEnergySystem, protons: RejectionSamples, energies: dict[str, np.ndarray]
) -> FreeEnergyMeasurement:
    """Figures from all protons, and from what the first of them, which have electrons, gave."""
    state, n, n_samples = system.state, system.settings.n_atoms, len(energies["energy"])
    kT = state.temperature
    # ln p and the surface of every configuration: of those with electrons, and of the many without.
    surface = kT * protons.beta_energy
    controls, many = np.split(np.column_stack([protons.log_density, surface]), [n_samples])
    state = replace(state, mean=partial(controlled_mean, controls=controls, further_controls=many))
    work = kT * controls[:, 0] + energies["energy"]
    guesses = (kT * rows[:, 0] + rows[:, 1] for rows in (controls, many))
    reweighted, effective = reweighted_free_energy(work, energies["noise"], kT, *guesses)
    exact = reweighted.value + kT * state.momentum_and_labels
    reweighted = Estimate(exact / n, reweighted.error / n, effective)
    log_fraction = protons.log_accept_fraction

    def with_fraction_error(estimate: Estimate, unit: float) -> Estimate:
        """F and S hold ln of the accepted fraction, whose error is theirs too."""
        return replace(estimate, error=float(np.hypot(estimate.error, unit * log_fraction.error / n)))

    return FreeEnergyMeasurement(
        with_fraction_error(state.free_energy(work), kT),
        with_fraction_error(reweighted, kT) if effective >= MIN_EFFECTIVE_SAMPLES else None,
        state.energy(energies["energy"]),
        with_fraction_error(state.entropy(controls[:, 0]), 1.0),
        state.pressure(energies["kinetic"], energies["energy"], energies["pulay"]),
        state.pressure(energies["kinetic"], energies["energy"]),
        {
            label: state.mean(energies[name] / n)
            for label, name in (("K", "kinetic"), ("V_pp", "pp"), ("V_ep", "ep"), ("V_ee", "ee"))
        },
        float(energies["acceptance"].mean()),
        effective,
        n_samples,
        float(np.sqrt(np.mean(energies["noise"]))),
        float(np.exp(log_fraction.value)),
        system.settings,
        size_error(system),
    )


def strain(system: FreeEnergySystem, psi: WaveFunction, fraction: float) -> tuple[WaveFunction, WaveFunction]:
    """The wave function, with the same parameters, in cells whose edges are shorter and longer by a fraction."""
    settings = [replace(system.settings, rs=system.settings.rs * (1 + sign * fraction)) for sign in (-1, 1)]
    smaller, larger = (with_parameters_of(FreeEnergySystem(each).wave_function(), psi, "the run") for each in settings)
    return smaller, larger


def _sample_energies(
    system: FreeEnergySystem,
    potential: CoulombPotential,
    models: Models,
    walkers: Walkers,
    twists: Float[Array, "b 3"],
    n_electron_samples: int,
    protons: Float[Array, "c n 3"],
    key: jax.Array,
) -> tuple[dict[str, jax.Array], Walkers, jax.Array]:
    """Means over the samples of the electrons of every configuration of protons, at all twists, and the error that
    these have left; the last walkers, and their ln|psi|^2 as the chains have it."""
    placing, equilibration, sampling = jax.random.split(key, 3)
    n_twists, psi = system.n_twists, models.psi
    smaller, larger = strain(system, psi, STRAIN)
    electrons = place_electrons(protons, system.settings.electron_walkers, placing)
    protons, electrons = (jnp.repeat(x, n_twists, axis=0) for x in (protons, electrons))
    walkers = walkers._replace(protons=protons, electrons=electrons)
    walkers, _ = sample_electrons(psi, walkers, twists, EQUILIBRATION_MOVES, equilibration, False)

    def one_sample(walkers: Walkers, key: jax.Array) -> tuple[Walkers, Any]:
        walkers, of_chains = sample_electrons(psi, walkers, twists, MOVES_BETWEEN_SAMPLES, key, False)
        local = local_energies(psi, potential, walkers, twists)
        dilations = dilation_scores(smaller, larger, STRAIN, walkers, twists)
        pulay = pulay_term(local.total, dilations)
        return walkers, (jax.tree.map(lambda part: part.real, local), pulay, of_chains)

    walkers, (local, pulay, of_chains) = jax.lax.scan(
        one_sample, walkers, jax.random.split(sampling, n_electron_samples)
    )

    def twist_average(values: jax.Array) -> jax.Array:
        return values.reshape(-1, n_twists).mean(axis=1)

    # Electron walkers are independent of each other, samples of one of them nearly.
    total = local.total.mean(axis=0)
    variance = total.var(axis=1, ddof=1) / total.shape[1]
    parts = {"energy": local.total, "kinetic": local.kinetic, "pp": local.pp, "ep": local.ep, "ee": local.ee}
    means = {name: twist_average(part.mean(axis=(0, 2))) for name, part in parts.items()}
    means |= {"pulay": twist_average(pulay.mean(axis=0))}
    means |= {"noise": twist_average(variance) / n_twists}
    return means | {"acceptance": jnp.full_like(means["energy"], walkers.acceptance)}, walkers, of_chains[-1]
