"""The data card of a data set: what every trajectory and every crystal holds, as tables and figures."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from jovium.base.files import existing_folder, write_lines
from jovium.base.statistics import Estimate, mean_with_error
from jovium.base.units import PRESSURE_GPA, hartree_to_kelvin
from jovium.labels.fluid_frames import PlannedRun, read_plan, read_trajectories
from jovium.labels.reading import read_labels
from jovium.labels.record import require_hydrogen_label
from jovium.observe.pair_correlation import pair_correlation
from jovium.reference.trajectory import Trajectory
from jovium.report.data_figures import LabelPoint, StateCorrelation, draw_pair_correlations, draw_pairs, draw_pressures
from jovium.workflows.thresholds import thresholds


@dataclass(frozen=True)
class StateCard:
    """One trajectory and the numbers of its labels, by step, atomic units; `read_label_points` reads them. What comes
    from labels is None without at least two of them."""

    run: PlannedRun
    fluid: Trajectory
    points: list[LabelPoint]

    def mean(self, name: str) -> Estimate | None:
        """Mean of one of the numbers of the labels; the pressure is that of the label protocol, with ideal gas."""
        return _mean([getattr(point, name) for point in self.points])

    def correction(self) -> Estimate | None:
        """Pressure of the label protocol minus that of the force protocol, on the same frames."""
        return _mean([p.pressure - self.fluid.pressure[i] for p, i in self._paired()])

    def work(self) -> Float[np.ndarray, "n"]:
        """(F of the labels - F of the forces) / kT frame by frame: its standard deviation says how far the ensemble of
        the forces is from that of the labels."""
        fluid = self.fluid
        return np.array([(p.free_energy - fluid.energy[i]) * p.n_atoms / fluid.kT for p, i in self._paired()])

    def ensemble(self) -> Estimate | None:
        """What `work` does to the pressure in first order: not contained in the pressure of the labels. Needs four."""
        paired = self._paired()
        return first_order(np.array([p.pressure for p, _ in paired]), self.work()) if len(paired) > 3 else None

    def _paired(self) -> list[tuple[LabelPoint, int]]:
        """Labels of frames of the trajectory, with the numbers of the frames."""
        row = {step: i for i, step in enumerate(self.fluid.steps.tolist())}
        return [(p, row[p.step]) for p in self.points if p.step in row]


def read_label_points(path: Path) -> list[LabelPoint]:
    """The numbers of every label at a path that `jovium.labels.reading.read_labels` reads: pressure (with the ideal-gas
    part where there is a temperature), energies and network. Raises StructureError for a label of a compound."""
    points = []
    for label in read_labels(path):
        require_hydrogen_label(label)
        structure, n_atoms = label.structure, label.structure.n_atoms
        phi, phi_star = thresholds(label.elf, structure.positions)
        points.append(
            LabelPoint(
                group=label.group,
                split=label.split,
                step=label.step,
                n_atoms=n_atoms,
                rs=structure.rs,
                kelvin=label.temperature_kelvin,
                pressure=label.pressure,
                energy=label.energy / n_atoms,
                free_energy=label.free_energy / n_atoms,
                shortest_distance=structure.shortest_distance(),
                mean_elf=label.elf.mean(),
                phi=phi,
                phi_star=phi_star,
            )
        )
    return points


def _mean(values: list[float]) -> Estimate | None:
    return mean_with_error(np.array(values)) if len(values) > 1 else None


def first_order(observable: Float[np.ndarray, "n"], work: Float[np.ndarray, "n"]) -> Estimate:
    """Change of a mean when the potential energy changes by `work` (in kT), to first order: -cov(observable, work). The
    error is that of a mean of independent products. Zwanzig, J. Chem. Phys. 22, 1420 (1954), expanded."""
    n = len(work)
    products = -(observable - observable.mean()) * (work - work.mean()) * n / (n - 1)
    return Estimate(float(products.mean()), float(products.std(ddof=1) / np.sqrt(n)), float(n))


def write_data_card(plan: Path, folder: Path, labels: list[Path], out: Path) -> list[Path]:
    """Write tables and figures of the data set into the folder `out`; the files written. states.md: the trajectories
    and the crystals. pair_correlation.png, pressure.png, pairs.png: what their names say. Raises what reading the plan,
    the trajectories and the labels raises."""
    pairs = read_trajectories(read_plan(plan), folder)
    points = [point for path in labels for point in read_label_points(path)]
    groups: dict[str, list[LabelPoint]] = defaultdict(list)
    for point in points:
        groups[point.group].append(point)
    cards, correlations = [], []
    for run, fluid in pairs:
        cards.append(StateCard(run, fluid, sorted(groups.pop(run.name, []), key=lambda point: point.step)))
        g = pair_correlation(fluid.structures[fluid.start :], n_bins=40)
        correlations.append(StateCorrelation(run.rs, run.kelvin, run.n_atoms, g))
    existing_folder(out)
    files = [out / name for name in ("states.md", "pair_correlation.png", "pressure.png", "pairs.png")]
    write_lines(files[0], [line + "\n" for line in tables(cards, groups)])
    draw_pair_correlations(correlations, files[1])
    pressures = [(card.run, card.mean("pressure")) for card in cards]
    draw_pressures([(run.rs, run.kelvin, pressure) for run, pressure in pressures if pressure is not None], files[2])
    draw_pairs(points, files[3])
    return files


def tables(cards: list[StateCard], others: dict[str, list[LabelPoint]]) -> Iterator[str]:
    """The Markdown tables of a data card."""
    yield (
        "| trajectory | split | frames | equilibrium from | labels | P (GPa) | P - P(forces) (GPa) | std of dF/kT "
        "| ensemble dP (GPa) | T (K) | E (Ha/atom) | phi | spread of phi | phi* |"
    )
    yield "|" + "---|" * 14
    for card in cards:
        run, fluid = card.run, card.fluid
        cells = [run.name, run.split, len(fluid.steps), fluid.start, len(card.points)]
        cells += [_figure(card.mean("pressure"), PRESSURE_GPA, 1), _figure(card.correction(), PRESSURE_GPA, 1)]
        cells += [_spread(card.work(), 1), _figure(card.ensemble(), PRESSURE_GPA, 1)]
        cells += [_figure(fluid.mean(fluid.kinetic_temperature), hartree_to_kelvin(1.0), 0)]
        cells += [_figure(card.mean("energy"), 1.0, 4), _figure(card.mean("phi"), 1.0, 3)]
        cells += [_spread([point.phi for point in card.points], 3), _figure(card.mean("phi_star"), 1.0, 3)]
        yield "| " + " | ".join(map(str, cells)) + " |"
    yield ""
    counts = [len(card.points) for card in cards]
    yield f"{sum(counts)} labels of {np.count_nonzero(counts)} of {len(cards)} trajectories."
    if others:
        yield ""
        yield "| other structures | split | labels | N | rs (bohr) | static P (GPa) | phi | phi* |"
        yield "|" + "---|" * 8
        for group, points in sorted(others.items()):
            for p in points:
                values = f"{p.n_atoms} | {p.rs:.3f} | {p.pressure * PRESSURE_GPA:.1f} | {p.phi:.3f} | {p.phi_star:.3f}"
                yield f"| {group} | {p.split} | {len(points)} | {values} |"


def _figure(estimate: Estimate | None, unit: float, digits: int) -> str:
    return "-" if estimate is None else f"{estimate.value * unit:.{digits}f} +- {estimate.error * unit:.{digits}f}"


def _spread(values: Sequence[float] | Float[np.ndarray, "n"], digits: int) -> str:
    return f"{np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else "-"
