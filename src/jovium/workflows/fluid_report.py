"""One page about a fluid: the free energy a run measured, and the ELF of its configurations."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jovium.base.errors import InputError
from jovium.base.files import existing_folder, write_lines
from jovium.elf.model import shipped_model
from jovium.free_energy.finite_size import is_test_case, size_notes
from jovium.free_energy.measurement import sample
from jovium.free_energy.settings import FreeEnergySettings
from jovium.free_energy.training import load_run
from jovium.observe.pair_correlation import pair_correlation
from jovium.report.fluid_page import Bonding, FluidReport, fluid_page
from jovium.training.run_folder import broken_metrics, read_measurement, read_metrics
from jovium.workflows.thresholds import phi_and_phi_star

PAGE = "page.html"

N_PAIR_SAMPLES = 2000
"""Configurations in the average of g(r): they cost little, an ELF a tenth of a second."""

SPACING = 0.2
"""Distance of the points of the ELF grid, bohr."""


def report_run(
    folder: Path,
    n_samples: int = 40,
    seed: int = 1,
    progress: Callable[[Iterable[Any]], Iterator[Any]] = iter,
    out: Path | None = None,
) -> FluidReport:
    """Predict the ELF of so many independent configurations of a measured run, and write page.html into `out` (None:
    the run folder). Raises InputError for fewer than two configurations or a run that was not measured."""
    if n_samples < 2:
        raise InputError(f"{n_samples} samples", "two or more", "take 40")
    measured = read_measurement(folder, FreeEnergySettings)
    settings, state = load_run(folder)
    if measured["step"] != int(state.step):
        got = f"{folder}: measured after {measured['step']} steps, and trained to {int(state.step)} since"
        raise InputError(got, "a measurement of the run as it is", f"jovium free-energy measure {folder}")
    structures, _ = sample(settings, state, max(n_samples, N_PAIR_SAMPLES), seed, measured["accept_fraction_requested"])
    model, rows = shipped_model(), []
    for structure in progress(structures[:n_samples]):
        predicted = model.predict(structure, structure.cell.grid_shape(SPACING))
        rows.append((*phi_and_phi_star(predicted.elf, structure.positions), predicted))
    phi, phi_star = (np.array([row[i] for row in rows]) for i in range(2))
    reasons = {reason for row in rows for reason in row[2].warnings}
    warnings = (*sorted(reasons), *broken_metrics(folder))
    bonding = Bonding(phi, phi_star, structures[0], rows[0][2].elf, warnings)
    correlation = pair_correlation(structures, 25)
    report = FluidReport(
        measured, read_metrics(folder), correlation, bonding, size_notes(measured), is_test_case(measured)
    )
    write_lines(existing_folder(out or folder) / PAGE, [fluid_page(report)])
    return report
