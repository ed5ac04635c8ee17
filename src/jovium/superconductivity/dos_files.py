"""Densities of states in files: tables with named columns, projwfc.x of Quantum ESPRESSO, the DOSCAR of VASP.

What a column means is said by its name and what an atom is by the structure; neither follows from how many there are.
"""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from jovium.base.errors import FormatError, reason
from jovium.base.structure import ISOTOPE_MASSES, Structure
from jovium.base.units import HARTREE_EV, RYDBERG_HARTREE

DOSCAR_HEADER_LINES = 6
NON_COLLINEAR = 12, 36, 64
"""Projections of an ion, of s, p, d or of all m up to d or f, where three parts of the magnetisation follow each. The
first line of a DOSCAR need not say so."""

ORBITAL_FILE = re.compile(r"\.pdos_atm#(\d+)\(([^)]+)\)_wfc#\d+\([^)]*\)$")

COLUMN_NAMES = {
    "energy": "e energy energies",
    "energy above E_F": "e_ef e_e_f e_efermi e_e_fermi energy_ef energy_e_f energy_efermi energy_fermi",
    "total": "total dos tdos total_dos dos_total dos_tot",
    "hydrogen": "h hydrogen dos_h pdos_h h_pdos dos_hydrogen pdos_hydrogen hydrogen_dos hydrogen_pdos",
    "fraction": "fraction share h_fraction hydrogen_fraction fraction_h hydrogen_share h_share",
}
"""Names that a column of a table may have, in lower case and without its unit. H_DOS is none: it is said of both."""

_HARTREE, _RYDBERG = ("ha", "hartree"), ("ry", "rydberg")
ENERGY_UNITS_EV = {
    "ev": 1.0,
    **dict.fromkeys(_HARTREE, HARTREE_EV),
    **dict.fromkeys(_RYDBERG, RYDBERG_HARTREE * HARTREE_EV),
}
OTHER_UNITS = {"states", "state", "per", "cell", "atom", "e", "1", "au", "arb", "units"}

ROUNDING = 0.01
"""Relative: projwfc.x writes three digits, so that a number is off by up to 0.005 of itself."""


@dataclass(frozen=True)
class StateDensity:
    """Densities of states on an energy axis (eV): of everything and of hydrogen, in one unit; is_fraction: they are 1
    and the share. fermi_ev: the Fermi energy of the file, None where it has none."""

    energy_ev: Float[np.ndarray, "e"]
    total: Float[np.ndarray, "e"]
    hydrogen: Float[np.ndarray, "e"]
    fermi_ev: float | None = None
    is_fraction: bool = False
    warnings: tuple[str, ...] = ()


def read_table(path: Path) -> StateDensity:
    """A text table whose last line before the numbers names its columns: energy, total and hydrogen, or energy and
    fraction, in any order, among others. Energies are in eV unless the name says Ha or Ry. Raises FormatError."""
    lines = [line.strip() for line in _lines(path)]
    first = next((i for i, line in enumerate(lines) if line and _is_number(re.split(r"[,;\s]+", line)[0])), len(lines))
    head = next((line for line in reversed(lines[:first]) if line.strip("#!%")), "").lstrip("#!% \t")
    table = _columns(lines[first:], path)
    columns = _named_columns(head, table)
    energies = [name for name in columns if name.startswith("energy")]
    if len(energies) != 1 or not ({"total", "hydrogen"} <= {*columns} or "fraction" in columns):
        raise FormatError(
            f"{path}: {table.shape[1]} columns" + (f" named '{head}'" if head else " without names"),
            "a first line that names energy, total and hydrogen, or energy and fraction, each once",
            "write '# energy_eV total hydrogen' or '# energy_eV fraction' above the numbers; of Quantum ESPRESSO give"
            " the .pdos_tot of projwfc.x, of VASP the DOSCAR",
        )
    energy, fermi = columns[energies[0]], None if energies == ["energy"] else 0.0
    if "fraction" not in columns:
        return StateDensity(energy, columns["total"], columns["hydrogen"], fermi)
    share = columns["fraction"]
    if share.min() < 0 or share.max() > 1:
        raise FormatError(
            f"{path}: fractions from {share.min():.4g} to {share.max():.4g}",
            "0 to 1",
            "name a density of states 'hydrogen', and give its 'total' too",
        )
    return StateDensity(energy, np.ones(len(energy)), share, fermi, is_fraction=True)


def _named_columns(head: str, table: np.ndarray) -> dict[str, np.ndarray]:
    """The columns whose names say once what they are, energies in eV."""
    columns: dict[str, list[np.ndarray]] = {}
    for (name, unit), column in zip(_names(head, table.shape[1]), table.T, strict=False):  # or no names
        for meaning, known in COLUMN_NAMES.items():
            if name in known.split():
                columns.setdefault(meaning, []).append(column * unit if meaning.startswith("energy") else column)
    return {meaning: same[0] for meaning, same in columns.items() if len(same) == 1}


