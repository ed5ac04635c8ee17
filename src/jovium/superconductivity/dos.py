"""Hydrogen fraction of the electronic density of states at the Fermi level, H_DOS.

It is 1 for pure hydrogen by definition; for a compound it is given by the user or read from a file, never guessed.
Fraction = (density of states projected on hydrogen) / (sum over all atoms of the projected density of states), as in
TcESTIME (https://github.com/juliacontrerasgarcia/Tcestime, src/hdos.py). Projections depend on the basis or sphere
they are made on: two codes agree to a few per cent at best.
"""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float

from jovium.base.errors import FormatError, InputError, reason
from jovium.base.structure import Structure

DOSCAR_HEADER_LINES = 6
_ORBITAL_FILE = re.compile(r"\.pdos_atm#\d+\(([A-Z][a-z]?)[^)]*\)_wfc#")


def hydrogen_dos(
    structure: Structure, value: float | None, dos_file: Path | None, fermi_energy_ev: float | None = None
) -> float | None:
    """H_DOS of a structure: 1 for pure hydrogen, else `value`, else read from `dos_file`, else None.

    dos_file: a text table (energy, total, hydrogen; or energy, fraction), the `.pdos_tot` of Quantum ESPRESSO's
    projwfc.x with its `.pdos_atm#` files beside it, or a VASP DOSCAR with LORBIT = 10 or 11. fermi_energy_ev: in the
    energy unit of the file; a DOSCAR brings its own. Raises InputError for a value outside [0, 1], both sources at
    once, or a missing Fermi energy, FormatError for a file that cannot be read.
    """
    if value is not None and dos_file is not None:
        raise InputError("a value of H_DOS and a DOS file", "one of them", "leave one away")
    if structure.is_pure_hydrogen:
        if value is not None and abs(value - 1) > 1e-6:
            raise InputError(f"H_DOS = {value} for pure hydrogen", "1 by definition", "leave it away")
        if dos_file is not None or fermi_energy_ev is not None:
            raise InputError("a DOS file or Fermi energy for pure hydrogen", "H_DOS = 1 by definition", "leave it away")
        return 1.0
    if value is not None:
        if not 0.0 <= value <= 1.0:  # also catches NaN
            raise InputError(f"H_DOS = {value}", "a number from 0 to 1", "check the value")
        return float(value)
    if dos_file is None:
        return None
    return read_hydrogen_fraction(Path(dos_file), structure, fermi_energy_ev)


def read_hydrogen_fraction(path: Path, structure: Structure, fermi_energy_ev: float | None) -> float:
    """Hydrogen fraction at the Fermi level from one of the files that `hydrogen_dos` describes."""
    if path.name.upper().startswith("DOSCAR"):
        energy, total, hydrogen, own_fermi = _read_doscar(path, structure)
        fermi = own_fermi if fermi_energy_ev is None else fermi_energy_ev
    else:
        read = _read_projwfc if path.name.endswith(".pdos_tot") else _read_table
        energy, total, hydrogen = read(path)
        fermi = fermi_energy_ev
    if fermi is None:
        raise InputError(f"{path} without a Fermi energy", "the Fermi energy in eV", "give it with --fermi")
    return _fraction_at_fermi(energy, total, hydrogen, fermi, path)


def _fraction_at_fermi(energy: np.ndarray, total: np.ndarray, hydrogen: np.ndarray, fermi: float, path: Path) -> float:
    if np.any(np.diff(energy) <= 0):
        raise FormatError(f"{path}: energies that do not increase", "one ascending energy column", "sort the table")
    if not energy[0] <= fermi <= energy[-1]:  # also catches NaN
        raise InputError(
            f"Fermi energy {fermi}", f"a value between {energy[0]} and {energy[-1]} as in {path}", "check its unit"
        )
    at_fermi = float(np.interp(fermi, energy, total))
    if at_fermi <= 0:
        raise InputError(f"no states at the Fermi energy in {path}", "a metal", "an insulator has no H_DOS and no Tc")
    fraction = float(np.interp(fermi, energy, hydrogen)) / at_fermi
    if not 0.0 <= fraction <= 1.0 + 1e-6:
        raise FormatError(f"{path}: hydrogen fraction {fraction:.4g}", "0 to 1", "check the order of the columns")
    return min(fraction, 1.0)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: {reason(error)}", "a readable text file", "check the path") from error


