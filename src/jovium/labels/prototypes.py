"""Nets, molecular phases and lattices of hydrogen that random structures begin with; what is free in them is drawn."""

from dataclasses import dataclass

NETS = {
    "triangular": ([[1, 0], [-0.5, 3**0.5 / 2]], [[0, 0]]),
    "square": ([[1, 0], [0, 1]], [[0, 0]]),
    "honeycomb": ([[3**0.5, 0], [-(3**0.5) / 2, 1.5]], [[1 / 3, 2 / 3], [2 / 3, 1 / 3]]),
    "kagome": ([[2, 0], [-1, 3**0.5]], [[0.5, 0], [0, 0.5], [0.5, 0.5]]),
}
"""Plane nets with edges of length 1: vectors and motif, in fractions."""


@dataclass(frozen=True)
class Molecule:
    """A molecule of a phase: its middle (x: drawn), the components that its axis may have (1), and whether its atoms
    are two sites, where no symmetry maps one onto the other."""

    middle: tuple[str | float, str | float, str | float]
    axis: str
    two_sites: bool = False


@dataclass(frozen=True)
class Phase:
    """A molecular phase: space group, with its choice of axes or origin where there are two, relative lengths of the
    conventional cell (equal ones stay equal), its molecules, angle beta."""

    space_group: int | str
    lengths: tuple[float, float, float]
    molecules: tuple[Molecule, ...]
    beta: float = 90.0

    @property
    def number(self) -> int:
        """Of the space group."""
        return int(str(self.space_group).partition(":")[0])


_CENTRE, _GENERAL = (0, 0, 0), ("x", "x", "x")
PHASES = {
    "Cmce-4": Phase(64, (1.0, 1.75, 1.55), (Molecule(_CENTRE, "011"),)),
    "Cmce-12": Phase(64, (1.0, 3.0, 2.7), (Molecule(_CENTRE, "011"), Molecule((0, "x", "x"), "011", True))),
    "P6_3/m-16": Phase(176, (1, 1, 1.6), (Molecule(_CENTRE, "001"), Molecule(("x", "x", 0.25), "110", True))),
    "P2_1/c": Phase(14, (1, 1.5, 1.5), (Molecule(_GENERAL, "111", True), Molecule(_GENERAL, "111", True)), 105.0),
    "P2_1/c-24": Phase(14, (1, 1.7, 2.3), (Molecule(_GENERAL, "111", True),) * 3, 100.0),
    "Pbcn": Phase(60, (1, 1.7, 1.6), (Molecule((0, "x", 0.25), "101"), Molecule(_GENERAL, "111", True))),
    "C2/c-24": Phase(
        15,
        (1.0, 1.7, 1.55),
        (Molecule((0, "x", 0.25), "010", True), Molecule(_GENERAL, "111", True)),
        100.0,
    ),
    "Fmmm": Phase(69, (1, 1.2, 1.4), (Molecule(_CENTRE, "001"),)),
    "I4_1/amd": Phase("141:1", (1, 1, 2.6), (Molecule(_CENTRE, "001"),)),
    "R-3m": Phase("166:H", (1, 1, 2.4), (Molecule(_CENTRE, "001"),)),
    "Pca2_1": Phase(29, (1.0, 0.6, 1.0), (Molecule(_GENERAL, "111", True),)),
    "P6_3/mmc": Phase(194, (1, 1, 1.63), (Molecule((1 / 3, 2 / 3, 0.25), "001"),)),
    "P4_2/mnm": Phase(136, (1, 1, 0.65), (Molecule(_CENTRE, "110"),)),
    "Pa-3": Phase(205, (1, 1, 1), (Molecule(_CENTRE, "111"),)),
    "Cmcm": Phase(63, (1, 1.7, 1.0), (Molecule((0, "x", 0.25), "010", True),)),
}
"""Molecular phases of Pickard and Needs, Nature Phys. 3, 473 (2007), and of Pickard et al., Phys. Rev. B 85, 214114
(2012), by space group and number of atoms, and some simple ones. What is not fixed by symmetry is drawn."""

LATTICES: dict[str, tuple[str, tuple[float, ...], list[tuple[float, float, float]]]] = {
    "sc": ("221", (1,), [(0, 0, 0)]),
    "bcc": ("229", (1,), [(0, 0, 0)]),
    "bct": ("139", (1, 0.8), [(0, 0, 0)]),
    "hcp": ("194", (1, 1.6), [(1 / 3, 2 / 3, 0.25)]),
    "simple hexagonal": ("191", (1, 1), [(0, 0, 0)]),
    "diamond": ("227:1", (1,), [(0, 0, 0)]),
    "beta-Sn": ("141:1", (1, 0.55), [(0, 0, 0)]),
    "Cs-IV": ("141:1", (1, 2.6), [(0, 0, 0)]),
    "rhombohedral": ("166:H", (1, 2.4), [(0, 0, 0.23)]),
    "A15": ("223", (1,), [(0, 0, 0), (0.25, 0, 0.5)]),
    "alpha-Ga": ("64", (1, 1.7, 1), [(0, 0.155, 0.08)]),
    "gamma": ("74", (1, 1.6, 1), [(0, 0.25, 0.12)]),
}
"""Space group, cell (relative lengths) and sites of simple lattices. Neither fcc nor Cmcm, which are sealed."""
