"""Atoms in a periodic cell."""

import re
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from jovium.base.cell import Cell
from jovium.base.errors import FormatError, StructureError
from jovium.base.units import BOHR_ANGSTROM, HYDROGEN_DENSITY

if TYPE_CHECKING:
    from ase import Atoms
    from scipy.spatial import KDTree

MAX_ATOMS_IN_PAIRS = 200
"""Above this number of atoms distances come from a tree of neighbours instead of all pairs."""

ISOTOPE_MASSES = {"D": 2.01410177811, "T": 3.01604927790}
"""Atomic masses of the heavy isotopes of hydrogen in unified mass units (Wang et al., Chin. Phys. C 41, 030003)."""

NOT_PERIODIC = "not marked as periodic along every lattice vector: taken as periodic"

_LABEL = re.compile(r"([A-Za-z]{1,2})(?:[\d_+/(*'-].*)?")
"""The letters before a digit, `_`, `-`, ...: H1, H_a, Fe2+, and H_GW/0af1 of VASP."""


def element(label: str) -> str:
    """The element that the label of an atom names (H1, H_a, la, Fe2+), or its atomic number; D and T stay themselves.

    Raises FormatError for a label that names none.
    """
    match, symbols = _LABEL.fullmatch(label), _symbols()
    symbol = match.group(1).capitalize() if match else ""
    if label.isdecimal() and 0 < int(label) <= len(symbols) - len(ISOTOPE_MASSES):
        symbol = symbols[int(label) - 1]
    if symbol not in symbols:
        raise FormatError(
            f"an atom with the label '{label}'",
            "an element, D or T, perhaps with a digit, _ or - and more behind it: H, H1, H_a",
            "name the element of every atom",
        )
    return symbol


@cache
def _symbols() -> list[str]:
    from ase.data import chemical_symbols

    return [*chemical_symbols[1:], *ISOTOPE_MASSES]


