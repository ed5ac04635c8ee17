"""Systems of protons and electrons: a file of positions, or a short name like h2:1.4, chain:10:1.8, bcc:16:1.31."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from jovium.base.box import Box
from jovium.base.cell import Cell
from jovium.base.errors import InputError, reason
from jovium.base.units import BOHR_ANGSTROM

STRUCTURE_NAMES = """h (an atom); h2:R (a molecule of length R bohr); chain:N:R, ring:N:R (N atoms R bohr apart in open
space); square:R; bcc:N:RS, sc:N:RS, fcc:N:RS (N atoms on a lattice); gas:N:RS (electrons in a uniform background)"""

OPEN_REACH = 10.0
"""Distance (bohr) beyond which electrons in open space do not enter the features of each other."""


@dataclass(frozen=True)
class ElectronSystem:
    """A box, protons (bohr) in it, and electrons of both spins; the cell as it was given, None in open space."""

    box: Box
    cell: Cell | None
    protons: Float[np.ndarray, "m 3"]
    n_up: int
    n_down: int


def electron_system(text: str, unpaired: int | None = None) -> ElectronSystem:
    """The system of a file or a name. unpaired: electrons of spin up without a partner, as few as possible when None.
    Raises InputError for a text that is neither, atoms that are no hydrogen, or a spin that cannot be."""
    cell, protons, n = _read_system(Path(text)) if Path(text).is_file() else _named_system(text)
    box = Box.open(3, OPEN_REACH) if cell is None else Box.periodic(cell, 0.0)
    if not np.isfinite(protons).all():
        raise InputError(f"{text}: positions that are not finite", "numbers", "check the file")
    if len(protons) > 1:
        first, second = np.triu_indices(len(protons), 1)
        vectors = protons[first] - protons[second]
        if cell is not None:
            vectors = cell.minimum_image(vectors)
        shortest = np.linalg.norm(vectors, axis=1).min()
        if shortest < 0.2:
            raise InputError(f"{text}: two protons {shortest:.3g} bohr apart", "0.2 bohr or more", "check positions")
    unpaired = n % 2 if unpaired is None else unpaired
    if not 0 <= unpaired <= n or (n - unpaired) % 2:
        raise InputError(f"{unpaired} unpaired of {n} electrons", "as even or odd as their number", "leave it out")
    return ElectronSystem(box, cell, protons, (n + unpaired) // 2, (n - unpaired) // 2)


def _named_system(text: str) -> tuple[Cell | None, np.ndarray, int]:
    name, *values = text.split(":")
    try:
        numbers = [float(value) for value in values]
        match name, numbers:
            case "h", []:
                return _open_system(np.zeros((1, 3)))
            case "h2", [length]:
                return _open_system(np.array([[0, 0, -length / 2], [0, 0, length / 2]]))
            case "chain", [n, length]:
                return _open_system(np.outer((np.arange(_particle_number(n)) - (n - 1) / 2) * length, [0, 0, 1.0]))
            case "ring", [n, length]:
                angles = 2 * np.pi * np.arange(_particle_number(n)) / n
                radius = length / (2 * np.sin(np.pi / n))
                return _open_system(radius * np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1))
            case "square", [length]:
                return _open_system(length / 2 * np.array([[1, 1, 0], [-1, 1, 0], [-1, -1, 0], [1, -1, 0.0]]))
            case (("bcc" | "sc" | "fcc"), [n, rs]):
                from jovium.crystals import cubic_lattice_sites

                cell = _cube(_particle_number(n), rs)
                return cell, cubic_lattice_sites(name, int(n), cell), int(n)
            case "gas", [n, rs]:
                return _cube(_particle_number(n), rs), np.zeros((0, 3)), int(n)
    except ValueError as error:
        raise InputError(f"'{text}': {reason(error)}", STRUCTURE_NAMES, "check the numbers") from error
    raise InputError(f"'{text}' is no system", f"a file, or {STRUCTURE_NAMES}", "for example h2:1.4")


def _read_system(path: Path) -> tuple[Cell | None, np.ndarray, int]:
    import ase.io

    try:
        atoms = ase.io.read(path)
    except Exception as error:  # ASE raises whatever its readers raise
        raise InputError(
            f"{path} cannot be read: {reason(error)}", "positions in a format of ASE", "check the file"
        ) from error
    assert not isinstance(atoms, list)
    symbols = set(atoms.get_chemical_symbols())
    if symbols != {"H"}:
        raise InputError(f"{path} holds {', '.join(sorted(symbols)) or 'nothing'}", "hydrogen", "remove other atoms")
    positions = atoms.positions / BOHR_ANGSTROM
    if not atoms.pbc.any():
        return _open_system(positions)
    if not atoms.pbc.all():
        raise InputError(f"{path} is periodic in some directions", "in all three or in none", "set pbc in the file")
    return Cell(np.asarray(atoms.cell) / BOHR_ANGSTROM), positions, len(atoms)


def _open_system(protons: Float[np.ndarray, "m 3"]) -> tuple[Cell | None, np.ndarray, int]:
    return None, protons, len(protons)


def _particle_number(n: float) -> int:
    if n != int(n) or n < 1:
        raise ValueError(f"{n} is no number of particles")
    return int(n)


def _cube(n: int, rs: float) -> Cell:
    if not rs > 0:
        raise ValueError(f"rs = {rs} bohr")
    return Cell.cubic(n, rs)
