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
from jovium.base.units import BOHR_ANGSTROM, PRESSURE_GPA
from jovium.elf.baselines import fitted_linear_model, fitted_superposed_atoms
from jovium.elf.long_waves import filtered, fitted_long_waves
from jovium.elf.metrics import accuracy
from jovium.elf.model import ElfModel
from jovium.elf.network import grid_invariants
from jovium.elf.residual import Correlation, correlation, spectrum
from jovium.elf.samples import Sample
from jovium.report.elf_figures import Phi, Residual, draw_parity, draw_phi, draw_residuals
from jovium.topology.critical_points import CriticalPoints, critical_points
from jovium.topology.matching import Matching, matching
from jovium.topology.network import Network, hydrogen_network
from jovium.workflows.thresholds import on_threshold_grid

LONGEST_OF_SHORT_WAVES = 2.5
"""|G| (1/bohr) below which the residual of the local model is corrected: waves longer than 2.5 bohr."""

SAME_POINT = 0.1 / BOHR_ANGSTROM
"""Critical points of two fields closer than 0.1 angstrom are the same."""

PERSISTENCE = 0.02
"""Critical points that count."""

CANDIDATE_PERSISTENCE = 0.01
"""Points of the other field among which they are looked for as well: which point stays above the threshold, and which
of several equivalent ones stands for a class of the torus, is decided by less than the error of a label."""

TRAINING_SHARE = 4
"""The corrections and fits of the baselines use every so many structures of the split train."""

WAVE_EDGES = np.linspace(0.0, 10.0, 21)
"""Shells of |G| (1/bohr) of residual spectra."""

Predict = Callable[[Sample], Float[np.ndarray, "nx ny nz"]]


@dataclass(frozen=True)
class Topology:
    """Network and, for crystals, critical points of one field."""

    network: Network
    points: CriticalPoints | None

    @classmethod
    def of(cls, elf: Float[np.ndarray, "nx ny nz"], sample: Sample) -> "Topology":
        """Of an ELF on the grid of a sample."""
        field = on_threshold_grid(GridField(np.asarray(elf, float), sample.structure.cell))
        points = critical_points(field, persistence=CANDIDATE_PERSISTENCE) if is_crystal(sample) else None
        return cls(hydrogen_network(field, sample.structure.positions), points)


@dataclass(frozen=True)
class LabelTopology:
    """A label and its topology, which is worked out once for all predictors."""

    sample: Sample
    topology: Topology

    @classmethod
    def of(cls, sample: Sample) -> "LabelTopology":
        """Of a label."""
        return cls(sample, Topology.of(sample.elf, sample))


@dataclass(frozen=True)
class Evaluation:
    """One prediction beside the computed field."""

    truth: LabelTopology
    predicted: Float[np.ndarray, "nx ny nz"]
    topology: Topology

    def errors(self, name: str) -> float:
        """|predicted - computed| of a threshold: phi_1d, phi_2d, phi_3d or phi_star."""
        found, true = (getattr(t.network, name).value for t in (self.topology, self.truth.topology))
        return abs(found - true)

    def matching(self, candidates: float) -> Matching:
        """Critical points of a crystal above PERSISTENCE found again among those predicted above `candidates`."""
        found, true = self.topology.points, self.truth.topology.points
        assert found is not None
        assert true is not None
        cell = self.truth.sample.structure.cell
        return matching(true.above(PERSISTENCE), found.above(candidates), cell, SAME_POINT)


def is_crystal(sample: Sample) -> bool:
    """Crystals, displaced crystals and stretched bonds have no temperature."""
    return not np.isfinite(sample.kelvin)


def judgements(truths: Iterable[LabelTopology], predict: Predict) -> Iterator[Evaluation]:
    """Every prediction beside its label."""
    for truth in truths:
        predicted = np.asarray(predict(truth.sample), np.float32)
        yield Evaluation(truth, predicted, Topology.of(predicted, truth.sample))


