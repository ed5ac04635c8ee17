"""Training and judging the field network on files of labels."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from jovium import __version__
from jovium.base.files import append_durably, existing_folder, sole_writer
from jovium.elf.calibration import band_factor, fit_expected_error
from jovium.elf.model import Domain, ElfModel
from jovium.elf.network import FieldNetwork
from jovium.elf.samples import Sample
from jovium.elf.training import ElfSettings, Progress, state_form, train, validation_rmse
from jovium.labels.file import Labels
from jovium.labels.packed import packed_files, read_packed, read_records
from jovium.labels.record import Label
from jovium.training import checkpoint

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
    return Sample(label.structure, elf, label.split, label.group, label.step, label.temperature_kelvin, label.pressure)


def of_split(samples: Sequence[Sample], split: str) -> list[Sample]:
    """The samples of one split."""
    return [sample for sample in samples if sample.split == split]


def train_run(
    folder: Path, samples: Sequence[Sample], recipe: ElfSettings, every: int = 500, start: Path | None = None
) -> Iterator[Progress]:
    """Train in a run directory or continue there: the state in `state.safetensors`, a line of `metrics.jsonl` per
    report. Only the splits train and validation are used. start: a run directory whose weights to begin with."""
    path, first = existing_folder(folder) / STATE, None if start is None else trained_network(start)
    with sole_writer(folder / METRICS):
        splits = of_split(samples, "train"), of_split(samples, "validation")
        for progress in train(*splits, recipe, path, every=every, start=first):
            append_durably(folder / METRICS, json.dumps(asdict(progress)) + "\n")
            yield progress


def trained_network(folder: Path) -> FieldNetwork:
    """The averaged weights of a run directory. Raises InputError when there is none."""
    recipe = ElfSettings(**checkpoint.read_facts(folder / STATE)["recipe"])
    return checkpoint.load(folder / STATE, state_form(recipe)).average


def finished_model(folder: Path, samples: Sequence[Sample], protocol: dict[str, Any]) -> ElfModel:
    """The model of a run directory: its domain from the split train, its expected error and band from the split
    validation.

    samples: the labels of the run; protocol: of those labels, for the card.
    """
    network, training, validation = trained_network(folder), of_split(samples, "train"), of_split(samples, "validation")
    recipe = ElfSettings(**checkpoint.read_facts(folder / STATE)["recipe"])
    card = {
        "jovium_version": __version__,
        "trained_on": {"structures": len(training), "groups": sorted({sample.group for sample in training})},
        "validation_rmse": validation_rmse(network, validation),
        "labels": protocol,
    }
    network = fit_expected_error(network, validation)
    return ElfModel(network, recipe, Domain.from_samples(training), band_factor(network, validation), card)
