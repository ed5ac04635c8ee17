"""Published and exact figures of states that a measurement may stand beside."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

XIE = "Xie, Li, Wang, Zhang and Wang, Phys. Rev. Lett. 131, 126501 (2023)"


@dataclass(frozen=True)
class Published:
    """Figures of one source at rs (bohr) and T (K): by their names in measure.json a value and an error, None where it
    states none. n_atoms, n_twists: of the cell, None for an infinite system."""

    source: str
    rs: float
    kelvin: float
    n_atoms: int | None
    n_twists: int | None
    figures: dict[str, tuple[float, float | None]]

    @property
    def name(self) -> str:
        """The source, and the cell it speaks of."""
        twists = "one twist" if self.n_twists == 1 else f"{self.n_twists} twists"
        return f"{self.source}; N = {self.n_atoms}, {twists}" if self.n_atoms else self.source


QUADRATURE = "exact for this wave function, quadrature over the vector between two protons (benchmarks/two_atoms.py)"

PUBLISHED = (
    Published(
        f"published flow and network, {XIE}", 1.25, 6000.0, 16, 64,
        {"F_Ha_per_atom": (-0.58478, None), "E_Ha_per_atom": (-0.46827, 3e-5), "S_kB_per_atom": (6.132, 1e-3),
         "P_GPa": (489.5, 0.1)},
    ),
    Published(
        f"coupled electron-ion Monte Carlo, infinite system, as quoted by {XIE}", 1.25, 6000.0, None, None,
        {"F_Ha_per_atom": (-0.5737, None), "E_Ha_per_atom": (-0.4549, None), "S_kB_per_atom": (6.25, None),
         "P_GPa": (553.0, None)},
    ),
    Published(
        QUADRATURE, 1.25, 6000.0, 2, 1,
        {"F_Ha_per_atom": (-1.40402, 3.8e-4), "E_Ha_per_atom": (-1.29179, 6.5e-4), "S_kB_per_atom": (5.907, 0.040),
         "P_GPa": (-1407.2, 1.6)},
    ),
    Published(
        QUADRATURE, 1.25, 6000.0, 2, 8,
        {"F_Ha_per_atom": (-0.84783, 1.8e-4), "E_Ha_per_atom": (-0.73108, 2.2e-4), "S_kB_per_atom": (6.145, 0.015),
         "P_GPa": (-8.1, 0.5)},
    ),
)  # fmt: skip


def published_beside(measured: dict[str, Any]) -> list[Published]:
    """What is known of the state of a measurement (the record in measure.json): of the same cell, or, beside eight
    atoms and more, of an infinite system."""
    return [
        entry
        for entry in PUBLISHED
        if (entry.rs, entry.kelvin, measured["isotope"]) == (measured["rs_bohr"], measured["T_K"], "H")
        and (
            (entry.n_atoms, entry.n_twists) == (measured["n_atoms"], measured["n_twists"])
            or (entry.n_atoms is None and measured["n_atoms"] >= 8)
        )
    ]


def show_figure(figure: tuple[float, float | None] | None) -> str:
    """A published value, with its error to the digits that its source states; a dash where there is none."""
    if figure is None:
        return "-"
    value, error = figure
    if error is None:
        return f"{value:g}"
    digits = max(0, -int(Decimal(str(error)).as_tuple().exponent))
    return f"{value:.{digits}f} +- {error:.{digits}f}"


def published_lines(measured: dict[str, Any]) -> list[str]:
    """Published figures as lines to print below a measurement."""
    lines = []
    for entry in published_beside(measured):
        lines.append(f"beside: {entry.name}")
        lines += [f"  {name:26s} {show_figure(figure)}" for name, figure in entry.figures.items()]
    return lines
