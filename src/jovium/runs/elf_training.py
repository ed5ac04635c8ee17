"""Training and judging the field network on files of labels."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np

from jovium.base.files import append_durably, existing_folder, sole_writer
from jovium.base.grid import GridField
from jovium.elf import checkpoint
from jovium.elf.metrics import Accuracy, accuracy
from jovium.elf.network import FieldNetwork
from jovium.elf.samples import Sample
from jovium.elf.training import Progress, Recipe, train, untrained
from jovium.reference.label_record import Label
from jovium.reference.labels import Labels
from jovium.reference.packed import read_packed
from jovium.topology.network import hydrogen_network

STATE = "state.safetensors"
METRICS = "metrics.jsonl"
PHI_SPACING = 0.15
"""Grid (bohr) to which fields are splined before their thresholds are taken."""


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


def evaluate_run(folder: Path, samples: Sequence[Sample]) -> dict[str, Any]:
    """`evaluation` of the network in a run directory."""
    network = trained_network(folder)
    grid = eqx.filter_jit(FieldNetwork.grid)
    return evaluation(samples, lambda sample: np.asarray(grid(network, sample.atoms, sample.shape).elf))


@dataclass(frozen=True)
class Judgement:
    """One prediction beside the computed field: squares of errors come from `accuracy`, thresholds from both fields."""

    sample: Sample
    predicted: np.ndarray
    phi: tuple[float, float]
    phi_star: tuple[float, float]


def judge(sample: Sample, predicted: np.ndarray) -> Judgement:
    """Thresholds of the predicted and of the computed field on the same grid."""
    found = []
    for values in (predicted, sample.elf):
        cell = sample.structure.cell
        field = GridField(np.asarray(values, float), cell).splined(cell.grid_shape(PHI_SPACING))
        network = hydrogen_network(field, sample.structure.positions)
        assert network.phi_star is not None
        found.append((network.phi_3d.value, network.phi_star.value))
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