def evaluation(judged: Sequence[Evaluation]) -> dict[str, Any]:
    """The accuracy of a predictor, altogether (over the fluid, if there is any) and by state: what `jovium elf
    evaluate --json` prints."""
    fluid = [j for j in judged if not is_crystal(j.truth.sample)]
    crystals = [j for j in judged if is_crystal(j.truth.sample)]
    return {
        **_summary(fluid or crystals),
        "by_state": [
            {"group": group, **_state(members[0].truth.sample), **_summary(members)}
            for group, members in sorted(_by_state(fluid).items())
        ],
        "crystals": [
            {"group": j.truth.sample.group, "split": j.truth.sample.split, **_summary([j]), **_events(j)}
            for j in crystals
        ],
        "all_crystals": {**_summary(crystals), **_all_points(crystals)} if crystals else None,
    }


def draw(judged: Mapping[str, Sequence[Evaluation]], folder: Path) -> list[Path]:
    """Figures of several predictors on the same fluid labels, the first the one that matters: parity by state, phi,
    residuals. Returns their paths; none without fluid."""
    fluid = {name: [j for j in found if not is_crystal(j.truth.sample)] for name, found in judged.items()}
    if not any(fluid.values()):
        return []
    folder = existing_folder(folder)
    paths = [folder / name for name in ("parity.png", "phi.png", "residuals.png")]
    draw_parity(_parity(next(iter(fluid.values()))), paths[0])
    draw_phi([_phi(name, j) for name in list(fluid)[:2] for j in fluid[name]], paths[1])
    draw_residuals([r for name in list(fluid)[:4] for r in _residuals(name, fluid[name])], paths[2])
    return paths


def _by_state(judged: Sequence[Evaluation]) -> dict[str, list[Evaluation]]:
    """Members of every trajectory, at falling rs."""
    found: dict[str, list[Evaluation]] = defaultdict(list)
    for j in sorted(judged, key=lambda j: (-j.truth.sample.structure.rs, j.truth.sample.group)):
        found[j.truth.sample.group].append(j)
    return found


def _parity(judged: Sequence[Evaluation]) -> list[tuple[str, np.ndarray, np.ndarray]]:
    return [
        (
            _title(members[0].truth.sample),
            np.concatenate([j.predicted.ravel() for j in members]),
            np.concatenate([j.truth.sample.elf.ravel() for j in members]),
        )
        for members in _by_state(judged).values()
    ]


def _phi(model: str, j: Evaluation) -> Phi:
    found, true = j.topology.network.phi_3d.value, j.truth.topology.network.phi_3d.value
    return Phi(model, _title(j.truth.sample), found, true)


def _residuals(model: str, judged: Sequence[Evaluation]) -> Iterator[Residual]:
    for members in _by_state(judged).values():
        sample = members[0].truth.sample
        pairs = [(j.predicted - j.truth.sample.elf, j.truth.sample.structure.cell) for j in members]
        power = np.mean([spectrum(field, cell, WAVE_EDGES).power for field, cell in pairs], axis=0)
        each = [correlation(field, cell) for field, cell in pairs]
        r = min((c.r for c in each), key=lambda r: r[-1])
        mean = Correlation(r, np.mean([np.interp(r, c.r, c.value) for c in each], axis=0))
        rmse = float(np.sqrt(np.mean([np.mean(field**2) for field, _ in pairs])))
        pressure = float(np.mean([j.truth.sample.pressure for j in members])) * PRESSURE_GPA
        yield Residual(model, _title(sample), pressure, rmse, WAVE_EDGES, power, mean.r, mean.value, mean.length)


def _title(sample: Sample) -> str:
    return f"rs {sample.structure.rs:.3g}, {sample.kelvin:g} K, N {sample.structure.n_atoms}"


def band_coverage(model: ElfModel, samples: Sequence[Sample]) -> float:
    """The share of the grid points whose error lies inside the model's band."""
    inside, points = 0, 0
    for sample in samples:
        found = model.predict(sample.structure, sample.shape)
        inside += int(np.count_nonzero(np.abs(found.elf.values - sample.elf) <= found.band.values))
        points += sample.elf.size
    return inside / points