def _names(head: str, n_columns: int) -> list[tuple[str, float]]:
    """Name of every column without its unit, and the unit in eV where it is one of energy; nothing where the names are
    not as many as the columns."""
    joined = re.sub(r"\s*[(\[]([^)\]]*)[)\]]", lambda unit: "_" + re.sub(r"\s", "", unit[1]), head)
    for separator in (r"\s*[,;\t]\s*|\s{2,}", r"[,;\s]+"):
        words = re.split(separator, joined.strip())
        if len(words) == n_columns:
            return [_without_unit(word) for word in words]
    return []


def _without_unit(name: str) -> tuple[str, float]:
    parts, unit = re.findall(r"[a-z0-9]+", name.lower()), 1.0
    while len(parts) > 1 and parts[-1] in {*ENERGY_UNITS_EV, *OTHER_UNITS}:
        unit = ENERGY_UNITS_EV.get(parts.pop(), unit)
    return "_".join(parts), unit


def read_projwfc(path: Path, structure: Structure) -> StateDensity:
    """Summed and hydrogen-projected density of states from the orbital files beside a `.pdos_tot`.

    Raises FormatError where a file is missing or too many, or the files are not of the atoms of this structure."""
    lines, prefix = _lines(path), path.name.removesuffix(".pdos_tot")
    orbitals = _orbital_files(path.parent, prefix, structure)
    table = _columns(lines, path)
    energy, names = table[:, 0], _names(lines[0].lstrip("# "), table.shape[1]) if lines else []
    projected = [i for i, (name, _) in enumerate(names) if name.startswith("pdos")]
    if not projected:
        raise FormatError(f"{path}: no column pdos(E)", "the .pdos_tot of projwfc.x", "run projwfc.x again")
    of_files = {file: _orbital_states(file, energy) for file in orbitals}
    total = np.sum(list(of_files.values()), axis=0)
    largest = np.maximum(np.sum(np.abs(list(of_files.values())), axis=0), np.abs(table[:, projected]).sum(axis=1))
    if np.any(np.abs(total - table[:, projected].sum(axis=1)) > ROUNDING * largest):
        raise FormatError(
            f"{path}: its pdos(E) is not the sum of the {len(of_files)} orbital files beside it",
            "all files of one run of projwfc.x, and no others",
            "remove the old files and run projwfc.x again",
        )
    hydrogens = {*structure.hydrogens.tolist()}
    hydrogen = np.sum([of_files[file] for file, atom in orbitals.items() if atom in hydrogens], axis=0)
    return StateDensity(energy, total, np.broadcast_to(hydrogen, energy.shape))


def _orbital_files(folder: Path, prefix: str, structure: Structure) -> dict[Path, int]:
    """The orbital files of a run, and the atom of the structure (from 0) that each is of."""
    orbitals = {}
    for file in sorted(folder.iterdir()):
        match = ORBITAL_FILE.fullmatch(file.name.removeprefix(prefix)) if file.name.startswith(prefix) else None
        if not match:
            continue
        orbitals[file] = atom = int(match[1]) - 1
        if atom < structure.n_atoms and not _is_label_of(match[2], structure.symbols[atom]):
            raise FormatError(
                f"{file}: atom {match[1]} is {match[2]}",
                f"{structure.symbols[atom]}, atom {match[1]} of the structure",
                "give the structure of this calculation, its atoms in the same order",
            )
    if not orbitals:
        do = "keep them together"
        raise FormatError(f"no {prefix}.pdos_atm# files in {folder}", "the files of projwfc.x beside .pdos_tot", do)
    wrong = {*orbitals.values()} ^ {*range(structure.n_atoms)}
    if wrong:
        raise FormatError(
            f"{prefix}.pdos_atm# files of {len({*orbitals.values()})} atoms; missing or too many: atom "
            + ", ".join(str(atom + 1) for atom in sorted(wrong)[:5]),
            f"those of the {structure.n_atoms} atoms of the structure",
            "give the structure of this calculation, and all files of projwfc.x beside each other",
        )
    return orbitals


def _is_label_of(label: str, symbol: str) -> bool:
    """Whether an atomic species of this label is of the element; letters that are no element (Ha) may follow it."""
    from ase.data import atomic_numbers

    found, expected = _element(label), _element(symbol)
    return found == expected or (found not in atomic_numbers and found.startswith(expected))


