"""The numerical protocol of a first-principles calculation: everything its result depends on besides the atoms."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.base.localization import DENSITY_FLOOR
from jovium.base.structure import Structure
from jovium.base.twists import monkhorst_pack
from jovium.base.units import hartree_to_kelvin, kelvin_to_hartree
from jovium.reference.pseudopotential import potential_names, table_name


@dataclass(frozen=True)
class KohnShamSettings:
    """Settings of one Kohn-Sham calculation, in atomic units.

    functional: "PBE" or "LDA" (Perdew-Wang 1992).
    cutoff: kinetic-energy cutoff of the plane waves, hartree.
    k_spacing: the mesh has ceil(|b_i| / k_spacing) points along each reciprocal vector b_i (1/bohr); or else
    k_mesh: the three numbers of k-points themselves. Exactly one of the two is given.
    k_offset: the points are k_i = (m + k_offset)/n_i: 0 is Gamma-centred, 1/2 the shifted Monkhorst-Pack mesh, and
    1/4 with a single point the mean-value point of a cubic cell (Baldereschi, Phys. Rev. B 7, 5212 (1973)).
    electronic_kT: k_B T of the Fermi-Dirac occupations (Mermin functional), hartree.
    scf_threshold: estimated error of the energy per atom at which the self-consistent field stops, hartree.
    window: the ELF is made from orbitals whose plane-wave coefficients are multiplied by exp(-window x^2), with
    x = |k+G|^2 / (2 cutoff). The hydrogen pseudopotential is hard; a sharp cutoff of its tail makes the kinetic-energy
    density ring through the whole cell, and with it phi (by 0.03 at 30 hartree). The window keeps that error at the
    nucleus, where it is harmless; it tends to 1 as the cutoff grows, so the limit is the same. 0 switches it off.
    density_floor: density (1/bohr^3) below which the ELF is defined as 0.
    Raises InputError for a value no calculation can be made with."""

    functional: str = "PBE"
    cutoff: float = 40.0
    k_spacing: float | None = 0.28
    k_mesh: tuple[int, int, int] | None = None
    k_offset: float = 0.5
    electronic_kT: float = kelvin_to_hartree(3000.0)
    scf_threshold: float = 1e-7
    window: float = 2.0
    density_floor: float = DENSITY_FLOOR

    def __post_init__(self):
        table_name(self.functional)
        if (self.k_spacing is None) == (self.k_mesh is None):
            got = f"k_spacing {self.k_spacing} and k_mesh {self.k_mesh}"
            raise InputError(got, "exactly one of the two", "set the other to None")
        if self.k_mesh is not None and (len(self.k_mesh) != 3 or min(self.k_mesh) < 1):
            raise InputError(f"k_mesh {self.k_mesh}", "three integers >= 1", "e.g. (4, 4, 4)")
        if not 0 <= self.k_offset < 1:
            raise InputError(f"k_offset {self.k_offset}", "a number in [0, 1)", "0 or 0.5 are the usual choices")
        if not (np.isfinite(self.window) and self.window >= 0):
            raise InputError(f"window {self.window}", "a number >= 0", "2 is the tested choice, 0 switches it off")
        for name in ("cutoff", "electronic_kT", "scf_threshold", "k_spacing"):
            value = getattr(self, name)
            if value is not None and not (np.isfinite(value) and value > 0):
                do = "see jovium.reference.kohn_sham.KohnShamSettings"
                raise InputError(f"{name} {value}", "a positive number", do)

    def mesh(self, cell: Cell) -> tuple[int, int, int]:
        """Numbers of k-points along the three reciprocal vectors of a cell."""
        if self.k_mesh is not None:
            return self.k_mesh
        assert self.k_spacing is not None
        n = [max(1, int(np.ceil(length / self.k_spacing - 1e-9))) for length in np.linalg.norm(cell.reciprocal, axis=1)]
        return n[0], n[1], n[2]

    def k_points(self, cell: Cell) -> tuple[Float[np.ndarray, "k 3"], Float[np.ndarray, "k"]]:
        """Fractional k-points of the mesh and their weights (sum 1), one of each time-reversed pair k, -k."""
        mesh = np.array(self.mesh(cell))
        points = monkhorst_pack(self.mesh(cell), self.k_offset)
        points -= np.ceil(points - 0.5)
        multiplicity = np.ones(len(points))
        if (2 * self.k_offset) % 1 == 0:  # with every k the mesh holds -k, at these steps:
            steps = np.indices(self.mesh(cell)).reshape(3, -1).T
            partner = (-steps - int(2 * self.k_offset)) % mesh
            index, partner_index = (np.ravel_multi_index(tuple(m.T), tuple(mesh)) for m in (steps, partner))
            multiplicity = np.where(index == partner_index, 1.0, np.where(index < partner_index, 2.0, 0.0))
        kept = multiplicity > 0
        return points[kept], multiplicity[kept] / len(points)

    def for_cell(self, cell: Cell) -> "KohnShamSettings":
        """The same protocol with the k-mesh of this cell written out."""
        return replace(self, k_mesh=self.mesh(cell), k_spacing=None)

    def to_dict(self, structure: Structure | None = None) -> dict[str, object]:
        """Plain values with units in their keys, for files and reports; of k_mesh and k_spacing the one that is set.
        structure: whose potentials are named; without one that of hydrogen."""
        mesh = {"k_mesh": list(self.k_mesh)} if self.k_mesh else {"k_spacing_per_bohr": self.k_spacing}
        return {
            "functional": self.functional,
            "pseudopotential": potential_names(structure, self.functional),
            "cutoff_hartree": self.cutoff,
            **mesh,
            "k_offset": self.k_offset,
            "occupations": "Fermi-Dirac",
            "electronic_temperature_kelvin": round(hartree_to_kelvin(self.electronic_kT), 6),
            "scf_threshold_hartree_per_atom": self.scf_threshold,
            "elf_orbital_window": self.window,
            "density_floor_per_bohr3": self.density_floor,
        }


PRODUCTION = KohnShamSettings()
"""The protocol of every published number and label; docs/reference_protocol.md measures its uncertainty of phi."""

CHEAP = KohnShamSettings(cutoff=20.0, k_spacing=0.5, scf_threshold=1e-8)
"""For tests and first looks: seconds where PRODUCTION takes a minute."""

COMPARISON = replace(PRODUCTION, k_spacing=None, k_mesh=(2, 2, 2))
"""Of a compound by two codes: Gaussians know no symmetry and need hours on the mesh of PRODUCTION. The number of points
is even, as PySCF wants it for an odd number of electrons."""

PROTOCOLS = {"production": PRODUCTION, "cheap": CHEAP}
