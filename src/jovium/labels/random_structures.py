"""Random structures of hydrogen as searches and screens meet them: input of labels.

A family is a kind of structure and a seed; it lies in one split. Wigner-Seitz radii are uniform between 1.1 and 2.1
bohr (slabs: whatever the gap makes of them). A seed, a window of densities, a cell size and some space groups are kept
apart: sealed families, which serve one final test.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from jovium.base.cell import Cell
from jovium.base.errors import FormatError, InputError, StructureError
from jovium.base.files import write_lines
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM
from jovium.formats.sites import Site, structure_of_sites
from jovium.labels.prototypes import LATTICES, NETS, PHASES
from jovium.reference.trajectory import frame_lines

RADII = 1.1, 2.1
"""Wigner-Seitz radii, bohr."""

LARGEST_CELL = 24
"""Atoms of a cell at most."""

SHORTEST = 1.15
"""Distance (bohr) below which two protons of a random structure are drawn again: 0.61 angstrom."""

LARGEST_VOID = 4.2
"""Radius (bohr) of the largest sphere without a proton. Farther from all protons the ELF of a label is noise: the
density is 1e-4 and less, and thermal electrons and the cutoff decide (`docs/elf_model.md`)."""

SEALED_WINDOW = 1.50, 1.58
"""Wigner-Seitz radii of the family `window`; no other family draws them."""

SEALED_SIZE = 14
"""Atoms of the cells of the family `size`; no other family draws it."""

SEALED_GROUPS = 36, 61, 63, 136, 167, 205, 225
"""Space groups of the family `groups`; no other family draws them."""

SPLITS = {1: "train", 2: "train", 3: "train", 4: "train", 5: "train", 6: "train", 7: "validation", 8: "test-random"}
"""Split of the families of each seed."""

SEALED_SEED = 9
"""Seed of the sealed families."""

PER_FAMILY = 10
"""Structures of a family."""

Draw = Callable[[np.random.Generator, "Rules"], Structure]
"""What draws a structure of a kind. It may raise an error, or give one that the rules do not allow."""


@dataclass(frozen=True)
class Rules:
    """What a family draws: for each of SEALED_WINDOW, SEALED_SIZE and SEALED_GROUPS nothing else (True) or never."""

    window: bool = False
    size: bool = False
    groups: bool = False

    def rs(self, rng: np.random.Generator, smallest: float = RADII[0], largest: float = RADII[1]) -> float:
        """A Wigner-Seitz radius (bohr)."""
        low, high = SEALED_WINDOW
        if self.window:
            return rng.uniform(low, high)
        drawn = rng.uniform(smallest, largest - (high - low))
        return drawn + (high - low if drawn > low else 0.0)

    def n_atoms(self, rng: np.random.Generator) -> int:
        """An even number of atoms of a cell."""
        if self.size:
            return SEALED_SIZE
        return int(rng.choice([n for n in range(2, LARGEST_CELL + 1, 2) if n != SEALED_SIZE]))

    def allows(self, structure: Structure) -> bool:
        """Whether the structure is within the family."""
        low, high = SEALED_WINDOW
        n = structure.n_atoms
        return (
            n <= LARGEST_CELL
            and (n == SEALED_SIZE) == self.size
            and (low < structure.rs < high) == self.window
            and structure.shortest_distance() >= SHORTEST
            and structure.largest_void() <= LARGEST_VOID
        )


def random_frames(seed: int) -> Iterator[tuple[Structure, dict[str, object]]]:
    """The structures of all families of a seed with split, group and number. Always the same. Raises InputError for a
    seed without a split."""
    if seed not in (*SPLITS, SEALED_SEED):
        raise InputError(f"seed {seed}", f"one of {', '.join(map(str, (*SPLITS, SEALED_SEED)))}", "choose one of them")
    split = SPLITS.get(seed, "sealed-seed")
    for kind in KINDS:
        yield from _family(f"{kind}-{seed}", split, kind, seed, Rules())
    if seed == SEALED_SEED:
        yield from _family("phases-groups", "sealed-groups", "phases", seed, Rules(groups=True))
        for kind in ("free", "molecular", "mixed"):
            yield from _family(f"{kind}-window", "sealed-window", kind, seed, Rules(window=True))
            yield from _family(f"{kind}-size", "sealed-size", kind, seed, Rules(size=True))
        yield from _family("symmetric-groups", "sealed-groups", "symmetric", seed, Rules(groups=True))


def write_random_frames(path: Path, seed: int) -> int:
    """Write the families of a seed as one extended-XYZ file, the input of their labels; the number of structures."""
    frames = list(random_frames(seed))
    write_lines(path, [line for structure, facts in frames for line in frame_lines(structure, facts)])
    return len(frames)


def _family(
    group: str, split: str, kind: str, seed: int, rules: Rules
) -> Iterator[tuple[Structure, dict[str, object]]]:
    for number in range(PER_FAMILY):
        rng = np.random.default_rng([seed, number, *group.encode()])
        yield random_structure(kind, rng, rules), {"split": split, "group": group, "step": number}


def random_structure(kind: str, rng: np.random.Generator, rules: Rules | None = None) -> Structure:
    """A random structure of a kind, a key of KINDS; drawn until one keeps its atoms apart."""
    rules = rules or Rules()
    while True:
        try:
            structure = KINDS[kind](rng, rules)
        except (InputError, StructureError, FormatError):  # atoms of two sites meet, a cell does not fit its group
            continue
        if rules.allows(structure):
            return structure


def free(rng: np.random.Generator, rules: Rules) -> Structure:
    """Atoms anywhere in a cell of any shape, some distance apart."""
    n = rules.n_atoms(rng)
    cell = _triclinic(rng, n, rules.rs(rng))
    return _hydrogens(cell, _scattered(rng, cell, n, int(rng.integers(2, 30))))


def symmetric(rng: np.random.Generator, rules: Rules) -> Structure:
    """One to three sites of a random space group, special ones among them."""
    known = [number for number in range(3, 231) if number not in SEALED_GROUPS]
    group = int(rng.choice(SEALED_GROUPS if rules.groups else known))
    lengths, angles = np.exp(rng.normal(scale=0.3, size=3)), rng.uniform(65, 115, size=3)
    if group >= 75:
        lengths[1] = lengths[0]
    if group >= 195:
        lengths[2] = lengths[0]
    sites: list[Site] = [("H", *_coordinates(rng)) for _ in range(rng.integers(1, 4))]
    # Sites of a cell so large that no two meet; then at the density drawn.
    return structure_of_sites(group, [*(30 * lengths), *_angles(group, angles[1])], sites).at_rs(rules.rs(rng))


def molecular(rng: np.random.Generator, rules: Rules) -> Structure:
    """Molecules, parallel or not."""
    n, rs = rules.n_atoms(rng) // 2, rules.rs(rng, 1.3)
    cell = _triclinic(rng, 2 * n, rs)
    return _hydrogens(cell, _with_molecules(rng, _scattered(rng, cell, n, 40), n))


def mixed(rng: np.random.Generator, rules: Rules) -> Structure:
    """Molecules and single atoms."""
    n, rs = rules.n_atoms(rng), rules.rs(rng, 1.2)
    molecules = int(rng.integers(0, n // 2)) + 1
    cell = _triclinic(rng, n, rs)
    return _hydrogens(cell, _with_molecules(rng, _scattered(rng, cell, n - molecules, 40), molecules))


def chains(rng: np.random.Generator, rules: Rules) -> Structure:
    """Parallel chains, straight or zigzag, with equal or alternating distances."""
    per_chain, n_chains = int(rng.choice([1, 2, 4])), int(rng.choice([1, 2, 3]))
    spacing, rs = rng.uniform(1.5, 2.6), rules.rs(rng)
    height = per_chain * spacing
    area = 4 * np.pi / 3 * rs**3 * per_chain * n_chains / height
    ratio, angle = np.exp(rng.normal(scale=0.25)), np.radians(rng.uniform(60, 90))
    a = np.sqrt(area * ratio / np.sin(angle))
    b = area / (a * np.sin(angle))
    cell = Cell(np.array([[a, 0, 0], [b * np.cos(angle), b * np.sin(angle), 0], [0, 0, height]]))
    return _hydrogens(cell, np.concatenate([_chain(rng, cell, per_chain) for _ in range(n_chains)]))


def layers(rng: np.random.Generator, rules: Rules) -> Structure:
    """Planar or buckled nets on top of each other."""
    vectors, motif = NETS[str(rng.choice(list(NETS)))]
    edge, n_layers = rng.uniform(1.6, 2.5), int(rng.choice([1, 2, 3]))
    plane = edge * np.array(vectors)
    height = 4 * np.pi / 3 * rules.rs(rng) ** 3 * len(motif) / abs(np.linalg.det(plane))
    shift = np.append(rng.random(2) @ plane, 0.0) * rng.integers(0, 2)
    rows = [np.pad(plane[0], (0, 1)), np.pad(plane[1], (0, 1)), np.array([0, 0, n_layers * height]) + shift]
    buckling = rng.choice([0.0, 0.3]) * rng.normal(size=(n_layers, len(motif)))
    places = [
        np.column_stack([(np.array(motif) + rng.random(2) * rng.integers(0, 2)) @ plane, i * height + buckling[i]])
        for i in range(n_layers)
    ]
    return _hydrogens(Cell(np.array(rows)), np.concatenate(places))


def lattices(rng: np.random.Generator, rules: Rules) -> Structure:
    """A simple lattice or framework, strained, its atoms displaced in a small supercell or not at all."""
    group, cell, sites = LATTICES[str(rng.choice(list(LATTICES)))]
    perfect = structure_of_sites(group, [30.0 * x for x in cell], [("H", *site) for site in sites])
    multiples = [int(m) for m in rng.choice([1, 1, 2], size=3)]
    repeated = perfect.supercell((multiples[0], multiples[1], multiples[2])).at_rs(rules.rs(rng))
    strain = rng.choice([0.0, 0.04, 0.12]) * rng.normal(size=(3, 3))
    deformation = np.eye(3) + (strain + strain.T) / 2
    moved = rng.choice([0.0, 0.05, 0.15]) * rng.normal(size=repeated.positions.shape)
    return _hydrogens(Cell(repeated.cell.vectors @ deformation), repeated.positions @ deformation + moved)


def slabs(rng: np.random.Generator, rules: Rules) -> Structure:
    """Some layers of a bulk structure and vacuum above them."""
    bulk = random_structure(str(rng.choice(["lattices", "molecular", "layers"])), rng)
    gap = rng.uniform(1.0, 8.0)
    vectors = bulk.cell.vectors.copy()
    normal = np.cross(vectors[0], vectors[1])
    vectors[2] += gap * normal / np.linalg.norm(normal)
    return _hydrogens(Cell(vectors), bulk.positions)


def phases(rng: np.random.Generator, rules: Rules) -> Structure:
    """A phase of PHASES or one of its space group: cell, middles and tilts of the molecules drawn."""
    names = [name for name, phase in PHASES.items() if (phase.number in SEALED_GROUPS) == rules.groups]
    phase = PHASES[str(rng.choice(names))]
    lengths = np.array(phase.lengths) * np.exp(rng.normal(scale=0.08, size=len(phase.lengths)))
    lengths = np.array([lengths[phase.lengths.index(length)] for length in phase.lengths])
    bond, rs = rng.uniform(1.40, 1.60), rules.rs(rng, 1.2, 1.75)
    middles = [[rng.random() if x == "x" else float(x) for x in molecule.middle] for molecule in phase.molecules]
    axes = [rng.normal(size=3) * [c == "1" for c in molecule.axis] for molecule in phase.molecules]

    def crystal(scale: float) -> Structure:
        """The crystal in a cell of these lengths (bohr) times a number."""
        cell, sites = scale * lengths * BOHR_ANGSTROM, list[Site]()
        for molecule, middle, axis in zip(phase.molecules, middles, axes, strict=True):
            half = bond / 2 * axis / np.linalg.norm(axis) / (scale * lengths)
            sites += [("H", *(middle + half))] + ([("H", *(middle - half))] if molecule.two_sites else [])
        return structure_of_sites(phase.space_group, [*cell, *_angles(phase.number, phase.beta)], sites)

    return crystal(10.0 * rs / crystal(10.0).rs)


KINDS: dict[str, Draw] = {
    "free": free,
    "symmetric": symmetric,
    "molecular": molecular,
    "mixed": mixed,
    "chains": chains,
    "layers": layers,
    "lattices": lattices,
    "phases": phases,
    "slabs": slabs,
}
"""The kinds of random structures by name."""


def _angles(group: int, beta: float) -> list[float]:
    """Angles of a conventional cell (degrees), those of the rhombohedral groups in hexagonal axes. beta: of a
    monoclinic one."""
    return [90.0, 90.0, 120.0] if 143 <= group <= 194 else [90.0, beta if group < 16 else 90.0, 90.0]


def _triclinic(rng: np.random.Generator, n: int, rs: float) -> Cell:
    from ase.geometry import cellpar_to_cell

    while True:
        angles = rng.uniform(60, 120, size=3)
        if angles.sum() < 340 and 2 * angles.max() < angles.sum() - 10:
            break
    vectors = cellpar_to_cell([*np.exp(rng.normal(scale=0.25, size=3)), *angles])
    volume = 4 * np.pi / 3 * rs**3 * n
    return Cell(vectors * (volume / abs(np.linalg.det(vectors))) ** (1 / 3))


def _scattered(rng: np.random.Generator, cell: Cell, n: int, choices: int) -> Float[np.ndarray, "n 3"]:
    """Places in a cell, each the farthest from those before of some candidates."""
    places = cell.cartesian(rng.random((1, 3)))
    while len(places) < n:
        candidates = cell.cartesian(rng.random((choices, 3)))
        apart = cell.minimum_image((candidates[:, None] - places[None]).reshape(-1, 3))
        nearest = np.linalg.norm(apart, axis=1).reshape(choices, -1).min(axis=1)
        places = np.vstack([places, candidates[nearest.argmax()]])
    return places


def _with_molecules(
    rng: np.random.Generator, places: Float[np.ndarray, "n 3"], n_molecules: int
) -> Float[np.ndarray, "m 3"]:
    """The first places as the middles of molecules, the others as they are."""
    axes = rng.normal(size=(n_molecules, 3))
    if rng.integers(0, 2):
        axes = np.repeat(axes[:1], n_molecules, axis=0) + 0.1 * axes
    half = axes / np.linalg.norm(axes, axis=1, keepdims=True) * rng.uniform(1.32, 1.6) / 2
    middles = places[:n_molecules]
    return np.concatenate([middles + half, middles - half, places[n_molecules:]])


def _chain(rng: np.random.Generator, cell: Cell, n: int) -> Float[np.ndarray, "n 3"]:
    """A chain along c through a random point."""
    height = cell.vectors[2, 2]
    along = np.arange(n) + np.where(np.arange(n) % 2, rng.choice([0.0, -0.15]), 0.0)
    across = rng.choice([0.0, 0.5]) * np.where(np.arange(n) % 2, 1.0, 0.0)
    angle = rng.uniform(0, 2 * np.pi)
    places = np.column_stack([across * np.cos(angle), across * np.sin(angle), along * height / n])
    return places + cell.cartesian(rng.random(3))


def _coordinates(rng: np.random.Generator) -> Float[np.ndarray, "3"]:
    """Coordinates of a site, some of them simple fractions or equal to each other."""
    site = np.where(rng.random(3) < 0.5, rng.random(3), rng.choice([0, 0, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4], size=3))
    if rng.random() < 0.3:
        site[1] = site[0]
    if rng.random() < 0.15:
        site[2] = site[0]
    return site


def _hydrogens(cell: Cell, positions: Float[np.ndarray, "n 3"]) -> Structure:
    return Structure(cell, cell.wrap(positions), ("H",) * len(positions))
