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

PER_FAMILY = 10

Draw = Callable[[np.random.Generator, "Rules"], Structure]


@dataclass(frozen=True)
class Rules:
    """What a family may draw: Wigner-Seitz radii of `window` alone or never, cells of SEALED_SIZE, SEALED_GROUPS."""

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
        yield drawn(kind, rng, rules), {"split": split, "group": group, "step": number}


def drawn(kind: str, rng: np.random.Generator, rules: Rules | None = None) -> Structure:
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
    free_angles = np.where([group < 3, group < 16, group < 3], angles, 90.0)
    if 143 <= group <= 194:
        free_angles = np.array([90.0, 90.0, 120.0])
    if group >= 75:
        lengths[1] = lengths[0]
    if group >= 195:
        lengths[2] = lengths[0]
    sites: list[Site] = [("H", *_coordinates(rng)) for _ in range(rng.integers(1, 4))]
    # Sites of a cell so large that no two meet; then at the density drawn.
    return structure_of_sites(group, [*(30 * lengths), *free_angles], sites).at_rs(rules.rs(rng))


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
    bulk = drawn(str(rng.choice(["lattices", "molecular", "layers"])), rng)
    gap = rng.uniform(1.0, 8.0)
    vectors = bulk.cell.vectors.copy()
    normal = np.cross(vectors[0], vectors[1])
    vectors[2] += gap * normal / np.linalg.norm(normal)
    return _hydrogens(Cell(vectors), bulk.positions)


def phases(rng: np.random.Generator, rules: Rules) -> Structure:
    """A phase of PHASES or one of its space group: cell, middles and tilts of the molecules drawn."""
    names = [name for name, phase in PHASES.items() if (phase.space_group in SEALED_GROUPS) == rules.groups]
    phase = PHASES[str(rng.choice(names))]
    lengths = np.array(phase.lengths) * np.exp(rng.normal(scale=0.08, size=len(phase.lengths)))
    angles = [90.0, 90.0, 120.0] if 143 <= phase.space_group <= 194 else [90.0, phase.beta, 90.0]
    bond, rs = rng.uniform(1.40, 1.60), rules.rs(rng, 1.2, 1.75)
    middles = [[rng.random() if x == "x" else float(x) for x in molecule.middle] for molecule in phase.molecules]
    axes = [rng.normal(size=3) * [c == "1" for c in molecule.axis] for molecule in phase.molecules]

    def crystal(scale: float) -> Structure:
        """The crystal in a cell of these lengths (bohr) times a number."""
        sites: list[Site] = []
        for molecule, middle, axis in zip(phase.molecules, middles, axes, strict=True):
            half = bond / 2 * axis / np.linalg.norm(axis) / (scale * lengths)
            sites += [("H", *(middle + half))] + ([("H", *(middle - half))] if molecule.two_sites else [])
        return structure_of_sites(phase.space_group, [*(scale * lengths * BOHR_ANGSTROM), *angles], sites)

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

NETS = {
    "triangular": ([[1, 0], [-0.5, 3**0.5 / 2]], [[0, 0]]),
    "square": ([[1, 0], [0, 1]], [[0, 0]]),
    "honeycomb": ([[3**0.5, 0], [-(3**0.5) / 2, 1.5]], [[1 / 3, 2 / 3], [2 / 3, 1 / 3]]),
    "kagome": ([[2, 0], [-1, 3**0.5]], [[0.5, 0], [0, 0.5], [0.5, 0.5]]),
}
"""Plane nets with edges of length 1: vectors and motif, in fractions."""


@dataclass(frozen=True)
class Molecule:
    """A molecule of a phase: its middle (x: drawn), the components that its axis may have (1), and whether its atoms
    are two sites, where no symmetry maps one onto the other."""

    middle: tuple[str | float, str | float, str | float]
    axis: str
    two_sites: bool = False


@dataclass(frozen=True)
class Phase:
    """A molecular phase: space group, relative lengths of the conventional cell, its molecules, angle beta."""

    space_group: int
    lengths: tuple[float, float, float]
    molecules: tuple[Molecule, ...]
    beta: float = 90.0