def _columns(lines: list[str], path: Path) -> Float[np.ndarray, "energies columns"]:
    rows = [line.split() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    try:
        table = np.array([[_number(word) for word in row] for row in rows])
    except ValueError as error:
        raise FormatError(f"{path}: {reason(error)}", "rows of equally many numbers", "check the file") from error
    if table.ndim != 2 or len(table) < 2 or not np.isfinite(table).all():
        raise FormatError(f"{path}: no complete table of finite numbers", "one row per energy", "check the file")
    return table


def _number(word: str) -> float:
    # Fortran drops the E of three-digit exponents: 0.304-102.
    return float(re.sub(r"(?<=\d)([+-]\d{3})$", r"E\1", word))


def _read_table(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    table = _columns(_lines(path), path)
    if table.shape[1] == 2:
        return table[:, 0], np.ones(len(table)), table[:, 1]
    if table.shape[1] == 3:
        return table[:, 0], table[:, 1], table[:, 2]
    raise FormatError(
        f"{path}: {table.shape[1]} columns", "energy, total, hydrogen (or energy, fraction)", "keep only these columns"
    )


def _read_projwfc(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Energy, summed and hydrogen-projected density of states from the orbital files beside a `.pdos_tot`."""
    prefix = path.name.removesuffix(".pdos_tot")
    energy = _columns(_lines(path), path)[:, 0]
    total, hydrogen, n_files = np.zeros(len(energy)), np.zeros(len(energy)), 0
    for orbital in sorted(path.parent.iterdir()):
        match = _ORBITAL_FILE.match(orbital.name.removeprefix(prefix))
        if not match or not orbital.name.startswith(prefix):
            continue
        lines = _lines(orbital)
        # Local density of states, both spins added.
        states = _columns(lines, orbital)[:, 1 : 3 if "ldosup" in lines[0] else 2].sum(axis=1)
        if len(states) != len(energy):
            raise FormatError(
                f"{orbital}: {len(states)} energies", f"{len(energy)} as in {path}", "run projwfc.x again"
            )
        total += states
        hydrogen += states if match.group(1) == "H" else 0.0
        n_files += 1
    if not n_files:
        raise FormatError(f"no {prefix}.pdos_atm# files beside {path}", "the files of projwfc.x", "keep them together")
    return energy, total, hydrogen


def _read_doscar(path: Path, structure: Structure) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Energy, summed and hydrogen-projected density of states and Fermi energy of a DOSCAR.

    Layout (https://vasp.at/wiki/DOSCAR): six header lines, the sixth with NEDOS and E_F as third and fourth number;
    the total DOS; then per ion a copy of that line and its projections, both spins side by side.
    """
    lines = _lines(path)
    try:
        n_ions, collinear = int(lines[0].split()[1]), int(lines[0].split()[3]) != 4
        counts = lines[DOSCAR_HEADER_LINES - 1].split()
        n_energies, fermi = int(counts[2]), float(counts[3])
    except (IndexError, ValueError) as error:
        raise FormatError(f"{path}: header that cannot be read", "a DOSCAR", "run VASP with LORBIT = 11") from error
    blocks = (len(lines) - DOSCAR_HEADER_LINES + 1) // (n_energies + 1)
    if n_ions != structure.n_atoms or blocks < n_ions + 1 or not collinear:
        raise FormatError(
            f"{path}: {n_ions} ions, {max(blocks - 1, 0)} projected densities of states",
            f"collinear projections on {structure.n_atoms} atoms",
            "run VASP with LORBIT = 11 on this structure",
        )
    starts = DOSCAR_HEADER_LINES + (n_energies + 1) * np.arange(1, n_ions + 1)
    ions = [_columns(lines[start : start + n_energies], path) for start in starts]
    states = np.array([ion[:, 1:].sum(axis=1) for ion in ions])
    return ions[0][:, 0], states.sum(axis=0), states[structure.hydrogens].sum(axis=0), fermi
