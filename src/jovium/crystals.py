"""Crystals of hydrogen and hydrides by name, and any crystal from its space group, cell and sites.

Volumes of hydrogen follow rs; without rs the published one is taken. A hydride has the lattice parameter of its entry,
or another one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.base.structure import Structure
from jovium.formats.sites import Site, structure_of_sites

Build = Callable[[float], Structure]

H2_BOND = 1.40
"""Bond length of H2 in bohr, rounded from the 1.4011 of the isolated molecule."""


CUBIC_LATTICES = {
    "sc": [[0, 0, 0]],
    "bcc": [[0, 0, 0], [0.5, 0.5, 0.5]],
    "fcc": [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]],
}
"""Sites of the cubic lattices in units of their cube."""


def cs_iv_axial_ratio(rs: float) -> float:
    """c/a of I4_1/amd hydrogen that minimises the PBE energy at Wigner-Seitz radius rs (bohr).

    A line through the minima found with the default engine, 2.551 at rs 1.30 and 2.627 at rs 1.23 (30 hartree,
    k-spacing 0.25 / bohr, cubic fit through seven ratios from 2.2 to 2.8: `benchmarks/cs_iv_axial_ratio.py` prints
    them); beyond these ratios it stays at their ends.
    """
    return float(np.clip(2.551 + (1.30 - rs) * (2.627 - 2.551) / 0.07, 2.2, 2.8))


@dataclass(frozen=True)
class Crystal:
    """A named crystal: description, international space-group number, source, published rs (bohr, None: any)."""

    description: str
    space_group: int
    source: str
    published_rs: float | None
    build: Build


@dataclass(frozen=True)
class Hydride:
    """A named hydride: description, space-group number, source, free cell parameters (angstrom), a site per orbit."""

    description: str
    space_group: int
    source: str
    cell: tuple[float, ...]
    sites: tuple[Site, ...]


def crystal(
    name: str | None = None,
    rs: float | None = None,
    a: float | None = None,
    space_group: int | str | None = None,
    cell: float | Sequence[float] | None = None,
    sites: Sequence[Site] | None = None,
) -> Structure:
    """A crystal in its primitive cell: a named one, or any from its space group, cell and sites.

    name: a key of CRYSTALS or HYDRIDES, whatever its case and punctuation. rs: Wigner-Seitz radius of hydrogen (bohr;
    None: the published one). a: lattice parameter of a hydride (angstrom; None: that of its entry); the other lengths
    keep their ratio to it. space_group, cell, sites: as in `jovium.formats.sites.structure_of_sites`, for example
    `crystal(space_group=229, cell=2.984, sites=[("S", 0, 0, 0), ("H", 0, "1/2", "1/2")])`. Raises InputError for an
    unknown name, a length that is not positive or has no meaning here, or none where none was published.
    """
    if space_group is not None and cell is not None and name is None and rs is None and a is None:
        return structure_of_sites(space_group, cell, sites or ())
    if name is None or space_group is not None or cell is not None or sites:
        got = f"{f'the crystal {name!r}' if name else 'a crystal'} with {_given(space_group, cell, sites, rs, a)}"
        raise InputError(got, "a name, or a space group, cell and sites", "give one of the two")
    hydride = {_plain(key): entry for key, entry in HYDRIDES.items()}.get(_plain(name))
    if hydride is not None:
        return _hydride(name, hydride, rs, a)
    entry = {_plain(key): entry for key, entry in CRYSTALS.items()}.get(_plain(name))
    if entry is None:
        known = [*CRYSTALS, *HYDRIDES]
        raise InputError(f"crystal '{name}'", f"one of {', '.join(known)}", "choose one of these names")
    if a is not None:
        raise InputError(f"crystal '{name}' with a = {a}", "a length by rs, in bohr", "give rs, e.g. 1.3")
    rs = entry.published_rs if rs is None else rs
    if rs is None:
        raise InputError(f"crystal '{name}' without rs", "a Wigner-Seitz radius in bohr", "give rs, e.g. 1.3")
    if not (np.isfinite(rs) and rs > 0):
        raise InputError(f"rs = {rs}", "a positive Wigner-Seitz radius in bohr", "give rs, e.g. 1.3")
    return entry.build(rs)


def _given(space_group: object, cell: object, sites: object, rs: object, a: object) -> str:
    """The names of what is given, in words."""
    named = {"space group": space_group, "cell": cell, "sites": sites, "rs": rs, "a": a}
    return " and ".join(word for word, value in named.items() if value is not None) or "nothing else"


def _hydride(name: str, entry: Hydride, rs: float | None, a: float | None) -> Structure:
    if rs is not None:
        raise InputError(f"crystal '{name}' with rs = {rs}", "a length by its lattice parameter", "give a in angstrom")
    scale = 1.0 if a is None else a / entry.cell[0]
    if not (np.isfinite(scale) and scale > 0):
        raise InputError(f"a = {a}", "a positive lattice parameter in angstrom", f"give a, e.g. {entry.cell[0]}")
    structure = structure_of_sites(entry.space_group, entry.cell, entry.sites)
    return structure.at_rs(scale * structure.rs)


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _monatomic(vectors: list[list[float]]) -> Build:
    """A Bravais lattice with one atom, at any rs."""

    def build(rs: float) -> Structure:
        return Structure(Cell(np.array(vectors, float)), np.zeros((1, 3)), ("H",)).at_rs(rs)

    return build


def _cs_iv(rs: float) -> Structure:
    """I4_1/amd with H on 4a: a body-centred tetragonal lattice with atoms at 0 and (0, a/2, c/4)."""
    c = cs_iv_axial_ratio(rs)
    cell = Cell(np.array([[-0.5, 0.5, c / 2], [0.5, -0.5, c / 2], [0.5, 0.5, -c / 2]]))
    return Structure(cell, np.array([[0, 0, 0], [0, 0.5, c / 4]]), ("H", "H")).at_rs(rs)


def _c2c_24(rs: float) -> Structure:
    """C2/c with H on 4e, 4e, 8f, 8f; the primitive cell holds half of the 24 atoms of the conventional one.

    Another rs scales the molecules with the cell: relax the structure when bond lengths matter.
    """
    a, b, c, beta = 4.939, 2.811, 4.139, np.radians(142.47)  # angstrom, 300 GPa; rescaled to rs below
    conventional = np.array([[a, 0, 0], [0, b, 0], [c * np.cos(beta), 0, c * np.sin(beta)]])
    axis = [(0, y, 0.25) for y in (0.1012, 0.3684)]
    general = [(0.2260, 0.0672, 0.2464), (0.3443, 0.1958, 0.2227)]
    orbit = [point for x, y, z in axis for point in ((x, y, z), (-x, -y, -z))]
    orbit += [
        point
        for x, y, z in general
        for point in ((x, y, z), (-x, y, 0.5 - z), (-x, -y, -z), (x, -y, 0.5 + z))
    ]  # fmt: skip
    primitive = np.array([[0.5, -0.5, 0], [0.5, 0.5, 0], [0, 0, 1]]) @ conventional
    return _hydrogens(primitive, np.array(orbit) @ conventional).at_rs(rs)


def cubic_lattice_sites(name: str, n: int, cell: Cell) -> Float[np.ndarray, "n 3"]:
    """Sites (bohr) of n particles on a cubic lattice that fills a cell. Raises InputError when n does not fit."""
    motif = np.array(CUBIC_LATTICES[name], float)
    edge = round((n / len(motif)) ** (1 / 3))
    if edge**3 * len(motif) != n:
        fits = ", ".join(str(len(motif) * k**3) for k in range(1, 5))
        raise InputError(f"{n} particles on a {name} lattice in a cube", f"{fits}, ...", "change n")
    corners = np.stack(np.meshgrid(*[np.arange(edge)] * 3, indexing="ij"), -1).reshape(-1, 1, 3)
    return ((corners + motif).reshape(-1, 3) / edge) @ cell.vectors


def hcp_h2(rs: float, bond: float = H2_BOND) -> Structure:
    """Molecules on hcp sites, c/a = sqrt(8/3), bonds of length `bond` (bohr) along c whatever rs.

    Stretching the bond leads from a molecular to an atomic crystal. Raises InputError when a molecule comes closer to
    its neighbours than its bond is long.
    """
    a = ((4 * 4 * np.pi / 3 * rs**3) / (np.sqrt(8 / 3) * np.sqrt(3) / 2)) ** (1 / 3)
    vectors = a * np.array([[1, 0, 0], [-0.5, np.sqrt(3) / 2, 0], [0, 0, np.sqrt(8 / 3)]])
    centres = np.array([[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]]) @ vectors
    half_bond = np.array([0, 0, bond / 2])
    structure = _hydrogens(vectors, np.concatenate([centres - half_bond, centres + half_bond]))
    if structure.shortest_distance() < bond - 1e-9:
        raise InputError(
            f"hcp H2 at rs = {rs} with bonds of {bond} bohr",
            "molecules farther apart than their bond",
            "choose a larger rs",
        )
    return structure


def _hydrogens(vectors: Float[np.ndarray, "3 3"], positions: Float[np.ndarray, "n 3"]) -> Structure:
    cell = Cell(vectors)
    return Structure(cell, cell.wrap(positions), ("H",) * len(positions))


_BRAVAIS = "Bravais lattice"
CRYSTALS: dict[str, Crystal] = {
    "sc": Crystal("simple cubic, 1 atom", 221, _BRAVAIS, None, _monatomic([[1, 0, 0], [0, 1, 0], [0, 0, 1]])),
    "bcc": Crystal("body-centred cubic, 1 atom", 229, _BRAVAIS, None, _monatomic([[-1, 1, 1], [1, -1, 1], [1, 1, -1]])),
    "fcc": Crystal("face-centred cubic, 1 atom", 225, _BRAVAIS, None, _monatomic([[0, 1, 1], [1, 0, 1], [1, 1, 0]])),
    "cs-iv": Crystal(
        "atomic metallic hydrogen, I4_1/amd, 2 atoms, c/a of least PBE energy; published rs: dissociation, 500 GPa",
        141,
        "McMahon and Ceperley, Phys. Rev. Lett. 106, 165302 (2011)",
        1.23,
        _cs_iv,
    ),
    "c2/c-24": Crystal(
        "molecular hydrogen, phase III, C2/c, 12 atoms (24 in the conventional cell), 300 GPa",
        15,
        "Pickard and Needs, Nature Phys. 3, 473 (2007); parameters: prototype A_mC24_15_2e2f of Hicks et al., "
        "Comp. Mat. Sci. 161, S1 (2019)",
        1.32947,
        _c2c_24,
    ),
    "hcp-h2": Crystal(
        "a model of phase I: H2 of 1.40 bohr on hcp sites, all along c, 4 atoms (real molecules rotate)",
        194,
        "model",
        None,
        hcp_h2,
    ),
}
"""The crystals of hydrogen by name. Cmce-4, Cmce-12 and P6_3/m are missing: no complete set of parameters was found in
print."""


HYDRIDES: dict[str, Hydride] = {
    "h3s": Hydride(
        "H3S, Im-3m: S 2a, H 6b; a 2.984 angstrom, near 200 GPa",
        229,
        "Duan et al., Sci. Rep. 4, 6968 (2014)",
        (2.984,),
        (("S", 0, 0, 0), ("H", 0, "1/2", "1/2")),
    ),
    "cah6": Hydride(
        "CaH6, Im-3m: Ca 2a, H 12d; a 3.501 angstrom, near 150 GPa",
        229,
        "Wang et al., Proc. Natl. Acad. Sci. 109, 6463 (2012)",
        (3.501,),
        (("Ca", 0, 0, 0), ("H", 0, "1/2", "1/4")),
    ),
    "yh6": Hydride(
        "YH6, Im-3m: Y 2a, H 12d; a 3.578 angstrom, near 160 GPa",
        229,
        "Li et al., Sci. Rep. 5, 9948 (2015)",
        (3.578,),
        (("Y", 0, 0, 0), ("H", 0, "1/2", "1/4")),
    ),
    "lah10": Hydride(
        "LaH10, Fm-3m: La 4b, H 8c and 32f with u 0.12; a 4.90 angstrom, near 210 GPa",
        225,
        "Liu et al., Proc. Natl. Acad. Sci. 114, 6990 (2017)",
        (4.90,),
        (("La", "1/2", "1/2", "1/2"), ("H", "1/4", "1/4", "1/4"), ("H", 0.12, 0.12, 0.12)),
    ),
}
"""The hydrides by name, with the source of the structure. The pressure is that of the default engine at this a."""
