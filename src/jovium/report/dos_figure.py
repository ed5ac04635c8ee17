"""The density of states around the Fermi level as a figure of the page."""

from io import StringIO

import numpy as np

from jovium.report.data_figures import canvas
from jovium.superconductivity.dos import DensityOfStates

LOWEST, HIGHEST = -12.0, 6.0


def dos_figure(states: DensityOfStates | None) -> str:
    """N(E), total and of hydrogen, as an SVG element; nothing without states."""
    if states is None:
        return ""
    import matplotlib

    figure, axes = canvas(8.0, 3.0)
    shown = (states.energy_ev >= LOWEST) & (states.energy_ev <= HIGHEST)
    energy = states.energy_ev[shown]
    axes.fill_between(energy, states.total[shown], color="#c9d3de", lw=0, label="total")
    if states.hydrogen is not None and not np.array_equal(states.hydrogen, states.total):
        axes.fill_between(energy, states.hydrogen[shown], color="#1f5fbf", lw=0, label="on hydrogen")
        axes.legend(frameon=False, loc="upper left")
    axes.axvline(0, color="#444444", lw=1, ls="--")
    axes.set(xlim=(LOWEST, max(energy[-1], 1.0)), ylim=(0, None), xlabel="E - E_F (eV)", ylabel="states / eV / cell")
    text = StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "jovium"}):
        figure.savefig(text, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    drawn = text.getvalue()
    return drawn[drawn.index("<svg") :]
