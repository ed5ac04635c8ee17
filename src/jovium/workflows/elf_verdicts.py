"""Whether a model says how wrong it is: for every label its errors beside what was promised, and a summary of families.

A promise is broken when the RMSE of the ELF is above TWICE the expected one, or phi farther away than TWICE the half
width of its interval; silently, when there is no warning. The interval itself is one of 90 %: one structure in ten is
outside of it by construction, and no flag can know which.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import minimize

from jovium.base.errors import InputError
from jovium.base.grid import GridField
from jovium.elf.calibration import COVERAGE, held_out
from jovium.elf.model import ElfModel
from jovium.elf.samples import Sample, of_split
from jovium.topology.intervals import SHARPEST, Interval, Widening, threshold_intervals
from jovium.topology.network import THRESHOLDS, Network, hydrogen_network
from jovium.workflows.thresholds import PHI_SPACING, spline_to_threshold_grid

TWICE = 2.0

FLAGGED_SHARE = 0.03
"""Of the structures of the split validation, the share whose expected error is large enough to flag them."""

Values = Mapping[str, float]


@dataclass(frozen=True)
class Verdict:
    """One label and what a model says of it. rmse, expected: of the ELF; coverage: share of the grid points inside the
    band; thresholds, computed: predicted and of the label, by name; intervals: of the predicted; warnings: as given."""

    sample: Sample
    rmse: float
    expected: float
    coverage: float
    thresholds: Values
    computed: Values
    intervals: Mapping[str, Interval]
    warnings: tuple[str, ...]

    def error(self, name: str) -> float:
        """|predicted - computed| of a threshold."""
        return abs(self.thresholds[name] - self.computed[name])

    def holds(self, name: str) -> bool:
        """Whether the interval of a threshold holds the computed one."""
        low, high = self.intervals[name]
        return low <= self.computed[name] <= high

    def distance(self, name: str) -> float:
        """From a threshold to the end of its interval on the side of the computed one."""
        value, (low, high) = self.thresholds[name], self.intervals[name]
        return value - low if self.computed[name] < value else high - value

    @property
    def is_broken(self) -> bool:
        """Whether the RMSE is above twice the expected one, or phi farther from its interval than that is wide to this
        side."""
        return self.rmse > TWICE * self.expected or self.error("phi_3d") > TWICE * self.distance("phi_3d")


def verdict(model: ElfModel, sample: Sample, computed: Network) -> Verdict:
    """What a model says of a label, whose network is `computed`: the ELF on the label grid, thresholds on a finer."""
    structure = sample.structure
    predicted = model.predict(structure, sample.shape)
    errors = np.abs(predicted.elf.values - sample.elf)
    fine = model.predict(structure, structure.cell.grid_shape(PHI_SPACING))
    network = hydrogen_network(fine.elf, structure.positions)
    return Verdict(
        sample,
        float(np.sqrt(np.mean(errors**2))),
        predicted.expected_error,
        float(np.mean(errors <= predicted.band.values)),
        _values(network),
        _values(computed),
        threshold_intervals(network, fine.elf, fine.band, structure.positions, fine.widenings),
        predicted.warnings,
    )


def _values(network: Network) -> dict[str, float]:
    return {name: point.value for name, point in network.thresholds().items() if point is not None}


def calibrated(
    model: ElfModel, samples: Sequence[Sample], progress: Callable[[Iterable[Any]], Iterable[Any]] = iter
) -> ElfModel:
    """A model with the widenings of its intervals and the expected error that is flagged, from the split validation of
    its labels, each judged by an expected error that was not fitted to it."""
    validation = [s for s in of_split(samples, "validation") if not model.domain.has_vacuum(s.structure)]
    halves = held_out(model.network, validation) if validation else []
    pairs = [(replace(model, network=network, widenings={}), s) for network, half in halves for s in half]
    verdicts = (verdict(plain, sample, label_network(sample)) for plain, sample in progress(pairs))
    bare = [v for v in verdicts if not v.warnings]
    if not bare:
        raise InputError("no validation label inside the range of the training data", "some", "check the splits")
    found = {name: widening([v.error(name) for v in bare], [v.distance(name) for v in bare]) for name in THRESHOLDS}
    largest = float(np.quantile([v.expected for v in bare], 1 - FLAGGED_SHARE))
    return replace(model, widenings=found, domain=replace(model.domain, largest_error=largest))


def widening(errors: Sequence[float], distances: Sequence[float]) -> Widening:
    """The widening that holds COVERAGE of |error|, given the distances from predicted values to the ends that the band
    gives their intervals. factor d + offset is in proportion to the scale of a Laplace distribution of the errors, by
    maximum likelihood: the offset is what a band says nothing of. Errors below SHARPEST, the noise of labels, fit
    any."""
    error, distance = np.array(errors), np.array(distances)

    def loss(logarithms: np.ndarray) -> float:
        factor, offset = np.exp(logarithms)
        scale = factor * distance + offset
        return float(np.mean(np.log(scale) + np.maximum(error, SHARPEST / 10) / scale))

    factor, offset = np.exp(minimize(loss, np.log([0.5, 2e-3]), method="Nelder-Mead").x).tolist()
    scores = np.where(error <= SHARPEST, 0.0, error / (factor * distance + offset))
    quantile = conformal_quantile(scores.tolist(), COVERAGE)
    return quantile * factor, quantile * offset


def conformal_quantile(scores: Sequence[float], coverage: float) -> float:
    """The score that a new one exceeds with probability 1 - coverage at most, if it comes from where these came from:
    the ceil((n + 1) coverage)-th smallest."""
    n = len(scores)
    return float(np.sort(scores)[min(n, int(np.ceil((n + 1) * coverage))) - 1])


def family(sample: Sample) -> str:
    """The family of a sample: its kind of random structure, or fluid, or crystal, with the split."""
    kind = sample.split.removeprefix("test-").removeprefix("sealed-")
    if np.isfinite(sample.kelvin):
        return f"{sample.split}: fluid"
    derived = sample.group.partition("-")[0]
    if derived in ("relaxed", "expanded"):
        return f"{sample.split}: {derived}"
    if sample.split in ("train", "validation") or kind in ("random", "seed"):
        return f"{sample.split}: {sample.group.rpartition('-')[0] or sample.group}"
    return sample.split


def by_family(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    """Verdicts of every split and of every family in it, by name."""
    groups: dict[str, list[Verdict]] = defaultdict(list)
    for one in verdicts:
        for name in {one.sample.split, family(one.sample)}:
            groups[name].append(one)
    return dict(sorted(groups.items()))


def summary(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Errors and kept promises of some structures. silent: promises broken without a warning; flagged_well: kept ones
    with a warning; coverage_share: structures of which the band holds 75 to 98 % of the points."""
    rmse = np.array([v.rmse for v in verdicts])
    plain = [v for v in verdicts if not v.warnings]
    phi = np.array([v.error("phi_3d") for v in verdicts])
    star = np.array([v.error("phi_star") for v in verdicts])
    coverage = np.array([v.coverage for v in plain])
    return {
        "n": len(verdicts),
        "rmse": {"median": float(np.median(rmse)), "p95": float(np.quantile(rmse, 0.95)), "max": float(rmse.max())},
        "rmse_unflagged_p95": float(np.quantile([v.rmse for v in plain], 0.95)) if plain else None,
        "phi": {"median": float(np.median(phi)), "p95": float(np.quantile(phi, 0.95)), "max": float(phi.max())},
        "phi_star_max": float(star.max()),
        "flagged": len(verdicts) - len(plain),
        "broken": sum(v.is_broken for v in verdicts),
        "silent": sum(v.is_broken for v in plain),
        "flagged_well": sum(not v.is_broken for v in verdicts if v.warnings),
        "coverage_share": float(np.mean((coverage >= 0.75) & (coverage <= 0.98))) if plain else None,
        "coverage_least": float(coverage.min()) if plain else None,
        "interval_holds": {name: float(np.mean([v.holds(name) for v in plain])) for name in THRESHOLDS}
        if plain
        else None,
    }


def label_network(sample: Sample) -> Network:
    """The network of a label."""
    field = spline_to_threshold_grid(GridField(np.asarray(sample.elf, float), sample.structure.cell))
    return hydrogen_network(field, sample.structure.positions)
