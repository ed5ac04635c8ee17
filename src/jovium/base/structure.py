"""Atoms in a periodic cell."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from jovium.base.cell import Cell
from jovium.base.errors import StructureError
from jovium.base.units import BOHR_ANGSTROM, HYDROGEN_DENSITY

if TYPE_CHECKING:
    from ase import Atoms
    from scipy.spatial import KDTree

MAX_ATOMS_IN_PAIRS = 200
"""Above this number of atoms distances come from a tree of neighbours instead of all pairs."""

ISOTOPE_MASSES = {"D": 2.01410177811, "T": 3.01604927790}
"""Atomic masses of the heavy isotopes of hydrogen in unified mass units (Wang et al., Chin. Phys. C 41, 030003)."""


@dataclass(frozen=True)
class Structure:
    """Positions (n, 3) in bohr and chemical symbols of n atoms in a cell.

    Raises StructureError for no atoms, a position that is not finite, or a number of symbols that differs from n.
    """

    cell: Cell
    positions: Float[np.ndarray, "n 3"]
    symbols: tuple[str, ...]

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
        positions.setflags(write=False)
        object.__setattr__(self, "positions", positions)
        object.__setattr__(self, "symbols", tuple(self.symbols))

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
        return float(self._with_images().query(grid @ self.cell.reduced)[0].max())

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
