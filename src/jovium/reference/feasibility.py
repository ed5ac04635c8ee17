"""What the plane-wave engine refuses before it starts, and how long it will take.

Its electrons are paired and its field is periodic: what is magnetic comes out wrong without a sign of it, and a box
around a molecule is computed at great cost for a number that means nothing. Pure hydrogen has its own warnings.
"""

import numpy as np

from jovium.base.errors import InputError, StructureError
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM, HARTREE_EV
from jovium.reference.espresso_input import number_of_bands, number_of_waves, uses_symmetry
from jovium.reference.kohn_sham import KohnShamSettings
from jovium.reference.levels import Levels
from jovium.reference.pseudopotential import pseudopotentials, valence_electrons
from jovium.reference.symmetry import idealised, mesh_images, space_group_operations

MOST_ELECTRONS = 150
"""Valence electrons of a cell above which somebody has to want it: beyond, minutes become hours."""

MAGNETIC_METALS = ("Cr", "Mn", "Fe", "Co", "Ni")
"""The 3d elements with magnetic order as solids (Kittel, Introduction to Solid State Physics, chapter 12); their
hydrides have it up to tens or hundreds of GPa. Lanthanides are told by the open f shell of their pseudo-atom."""

OXYGEN_MOLECULE = 1.26 / BOHR_ANGSTROM
"""Two O closer than this (bohr) are O2, of spin 1: 1.21 angstrom, ozone 1.28, superoxide 1.33, peroxide 1.49."""

WIDEST_GAP = 4.5 / BOHR_ANGSTROM
"""Radius (bohr) of the largest empty sphere of a crystal: 2.7 angstrom in solid H2, 2.9 in ice, 3.4 in caesium, 3.6 in
C60, 4.3 in a clathrate; 5 and more in zeolites, metal-organic frameworks, and with a molecule or slab in a box."""

NARROW_BAND = 1.0 / HARTREE_EV
"""Width (hartree) below which the electrons of a half-filled band stay on their atoms."""

START, PER_POINT = 0.5, 5e-7
"""Seconds of a calculation: to start, and for each k-point, plane wave and pair of bands, measured on one core."""

MOST_WAVES = 1e7
"""More plane waves do not fit into a common memory."""


def require_feasible(structure: Structure, protocol: KohnShamSettings, *, sure: bool = False) -> None:
    """Raise StructureError or InputError when a calculation would be wrong, or, unless the user is sure, when it is
    large or of something in a box. Raises as `pseudopotential` for an element without one."""
    if not structure.is_pure_hydrogen:
        if protocol.k_offset not in (0, 0.5):
            got, do = f"k_offset {protocol.k_offset} for a compound", "choose one of them"
            raise InputError(got, "0 or 0.5, which keep the symmetry of the mesh", do)
        _refuse_magnetism(structure, protocol.functional)
        if not sure:
            _refuse_vacuum(structure)
            _refuse_many_electrons(structure, protocol)
    _refuse_waves(structure, protocol)


def require_paired(structure: Structure, levels: Levels) -> None:
    """Raise StructureError when an odd electron of a compound stays on its atom: it half fills a narrow band that
    overlaps with no other, and spin would split it. A broad band is a metal."""
    width = levels.half_filled_band_width
    if width is not None and width < NARROW_BAND and not structure.is_pure_hydrogen:
        raise StructureError(
            f"{levels.n_electrons} electrons, an odd number, in an insulator: the last one half fills a band "
            f"{width * HARTREE_EV:.2f} eV wide",
            "an even number of electrons, or a metal",
            "look for a missing hydrogen, or compute the ELF with spin with another code and give the field",
        )


def magnetic_parts(structure: Structure, functional: str = "PBE") -> list[str]:
    """What may be magnetic in a structure: elements with open 3d or 4f shells, molecules of oxygen."""
    parts = [
        element
        for element, potential in pseudopotentials(structure, functional).items()
        if element in MAGNETIC_METALS or 0 < sum(potential.configuration[3:]) < 14
    ]
    oxygens = [i for i, symbol in enumerate(structure.symbols) if symbol == "O"]
    if oxygens:
        alone = Structure(structure.cell, structure.positions[oxygens], ("O",) * len(oxygens))
        parts += ["O2"] if alone.shortest_distance() < OXYGEN_MOLECULE else []
    return parts


