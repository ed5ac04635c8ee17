"""Pseudopotentials of the elements: norm-conserving, in the analytic form of Goedecker, Teter and Hutter (GTH).

    V_loc(r) = -Z/r erf(r / (sqrt 2 r_loc)) + exp(-x^2/2) [C1 + C2 x^2 + C3 x^4 + C4 x^6],  x = r/r_loc
    V_nl     = sum_l sum_ij |p_i^l Y_lm> h_ij^l <p_j^l Y_lm|
    p_i^l(r) = sqrt 2 r^(l+2i-2) exp(-r^2 / 2 r_l^2) / (r_l^(l+(4i-1)/2) sqrt Gamma(l+(4i-1)/2)),  int r^2 p^2 dr = 1

Hartwigsen, Goedecker and Hutter, Phys. Rev. B 58, 3641 (1998), eqs. 1 to 4; the form and hydrogen in LDA: Goedecker,
Teter and Hutter, Phys. Rev. B 54, 1703 (1996); parameters for PBE: Krack, Theor. Chem. Acc. 114, 145 (2005), as they
come with PySCF. Hydrogen has no projectors: its potential is the same for every l.
"""

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.special import erf, gamma

from jovium.base.errors import EngineMissing, InputError, StructureError
from jovium.base.structure import ISOTOPE_MASSES, Structure

TABLES = {"PBE": "GTH-PBE", "LDA": "GTH-PADE"}
"""Names of the tables of parameters by functional."""


@dataclass(frozen=True)
class Channel:
    """The projectors of one angular momentum l: their radius r_l (bohr) and coefficients h_ij (hartree)."""

    l: int
    radius: float
    coefficients: tuple[tuple[float, ...], ...]

    def projector(self, i: int, r: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """p_i(r) for i = 0, 1, ..., bohr^(-3/2), normalised."""
        power = self.l + (4 * (i + 1) - 1) / 2
        norm = np.sqrt(2 / gamma(power)) / self.radius**power
        return norm * r ** (self.l + 2 * i) * np.exp(-((r / self.radius) ** 2) / 2)


@dataclass(frozen=True)
class Pseudopotential:
    """Parameters of one element. charge: the valence electrons, semicore included; configuration: how many of them have
    angular momentum 0, 1, ... in the free atom; r_loc (bohr) and C1, C2, ... (hartree) of the local part."""

    element: str
    name: str
    configuration: tuple[int, ...]
    r_loc: float
    local: tuple[float, ...]
    channels: tuple[Channel, ...] = ()

    @property
    def charge(self) -> int:
        """Number of valence electrons."""
        return sum(self.configuration)

    @property
    def smallest_radius(self) -> float:
        """The smallest length in the potential (bohr), which sets the cutoff it needs."""
        return min([self.r_loc, *(channel.radius for channel in self.channels)])

    def __call__(self, r: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """V_loc(r) in hartree; at r = 0 the finite limit -Z sqrt(2/pi)/r_loc + C1."""
        r = np.asarray(r, dtype=float)
        x = r / self.r_loc
        # erf(x / sqrt 2) / r tends to sqrt(2/pi) / r_loc: below 1e-8 bohr the limit is exact in double precision.
        near = r < 1e-8
        long_range = np.where(near, np.sqrt(2 / np.pi) / self.r_loc, erf(x / np.sqrt(2)) / np.where(near, 1.0, r))
        polynomial = sum(c * x ** (2 * i) for i, c in enumerate(self.local))
        return -self.charge * long_range + np.exp(-(x**2) / 2) * polynomial


def pseudopotential(element: str, functional: str = "PBE") -> Pseudopotential:
    """The pseudopotential of an element made for a functional; of several that with the most electrons in the valence,
    because a compressed atom moves its semicore. D and T are hydrogen. Raises InputError for a functional without a
    table, StructureError for an element that is not in it, EngineMissing without the table."""
    known = _table(table_name(functional))
    element = "H" if element in ISOTOPE_MASSES else element
    if element not in known:
        raise StructureError(
            f"{element}: no pseudopotential in {table_name(functional)}",
            f"one of its {len(known)} elements: {' '.join(known)}",
            "compute the ELF with a code that has one, and give the field (cube, ELFCAR, XSF)",
        )
    return known[element]


def table_name(functional: str) -> str:
    """The name of the table made for a functional. Raises InputError when there is none."""
    if functional not in TABLES:
        raise InputError(f"functional {functional!r}", " or ".join(TABLES), "choose one of them")
    return TABLES[functional]


def pseudopotentials(structure: Structure, functional: str) -> dict[str, Pseudopotential]:
    """The pseudopotential of every element of a structure, in the order of its atoms. Raises as `pseudopotential`."""
    elements = dict.fromkeys("H" if symbol in ISOTOPE_MASSES else symbol for symbol in structure.symbols)
    return {element: pseudopotential(element, functional) for element in elements}


def potential_names(structure: Structure | None, functional: str) -> str:
    """The potentials of a calculation for files and reports: "H GTH-PBE-q1, La GTH-PBE-q11" of a compound, "GTH-PBE-q1"
    of hydrogen alone, which None stands for. Raises as `pseudopotential`."""
    if structure is None or structure.is_pure_hydrogen:
        return f"{table_name(functional)}-q1"
    potentials = pseudopotentials(structure, functional)
    return ", ".join(f"{element} {potentials[element].name}" for element in sorted(potentials))


def valence_electrons(structure: Structure, functional: str) -> int:
    """Number of electrons that a calculation holds. Raises as `pseudopotential`."""
    return sum(pseudopotential(symbol, functional).charge for symbol in structure.symbols)


@cache
def _table(name: str) -> dict[str, Pseudopotential]:
    """Every element of a table, of several entries of an element that with the most electrons."""
    found = find_spec("pyscf")
    if found is None or found.origin is None:
        raise EngineMissing("no PySCF, which holds the pseudopotentials", "the package pyscf", "pip install pyscf")
    text = (Path(found.origin).parent / "pbc" / "gto" / "pseudo" / f"{name.lower()}.dat").read_text()
    entries: dict[str, Pseudopotential] = {}
    for block in text.split("#PSEUDOPOTENTIAL\n")[1:]:
        entry = _entry(block)
        if entry.element not in entries or entry.charge > entries[entry.element].charge:
            entries[entry.element] = entry
    return entries


def _entry(block: str) -> Pseudopotential:
    """An entry of the table: names, electrons per l, r_loc and its coefficients, then per l a radius and the upper
    triangle of h."""
    lines = [line.split() for line in block.splitlines() if line.strip() and not line.startswith("#")]
    element, name = lines[0][:2]
    r_loc, n_local, *local = lines[2]
    channels, row = [], 4
    for l in range(int(lines[3][0])):
        radius, size, first = float(lines[row][0]), int(lines[row][1]), lines[row][2:]
        upper = [first, *lines[row + 1 : row + size]]
        h = np.zeros((size, size))
        for i in range(size):
            h[i, i:] = h[i:, i] = [float(word) for word in upper[i]]
        channels.append(Channel(l, radius, tuple(map(tuple, h.tolist()))))
        row += max(size, 1)
    return Pseudopotential(
        element,
        name,
        tuple(map(int, lines[1])),
        float(r_loc),
        tuple(map(float, local[: int(n_local)])),
        tuple(channels),
    )
