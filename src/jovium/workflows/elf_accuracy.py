"""How good predictions of the ELF are: beside labels never trained on, for networks and for what they have to beat."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from jovium.base.files import existing_folder
from jovium.base.grid import GridField
from jovium.base.units import BOHR_ANGSTROM
from jovium.elf.metrics import accuracy
from jovium.elf.model import ElfModel
from jovium.elf.samples import Sample
from jovium.report.elf_figures import Phi, draw_parity, draw_phi
from jovium.topology.critical_points import CriticalPoints, critical_points
from jovium.topology.matching import Matching, match
from jovium.topology.network import Network, hydrogen_network
from jovium.workflows.thresholds import spline_to_threshold_grid

MATCH_DISTANCE = 0.1 / BOHR_ANGSTROM
"""Critical points of two fields closer than 0.1 angstrom are the same."""

PERSISTENCE = 0.02
"""Least persistence of the critical points of a label that are to be predicted."""

CANDIDATE_PERSISTENCE = 0.01
"""The same for candidates of the prediction: which point stays above a threshold, and which of several equivalent ones
stands for a class of the torus, is decided by less than the error of a label."""

CRYSTALS = "test-crystal", "test-displaced", "test-stretch"
"""Splits of the known crystals, of displaced ones, and of bonds that are stretched."""

Predict = Callable[[Sample], Float[np.ndarray, "nx ny nz"]]


@dataclass(frozen=True)
class Topology:
    """Network and, for crystals, critical points of one field."""

    network: Network
    points: CriticalPoints | None

    @classmethod
    def from_elf(cls, elf: Float[np.ndarray, "nx ny nz"], sample: Sample) -> "Topology":
        """The topology of an ELF on the grid of a sample."""
        field = spline_to_threshold_grid(GridField(np.asarray(elf, float), sample.structure.cell))
        points = critical_points(field, persistence=CANDIDATE_PERSISTENCE) if is_crystal(sample) else None
        return cls(hydrogen_network(field, sample.structure.positions), points)


@dataclass(frozen=True)
class LabelTopology:
    """A label and its topology, computed once for all predictors."""

    sample: Sample
    topology: Topology

    @classmethod
    def from_sample(cls, sample: Sample) -> "LabelTopology":
        """The topology of a label."""
        return cls(sample, Topology.from_elf(sample.elf, sample))


@dataclass(frozen=True)
class Evaluation:
    """One prediction beside the computed field."""

    label: LabelTopology
    predicted: Float[np.ndarray, "nx ny nz"]
    topology: Topology

    def threshold_error(self, name: str) -> float:
        """|predicted - computed| of a threshold: phi_1d, phi_2d, phi_3d or phi_star."""
        predicted, true = (getattr(t.network, name).value for t in (self.topology, self.label.topology))
        return abs(predicted - true)

    def match(self, persistence: float) -> Matching:
        """Critical points of a crystal above PERSISTENCE that are among those predicted above `persistence`."""
        predicted, true = self.topology.points, self.label.topology.points
        assert predicted is not None
        assert true is not None
        cell = self.label.sample.structure.cell
        return match(true.filter(PERSISTENCE), predicted.filter(persistence), cell, MATCH_DISTANCE)


def is_crystal(sample: Sample) -> bool:
    """Whether a sample is one of `jovium reference crystals`."""
    return sample.split in CRYSTALS


def evaluate(labels: Iterable[LabelTopology], predict: Predict) -> Iterator[Evaluation]:
    """Every prediction beside its label."""
    for label in labels:
        predicted = np.asarray(predict(label.sample), np.float32)
        yield Evaluation(label, predicted, Topology.from_elf(predicted, label.sample))


def summarise(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """The accuracy of a predictor, altogether (over the fluid, if there is any) and by state: what `jovium elf
    evaluate --json` prints."""
    fluid = [j for j in evaluations if np.isfinite(j.label.sample.kelvin)]
    crystals = [j for j in evaluations if is_crystal(j.label.sample)]
    return {
        **_errors(fluid or crystals or evaluations),
        "by_state": [
            {
                "group": group,
                "rs": round(members[0].label.sample.structure.rs, 4),
                "kelvin": members[0].label.sample.kelvin,
                **_errors(members),
            }
            for group, members in sorted(by_state(fluid).items())
        ],
        "crystals": [
            {
                "group": j.label.sample.group,
                "split": j.label.sample.split,
                **_errors([j]),
                "threshold_errors": {name: j.threshold_error(name) for name in ("phi_1d", "phi_2d", "phi_3d")},
                "critical_points": asdict(j.match(PERSISTENCE)),
            }
            for j in crystals
        ],
        "all_crystals": _crystal_errors(crystals) if crystals else None,
    }


def draw(evaluations: Mapping[str, Sequence[Evaluation]], folder: Path) -> None:
    """Figures of predictors on the same fluid labels, if there are any: parity by state of the first, phi of two."""
    fluid = {name: [j for j in group if np.isfinite(j.label.sample.kelvin)] for name, group in evaluations.items()}
    if any(fluid.values()):
        states = by_state(next(iter(fluid.values()))).values()
        draw_parity([_parity(members) for members in states], existing_folder(folder) / "parity.png")
        points = [
            Phi(name, state_title(j.label.sample), *(t.network.phi_3d.value for t in (j.topology, j.label.topology)))
            for name in list(fluid)[:2]
            for j in fluid[name]
        ]
        draw_phi(points, folder / "phi.png")


def by_state(evaluations: Sequence[Evaluation]) -> dict[str, list[Evaluation]]:
    """Members of every trajectory, at falling rs."""
    groups: dict[str, list[Evaluation]] = defaultdict(list)
    for j in sorted(evaluations, key=lambda j: (-j.label.sample.structure.rs, j.label.sample.group)):
        groups[j.label.sample.group].append(j)
    return groups


def _parity(members: Sequence[Evaluation]) -> tuple[str, np.ndarray, np.ndarray]:
    predicted = np.concatenate([j.predicted.ravel() for j in members])
    true = np.concatenate([j.label.sample.elf.ravel() for j in members])
    return state_title(members[0].label.sample), predicted, true


def state_title(sample: Sample) -> str:
    """The state of a sample in words."""
    return f"rs {sample.structure.rs:.3g}, {sample.kelvin:g} K, N {sample.structure.n_atoms}"


def band_coverage(model: ElfModel, samples: Sequence[Sample]) -> float:
    """The fraction of the grid points whose error lies inside the model's band."""
    inside, points = 0, 0
    for sample in samples:
        predicted = model.predict(sample.structure, sample.shape)
        inside += int(np.count_nonzero(np.abs(predicted.elf.values - sample.elf) <= predicted.band.values))
        points += sample.elf.size
    return inside / points