def network_predictor(model: ElfModel) -> Predict:
    """The field of a model on the grid of a label."""
    return lambda sample: model.predict(sample.structure, sample.shape).elf.values


def baselines(local: ElfModel | None, training: Sequence[Sample]) -> dict[str, Predict]:
    """What a network has to beat, by name: the local model, with the long waves of its residual taken from the answer
    (the most such a correction can do) and predicted from the structure, a linear model, superposed atoms."""
    chosen = training[::TRAINING_SHARE]
    found: dict[str, Predict] = {}
    if local is not None:
        predict = network_predictor(local)
        found["local model"] = predict
        found["local + long waves of the answer"] = _with_long_waves_of_the_answer(predict)
        found["local + predicted long waves"] = _with_predicted_long_waves(predict, local.recipe.n_widths, chosen)
    found["linear model"] = fitted_linear_model(chosen)
    found["superposed atoms"] = fitted_superposed_atoms(chosen)
    return found


def _with_long_waves_of_the_answer(predict: Predict) -> Predict:
    def corrected(sample: Sample) -> Float[np.ndarray, "nx ny nz"]:
        local = predict(sample)
        return _elf(local + filtered(sample.elf - local, sample.structure.cell, LONGEST_OF_SHORT_WAVES))

    return corrected


def _with_predicted_long_waves(predict: Predict, n_widths: int, training: Sequence[Sample]) -> Predict:
    def channels(sample: Sample, local: Float[np.ndarray, "nx ny nz"]) -> Float[np.ndarray, "c nx ny nz"]:
        fields = np.asarray(grid_invariants(sample.atoms, sample.shape, n_widths))
        return np.concatenate([np.ones_like(local)[None], local[None], fields])

    def examples() -> Iterator[tuple[np.ndarray, np.ndarray, Any]]:
        for sample in training:
            local = predict(sample)
            yield channels(sample, local), sample.elf - local, sample.structure.cell

    correction = fitted_long_waves(examples(), LONGEST_OF_SHORT_WAVES)

    def corrected(sample: Sample) -> Float[np.ndarray, "nx ny nz"]:
        local = predict(sample)
        return _elf(local + correction(channels(sample, local), sample.structure.cell))

    return corrected


def _elf(values: Float[np.ndarray, "nx ny nz"]) -> Float[np.ndarray, "nx ny nz"]:
    return np.clip(values, 0.0, 1.0)


def _state(sample: Sample) -> dict[str, float]:
    return {"rs": round(sample.structure.rs, 4), "kelvin": sample.kelvin}


def _summary(judged: Sequence[Evaluation]) -> dict[str, Any]:
    found = accuracy((j.predicted, j.truth.sample.elf) for j in judged)
    return {
        **asdict(found),
        "phi": _threshold_errors([j.errors("phi_3d") for j in judged]),
        "phi_star": _threshold_errors([j.errors("phi_star") for j in judged]),
    }


def _events(j: Evaluation) -> dict[str, Any]:
    errors = {name: j.errors(name) for name in ("phi_1d", "phi_2d", "phi_3d")}
    return {"events": errors, "critical_points": asdict(j.matching(PERSISTENCE))}


def _all_points(judged: Sequence[Evaluation]) -> dict[str, Any]:
    shares = []
    for candidates in (PERSISTENCE, CANDIDATE_PERSISTENCE):
        found = [j.matching(candidates) for j in judged]
        shares.append(sum(m.matched for m in found) / sum(m.expected for m in found))
    return {"critical_points_matched": shares[0], "critical_points_matched_among_candidates": shares[1]}


def _threshold_errors(errors: Sequence[float]) -> dict[str, float]:
    return {
        "median_abs_error": float(np.median(errors)),
        "max_abs_error": float(np.max(errors)),
        "within_0.025": float(np.mean(np.array(errors) <= 0.025)),
    }
