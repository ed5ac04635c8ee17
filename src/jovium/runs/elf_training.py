"""Training and judging the field network on files of labels."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jovium import __version__
from jovium.base.files import append_durably, existing_folder, sole_writer
from jovium.base.grid import GridField
from jovium.elf import checkpoint
from jovium.elf.metrics import Accuracy, accuracy
from jovium.elf.model import Domain, ElfModel, band_factor
from jovium.elf.network import FieldNetwork
from jovium.elf.samples import Sample
from jovium.elf.training import Progress, Recipe, train, untrained, validation_rmse
from jovium.reference.label_record import Label
from jovium.reference.labels import Labels
from jovium.reference.packed import packed_files, read_packed, read_records
from jovium.runs.thresholds import thresholds

STATE = "state.safetensors"
METRICS = "metrics.jsonl"


def read_samples(paths: Iterable[Path]) -> list[Sample]:
    """The labels of several files of labels or folders of packed ones."""
    samples: list[Sample] = []
    for path in paths:
        if path.is_dir() or path.suffix == ".xz":
            samples += map(sample_of, read_packed(path))
        else:
            with Labels(path) as labels:
                samples += map(sample_of, labels)
    return samples


def label_protocol(path: Path) -> dict[str, Any]:
    """The protocol of a file of labels, or of the first packed file in a folder."""
    if path.is_dir() or path.suffix == ".xz":
        return read_records(packed_files(path)[0])[0]
    with Labels(path) as labels:
        return labels.protocol_attributes()


def sample_of(label: Label) -> Sample:
    """What the network needs of a label."""
    elf = label.elf.values.astype(np.float32)
    return Sample(label.structure, elf, label.split, label.group, label.step, label.temperature_kelvin)


def of_split(samples: Sequence[Sample], split: str) -> list[Sample]:
    """The samples of one split."""
    return [sample for sample in samples if sample.split == split]


def train_run(folder: Path, samples: Sequence[Sample], recipe: Recipe, every: int = 500) -> Iterator[Progress]:
    """Train in a run directory or continue there: the state in `state.safetensors`, a line of `metrics.jsonl` per
    report. Only the splits train and validation are used."""
    path = existing_folder(folder) / STATE
    with sole_writer(folder / METRICS):
        for progress in train(of_split(samples, "train"), of_split(samples, "validation"), recipe, path, every=every):
            append_durably(folder / METRICS, json.dumps(asdict(progress)) + "\n")
            yield progress


def trained_network(folder: Path) -> FieldNetwork:
    """The averaged weights of a run directory. Raises InputError when there is none."""
    recipe = Recipe(**checkpoint.read_facts(folder / STATE)["recipe"])
    return checkpoint.load(folder / STATE, untrained(recipe)).average


def finished_model(folder: Path, samples: Sequence[Sample], protocol: dict[str, Any]) -> ElfModel:
    """The model of a run directory: its domain from the split train, its band from the split validation.

    samples: the labels of the run; protocol: of those labels, for the card.
    """
    network, training, validation = trained_network(folder), of_split(samples, "train"), of_split(samples, "validation")
    recipe = Recipe(**checkpoint.read_facts(folder / STATE)["recipe"])
    card = {
        "jovium_version": __version__,
        "trained_on": {"structures": len(training), "groups": sorted({sample.group for sample in training})},
        "validation_rmse": validation_rmse(network, validation),
        "labels": protocol,
    }
    return ElfModel(network, recipe, Domain.of(training), band_factor(network, validation), card)


def evaluate_model(model: ElfModel, samples: Sequence[Sample]) -> dict[str, Any]:
    """`evaluation` of a model, and the share of the grid points whose error lies inside the band."""
    inside, points = 0, 0

    def predict(sample: Sample) -> np.ndarray:
        nonlocal inside, points
        found = model.predict(sample.structure, sample.shape)
        inside += int(np.count_nonzero(np.abs(found.elf.values - sample.elf) <= found.band.values))
        points += sample.elf.size
        return found.elf.values

    return {**evaluation(samples, predict), "band_coverage": inside / points}


@dataclass(frozen=True)
class Judgement:
    """One prediction beside the computed field: squares of errors come from `accuracy`, thresholds from both fields."""

    sample: Sample
    predicted: np.ndarray
    phi: tuple[float, float]
    phi_star: tuple[float, float]


def judge(sample: Sample, predicted: np.ndarray) -> Judgement:
    """Thresholds of the predicted and of the computed field on the same grid."""
    cell, positions = sample.structure.cell, sample.structure.positions
    found = [thresholds(GridField(np.asarray(values, float), cell), positions) for values in (predicted, sample.elf)]
    return Judgement(sample, np.asarray(predicted), (found[0][0], found[1][0]), (found[0][1], found[1][1]))


def evaluation(samples: Sequence[Sample], predict: Callable[[Sample], np.ndarray]) -> dict[str, Any]:
    """The accuracy of a predictor over samples, altogether and by state: what `jovium elf evaluate --json` prints."""
    judgements = [judge(sample, predict(sample)) for sample in samples]
    fluid = [j for j in judgements if np.isfinite(j.sample.kelvin)]
    states: dict[str, list[Judgement]] = defaultdict(list)
    for j in fluid:
        states[j.sample.group].append(j)
    crystals = [j for j in judgements if not np.isfinite(j.sample.kelvin)]
    return {
        **_summary(fluid or crystals),
        "by_state": [
            {"group": group, "rs": round(members[0].sample.structure.rs, 4), "kelvin": members[0].sample.kelvin}
            | _summary(members)
            for group, members in sorted(states.items())
        ],
        "crystals": [{"group": j.sample.group, "split": j.sample.split} | _summary([j]) for j in crystals],
    }


def _summary(judgements: Sequence[Judgement]) -> dict[str, object]:
    found: Accuracy = accuracy((j.predicted, j.sample.elf) for j in judgements)
    return {
        **asdict(found),
        "phi": _threshold_errors([j.phi for j in judgements]),
        "phi_star": _threshold_errors([j.phi_star for j in judgements]),
    }


def _threshold_errors(pairs: Sequence[tuple[float, float]]) -> dict[str, float]:
    errors = np.abs([predicted - true for predicted, true in pairs])
    return {
        "median_abs_error": float(np.median(errors)),
        "max_abs_error": float(errors.max()),
        "within_0.025": float(np.mean(errors <= 0.025)),
    }
