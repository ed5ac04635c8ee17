"""Figures of a free-energy run: F, E and S during training."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from jovium.report.data_figures import canvas, save
from jovium.report.published import PUBLISHED


def draw_training(path: Path, reports: Sequence[dict[str, Any]]) -> None:
    """F and E per atom with their errors, and the entropy, against the time of the run; nothing without a report."""
    figure = training_figure(reports)
    if figure is not None:
        save(figure, path)


def curves(reports: Sequence[dict[str, Any]], names: Sequence[str]) -> list[Float[np.ndarray, "r"]]:
    """Values by name of the reports without a note; the seconds go on where a run was continued."""
    good = [report for report in reports if report["free_energy"] is not None and not report["note"]]
    columns = [np.array([report[name] for report in good], float) for name in names]
    for name, values in zip(names, columns, strict=True):
        if name == "seconds":
            for last in np.flatnonzero(np.diff(values) < 0):
                values[last + 1 :] += values[last]
    return columns


def training_figure(reports: Sequence[dict[str, Any]]) -> Any:
    """The figure of `draw_training`, None without a good report."""
    names = "seconds", "free_energy", "free_energy_error", "energy", "energy_error", "entropy"
    seconds, free, free_error, energy, energy_error, entropy = curves(reports, names)
    if not len(seconds):
        return None
    figure, (above, middle, below) = canvas(6.4, 5.4, 3, sharex=True, height_ratios=[2, 2, 1])
    for axes, values, errors, label, colour in (
        (above, free, free_error, "F (Ha per atom)", "#c44e52"),
        (middle, energy, energy_error, "E (Ha per atom)", "#4c72b0"),
    ):
        axes.errorbar(seconds, values, errors, fmt="o-", ms=3, color=colour)
        late = values[len(values) // 4 :]
        margin = 0.3 * (late.max() - late.min()) + errors[len(errors) // 4 :].max()
        axes.set(ylim=(late.min() - margin, late.max() + margin), ylabel=label)
    below.plot(seconds, entropy, "o-", ms=3, color="#333333")
    below.set(xlabel="seconds", ylabel="S ($k_B$ per atom)")
    return figure


def draw_equation_of_state(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """F, S and P over rs with their errors, a line per temperature, beside published points."""
    labels = {"F_Ha_per_atom": "F (Ha per atom)", "S_kB_per_atom": "S ($k_B$ per atom)", "P_GPa": "P (GPa)"}
    published = {"published flow, N = 16": ("*", PUBLISHED[0]), "electron-ion MC": ("D", PUBLISHED[1])}
    figure, panels = canvas(6.4, 7.2, 3, sharex=True)
    for axes, (name, label) in zip(panels, labels.items(), strict=True):
        for i, kelvin in enumerate(sorted({row["T_K"] for row in rows})):
            isotherm = sorted((row for row in rows if row["T_K"] == kelvin), key=lambda row: row["rs_bohr"])
            rs, values, errors = ([row[key] for row in isotherm] for key in ("rs_bohr", name, f"{name}_error"))
            title = f"{kelvin:g} K, N = {isotherm[0]['n_atoms']}"
            axes.errorbar(rs, values, errors, fmt="o-", ms=4, color=f"C{i}", label=title)
        for source, (marker, entry) in published.items():
            title = f"{entry.kelvin:g} K, {source}"
            axes.plot(entry.rs, entry.figures[name][0], marker, color="black", ms=7, label=title)
        axes.set_ylabel(label)
    panels[0].legend(frameon=False, fontsize=8)
    panels[-1].set_xlabel("rs (bohr)")
    save(figure, path)
