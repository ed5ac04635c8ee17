"""Training a field network on labels, in a run folder, and the model that comes of it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jovium import __version__
from jovium.base.errors import InputError
from jovium.base.memory import keep_freed_memory
from jovium.elf.calibration import band_factor, fit_expected_error, held_out
from jovium.elf.model import Domain, ElfModel
from jovium.elf.network import HEAD_WIDTHS, INNER_WIDTHS, FieldNetwork, Scales
from jovium.elf.prediction import predict_fields, structure_invariants
from jovium.elf.samples import Sample, fingerprint, of_split
from jovium.elf.settings import ElfSettings
from jovium.elf.spectrum import Shape
from jovium.elf.step import first_state, initial_state, make_room_for, step, untrained_network
from jovium.training import checkpoint
from jovium.training.devices import single_precision
from jovium.training.loop import Metrics, Report, Training, TrainingState, run_in_folder
from jovium.training.run_folder import STATE, read_settings, read_sources

MAPS_PER_PROGRAM = 500
"""Memory maps of a compiled step, counted in /proc/self/maps: 434."""

POINTS_OF_STANDARDISATION = 500
"""Points of every structure that the inputs are standardised on."""


def train(
    folder: Path | None, samples: Sequence[Sample], settings: ElfSettings, report_every: int = 500
) -> Iterator[Report]:
    """Train in a run folder or continue there; a report, and a save, per `report_every` steps. Only the splits train
    and validation are used. Raises InputError without samples in them or when the folder holds another run, or one of
    other samples."""
    keep_freed_memory()
    with run_in_folder(folder, settings, report_every, fingerprint(samples)), single_precision():
        yield from ElfTraining(settings, samples, folder).run(report_every)


class ElfTraining(Training):
    """One training of a field network: errors of the ELF. The order of the structures depends on the seed alone."""

    jump, spread, unit = 0.05, 0.05, "of the ELF"

    def __init__(self, settings: ElfSettings, samples: Sequence[Sample], folder: Path | None = None):
        self.training, self.validation = of_split(samples, "train"), of_split(samples, "validation")
        if not self.training or not self.validation:
            raise InputError("no samples", "at least one to train and one to validate with", "check the splits")
        self.shapes = [sample.sorted_shape for sample in self.training]
        self.epoch, self.order = -1, list[int]()
        super().__init__(settings, folder)
        if self.state is None:
            scales = standardisation(self.training, settings)
            network = untrained_network(settings, *scales)
            if settings.init_from:
                network = with_ranges(load_network(Path(settings.init_from))[1], *scales)
            self.state = first_state(settings, network)

    def template(self, facts: dict[str, Any]) -> TrainingState:
        """Names, shapes and types of a state."""
        return eqx.filter_eval_shape(initial_state, self.settings)

    def step(self, state: TrainingState, key: jax.Array) -> tuple[TrainingState, dict[str, Array]]:
        """One structure: every one once in an epoch."""
        epoch, position = divmod(int(state.step), len(self.training))
        if epoch != self.epoch:
            rng = np.random.default_rng([self.settings.seed, epoch])
            self.epoch, self.order = epoch, epoch_order(self.shapes, programs_at_once(), rng)
        sample = self.training[self.order[position]].with_sorted_axes()
        make_room_for(sample.shape, programs_at_once())
        return step(state, sample.atoms, jnp.asarray(sample.elf), sample.inner_shape, self.settings)

    def objective(self, figures: dict[str, Any]) -> tuple[float, float]:
        """RMSE of the structures since the last report, which scatters from structure to structure."""
        return figures["rmse"], figures["rmse_spread"]

    def summarise(self, metrics: Metrics) -> dict[str, Any]:
        """RMSE of the ELF over the structures since the last report, its spread among them, and RMSE over the
        validation set with the averaged weights."""
        squares = np.array([of_step["square_error"] for of_step in metrics])
        return {
            "rmse": float(np.sqrt(np.mean(squares))),
            "rmse_spread": float(np.std(np.sqrt(squares))),
            "validation_rmse": validation_rmse(self.state.model.average, self.validation),
        }


def programs_at_once() -> int:
    """How many grids may have a compiled step in memory: each takes MAPS_PER_PROGRAM of the memory maps of a process,
    and Linux ends one that asks for more than `vm.max_map_count`."""
    limit = Path("/proc/sys/vm/max_map_count")
    return max(16, (int(limit.read_text()) - 10000) // MAPS_PER_PROGRAM) if limit.exists() else 1000


def epoch_order(shapes: Sequence[Shape], at_once: int, rng: np.random.Generator) -> list[int]:
    """A random order of samples on these grids. When there are more grids than may be in memory, it takes the samples
    of so many random grids first, then those of others: every program is needed once in an epoch."""
    order = rng.permutation(len(shapes)).tolist()
    distinct = sorted(set(shapes))
    if len(distinct) <= at_once:
        return order
    place = {distinct[index]: position // at_once for position, index in enumerate(rng.permutation(len(distinct)))}
    return sorted(order, key=lambda index: place[shapes[index]])


def standardisation(samples: Sequence[Sample], settings: ElfSettings) -> tuple[Scales, Scales]:
    """Mean, standard deviation and range of the invariants of the hidden fields and of the last network, over some
    points of every sample; every sample has the same weight."""
    widths = HEAD_WIDTHS if settings.convolutions else tuple(range(settings.gaussian_widths))
    return _scales(samples, INNER_WIDTHS), _scales(samples, widths)


def with_ranges(network: FieldNetwork, inner: Scales, outer: Scales) -> FieldNetwork:
    """A network that was trained on other data, with the ranges of the inputs of these; its weights belong to its own
    means and deviations, which stay."""
    ranges = inner.low, inner.high, outer.low, outer.high
    return eqx.tree_at(lambda n: (n.inner.low, n.inner.high, n.outer.low, n.outer.high), network, ranges)


def _scales(samples: Sequence[Sample], widths: tuple[int, ...]) -> Scales:
    rng, columns, lows, highs = np.random.default_rng(0), [], [], []
    for sample in samples:
        values = structure_invariants(sample.structure, sample.shape, widths)
        values = values.reshape(len(values), -1)
        columns.append(values[:, rng.integers(0, values.shape[1], POINTS_OF_STANDARDISATION)])
        lows.append(values.min(axis=1))
        highs.append(values.max(axis=1))
    every = np.concatenate(columns, axis=1)
    numbers = every.mean(axis=1), every.std(axis=1), np.min(lows, axis=0), np.max(highs, axis=0)
    return Scales(*(jnp.asarray(x, jnp.float32) for x in numbers))


def validation_rmse(network: FieldNetwork, samples: Sequence[Sample]) -> float:
    """RMSE of the ELF over all grid points of the samples, every sample with the same weight."""
    errors = [predict_fields(network, s.structure, s.shape)[0].values - s.elf for s in samples]
    return float(np.sqrt(np.mean([np.mean(error**2) for error in errors])))


@single_precision()
def load_network(folder: Path) -> tuple[ElfSettings, FieldNetwork]:
    """Settings and averaged weights of a run folder, or of a model file. Raises InputError when there is none."""
    if folder.is_file():
        model = ElfModel.load(folder)
        return model.settings, model.network
    settings = read_settings(folder, ElfSettings)
    return settings, checkpoint.load(folder / STATE, eqx.filter_eval_shape(initial_state, settings)).model.average


@single_precision()
def finished_model(folder: Path, samples: Sequence[Sample], protocol: dict[str, Any]) -> ElfModel:
    """The model of a run folder: its domain from the split train, its expected error and band from the split
    validation. samples: the labels of the run; protocol: of those labels, for the card. Raises InputError for other
    labels."""
    (settings, network), training = load_network(folder), of_split(samples, "train")
    if read_sources(folder).get("data", fingerprint(samples)) != fingerprint(samples):
        raise InputError(f"other labels than {folder} was trained on", "the same, in the same order", "give those")
    validation = of_split(samples, "validation")
    card = {
        "jovium_version": __version__,
        "trained_on": {"structures": len(training), "groups": sorted({sample.group for sample in training})},
        "validation_rmse": validation_rmse(network, validation),
        "labels": protocol,
    }
    factor = band_factor(held_out(network, validation))
    network, settings = fit_expected_error(network, validation), replace(settings, init_from="")
    return ElfModel(network, settings, Domain.from_samples(training), factor, card)