def estimated_seconds(structure: Structure, protocol: KohnShamSettings) -> float:
    """Roughly how long the ground state takes on one core: within a factor of two for LiH, MgH2, CaH6, YH6, LaH10 and
    supercells of H3S, with 1 to 68 k-points and 7 to 97 bands."""
    bands, waves = number_of_bands(structure, protocol), number_of_waves(structure, protocol)
    return START + PER_POINT * irreducible_points(structure, protocol) * bands**2 * waves


def irreducible_points(structure: Structure, protocol: KohnShamSettings) -> int:
    """How many k-points the engine computes: those of the mesh that symmetry does not map onto each other."""
    if not uses_symmetry(structure):
        return len(protocol.k_points(structure.cell)[0])
    on_mesh, index = mesh_images(
        space_group_operations(idealised(structure))[0], protocol.mesh(structure.cell), protocol.k_offset
    )
    own = np.arange(index.shape[1])
    return len(np.unique(np.where(on_mesh, np.minimum(index, own), own).min(axis=0)))


def time_needed(structure: Structure, protocol: KohnShamSettings) -> str:
    """ ", roughly 3 minutes on one core" for who waits for a calculation of more than a minute; else nothing."""
    seconds = estimated_seconds(structure, protocol)
    return f", roughly {duration(seconds)} on one core" if seconds > 60 else ""


def duration(seconds: float) -> str:
    """A rough length of time in the unit that suits it: "40 seconds", "3 minutes", "20 hours", "4 days"."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def _refuse_magnetism(structure: Structure, functional: str) -> None:
    parts = magnetic_parts(structure, functional)
    if parts:
        raise StructureError(
            f"{', '.join(parts)}, which may be magnetic: the engine pairs all spins",
            f"no O2 and none of {', '.join(MAGNETIC_METALS)} and Ce to Tm, whose d or f shells are open",
            "compute the ELF with spin with another code, and give the field (cube, ELFCAR, XSF)",
        )


def _refuse_vacuum(structure: Structure) -> None:
    gap = structure.largest_void()
    if gap > WIDEST_GAP:
        raise StructureError(
            f"an empty sphere of radius {gap * BOHR_ANGSTROM:.1f} angstrom between the atoms",
            f"a crystal, with none above {WIDEST_GAP * BOHR_ANGSTROM:.1f} angstrom: no molecule or slab in a box",
            "check the unit of the cell; if it is a porous crystal, compute it with --yes (sure=True in Python)",
        )


def _refuse_many_electrons(structure: Structure, protocol: KohnShamSettings) -> None:
    electrons = valence_electrons(structure, protocol.functional)
    if electrons > MOST_ELECTRONS:
        raise InputError(
            f"{electrons} valence electrons: roughly {duration(estimated_seconds(structure, protocol))} on one core",
            f"at most {MOST_ELECTRONS}, unless you are sure",
            "give the primitive cell if this is none, or compute it with --yes (sure=True in Python)",
        )


def _refuse_waves(structure: Structure, protocol: KohnShamSettings) -> None:
    waves, bands = number_of_waves(structure, protocol), number_of_bands(structure, protocol)
    if waves > MOST_WAVES:
        raise InputError(
            f"a cell of {structure.cell.volume:.3g} bohr^3 at {protocol.cutoff:g} hartree: {waves:.1e} plane waves",
            f"at most {MOST_WAVES:.0e}",
            "check the units of the cell, take less vacuum or a lower cutoff",
        )
    is_hot = bands > valence_electrons(structure, protocol.functional) / 2 + 5  # else they are as few as can be
    if bands > 0.5 * waves:
        raise InputError(
            f"{bands} bands for {waves:.0f} plane waves",
            "at least twice as many plane waves as bands",
            "raise the cutoff, or give a structure of more atoms"
            + (" or a lower electronic temperature" if is_hot else ""),
        )
