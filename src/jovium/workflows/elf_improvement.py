"""A network that learns the structures of its user: predict, choose what it knows least, label, train, again.

Some structures are set aside first and never trained on; they measure what every round was worth. Of the others a round
labels those of the largest expected error and trains on them, on those of the rounds before and on the labels that are
given, from the weights of the round before. Everything is a file in one folder and a repeated command goes on there.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from jovium.base.errors import InputError
from jovium.base.files import existing_folder, write_json
from jovium.elf.metrics import accuracy
from jovium.elf.model import SHIPPED, ElfModel
from jovium.elf.prediction import predict_fields
from jovium.elf.samples import Sample, of_split, read_samples
from jovium.elf.training import finished_model, train
from jovium.labels.candidates import read_candidates
from jovium.labels.labelling import label
from jovium.labels.reading import read_protocol
from jovium.labels.record import DEFAULT_SPACING, Candidate, LabelProtocol, structure_sha256
from jovium.workflows.elf_verdicts import calibrated, label_network
from jovium.workflows.thresholds import PHI_SPACING, phi_and_phi_star

NEW_SHARE = 0.5
"""Steps of a round that are given to labels of the user, who has few beside the many of the network."""

LEARNING_RATE = 3e-3
"""Of a round: a third of that of a network that begins from nothing."""

PLAN = "plan.json"
"""What the improvement in a folder is of."""

VALIDATED = 5
"""Every so many-th new label is validated with: bands and intervals are to hold for such structures too."""


@dataclass(frozen=True)
class Plan:
    """How much is done. n_test: structures set aside; n_chosen: labels of a round; steps: of training of a round."""

    n_test: int = 10
    n_chosen: int = 10
    n_rounds: int = 3
    steps: int = 1000

    def __post_init__(self):
        if min(self.n_test, self.n_chosen, self.n_rounds, self.steps) < 1:
            got = f"{self.n_test} set aside, {self.n_chosen} chosen in {self.n_rounds} rounds of {self.steps} steps"
            raise InputError(got, "whole numbers above 0", "check the numbers")


@dataclass(frozen=True)
class Round:
    """What a model is worth on the structures set aside. n_labels: of the user that it has learned from; rmse_median,
    rmse_largest: of the ELF; phi_median, phi_largest: |error| of phi."""

    number: int
    n_labels: int
    rmse_median: float
    rmse_largest: float
    phi_median: float
    phi_largest: float


def improve(
    structures: Path,
    folder: Path,
    labels: Sequence[Path],
    protocol: LabelProtocol,
    plan: Plan = Plan(),
    model: Path | None = None,
    progress: Callable[[str], object] = lambda text: None,
    **how: Any,
) -> Iterator[Round]:
    """Improve a model (None: that of the package) on the structures of a file; yields the state before the first round
    and after each. folder gets labels, round-1.safetensors, ... and curve.json. labels: what the network was trained
    on. how: of `jovium.labels.labelling.label`. Raises InputError for too few structures, and what labelling and
    training raise."""
    candidates = _candidates(structures, plan)
    model = model or SHIPPED
    current = ElfModel.load(model)
    _require_same(existing_folder(folder), candidates, labels, plan, model)
    aside = np.random.default_rng(0).permutation(len(candidates))[: plan.n_test]
    group = f"{structures.stem}-test"
    tests = [replace(candidates[i], split="test-improve", group=group) for i in sorted(aside)]
    rest = [candidate for i, candidate in enumerate(candidates) if i not in aside]
    progress(f"labelling {len(tests)} structures that are set aside")
    label(tests, folder / "labels", protocol, **how)
    judges = of_split(read_samples([folder / "labels"]), "test-improve")
    chosen: list[Candidate] = []
    curve = [_judged(0, 0, current, judges)]
    yield curve[0]
    base = read_samples(labels)
    for number in range(1, plan.n_rounds + 1):
        path = folder / f"round-{number}.safetensors"
        progress(f"round {number}: choosing {plan.n_chosen} of {len(rest)} structures")
        worst = sorted(rest, key=lambda candidate: -expected_error(current, candidate))[: plan.n_chosen]
        rest = [candidate for candidate in rest if not any(candidate is other for other in worst)]
        chosen += [_with_split(candidate, structures, len(chosen) + i) for i, candidate in enumerate(worst)]
        progress(f"round {number}: labelling")
        label(chosen, folder / "labels", protocol, **how)
        if not path.exists():
            progress(f"round {number}: training")
            _train_round(path, number, base, folder, labels, current, plan)
        current = ElfModel.load(path)
        curve.append(_judged(number, len(chosen), current, judges))
        write_json(folder / "curve.json", [asdict(one) for one in curve])
        yield curve[-1]


def expected_error(model: ElfModel, candidate: Candidate) -> float:
    """Expected RMSE of the ELF of a structure, whether or not the model vouches for it."""
    structure = candidate.structure
    spread = predict_fields(model.network, structure, structure.cell.grid_shape(DEFAULT_SPACING)).spread
    return float(np.sqrt(2 * np.mean(spread.values**2)))


def _candidates(structures: Path, plan: Plan) -> list[Candidate]:
    """The structures of a file, every one once."""
    distinct = {structure_sha256(c.structure): c for c in read_candidates(structures)}
    needed = plan.n_test + plan.n_chosen * plan.n_rounds
    if len(distinct) < needed:
        raise InputError(
            f"{len(distinct)} structures in {structures}",
            f"{plan.n_test} to set aside and {plan.n_chosen} for each of {plan.n_rounds} rounds, {needed} in all",
            "give more structures, or ask for less",
        )
    return list(distinct.values())


def _require_same(
    folder: Path, candidates: Sequence[Candidate], labels: Sequence[Path], plan: Plan, model: Path
) -> None:
    """Write down what an improvement is of; raise InputError when the folder holds one of something else. More rounds
    may be added."""
    path = folder / PLAN
    of_structures = hashlib.sha256("".join(structure_sha256(c.structure) for c in candidates).encode()).hexdigest()
    facts = {"structures": of_structures, "set aside": plan.n_test, "choose": plan.n_chosen, "steps": plan.steps}
    facts |= {"model": hashlib.sha256(model.read_bytes()).hexdigest(), "labels": [str(p.resolve()) for p in labels]}
    try:
        begun = json.loads(path.read_text()) if path.exists() else None
    except (OSError, ValueError):
        begun = []
    if begun is None and not any(folder.glob("round-*.safetensors")):
        write_json(path, facts)
        return
    if not isinstance(begun, dict):
        got = f"{folder} holds rounds of an improvement and no {PLAN} that says of what"
        raise InputError(got, "a folder that improve began", "give another folder")
    changed = [f"{name} {begun.get(name)} -> {facts[name]}" for name in facts if begun.get(name) != facts[name]]
    if changed:
        got = f"{folder} holds an improvement of something else: {'; '.join(changed)}"
        raise InputError(got, "the same; only --rounds may change", "give another folder, or what it was begun with")


def _with_split(candidate: Candidate, structures: Path, number: int) -> Candidate:
    split = "validation" if number % VALIDATED == VALIDATED - 1 else "train"
    return replace(candidate, split=split, group=f"{structures.stem}-{split}", step=number)


def _train_round(
    path: Path, number: int, base: Sequence[Sample], folder: Path, labels: Sequence[Path], start: ElfModel, plan: Plan
) -> None:
    """Train from a model on its labels and the new ones, and write the model that comes of it."""
    new = [sample for sample in read_samples([folder / "labels"]) if sample.split in ("train", "validation")]
    n_base, n_new = len(of_split(base, "train")), max(1, len(of_split(new, "train")))
    repeats = max(1, round(NEW_SHARE / (1 - NEW_SHARE) * n_base / n_new))
    samples = [*base, *new, *of_split(new, "train") * (repeats - 1)]
    begun = folder / f"begin-{number}.safetensors"
    start.save(begun)
    settings = replace(start.settings, steps=plan.steps, learning_rate=LEARNING_RATE, init_from=str(begun))
    run = folder / f"run-{number}"
    for _ in train(run, samples, settings):
        pass
    calibrated(finished_model(run, samples, read_protocol(labels[0])), samples).save(path)


def _judged(number: int, n_labels: int, model: ElfModel, judges: Sequence[Sample]) -> Round:
    rmse, phi = [], []
    for sample in judges:
        structure = sample.structure
        found = predict_fields(model.network, structure, sample.shape).elf
        rmse.append(accuracy([(found.values, sample.elf)]).rmse)
        fine = predict_fields(model.network, structure, structure.cell.grid_shape(PHI_SPACING)).elf
        phi.append(abs(phi_and_phi_star(fine, structure.positions)[0] - label_network(sample).phi_3d.value))
    statistics = (float(f(errors)) for errors in (rmse, phi) for f in (np.median, np.max))
    return Round(number, n_labels, *statistics)
