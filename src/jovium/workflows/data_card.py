"""The data card of a data set: what every trajectory and every crystal holds, as tables and figures."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from jovium.base.files import existing_folder, write_lines
from jovium.base.statistics import Estimate, mean_with_error
from jovium.base.units import PRESSURE_GPA, hartree_to_kelvin
from jovium.labels.fluid_frames import PlannedRun, Summary, read_plan, read_trajectories, summary
from jovium.labels.reading import read_labels
from jovium.labels.record import Label
from jovium.observe.pair_correlation import pair_correlation
from jovium.reference.trajectory import Trajectory
from jovium.report.data_figures import (
    LabelPoint,
    StateCorrelation,
    draw_pair_correlations,
    draw_pairs,
    draw_pressures,
)
from jovium.workflows.thresholds import thresholds


@dataclass(frozen=True)
class StateCard:
    """One trajectory and its labels, atomic units.

    pressure: at the label protocol with the ideal-gas part; correction: that minus the pressure of the force protocol,
    on the same frames; spread: standard deviation over the frames of (F of the labels - F of the forces) / kT, how far
    the ensemble of the forces is from that of the labels; ensemble: what that does to the pressure in first order,
    -cov(P, (F - F_forces) / kT), not contained in `pressure`; energy: internal energy per atom at the label protocol.
    phi, phi_star: means over labels; phi_spread: standard deviation. Everything from labels is None without at least
    two of them.
    """

    summary: Summary
    n_labels: int
    pressure: Estimate | None
    correction: Estimate | None
    spread: float | None
    ensemble: Estimate | None
    energy: Estimate | None
    phi: Estimate | None
    phi_star: Estimate | None
    phi_spread: float | None


def read_label_points(path: Path) -> list[LabelPoint]:
    """The numbers of every label at a path that `jovium.labels.reading.read_labels` reads."""
    return [label_point(label) for label in read_labels(path)]


def label_point(label: Label) -> LabelPoint:
    """Pressure (with the ideal-gas part where there is a temperature), energy and network of one label."""
    structure, kelvin = label.structure, label.temperature_kelvin
    phi, phi_star = thresholds(label.elf, structure.positions)
    return LabelPoint(
        group=label.group,
        split=label.split,
        step=label.step,
        n_atoms=structure.n_atoms,
        rs=structure.rs,
        kelvin=kelvin,
        pressure=label.pressure,
        energy=label.energy / structure.n_atoms,
        free_energy=label.free_energy / structure.n_atoms,
        shortest_distance=structure.shortest_distance(),
        mean_elf=label.elf.mean(),
        phi=phi,
        phi_star=phi_star,
    )


def state_card(run: PlannedRun, fluid: Trajectory, points: list[LabelPoint]) -> StateCard:
    """The means over one trajectory and its labels."""
    points = sorted(points, key=lambda point: point.step)
    row = {step: i for i, step in enumerate(fluid.steps.tolist())}
    paired = [(p, row[p.step]) for p in points if p.step in row]
    differences = [p.pressure - fluid.pressure[i] for p, i in paired]
    work = np.array([(p.free_energy - fluid.energy[i]) * p.n_atoms / fluid.kT for p, i in paired])
    ensemble = first_order(np.array([p.pressure for p, _ in paired]), work) if len(paired) > 3 else None

    def mean(values: Iterable[float]) -> Estimate | None:
        series = np.array(list(values))
        return mean_with_error(series) if len(series) > 1 else None

    return StateCard(
        summary(run, fluid),
        len(points),
        mean(p.pressure for p in points),
        mean(differences),
        float(work.std(ddof=1)) if len(work) > 1 else None,
        ensemble,
        mean(p.energy for p in points),
        mean(p.phi for p in points),
        mean(p.phi_star for p in points),
        float(np.std([p.phi for p in points], ddof=1)) if len(points) > 1 else None,
    )


def first_order(observable: Float[np.ndarray, "n"], work: Float[np.ndarray, "n"]) -> Estimate:
    """Change of a mean when the potential energy changes by `work` (in kT), to first order: -cov(observable, work).

    The error is that of a mean of independent products. Zwanzig, J. Chem. Phys. 22, 1420 (1954), expanded.
    """
    n = len(work)
    products = -(observable - observable.mean()) * (work - work.mean()) * n / (n - 1)
    return Estimate(float(products.mean()), float(products.std(ddof=1) / np.sqrt(n)), float(n))


def write_data_card(plan: Path, folder: Path, labels: list[Path], out: Path) -> list[Path]:
    """Write tables and figures of the data set into the folder `out`; the files written.

    states.md: the trajectories and the crystals. pair_correlation.png, pressure.png, pairs.png: what their names say.
    Raises what reading the plan, the trajectories and the labels raises.
    """
    pairs = read_trajectories(read_plan(plan), folder)
    points = [point for path in labels for point in read_label_points(path)]
    groups: dict[str, list[LabelPoint]] = defaultdict(list)
    for point in points:
        groups[point.group].append(point)
    cards = [state_card(run, fluid, groups.pop(run.name, [])) for run, fluid in pairs]
    existing_folder(out)
    files = [out / name for name in ("states.md", "pair_correlation.png", "pressure.png", "pairs.png")]
    write_lines(files[0], [line + "\n" for line in tables(cards, groups)])
    draw_pair_correlations([state_correlation(run, fluid) for run, fluid in pairs], files[1])
    draw_pressures([card_point(card) for card in cards if card.pressure is not None], files[2])
    draw_pairs(points, files[3])
    return files


def state_correlation(run: PlannedRun, fluid: Trajectory) -> StateCorrelation:
    """g(r) of the frames in equilibrium."""
    g = pair_correlation(fluid.structures[fluid.start :], n_bins=40)
    return StateCorrelation(run.rs, run.kelvin, run.n_atoms, g)


def card_point(card: StateCard) -> tuple[float, float, Estimate]:
    """rs, temperature and pressure (hartree/bohr^3) of a state."""
    assert card.pressure is not None
    return card.summary.run.rs, card.summary.run.kelvin, card.pressure


def tables(cards: list[StateCard], others: dict[str, list[LabelPoint]]) -> Iterator[str]:
    """The Markdown tables of a data card."""
    yield (
        "| trajectory | split | frames | equilibrium from | labels | P (GPa) | P - P(forces) (GPa) | std of dF/kT "
        "| ensemble dP (GPa) | T (K) | E (Ha/atom) | phi | spread of phi | phi* |"
    )
    yield "|" + "---|" * 14
    for card in cards:
        s = card.summary
        cells = [s.run.name, s.run.split, s.n_frames, s.start, card.n_labels]
        cells += [_figure(card.pressure, PRESSURE_GPA, 1), _figure(card.correction, PRESSURE_GPA, 1)]
        cells += ["-" if card.spread is None else f"{card.spread:.1f}", _figure(card.ensemble, PRESSURE_GPA, 1)]
        cells += [_figure(s.kinetic_temperature, hartree_to_kelvin(1.0), 0), _figure(card.energy, 1.0, 4)]
        cells += [_figure(card.phi, 1.0, 3)]
        cells += ["-" if card.phi_spread is None else f"{card.phi_spread:.3f}", _figure(card.phi_star, 1.0, 3)]
        yield "| " + " | ".join(map(str, cells)) + " |"
    yield ""
    labelled = sum(card.n_labels > 0 for card in cards)
    yield f"{sum(card.n_labels for card in cards)} labels of {labelled} of {len(cards)} trajectories."
    if others:
        yield ""
        yield "| other structures | split | labels | N | rs (bohr) | static P (GPa) | phi | phi* |"
        yield "|" + "---|" * 8
        for group, points in sorted(others.items()):
            for p in points:
                values = f"{p.n_atoms} | {p.rs:.3f} | {p.pressure * PRESSURE_GPA:.1f} | {p.phi:.3f} | {p.phi_star:.3f}"
                yield f"| {group} | {p.split} | {len(points)} | {values} |"


def _figure(estimate: Estimate | None, unit: float, digits: int) -> str:
    if estimate is None:
        return "-"
    return f"{estimate.value * unit:.{digits}f} +- {estimate.error * unit:.{digits}f}"