def _orbital_states(path: Path, energy: np.ndarray) -> Float[np.ndarray, "e"]:
    """Local density of states of an orbital file, both spins added."""
    lines = _lines(path)
    table = _columns(lines, path)
    n_spins = 2 if "ldosup" in lines[0] else 1
    if "ldos" not in lines[0] or re.search(r"\bik\b", lines[0]) or table.shape[1] <= n_spins:
        got = f"{path}: no column ldos(E), or k-points one by one"
        raise FormatError(got, "an orbital file of projwfc.x", "run projwfc.x again, without kresolveddos")
    if len(table) != len(energy) or np.abs(table[:, 0] - energy).max() > 1e-3:
        got = f"{path}: {len(table)} energies from {table[0, 0]} to {table[-1, 0]} eV"
        expected = f"the {len(energy)} from {energy[0]} to {energy[-1]} eV of the .pdos_tot"
        raise FormatError(got, expected, "remove the old files and run projwfc.x again")
    return table[:, 1 : 1 + n_spins].sum(axis=1)


def read_doscar(path: Path, structure: Structure) -> StateDensity:
    """Summed and hydrogen-projected density of states and Fermi energy of a DOSCAR.

    Layout (https://vasp.at/wiki/DOSCAR): six header lines, the sixth with NEDOS and E_F as third and fourth number;
    the total DOS; then per ion a copy of that line and its projections, both spins side by side. The elements of the
    ions are those of the CONTCAR, POSCAR or vasprun.xml beside it, without one those of the structure, with a warning.
    Raises FormatError for another number of ions or other elements than the structure has.
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
    if len(lines[DOSCAR_HEADER_LINES].split()) == 3 and ions[0].shape[1] - 1 in NON_COLLINEAR:
        raise FormatError(
            f"{path}: projections of a magnetisation", "collinear projections", "run VASP without LSORBIT"
        )
    if any(not np.array_equal(ion[:, 0], ions[0][:, 0]) for ion in ions):
        raise FormatError(f"{path}: ions on other energies", "one energy axis", "copy or compute it again")
    states = np.array([ion[:, 1:].sum(axis=1) for ion in ions])
    hydrogens, warnings = _hydrogens_of_vasp(path, structure)
    return StateDensity(ions[0][:, 0], states.sum(axis=0), states[hydrogens].sum(axis=0), fermi, warnings=warnings)


def _hydrogens_of_vasp(path: Path, structure: Structure) -> tuple[list[int], tuple[str, ...]]:
    """Which ions of a DOSCAR are hydrogen, and a warning where nothing beside it tells their order."""
    file, elements = _elements_beside(path.parent)
    own = [_element(symbol) for symbol in structure.symbols]
    if elements and Counter(elements) != Counter(own):
        do = "give the structure of this calculation, or its DOSCAR alone"
        raise FormatError(f"{file}: {_composition(elements)}", f"{_composition(own)} as in the structure", do)
    warning = f"no POSCAR beside {path.name}: its ions are taken to be in the order of the structure's atoms"
    hydrogens = [ion for ion, element in enumerate(elements or own) if element == "H"]
    return hydrogens, () if elements else (warning,)


def _elements_beside(folder: Path) -> tuple[Path, list[str]]:
    """The first file in a folder of VASP that tells the elements of its ions in order, and they; or none."""
    for name, labels_of in (("CONTCAR", _poscar_labels), ("POSCAR", _poscar_labels), ("vasprun.xml", _vasprun_labels)):
        path = folder / name
        if path.is_file() and (labels := labels_of(_lines(path))):
            return path, [_element(label) for label in labels]
    return folder, []


def _poscar_labels(lines: list[str]) -> list[str]:
    """Sixth and seventh line: species, and how many of each; the oldest format has no species."""
    if len(lines) < 7 or not lines[5].strip()[:1].isalpha():
        return []
    pairs = zip(lines[5].split(), lines[6].split(), strict=False)
    return [species for species, n in pairs if n.isdigit() for _ in range(int(n))]


def _vasprun_labels(lines: list[str]) -> list[str]:
    atoms = re.search(r'<array name="atoms".*?</array>', "\n".join(lines), re.S)
    return re.findall(r"<rc><c>\s*(\w+)\s*</c>", atoms[0]) if atoms else []


def _element(label: str) -> str:
    """The letters with which the label of an atomic species (H, H1, H_a, Ca_sv) begins; D and T are H here."""
    letters = re.split(r"[^A-Za-z]", label)[0].capitalize()
    return "H" if letters in ISOTOPE_MASSES else letters


def _composition(elements: list[str]) -> str:
    return " ".join(f"{element}{n}" for element, n in Counter(elements).items())


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: {reason(error)}", "a readable text file", "check the path") from error


def _columns(lines: list[str], path: Path) -> Float[np.ndarray, "energies columns"]:
    rows = [re.split(r"[,;\s]+", line.strip()) for line in lines if line.strip() and line.lstrip()[0] not in "#!%"]
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


def _is_number(word: str) -> bool:
    try:
        _number(word)
    except ValueError:
        return False
    return True
