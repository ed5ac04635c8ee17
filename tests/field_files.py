"""Field files as programs, people and accidents make them: the text of every variant, and what has to come of it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from jovium.base.units import BOHR_ANGSTROM

SHAPE = (20, 24, 30)
MEAN = 0.5
AMPLITUDES = (0.20, 0.12, 0.06)
THRESHOLDS = {"phi_1d": 0.76, "phi_2d": 0.64, "phi_3d": 0.48, "phi_star": 0.76}
CELLS = {
    "box": np.diag([3.2, 4.1, 5.3]),
    "skewed": np.array([[3.2, 0.2, -0.3], [0.7, 4.1, 0.4], [-0.5, 0.9, 5.3]]),
}
"""Lattice vectors in angstrom."""


def known(shape=SHAPE, shift=(0.0, 0.0, 0.0)) -> np.ndarray:
    """The field at the points of a grid, or beside them."""
    axes = [(np.arange(n) + s) / n for n, s in zip(shape, shift, strict=True)]
    waves = [a * np.cos(2 * np.pi * x) for a, x in zip(AMPLITUDES, axes, strict=True)]
    return MEAN + waves[0][:, None, None] + waves[1][:, None] + waves[2]


def closed(values: np.ndarray, axes=(0, 1, 2)) -> np.ndarray:
    """The field with its first planes repeated as its last."""
    return np.pad(values, [(0, int(axis in axes)) for axis in range(3)], mode="wrap")


@dataclass(frozen=True)
class File:
    """A field file that is put together from its parts; `values` in the order of the format."""

    cell: np.ndarray
    values: np.ndarray
    atoms: tuple[tuple[str, tuple[float, float, float]], ...] = (("H", (0.0, 0.0, 0.0)),)
    title: str = "made for a test"
    number: Callable[[float], str] = lambda value: f"{value:13.5E}"
    per_line: int = 6
    end: str = "\n"

    def positions(self) -> np.ndarray:
        """Cartesian positions in angstrom."""
        return np.array([place for _, place in self.atoms]).reshape(-1, 3) @ self.cell

    def numbers(self, order) -> str:
        words = [self.number(value) for value in self.values.ravel(order=order)]
        rows = ("".join(words[i : i + self.per_line]) for i in range(0, len(words), self.per_line))
        return "\n".join(rows) + "\n"

    def text(self) -> str:
        return self.lines().replace("\n", self.end)

    def lines(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True)
class Cube(File):
    """unit: what a length in angstrom is multiplied with. rows: the atom lines from (number, charge, position)."""

    sign: int = 1
    unit: float = 1 / BOHR_ANGSTROM
    origin: tuple[float, ...] | None = (0.0, 0.0, 0.0)
    row: str = "{0:5d}{1:12.6f}{2:12.6f}{3:12.6f}{4:12.6f}"
    steps: tuple[int, int, int] | None = None
    per_point: str = ""
    orbitals: str = ""
    second_title: str = "a field"

    def lines(self) -> str:
        n_atoms = -len(self.atoms) if self.orbitals else len(self.atoms)
        origin = "" if self.origin is None else "".join(f"{x * self.unit:12.6f}" for x in self.origin)
        text = f"{self.title}\n{self.second_title}\n{n_atoms:5d}{origin}{self.per_point}\n"
        for n, steps, vector in zip(self.values.shape, self.steps or self.values.shape, self.cell, strict=True):
            text += f"{self.sign * n:5d}" + "".join(f"{x * self.unit / steps:14.8f}" for x in vector) + "\n"
        for (symbol, _), place in zip(self.atoms, self.positions(), strict=True):
            z = {"H": 1, "O": 8, "La": 57}[symbol]
            text += self.row.format(z, float(z), *((place + (self.origin or np.zeros(3))) * self.unit)) + "\n"
        return text + (self.orbitals and self.orbitals + "\n") + self.numbers("C")


@dataclass(frozen=True)
class Elfcar(File):
    per_line: int = 5
    scale: str = "1.0"
    factor: float = 1.0
    names: str = "H\n"
    counts: str = "1"
    selective: bool = False
    mode: str = "Direct"
    blank: str = "\n"
    blocks: int = 1
    tail: str = ""

    def lines(self) -> str:
        flags = "  T T F" if self.selective else ""
        places = self.positions() / self.factor if self.mode[0] in "CcKk" else [place for _, place in self.atoms]
        vectors = "".join("".join(f"{x:20.12f}" for x in v / self.factor) + "\n" for v in self.cell)
        atoms = "".join("".join(f"{x:20.12f}" for x in place) + flags + "\n" for place in places)
        shape = "".join(f"{n:5d}" for n in self.values.shape) + "\n"
        selective = "Selective dynamics\n" if self.selective else ""
        head = f"{self.title}\n{self.scale}\n{vectors}{self.names}{self.counts}\n{selective}{self.mode}\n{atoms}"
        return head + self.blank + (shape + self.numbers("F")) * self.blocks + self.tail


@dataclass(frozen=True)
class Xsf(File):
    kind: str = "CRYSTAL"
    span: tuple[float, float, float] = (1.0, 1.0, 1.0)
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    before: str = ""
    block: str = "grid"
    name: str = "BEGIN_DATAGRID_3D_field"
    frames: int = 1
    grids: int = 1

    def lines(self) -> str:
        def vectors(rows) -> str:
            return "".join("".join(f"{x:16.9f}" for x in row) + "\n" for row in rows)

        places = self.positions() + self.origin
        rows = "".join(f"{symbol:3s}" + vectors([p]) for (symbol, _), p in zip(self.atoms, places, strict=True))
        coordinates = f"PRIMCOORD\n{len(self.atoms)} 1\n{rows}" * self.frames
        head = f"# {self.title}\n{self.before}{self.kind}\nPRIMVEC\n{vectors(self.cell)}{coordinates}"
        grid = f"{self.name}\n{' '.join(map(str, self.values.shape))}\n{vectors([self.origin])}"
        grid += vectors(self.cell * np.array(self.span)[:, None]) + self.numbers("F") + "END_DATAGRID_3D\n"
        return f"{head}BEGIN_BLOCK_DATAGRID_3D\n{self.block}\n{grid * self.grids}END_BLOCK_DATAGRID_3D\n"


@dataclass(frozen=True)
class Variant:
    """A file and what must come of it: `right` the known answer in silence; `warned` it, with a warning that matches
    `says`; `refused` an error that matches; `doubted` a warning that matches and whatever values."""

    name: str
    text: str
    outcome: str = "right"
    says: str = ""


def values_like(change: Callable[[np.ndarray], np.ndarray], file: File) -> File:
    return replace(file, values=change(file.values))


def with_three_digits(value: float) -> str:
    """A number as some compilers write it: 0.1E-001."""
    return re.sub(r"E([+-])", r"E\g<1>0", f" {value:.6E}")


def cut(text: str, seed: int) -> str:
    """The text up to a random place behind its header, inside the values."""
    start = text.index("\n", len(text) // 10)
    return text[: np.random.default_rng(seed).integers(start, len(text) - 40)]


OTHER_FIELDS = {
    "a density of one electron": (lambda f: f / MEAN, "values from|CHGCAR"),
    "a potential": (lambda f: 20 * (f - 0.7), "values from"),
    "a constant": (lambda f: np.full_like(f, 0.5), "0.5 everywhere"),
    "zeros": (lambda f: np.zeros_like(f), "0 everywhere"),
    "NaN": (lambda f: np.where(f == f.max(), np.nan, f), "NaN"),
    "infinity": (lambda f: np.where(f == f.max(), np.inf, f), "NaN or infinite"),
    "above one": (lambda f: 1.3 * f, "values from"),
}


TITLES_OF_RUNS = (
    "rho = 1.2 g/cc hydrogen", "density 1.35 g/cc", "total density 1.2 g/cm3", "high energy density hydrogen",
    "high density phase", "charge density wave", "electron density functional theory", "potential energy -3.1 eV",
    "LaH10, machine-learned potential", "GAP potential, 300 GPa", "orbital-free dynamics",
)  # fmt: skip
TITLES_OF_OTHER_FIELDS = (
    "electron density", "rho in e/Bohr^3", "electrostatic potential", "SPIN DENSITY", "charge_density",
    "density [e/A^3]", "potential", "local potential", "Hartree potential", "Difference density", "HOMO orbital",
    "kinetic energy density", "VASP PARCHG", "LDOS", "local density of states", "reduced density gradient",
)  # fmt: skip


def of_any_format(file: File, name: str) -> list[Variant]:
    """What can happen to a file of every format."""

    def variant(title: str, changed: File | str, outcome: str = "right", says: str = "", name: str = name) -> Variant:
        return Variant(f"{title}|{name}", changed if isinstance(changed, str) else changed.text(), outcome, says)

    text = file.text()
    found = [variant("plain", file), variant("other name", file, name="elf.dat")]
    found += [variant("name of a structure", file, name=name) for name in ("elf.vasp", "POSCAR_elf", "CHGCAR", "x.cif")]
    found += [variant("name of another format", file, name=name) for name in ("e.cube", "ELFCAR.txt", "e.xsf")]
    found += [variant(f"{n} per line", replace(file, per_line=n)) for n in (1, 3, 5, 10, 10**6)]
    found += [
        variant("CRLF", replace(file, end="\r\n")),
        variant("tabs", re.sub(" +", "\t", text)),
        variant("blank lines at the end", text + "\n\n \n"),
        variant("Fortran D", replace(file, number=lambda value: f"{value:15.7E}".replace("E", "D"))),
        variant("exponent of three digits", replace(file, number=with_three_digits)),
        variant("title with augmentation", replace(file, title="augmentation occupancies left out")),
        variant("title that names the ELF too", replace(file, title="ELF from the electron density")),
        variant("stars", re.sub(r"\S+(\s+(END\w+\s+)*)\Z", r"*****\1", text), "refused", r"\*\*"),
        variant("cut words", text.replace("E-01", "E-01x", 1), "refused", "number|values"),
    ]  # fmt: skip
    found += [variant(f"cut {seed}", cut(text, seed), "refused", "truncated") for seed in range(4)]
    short = replace(file, number=lambda value: f"{value:9.5f}").text().rstrip()[:-3]
    if not isinstance(file, Xsf):
        found.append(variant("cut in the last number", short, "doubted", "cut short"))
    for title in TITLES_OF_RUNS:
        found.append(variant(f"title {title}", replace(file, title=title)))
    for title in TITLES_OF_OTHER_FIELDS:
        found.append(variant(f"title {title}", replace(file, title=title), "refused", "its title says"))
    for title, (change, says) in OTHER_FIELDS.items():
        found.append(variant(title, values_like(change, file), "refused", says))
    volume = abs(np.linalg.det(file.cell))
    for unit, scale in (("bohr", BOHR_ANGSTROM**3), ("angstrom", 1.0)):
        density = values_like(lambda f, scale=scale: f / MEAN / volume * scale, file)
        found.append(variant(f"density per cubic {unit}", density, "refused", "its integral over the cell is 1"))
    pale = values_like(lambda f: 0.5 * f, file)
    found.append(variant("small values", pale, "doubted", "no value reaches 0.7"))
    for symbol, says in (("H", "below 0.7 at 1 of 2"), ("O", "outside the box")):
        far = replace(file, atoms=(("H", (0.0, 0.0, 0.0)), (symbol, (1.7, 0.5, 0.2))))
        far = replace(far, names=f"H {symbol}\n", counts="1 1") if isinstance(far, Elfcar) else far
        found.append(variant(f"{symbol} outside", far, "doubted", says))
    return found


def cubes(cell: np.ndarray) -> list[Variant]:
    field = known()
    file = Cube(cell, field)

    def variant(title: str, changed: Cube, outcome: str = "right", says: str = "", name: str = "e.cube") -> Variant:
        return Variant(f"{title}|{name}", changed.text(), outcome, says)

    found = [*of_any_format(file, "e.cube")]
    corner = (-0.7, 0.3, 1.1)
    found += [
        variant("angstrom", replace(file, sign=-1, unit=1.0)),
        variant("origin", replace(file, origin=corner)),
        variant("origin in angstrom", replace(file, sign=-1, unit=1.0, origin=corner)),
        variant("orbital line", replace(file, orbitals="    1   17")),
        variant("one value per point", replace(file, per_point="    1")),
        variant("several values per point", replace(file, per_point="    2"), "refused", "2 values per grid point"),
        variant("two orbitals", replace(file, orbitals="    2   17   18"), "refused", "2 values per grid point"),
        variant("no charges", replace(file, row="{0:5d}{2:12.6f}{3:12.6f}{4:12.6f}")),
        variant("no origin", replace(file, origin=None)),
        variant("atom of an image", replace(file, atoms=(("H", (1.0, 0.0, 1.0)),))),
        variant("glued atoms", replace(file, origin=(-9, -9, -9), row="{0:5d}{1:12.6f}{2:10.6f}{3:10.6f}{4:10.6f}")),
        variant("lattice vectors as steps", replace(file, steps=(1, 1, 1)), "refused", "within one step"),
        variant("no atoms", replace(file, atoms=()), "refused", "no atoms"),
        variant("unknown element", replace(file, row="  999 1.0 0 0 0"), "refused", "atomic number 999"),
        variant("ghost atom", replace(file, row="    0 0.0 0 0 0"), "refused", "atomic number 0"),
        variant("two numbers for an atom", replace(file, row="    1 0.0"), "refused", "header"),
    ]  # fmt: skip
    angstrom = replace(file, sign=-1, unit=1.0, steps=(1, 1, 1))
    found.append(variant("lattice vectors as steps in angstrom", angstrom, "refused", "within one step"))
    for axes in ((0, 1, 2), (0,), (1,), (2,), (0, 2)):
        whole = replace(file, values=closed(field, axes), steps=SHAPE)
        named = ", ".join("abc"[axis] for axis in axes)
        found.append(
            variant(f"end planes {axes}", whole, "warned", f"repeats its first plane as its last along {named}:")
        )
    off = known(shift=(0.5, 0.5, 0.5))
    off_corner = tuple(cell.T @ (0.5 / np.array(SHAPE)))
    beside = Cube(cell, off, atoms=(("H", tuple(-0.5 / np.array(SHAPE))),), origin=off_corner)
    found.append(Variant("points half a step off the mirror|e.cube", beside.text(), "beside"))
    region = replace(file, values=known((40, 24, 30))[:23], steps=(40, 24, 30))
    found.append(variant("a part of a larger system", region, "doubted", "does not join"))
    rough = file.text().splitlines()
    found.append(
        Variant(
            "mixed signs|e.cube",
            "\n".join([*rough[:3], rough[3].replace(" 20 ", "-20 "), *rough[4:]]),
            "refused",
            "grid counts",
        )
    )
    found.append(
        Variant("two numbers in a step|e.cube", "\n".join([*rough[:3], "   20  0.1", *rough[4:]]), "refused", "header")
    )
    return found


def elfcars(cell: np.ndarray) -> list[Variant]:
    field = known()
    file = Elfcar(cell, field)

    def variant(title: str, changed: Elfcar, outcome: str = "right", says: str = "", name: str = "ELFCAR") -> Variant:
        return Variant(f"{title}|{name}", changed.text(), outcome, says)

    found = [*of_any_format(file, "ELFCAR")]
    volume = abs(np.linalg.det(cell))
    augmentation = "augmentation occupancies   1  15\n 0.1 0.2 0.3\n"
    found += [
        variant("scale", replace(file, scale="  1.6", factor=1.6)),
        variant("three scales", replace(file, scale=" 1.6 1.6 1.6", factor=1.6)),
        variant("volume as scale", replace(file, scale=f" {-volume:.10f}", factor=2.0)),
        variant("VASP 4", replace(file, names="", title="H"), "warned", "taken from the title"),
        variant("hash of a POTCAR", replace(file, names="H_GW/0af1\n")),
        variant("selective dynamics", replace(file, selective=True)),
        variant("Cartesian", replace(file, mode="Cartesian")),
        variant("Cartesian and scale", replace(file, mode="cart", scale="1.6", factor=1.6)),
        variant("several blank lines", replace(file, blank="\n \n\n")),
        variant("no blank line", replace(file, blank="")),
        variant("atom of an image", replace(file, atoms=(("H", (1.0, 0.0, 1.0)),))),
        variant("two spins", replace(file, blocks=2), "warned", "ISPIN"),
        variant("four grids", replace(file, blocks=4), "refused", "4 grids"),
        variant("augmentation occupancies", replace(file, tail=augmentation), "refused", "CHGCAR"),
        variant("augmentation occupancies", replace(file, tail=augmentation), "refused", "CHGCAR", "x.vasp"),
        variant("end planes", replace(file, values=closed(field)), "warned", "repeats its first plane"),
        variant("no points", replace(file, values=field[:0]), "refused", "grid of 0 x 24 x 30"),
        variant("too many atoms", replace(file, counts="2"), "refused", "."),
    ]  # fmt: skip
    for name in ("ELFCAR", "elf.vasp"):
        nameless = replace(file, names="", title="hydrogen")
        found.append(variant("VASP 4 without names", nameless, "refused", "insert a line", name))
    charge = values_like(lambda f: f / MEAN, file)
    for name in ("CHGCAR", "CHG", "ELFCAR", "rho.vasp"):
        found.append(variant("charge", charge, "refused", "CHGCAR", name))
        found.append(variant("charge of two spins", replace(charge, blocks=2), "refused", "CHGCAR", name))
        found.append(variant("charge and augmentation", replace(charge, tail=augmentation), "refused", "CHGCAR", name))
    potential = values_like(lambda f: 20 * (f - MEAN), file)
    for name in ("LOCPOT", "v.dat"):
        found.append(variant("potential", potential, "refused", "a potential", name))
    return found


def xsfs(cell: np.ndarray) -> list[Variant]:
    field = known()
    file = Xsf(cell, closed(field))

    def variant(title: str, changed: Xsf, outcome: str = "right", says: str = "", name: str = "e.xsf") -> Variant:
        return Variant(f"{title}|{name}", changed.text(), outcome, says)

    bare = replace(file, values=field)
    shorter = tuple((n - 1) / n for n in SHAPE)
    longer = tuple((n + 1) / n for n in SHAPE)
    found = [*of_any_format(file, "e.xsf")]
    found += [
        variant("periodic points on the cell", bare, "warned", "n points of one period"),
        variant("periodic points on their own span", replace(bare, span=shorter)),
        variant("periodic points on the span of ASE", replace(bare, span=longer)),
        variant("half the cell", replace(file, span=(0.5, 1, 1)), "refused", "whole primitive cell"),
        variant("twice the cell", replace(file, span=(1, 1, 2)), "refused", "whole primitive cell"),
        variant("origin", replace(file, origin=(0.4, -0.3, 0.8))),
        variant("slab", replace(file, kind="SLAB"), "warned", "periodic in three directions"),
        variant("polymer", replace(file, kind="POLYMER"), "warned", "periodic in three directions"),
        variant("molecule in a cell", replace(file, kind="MOLECULE"), "warned", "periodic in three directions"),
        Variant("molecule|e.xsf", re.sub(r"(?s)CRYSTAL.*?PRIMCOORD\n1 1", "ATOMS", file.text()), "refused", "PRIMVEC"),
        variant("animation of one frame", replace(file, before="ANIMSTEPS 1\n")),
        variant("animation", replace(file, before="ANIMSTEPS 2\n", frames=2), "refused", "several structures"),
        variant("conventional cell", replace(file, kind="CRYSTAL\nCONVVEC\n 8 0 0\n 0 8 0\n 0 0 8")),
        variant("two grids", replace(file, grids=2), "warned", "2 grids"),
        variant("no name", replace(file, name="DATAGRID_3D_UNKNOWN")),
        variant("density by its name", replace(file, name="BEGIN_DATAGRID_3D_charge_density"), "refused", "title says"),
        variant("density by a short name", replace(file, name="BEGIN_DATAGRID_3D_rho"), "refused", "title says"),
        variant("density by its block", replace(file, block="electron_density"), "refused", "title says"),
        Variant("comments inside|e.xsf", file.text().replace("END_DATAGRID_3D", "# the end\nEND_DATAGRID_3D"), "right"),
        Variant("lower case|e.xsf", file.text().lower()),
        Variant("number as label|e.xsf", file.text().replace("\nH  ", "\n1  ")),
        Variant("no end|e.xsf", file.text().split("END_DATAGRID")[0], "refused", "truncated"),
        Variant("planar grid|e.xsf", file.text().replace("GRID_3D", "GRID_2D"), "refused", "no DATAGRID_3D"),
    ]  # fmt: skip
    one_axis = replace(file, values=closed(field, (1,)))
    found.append(variant("end planes along one axis", one_axis, "warned", "n points of one period"))
    damaged = closed(field)
    damaged[-1, 5, 5] += 0.1
    found.append(
        variant("damaged end plane", replace(file, values=damaged), "refused", "grid plane along axis 1 differ")
    )
    torn = known((40, 24, 30))[:23]
    found.append(
        variant("a part of a larger system", replace(file, values=closed(torn, (1, 2))), "refused", "grid plane")
    )
    return found


@cache
def variants(format_name: str, cell_name: str) -> list[Variant]:
    return {"cube": cubes, "ELFCAR": elfcars, "XSF": xsfs}[format_name](CELLS[cell_name])