_CENTRE, _GENERAL = (0, 0, 0), ("x", "x", "x")
PHASES = {
    "Cmce-4": Phase(64, (1.0, 1.75, 1.55), (Molecule(_CENTRE, "011"),)),
    "Cmce-12": Phase(64, (1.0, 3.0, 2.7), (Molecule(_CENTRE, "011"), Molecule((0, "x", "x"), "011", True))),
    "P6_3/m-16": Phase(176, (1, 1, 1.6), (Molecule(_CENTRE, "001"), Molecule(("x", "x", 0.25), "110", True))),
    "P2_1/c": Phase(14, (1, 1.5, 1.5), (Molecule(_GENERAL, "111", True), Molecule(_GENERAL, "111", True)), 105.0),
    "P2_1/c-24": Phase(14, (1, 1.7, 2.3), (Molecule(_GENERAL, "111", True),) * 3, 100.0),
    "Pbcn": Phase(60, (1, 1.7, 1.6), (Molecule((0, "x", 0.25), "101"), Molecule(_GENERAL, "111", True))),
    "C2/c-24": Phase(
        15,
        (1.0, 1.7, 1.55),
        (Molecule((0, "x", 0.25), "101"), Molecule((0, "x", 0.25), "101"), Molecule(_GENERAL, "111", True)),
        100.0,
    ),
    "Fmmm": Phase(69, (1, 1.2, 1.4), (Molecule(_CENTRE, "001"),)),
    "I4_1/amd": Phase(141, (1, 1, 2.6), (Molecule((0, 0.75, 0.125), "001"),)),
    "R-3m": Phase(166, (1, 1, 2.4), (Molecule(_CENTRE, "001"),)),
    "Pca2_1": Phase(29, (1.0, 0.6, 1.0), (Molecule(_GENERAL, "111", True),)),
    "P6_3/mmc": Phase(194, (1, 1, 1.63), (Molecule((1 / 3, 2 / 3, 0.25), "001"),)),
    "P4_2/mnm": Phase(136, (1, 1, 0.65), (Molecule(_CENTRE, "110"),)),
    "Pa-3": Phase(205, (1, 1, 1), (Molecule(_CENTRE, "111"),)),
    "Cmcm": Phase(63, (1, 1.7, 1.0), (Molecule((0, "x", 0.25), "010"),)),
}
"""Molecular phases of Pickard and Needs, Nature Phys. 3, 473 (2007), and of Pickard et al., Phys. Rev. B 85, 214114
(2012), by space group and number of atoms, and some simple ones. What is not fixed by symmetry is drawn."""

LATTICES: dict[str, tuple[str, tuple[float, ...], list[tuple[float, float, float]]]] = {
    "sc": ("221", (1,), [(0, 0, 0)]),
    "bcc": ("229", (1,), [(0, 0, 0)]),
    "bct": ("139", (1, 0.8), [(0, 0, 0)]),
    "hcp": ("194", (1, 1.6), [(1 / 3, 2 / 3, 0.25)]),
    "simple hexagonal": ("191", (1, 1), [(0, 0, 0)]),
    "diamond": ("227:1", (1,), [(0, 0, 0)]),
    "beta-Sn": ("141:1", (1, 0.55), [(0, 0, 0)]),
    "Cs-IV": ("141:1", (1, 2.6), [(0, 0, 0)]),
    "rhombohedral": ("166:H", (1, 2.4), [(0, 0, 0.23)]),
    "A15": ("223", (1,), [(0, 0, 0), (0.25, 0, 0.5)]),
    "alpha-Ga": ("64", (1, 1.7, 1), [(0, 0.155, 0.08)]),
    "gamma": ("74", (1, 1.6, 1), [(0, 0.25, 0.12)]),
}
"""Space group, cell (relative lengths) and sites of simple lattices. Neither fcc nor Cmcm, which are sealed."""


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
