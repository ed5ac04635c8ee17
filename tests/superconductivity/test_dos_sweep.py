"""Tables of densities of states by the dozen, as three programs and people write them: the right share or a refusal.

Every case makes files of one compound and says what its share is; None where no share follows from what is written.
"""

from itertools import product

import numpy as np
import pytest

from jovium.base.errors import JoviumError
from jovium.base.structure import Structure
from jovium.superconductivity.dos import hydrogen_dos

ENERGY = np.linspace(-6.0, 6.0, 121)
FERMI = 1.23
SYMBOLS = ("Ca", "H", "S", "H", "H")


def orbital(centre):
    """States per eV of one orbital, a Lorentzian."""
    return 0.7 / (0.5 + (ENERGY - centre) ** 2)


ORBITALS = {(atom, shell): orbital(atom - 2.5 * shell) for atom in range(5) for shell in (0, 1)}
OF_ATOMS = np.array([ORBITALS[atom, 0] + ORBITALS[atom, 1] for atom in range(5)])
TOTAL = OF_ATOMS.sum(axis=0)
HYDROGEN = OF_ATOMS[[i for i, symbol in enumerate(SYMBOLS) if symbol == "H"]].sum(axis=0)
SHARE = float(np.interp(FERMI, ENERGY, HYDROGEN) / np.interp(FERMI, ENERGY, TOTAL))
SULFUR = OF_ATOMS[2]
HARTREE = 27.211386245981


@pytest.fixture
def compound(odd_cell):
    return Structure(odd_cell, odd_cell.cartesian(np.random.default_rng(1).random((5, 3))), SYMBOLS)


def text_of(*columns, separator=" "):
    return "".join(separator.join(f"{x:.8g}" for x in row) + "\n" for row in zip(*columns, strict=True))


DOS_X = "#  E (eV)   dos(E)     Int dos(E) EFermi =    1.230 eV\n"

