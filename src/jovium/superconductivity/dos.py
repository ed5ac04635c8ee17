"""Hydrogen fraction of the electronic density of states at the Fermi level, H_DOS.

It is 1 for pure hydrogen by definition; for a compound it is computed, given by the user or read from a file.
Fraction = (density of states projected on hydrogen) / (sum over all atoms of the projected density of states), as in
TcESTIME (https://github.com/juliacontrerasgarcia/Tcestime, src/hdos.py). Projections depend on the basis or sphere
they are made on: two codes agree to a few per cent at best.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from jovium.base.errors import FormatError, InputError
from jovium.base.structure import Structure
from jovium.superconductivity.dos_files import StateDensity, read_doscar, read_projwfc, read_table

FERMI_TOLERANCE_EV = 0.05
"""Difference of the Fermi energy that is given and that of the file above which a warning is due."""


@dataclass(frozen=True)
class HydrogenDos:
    """H_DOS (0 to 1) and where it is from: the name of a file, or how it is known; the Fermi energy (eV) on the scale
    of the file, and the total density of states there in the unit of the file, None where they are not known.
    uncertainty: of a computed one, by the choice of the orbitals; captured: the share of the states at
    the Fermi level that the orbitals of the projection hold."""

    value: float
    source: str
    fermi_energy_ev: float | None = None
    total_at_fermi: float | None = None
    uncertainty: float | None = None
    captured: float | None = None
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        fermi = "" if self.fermi_energy_ev is None else f", E_F = {self.fermi_energy_ev:.4f} eV"
        total = "" if self.total_at_fermi is None else f", total DOS there {self.total_at_fermi:.4g}"
        captured = "" if self.captured is None else f", {self.captured:.1%} of the states there captured"
        return f"{self.source}{fermi}{total}{captured}"


@dataclass(frozen=True)
class DensityOfStates:
    """Density of states of a crystal (states/eV per cell, both spins) at energies relative to the Fermi level (eV).

    hydrogen: its part on hydrogen, None when it was not projected. is_metal: whether there are states at the Fermi
    level, None when the mesh of k-points does not decide; at_fermi: how many."""

    energy_ev: Float[np.ndarray, "e"]
    total: Float[np.ndarray, "e"]
    hydrogen: Float[np.ndarray, "e"] | None
    at_fermi: float
    is_metal: bool | None

    @property
    def kind(self) -> str:
        """What it is, in words."""
        return {True: "a metal", False: "an insulator", None: "metal or not: open on this k-mesh"}[self.is_metal]


def hydrogen_dos(
    structure: Structure, value: float | None, dos_file: Path | None, fermi_energy_ev: float | None = None
) -> HydrogenDos | None:
    """H_DOS of a structure: 1 for pure hydrogen, else `value`, else read from `dos_file`, else None.

    dos_file: a text table whose first line names its columns (`# energy_eV total hydrogen` or `# energy_eV fraction`),
    the `.pdos_tot` of Quantum ESPRESSO's projwfc.x with its `.pdos_atm#` files beside it, or a VASP DOSCAR with
    LORBIT = 10 or 11. fermi_energy_ev: on the scale of the file; a DOSCAR brings its own. Raises InputError for a value
    outside [0, 1], both sources at once, or a missing Fermi energy, FormatError for a file that cannot be read or is
    not of this structure.
    """
    if value is not None and dos_file is not None:
        raise InputError("a value of H_DOS and a DOS file", "one of them", "leave one away")
    if structure.is_pure_hydrogen:
        if value is not None and abs(value - 1) > 1e-6:
            raise InputError(f"H_DOS = {value} for pure hydrogen", "1 by definition", "leave it away")
        if dos_file is not None or fermi_energy_ev is not None:
            raise InputError("a DOS file or Fermi energy for pure hydrogen", "H_DOS = 1 by definition", "leave it away")
        return HydrogenDos(1.0, "pure hydrogen, by definition")
    if value is not None:
        if not 0.0 <= value <= 1.0:  # also catches NaN
            raise InputError(f"H_DOS = {value}", "a number from 0 to 1", "check the value")
        return HydrogenDos(float(value), "given")
    if dos_file is None:
        return None
    return read_hydrogen_dos(Path(dos_file), structure, fermi_energy_ev)


def read_hydrogen_dos(path: Path, structure: Structure, fermi_energy_ev: float | None) -> HydrogenDos:
    """H_DOS from one of the files that `hydrogen_dos` describes."""
    if path.name.upper().startswith("DOSCAR"):
        states = read_doscar(path, structure)
    else:
        states = read_projwfc(path, structure) if path.name.endswith(".pdos_tot") else read_table(path)
    fermi = states.fermi_ev if fermi_energy_ev is None else fermi_energy_ev
    if fermi is None:
        raise InputError(f"{path} without a Fermi energy", "the Fermi energy in eV", "give it with --fermi")
    warnings = states.warnings
    if states.fermi_ev is not None and abs(fermi - states.fermi_ev) > FERMI_TOLERANCE_EV:
        warnings += (f"the Fermi energy {fermi:.4g} eV was given, and {path.name} says {states.fermi_ev:.4g} eV",)
    fraction, total = _at_fermi(states, fermi, path)
    return HydrogenDos(fraction, path.name, float(fermi), None if states.is_fraction else total, warnings=warnings)


def _at_fermi(states: StateDensity, fermi: float, path: Path) -> tuple[float, float]:
    """The share of hydrogen and the total density of states."""
    energy = states.energy_ev
    if np.any(np.diff(energy) <= 0):
        raise FormatError(f"{path}: energies that do not increase", "one ascending energy column", "sort the table")
    if not energy[0] <= fermi <= energy[-1]:  # also catches NaN
        raise InputError(
            f"Fermi energy {fermi} eV", f"a value between {energy[0]} and {energy[-1]} as in {path}", "check its unit"
        )
    total = float(np.interp(fermi, energy, states.total))
    if total <= 0:
        raise InputError(f"no states at the Fermi energy in {path}", "a metal", "an insulator has no H_DOS and no Tc")
    fraction = float(np.interp(fermi, energy, states.hydrogen)) / total
    if not 0.0 <= fraction <= 1.0 + 1e-6:
        raise FormatError(f"{path}: hydrogen fraction {fraction:.4g}", "0 to 1", "check the order of the columns")
    return min(fraction, 1.0), total