def network_predictor(model: ElfModel) -> Predict:
    """The field of a model on the grid of a label."""
    return lambda sample: model.predict(sample.structure, sample.shape).elf.values


def _errors(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    return {
        **asdict(accuracy((j.predicted, j.label.sample.elf) for j in evaluations)),
        "phi_3d": _statistics([j.threshold_error("phi_3d") for j in evaluations]),
        "phi_star": _statistics([j.threshold_error("phi_star") for j in evaluations]),
    }


def _crystal_errors(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    return {
        **_errors(evaluations),
        "critical_point_recall": recall(evaluations, PERSISTENCE),
        "critical_point_recall_among_candidates": recall(evaluations, CANDIDATE_PERSISTENCE),
    }


def recall(evaluations: Sequence[Evaluation], persistence: float) -> float:
    """The fraction of the critical points of labels that are among those predicted above `persistence`."""
    matchings = [j.match(persistence) for j in evaluations]
    return sum(m.n_matched for m in matchings) / sum(m.n_reference for m in matchings)


def _statistics(errors: Sequence[float]) -> dict[str, float]:
    return {
        "median_abs_error": float(np.median(errors)),
        "max_abs_error": float(np.max(errors)),
        "fraction_within_0.025": float(np.mean(np.array(errors) <= 0.025)),
    }
