"""What speaks against a field being an ELF: what its title says, its integral, its largest value.

An electron density may lie between 0 and 1 by accident; it adds up to the electrons of the cell, and at hydrogen atoms,
where an ELF comes near 1, it is about 0.4 electrons per cubic bohr.
"""

import re
from itertools import product

import numpy as np

from jovium.base.grid import GridField
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM

ELF_TOLERANCE = 1e-3
"""How far outside [0, 1] an ELF may lie: pp.x and VASP print five digits, interpolation overshoots a little more."""

ELECTRON_TOLERANCE = 0.01
"""Relative difference between an integral and a number of electrons that are taken for the same."""

LEAST_PEAK = 0.7
"""ELF that a hydrogen atom has at least: 0.90 in the structures of `data/labels`, from rs = 1.15 to 2."""

CORES = (2, 10, 12, 18, 28, 30, 36, 46, 48, 54, 60, 68, 78)
"""Electrons that pseudopotentials leave out."""

MOST_VALENCE = 18
"""Electrons of the atom that a pseudopotential keeps at most."""

_ELF = re.compile(r"\bELF(CAR)?\b|electron locali[sz]ation", re.IGNORECASE)
_OTHER = re.compile(
    r"(?:electron\w*|charge|spin|valence|scf|pseudo|magneti[sz]ation|deformation|difference|kinetic energy)[ -]*"
    r"densit(?:y|ies)\b(?! (?:wave|functional))"
    r"|(?:(?:^|3D)\s*(?:density|rho)|\btotal[ -]*density)\b(?![ =:]*\d)"
    r"|(?:(?:^|3D)\s*|(?:local|total|bare|hartree|coulomb|ionic|effective|kohn[ -]sham|xc|correlation)[ -]+)"
    r"potential\b(?! energy)"
    r"|e\s*/\s*(?:bohr|ang|a\.?u)|electrostatic|local density of states|reduced density gradient"
    r"|\b(?:LOCPOT|CHG|CHGCAR|PARCHG|I?LDOS|RDG|LOL|ELI|laplacian)\b|\bwave ?function|\borbital\b(?![ -]free)",
    re.IGNORECASE | re.MULTILINE,
)
"""A title may be that of the run: a density with a number is one of mass, and potentials are learned."""


def other_quantity(titles: tuple[str, ...]) -> str | None:
    """The words of titles that name a quantity other than the ELF; None without such, or when the ELF is named too."""
    text = "\n".join(titles).replace("_", " ")
    match = _OTHER.search(text)
    return match.group(0).strip() if match and not _ELF.search(text) else None


def adds_up_to_electrons(integral: float, structure: Structure) -> int | None:
    """The number of electrons of the atoms, all or without those of usual cores, that an integral is within 1 %."""
    numbers = structure.to_ase().numbers
    species = [(int(z), int(np.count_nonzero(numbers == z))) for z in np.unique(numbers)]
    kept = [[z, *(z - core for core in CORES if 0 < z - core <= MOST_VALENCE)] for z, _ in species]
    totals = {sum(n * count for n, (_, count) in zip(choice, species, strict=True)) for choice in product(*kept)}
    nearest = min(totals, key=lambda total: abs(total - integral))
    return nearest if abs(nearest - integral) <= ELECTRON_TOLERANCE * nearest else None


def density_signs(field: GridField, structure: Structure) -> tuple[str, ...]:
    """Sentences about the values that fit an electron density or a potential and not an ELF."""
    signs = []
    like_elf = LEAST_PEAK <= field.values.max() <= 1 + ELF_TOLERANCE  # not so with electrons per cubic angstrom
    for unit, factor in (("bohr", 1.0), ("angstrom", BOHR_ANGSTROM**3))[: 1 if like_elf else 2]:
        electrons = adds_up_to_electrons(field.integral() * factor, structure)
        if electrons:
            signs.append(f"its integral over the cell is {electrons}, a number of electrons, per cubic {unit}")
    if field.values.min() < -ELF_TOLERANCE:
        signs.append("it has negative values, as a potential or a spin density")
    elif field.values.max() < LEAST_PEAK:
        signs.append(f"no value reaches {LEAST_PEAK}, while an ELF comes near 1 at hydrogen atoms")
    return tuple(signs)


def stray_hydrogens(field: GridField, structure: Structure) -> tuple[str, ...]:
    """A sentence about hydrogen atoms where an ELF is too low for any: they are not where the field has them."""
    atoms = structure.positions[structure.hydrogens]
    points = np.rint(field.cell.fractional(atoms) * field.shape).astype(int) % field.shape
    low = np.count_nonzero(field.values[tuple(points.T)] < LEAST_PEAK)
    if not low or field.values.max() < LEAST_PEAK:
        return ()
    return (
        f"the ELF is below {LEAST_PEAK} at {low} of {len(atoms)} hydrogen atoms, where it comes near 1: the atoms do "
        "not belong to the grid (another origin or unit, or the grid is a part of a larger system)",
    )