# Header lines and columns of a table, and the share of hydrogen.
TABLES = {
    "plain": ("# energy total hydrogen\n", (ENERGY, TOTAL, HYDROGEN), SHARE),
    "units": ("# E (eV)   total (states/eV)   H (states/eV)\n", (ENERGY, TOTAL, HYDROGEN), SHARE),
    "units with blanks": ("# Energy [eV]\tDOS [states / eV]\tPDOS_H [states / eV]\n", (ENERGY, TOTAL, HYDROGEN), SHARE),
    "two words": ("#  energy (eV)  total DOS  hydrogen DOS\n", (ENERGY, TOTAL, HYDROGEN), SHARE),
    "hydrogen first": ("# hydrogen energy_eV total\n", (HYDROGEN, ENERGY, TOTAL), SHARE),
    "total last": ("! energy hydrogen total\n", (ENERGY, HYDROGEN, TOTAL), SHARE),
    "more columns": ("# energy S H Ca total\n", (ENERGY, SULFUR, HYDROGEN, OF_ATOMS[0], TOTAL), SHARE),
    "two lines above": ("# a compound\n# energy TDOS H\n", (ENERGY, TOTAL, HYDROGEN), SHARE),
    "no comment sign": ("Energy Total Hydrogen\n", (ENERGY, TOTAL, HYDROGEN), SHARE),
    "hartree": ("# energy_Ha total hydrogen\n", (ENERGY / HARTREE, TOTAL, HYDROGEN), SHARE),
    "rydberg": ("# E(Ry) dos hydrogen_dos\n", (ENERGY * 2 / HARTREE, TOTAL, HYDROGEN), SHARE),
    "fraction": ("# energy_eV fraction\n", (ENERGY, HYDROGEN / TOTAL), SHARE),
    "share": ("# share energy_eV\n", (HYDROGEN / TOTAL, ENERGY), SHARE),
    "fraction beside the total": ("# E total H_fraction\n", (ENERGY, TOTAL, HYDROGEN / TOTAL), SHARE),
    "two columns without names": ("", (ENERGY, HYDROGEN / TOTAL), None),
    "three columns without names": ("", (ENERGY, TOTAL, HYDROGEN), None),
    "a title alone": ("# density of states of a compound\n", (ENERGY, TOTAL, HYDROGEN), None),
    "total below 1": ("# energy_eV total\n", (ENERGY, TOTAL / 100), None),
    "hydrogen alone": ("# energy_eV hydrogen\n", (ENERGY, HYDROGEN / 100), None),
    "no total": ("# energy_eV H S\n", (ENERGY, HYDROGEN, SULFUR), None),
    "a total of each spin": ("# energy total_up total_down\n", (ENERGY, TOTAL, TOTAL), None),
    "hydrogen twice": ("# energy total H hydrogen\n", (ENERGY, TOTAL, HYDROGEN / 2, HYDROGEN / 2), None),
    "H_DOS, which may be either": ("# energy total H_DOS\n", (ENERGY, TOTAL, HYDROGEN), None),
    "more names than columns": ("# energy total hydrogen sulfur\n", (ENERGY, TOTAL, HYDROGEN), None),
    "fewer names than columns": ("# energy total hydrogen\n", (ENERGY, TOTAL, SULFUR, HYDROGEN), None),
    "states called a fraction": ("# energy_eV fraction\n", (ENERGY, HYDROGEN), None),
    "total and hydrogen exchanged": ("# energy_eV total hydrogen\n", (ENERGY, HYDROGEN, TOTAL), None),
    "dos.x": (DOS_X, (ENERGY, TOTAL, HYDROGEN), None),
    "dos.x below 1": (DOS_X, (ENERGY, TOTAL / 99, TOTAL / 99), None),
    "dos.x with spin": ("#  E (eV)   dosup(E)     dosdw(E)   Int dos(E)\n", (ENERGY, TOTAL, TOTAL, HYDROGEN), None),
    "a renamed pdos_tot": ("# E (eV)  dos(E)    pdos(E)\n", (ENERGY, 1.1 * TOTAL, TOTAL), None),
    "a renamed orbital file": ("# E (eV)   ldos(E)   pdos(E)\n", (ENERGY, HYDROGEN, HYDROGEN), None),
    "a renamed block of a DOSCAR": ("  6.0 -6.0 121 1.23 1.0\n", (ENERGY, HYDROGEN, SULFUR), None),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_a_table_gives_the_share_that_its_names_say_or_none(compound, tmp_path, name):
    head, columns, share = TABLES[name]
    for separator in (" ", ",", ";\t"):
        path = tmp_path / "table.dat"
        path.write_text(head + text_of(*columns, separator=separator))
        check(compound, path, FERMI, share)


def check(structure, path, fermi, share, warning=""):
    """The right share, with the warning that belongs to it alone, or an error with three parts."""
    if share is None:
        with pytest.raises(JoviumError) as caught:
            hydrogen_dos(structure, None, path, fermi)
        assert all(part.strip() for part in (caught.value.got, caught.value.expected, caught.value.do))
        return
    found = hydrogen_dos(structure, None, path, fermi)
    # Three digits in the files of projwfc.x; a fraction is no ratio of two lines between two energies.
    assert found.value == pytest.approx(share, rel=0.01 if path.name.endswith(".pdos_tot") else 1e-4)
    assert warning in " ".join(found.warnings)
    assert bool(found.warnings) == bool(warning)


def fortran(x):
    """E11.3 as Fortran writes it, three-digit exponents without their E."""
    digits, exponent = f"{x:.2E}".split("E")
    power = int(exponent) + 1
    return f" {float(digits) / 10:.3f}" + (f"E{power:+03d}" if abs(power) < 100 else f"{power:+04d}")


def projwfc(folder, spins=1, labels=SYMBOLS, prefix="x"):
    """The files of projwfc.x with `filpdos = x`."""
    ldos, pdos = (f"{name}up(E)  {name}dw(E)" if spins == 2 else f"{name}(E)" for name in ("ldos", "pdos"))
    parts = {1: [1.0], 2: [0.7, 0.3]}[spins]

    def write(name, head, states):
        rows = [
            f"{e:8.3f}" + "".join(fortran(part * x) for part in parts for x in row)
            for e, *row in zip(ENERGY, *states, strict=True)
        ]
        (folder / f"{prefix}.{name}").write_text(f"# E (eV)  {head}\n" + "\n".join(rows) + "\n")

    for (atom, shell), states in ORBITALS.items():
        write(f"pdos_atm#{atom + 1}({labels[atom]})_wfc#{shell + 1}({'sp'[shell]})", f"{ldos}  {pdos}", [states])
    total = f"dosup(E)  dosdw(E)  {pdos}" if spins == 2 else f"dos(E)    {pdos}"
    rows = [
        f"{e:8.3f}" + "".join(fortran(part * factor * x) for factor in (1.2, 1.0) for part in parts)
        for e, x in zip(ENERGY, TOTAL, strict=True)
    ]
    (folder / f"{prefix}.pdos_tot").write_text(f"# E (eV)  {total}\n" + "\n".join(rows) + "\n")
    return folder / f"{prefix}.pdos_tot"


LABELS = {
    "H1 H_a H-b": (("Ca", "H1", "S", "H_a", "H-b"), SHARE),
    "small letters": (("ca", "h", "s", "h", "h"), SHARE),
    "isotopes": (("Ca", "D", "S", "T", "H"), SHARE),
    "letters of no element": (("Ca", "Ha", "S", "Hb", "Hx"), SHARE),
    "helium": (("Ca", "He", "S", "H", "H"), None),
    "holmium": (("Ca", "H", "S", "Ho", "H"), None),
    "another order": (("H", "H", "H", "S", "Ca"), None),
    "two exchanged": (("Ca", "S", "H", "H", "H"), None),
}


@pytest.mark.parametrize(("name", "spins"), [*product(LABELS, (1, 2))])
def test_labels_of_projwfc_are_elements_of_the_structure(compound, tmp_path, name, spins):
    labels, share = LABELS[name]
    check(compound, projwfc(tmp_path, spins, labels), FERMI, share)


def remove(name):
    return lambda folder: (folder / name).unlink()


def rename(old, new):
    return lambda folder: (folder / old).rename(folder / new)


def copy(old, new):
    return lambda folder: (folder / new).write_text((folder / old).read_text())


def replace(name, old, new):
    return lambda folder: (folder / name).write_text((folder / name).read_text().replace(old, new))


FILES = {
    "all files": (lambda folder: None, SHARE),
    "files of another run beside them": (lambda folder: projwfc(folder, 2, SYMBOLS[::-1], "y"), SHARE),
    "a copy of an editor": (copy("x.pdos_atm#2(H)_wfc#1(s)", "x.pdos_atm#2(H)_wfc#1(s)~"), SHARE),
    "an orbital missing": (remove("x.pdos_atm#2(H)_wfc#1(s)"), None),
    "an orbital of the other element missing": (remove("x.pdos_atm#3(S)_wfc#2(p)"), None),
    "an atom missing": (lambda folder: [file.unlink() for file in folder.glob("x.pdos_atm#4*")], None),
    "the last atom missing": (lambda folder: [file.unlink() for file in folder.glob("x.pdos_atm#5*")], None),
    "an orbital too many": (copy("x.pdos_atm#2(H)_wfc#1(s)", "x.pdos_atm#2(H)_wfc#3(d)"), None),
    "an atom too many": (copy("x.pdos_atm#2(H)_wfc#1(s)", "x.pdos_atm#6(H)_wfc#1(s)"), None),
    "an atom of two elements": (copy("x.pdos_atm#2(H)_wfc#1(s)", "x.pdos_atm#2(S)_wfc#1(s)"), None),
    "an old orbital file": (replace("x.pdos_atm#2(H)_wfc#1(s)", "  -6.000", "  -6.500"), None),
    "an orbital file cut short": (replace("x.pdos_atm#2(H)_wfc#1(s)", "\n   6.000", "\n# "), None),
    "an orbital file of k-points": (replace("x.pdos_atm#2(H)_wfc#1(s)", "# E", "# ik   E"), None),
    "stars where a number was too long": (replace("x.pdos_atm#2(H)_wfc#1(s)", " 0.1", "***********"), None),
    "a total that is something else": (replace("x.pdos_tot", "pdos(E)", "Int dos(E)"), None),
    "a total of another run": (lambda folder: projwfc_of_others(folder), None),
}


def projwfc_of_others(folder):
    lines = (folder / "x.pdos_tot").read_text().splitlines()
    rows = [line[:8] + fortran(5.0) + fortran(4.0 + i % 2) for i, line in enumerate(lines[1:])]
    (folder / "x.pdos_tot").write_text("\n".join([lines[0], *rows]) + "\n")


@pytest.mark.parametrize("name", FILES)
def test_files_of_projwfc_are_all_there_and_no_others(compound, tmp_path, name):
    change, share = FILES[name]
    path = projwfc(tmp_path)
    change(tmp_path)
    check(compound, path, FERMI, share)


@pytest.mark.parametrize(
    "name", ["x.pdos_atm#2(H)_wfc#1(s)", "x.pdos_atm#2(H)_wfc#2(p)", "x.pdos_atm#1(Ca)_wfc#1(s)", "total.dat"]
)
def test_one_file_of_projwfc_is_no_share(compound, tmp_path, name):
    copy("x.pdos_tot", "total.dat")(projwfc(tmp_path).parent)
    check(compound, tmp_path / name, FERMI, None)


def test_files_of_projwfc_of_another_number_of_atoms_are_refused(compound, tmp_path):
    for multiples in ((2, 1, 1), (1, 1, 3)):
        check(compound.supercell(multiples), projwfc(tmp_path), FERMI, None)


def doscar(folder, order=range(5), spins=1, name="DOSCAR"):
    """A DOSCAR with s and p of every ion; order: which atom each ion is."""
    grid = f"  6.00000000 -6.00000000  {len(ENERGY)}  {FERMI:.8f}  1.00000000\n"
    head = f"   5   5   1   {spins}\n 1.0 2.0 3.0 4.0 1e-15\n  1e-4\n  CAR \n a compound\n"
    spins = spins or 1
    text = head + grid + text_of(ENERGY, *[TOTAL / spins] * spins, *[np.cumsum(TOTAL)] * spins)
    for atom in order:
        columns = [ORBITALS[atom, shell] / spins for shell in (0, 1) for _ in range(spins)]
        text += grid + text_of(ENERGY, *columns)
    (folder / name).write_text(text)
    return folder / name


def poscar(symbols):
    """POSCAR with the species in the runs that the order has."""
    runs = [symbol for i, symbol in enumerate(symbols) if i == 0 or symbols[i - 1] != symbol]
    counts, rest = [], list(symbols)
    for run in runs:
        n = next((i for i, symbol in enumerate(rest) if symbol != run), len(rest))
        counts, rest = [*counts, n], rest[n:]
    return f"c\n1.0\n5 0 0\n1 6 0\n0 1 7\n {'  '.join(runs)}\n {' '.join(map(str, counts))}\nDirect\n"


def vasprun(symbols):
    rows = "".join(f"<rc><c>{symbol:2s}</c><c>   1</c></rc>\n" for symbol in symbols)
    return f'<modeling><atominfo><array name="atoms" >\n<set>\n{rows}</set>\n</array></atominfo></modeling>\n'


ORDERS = {"as the structure": [0, 1, 2, 3, 4], "hydrogen first": [1, 3, 4, 0, 2], "reversed": [4, 3, 2, 1, 0]}
BESIDE = {"POSCAR": poscar, "CONTCAR": poscar, "vasprun.xml": vasprun}


@pytest.mark.parametrize(("order", "beside", "spins"), [*product(ORDERS, BESIDE, (1, 2))])
def test_ions_of_a_doscar_are_known_by_the_file_beside_it(compound, tmp_path, order, beside, spins):
    symbols = [SYMBOLS[atom] for atom in ORDERS[order]]
    (tmp_path / beside).write_text(BESIDE[beside](symbols))
    check(compound, doscar(tmp_path, ORDERS[order], spins), None, SHARE)


OTHERS = {
    "an H less": ["Ca", "H", "S", "H"],
    "another element": ["Ca", "H", "Se", "H", "H"],
    "helium": ["Ca", "He", "S", "H", "H"],
}


@pytest.mark.parametrize(("symbols", "beside"), [*product(OTHERS, BESIDE)])
def test_a_doscar_of_another_compound_is_refused(compound, tmp_path, symbols, beside):
    (tmp_path / beside).write_text(BESIDE[beside](OTHERS[symbols]))
    check(compound, doscar(tmp_path), None, None)


@pytest.mark.parametrize("text", ["", "c\n1.0\n5 0 0\n1 6 0\n0 1 7\n 1 1 1 2\nDirect\n0 0 0\n"])
def test_a_doscar_whose_order_nothing_tells_is_read_with_a_warning(compound, tmp_path, text):
    """The oldest POSCAR has no species."""
    (tmp_path / "POSCAR").write_text(text)
    check(compound, doscar(tmp_path), None, SHARE, "in the order of the structure's atoms")


@pytest.mark.parametrize("lines", [3, 7, 100, 300, 600, 730])
def test_a_doscar_that_was_cut_is_refused(compound, tmp_path, lines):
    path = doscar(tmp_path)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:lines]))
    check(compound, path, None, None)


@pytest.mark.parametrize("n_shells", [3, 9, 16])
def test_a_doscar_with_a_magnetisation_is_refused(compound, tmp_path, n_shells):
    """Its first line has 0 in place of 4, as VASP writes it."""
    path = doscar(tmp_path, spins=0)
    (tmp_path / "POSCAR").write_text(poscar(SYMBOLS))
    lines = path.read_text().splitlines()
    rows = [" ".join([line.split()[0], *["0.3 0.0 0.1 -0.2"] * n_shells]) for line in lines]
    starts = [7 + (len(ENERGY) + 1) * ion for ion in range(1, 6)]
    for start in starts:
        lines[start - 1 : start - 1 + len(ENERGY)] = rows[start - 1 : start - 1 + len(ENERGY)]
    path.write_text("\n".join(lines) + "\n")
    check(compound, path, None, None)


def test_a_renamed_doscar_is_no_table(compound, tmp_path):
    check(compound, doscar(tmp_path, name="states.dat"), FERMI, None)