@dataclass(frozen=True)
class Structure:
    """Positions (n, 3) in bohr and chemical symbols of n atoms in a cell.

    notes: what a user should know of how it was read, one sentence each.
    Raises StructureError for no atoms, a position that is not finite, symbols that are no elements (D and T are
    hydrogen), or a number of symbols that differs from n.
    """

    cell: Cell
    positions: Float[np.ndarray, "n 3"]
    symbols: tuple[str, ...]
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self):
        positions = np.array(self.positions, dtype=float)
        if positions.ndim != 2 or positions.shape[1:] != (3,) or len(positions) == 0:
            raise StructureError(f"positions of shape {positions.shape}", "(n, 3) with n >= 1", "check the file")
        bad = np.flatnonzero(~np.isfinite(positions).all(axis=1))
        if len(bad):
            raise StructureError(
                f"atom {bad[0]} at {positions[bad[0]].tolist()}", "finite coordinates", "check the file it came from"
            )
        if len(self.symbols) != len(positions):
            raise StructureError(
                f"{len(self.symbols)} symbols for {len(positions)} atoms", "one symbol per atom", "check the file"
            )
        strange = sorted(set(self.symbols) - set(_symbols()))
        if strange:
            raise StructureError(f"the symbols {', '.join(strange)}", "elements, D or T", "write them as H, He, La")
        positions.setflags(write=False)
        object.__setattr__(self, "positions", positions)
        object.__setattr__(self, "symbols", tuple(self.symbols))

    def noted(self, *notes: str) -> "Structure":
        """The same with more notes."""
        return replace(self, notes=(*self.notes, *notes))

    @classmethod
    def from_ase(cls, atoms: "Atoms") -> "Structure":
        """The structure held by an ASE Atoms object (angstrom). Raises StructureError when it has no cell."""
        if atoms.cell.rank < 3:
            raise StructureError(
                f"a structure with {atoms.cell.rank} lattice vectors",
                "a cell with three lattice vectors",
                "put the atoms in a periodic box, e.g. atoms.center(vacuum=6); atoms.pbc = True",
            )
        return cls(
            Cell(np.array(atoms.cell) / BOHR_ANGSTROM),
            atoms.get_positions() / BOHR_ANGSTROM,
            tuple(atoms.get_chemical_symbols()),
            () if all(atoms.pbc) else (NOT_PERIODIC,),
        )

    def to_ase(self) -> "Atoms":
        """The same atoms as a fully periodic ASE Atoms object, in angstrom; D and T become H of their mass."""
        from ase import Atoms

        atoms = Atoms(
            ["H" if symbol in ISOTOPE_MASSES else symbol for symbol in self.symbols],
            positions=self.positions * BOHR_ANGSTROM,
            cell=self.cell.vectors * BOHR_ANGSTROM,
            pbc=True,
        )
        for i, symbol in enumerate(self.symbols):
            if symbol in ISOTOPE_MASSES:
                atoms[i].mass = ISOTOPE_MASSES[symbol]
        return atoms

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.positions)

    @property
    def hydrogens(self) -> Int[np.ndarray, "n_h"]:
        """Indices of the hydrogen atoms (H, D and T are one element here)."""
        return np.array([i for i, symbol in enumerate(self.symbols) if symbol in ("H", "D", "T")], dtype=int)

    @property
    def is_pure_hydrogen(self) -> bool:
        """True when every atom is hydrogen."""
        return len(self.hydrogens) == self.n_atoms

    @property
    def formula(self) -> str:
        """Reduced chemical formula, metals first: LaH10, H3S, H. D and T count as H."""
        return self.to_ase().get_chemical_formula("metal", empirical=True)

    @property
    def rs(self) -> float:
        """Wigner-Seitz radius of the atoms, (3 V / (4 pi n))^(1/3), in bohr."""
        return float((3 * self.cell.volume / (4 * np.pi * self.n_atoms)) ** (1 / 3))

    @property
    def hydrogen_density_g_cc(self) -> float:
        """Mass density in g/cm^3 if every atom were protium."""
        return self.n_atoms / self.cell.volume * HYDROGEN_DENSITY

    def shortest_distance(self) -> float:
        """Shortest distance between two atoms or an atom and its own image, in bohr."""
        own_image = float(np.linalg.norm(self.cell.reduced, axis=1).min())
        if self.n_atoms == 1:
            return own_image
        if self.n_atoms > MAX_ATOMS_IN_PAIRS:
            nearest = self._with_images().query(Cell(self.cell.reduced).wrap(self.positions), k=2)[0][:, 1]
            return float(min(own_image, nearest.min()))
        i, j = np.triu_indices(self.n_atoms, 1)
        pairs = self.cell.minimum_image(self.positions[i] - self.positions[j])
        return float(min(own_image, np.linalg.norm(pairs, axis=1).min()))

    def largest_void(self) -> float:
        """Radius (bohr) of the largest sphere without a nucleus, its centre sought on a grid of at most 32^3 points."""
        shape = np.minimum(np.ceil(np.linalg.norm(self.cell.reduced, axis=1) / 0.4), 32).astype(int)
        grid = np.stack(np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij"), -1).reshape(-1, 3)
        return float(self.nearest_atoms(grid @ self.cell.reduced)[0].max())

    def nearest_atoms(self, points: Float[np.ndarray, "p 3"]) -> tuple[Float[np.ndarray, "p"], Int[np.ndarray, "p"]]:
        """Distance (bohr) from each of `points` to the nearest atom or image, and which atom that is."""
        distances, found = self._with_images().query(Cell(self.cell.reduced).wrap(points))
        return distances, np.asarray(found) % self.n_atoms

    def neighbours(self, count: int) -> tuple[Float[np.ndarray, "n c"], Int[np.ndarray, "n c"]]:
        """Distances (bohr) from each atom to the `count` atoms or images nearest to it, and which atoms they are."""
        places = Cell(self.cell.reduced).wrap(self.positions)
        distances, found = self._with_images().query(places, k=min(count + 1, 27 * self.n_atoms))
        return distances[:, 1:], np.asarray(found)[:, 1:] % self.n_atoms  # the first is the atom itself

    def within(self, radius: float) -> list[set[int]]:
        """For each atom those, itself included, that have an image closer to it than `radius` (bohr)."""
        places = Cell(self.cell.reduced).wrap(self.positions)
        found = self._with_images().query_ball_point(places, radius)
        return [{int(i) % self.n_atoms for i in images} for images in found]

    def _with_images(self) -> "KDTree":
        """The atoms of the reduced cell and of the 26 around it, to look neighbours up."""
        from scipy.spatial import KDTree

        shifts = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3) @ self.cell.reduced
        return KDTree((Cell(self.cell.reduced).wrap(self.positions) + shifts[:, None]).reshape(-1, 3))

    def supercell(self, multiples: tuple[int, int, int]) -> "Structure":
        """The structure repeated along each lattice vector."""
        shifts = np.stack(np.meshgrid(*map(np.arange, multiples), indexing="ij"), -1).reshape(-1, 3)
        positions = self.positions[None] + self.cell.cartesian(shifts)[:, None]
        return Structure(self.cell.supercell(multiples), positions.reshape(-1, 3), self.symbols * len(shifts))

    def at_rs(self, rs: float) -> "Structure":
        """The same fractional coordinates in a cell scaled to Wigner-Seitz radius `rs` (bohr)."""
        scale = rs / self.rs
        return Structure(Cell(self.cell.vectors * scale), self.positions * scale, self.symbols)
