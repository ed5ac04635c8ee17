"""H_DOS: 1 for pure hydrogen, otherwise given or read from the files of three programs, never invented."""

import numpy as np
import pytest

from jovium.base.errors import FormatError, InputError
from jovium.base.structure import Structure
from jovium.superconductivity import dos

ENERGY = np.array([-1.0, 0.0, 1.0, 2.0])
HYDROGEN = np.array([1.0, 2.0, 4.0, 0.0])
OTHER = np.array([3.0, 2.0, 1.0, 5.0])


def hydrogen_dos(*given):
    """The share alone."""
    found = dos.hydrogen_dos(*given)
    return found and found.value


@pytest.fixture
def water_like(odd_cell):
    return Structure(odd_cell, np.arange(9.0).reshape(3, 3), ("O", "H", "H"))


def write_table(path, *columns, header="# energy total hydrogen"):
    rows = [" ".join(f"{x:.6f}" for x in row) for row in zip(*columns, strict=True)]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_pure_hydrogen_has_share_one(odd_structure):
    assert hydrogen_dos(odd_structure, None, None) == 1.0
    assert hydrogen_dos(odd_structure, 1.0, None) == 1.0
    with pytest.raises(InputError, match="1 by definition"):
        hydrogen_dos(odd_structure, 0.8, None)


def test_nothing_is_invented_for_a_compound(water_like):
    assert hydrogen_dos(water_like, None, None) is None
    assert hydrogen_dos(water_like, 0.784, None) == 0.784


@pytest.mark.parametrize("bad", [-0.1, 1.2, float("nan")])
def test_given_share_outside_its_range_is_refused(water_like, bad):
    with pytest.raises(InputError, match="0 to 1"):
        hydrogen_dos(water_like, bad, None)


def test_two_sources_are_refused(water_like, tmp_path):
    with pytest.raises(InputError, match="one of them"):
        hydrogen_dos(water_like, 0.5, tmp_path / "dos.dat", 0.0)


def test_table_is_interpolated_at_the_fermi_energy(water_like, tmp_path):
    path = write_table(tmp_path / "dos.dat", ENERGY, HYDROGEN + OTHER, HYDROGEN)
    assert hydrogen_dos(water_like, None, path, 0.0) == pytest.approx(0.5)
    assert hydrogen_dos(water_like, None, path, 0.5) == pytest.approx(3.0 / 4.5)


def test_table_of_shares_needs_two_columns_only(water_like, tmp_path):
    path = write_table(tmp_path / "share.dat", ENERGY, HYDROGEN / (HYDROGEN + OTHER), header="# energy_eV fraction")
    assert hydrogen_dos(water_like, None, path, 1.0) == pytest.approx(0.8)


def test_table_without_fermi_energy_is_refused(water_like, tmp_path):
    path = write_table(tmp_path / "dos.dat", ENERGY, OTHER, HYDROGEN)
    with pytest.raises(InputError, match="Fermi energy"):
        hydrogen_dos(water_like, None, path)


@pytest.mark.parametrize("fermi", [-1.5, 2.5, float("nan")])
def test_fermi_energy_outside_the_table_is_refused(water_like, tmp_path, fermi):
    path = write_table(tmp_path / "dos.dat", ENERGY, HYDROGEN + OTHER, HYDROGEN)
    with pytest.raises(InputError, match="a value between"):
        hydrogen_dos(water_like, None, path, fermi)


def test_gap_at_the_fermi_energy_is_refused(water_like, tmp_path):
    path = write_table(tmp_path / "dos.dat", ENERGY, 0 * OTHER, 0 * HYDROGEN)
    with pytest.raises(InputError, match="no states at the Fermi energy"):
        hydrogen_dos(water_like, None, path, 0.0)


def test_columns_in_the_wrong_order_are_noticed(water_like, tmp_path):
    path = write_table(tmp_path / "dos.dat", ENERGY, HYDROGEN, HYDROGEN + OTHER)
    with pytest.raises(FormatError, match="order of the columns"):
        hydrogen_dos(water_like, None, path, 0.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# only a comment\n", "no complete table"),
        ("1 2 3\n1.5 2\n", "equally many"),
        ("1 2 x\n2 3 4\n", "'x'"),
        ("1 2 3 4\n2 3 4 5\n", "4 columns"),
        ("1 2 1\n2 2 1\n", "3 columns without names"),
        ("# energy total hydrogen\n2 2 1\n1 2 1\n", "do not increase"),
    ],
)
def test_table_that_is_none_is_refused(water_like, tmp_path, text, message):
    (tmp_path / "dos.dat").write_text(text)
    with pytest.raises(FormatError, match=message):
        hydrogen_dos(water_like, None, tmp_path / "dos.dat", 1.0)


def projwfc(folder, up_and_down=False):
    """Files as projwfc.x writes them: E, ldos (and its orbitals), one file per atom and orbital."""
    head = "# E (eV)  ldosup(E)  ldosdw(E)\n" if up_and_down else "# E (eV)   ldos(E)  pdos(E)\n"
    files = {
        "1(O)_wfc#1(s)": OTHER / 2,
        "1(O)_wfc#2(p)": OTHER / 2,
        "2(H)_wfc#1(s)": HYDROGEN / 4,
        "3(H1)_wfc#1(s)": HYDROGEN * 0.75,
    }
    for label, states in files.items():
        columns = (ENERGY, states / 2, states / 2) if up_and_down else (ENERGY, states, states)
        write_table(folder / f"h2o.pdos_atm#{label}", *columns, header=head.strip())
    write_table(folder / "h2o.pdos_tot", ENERGY, 1.1 * (OTHER + HYDROGEN), OTHER + HYDROGEN, header="# E dos pdos")
    return folder / "h2o.pdos_tot"


@pytest.mark.parametrize("up_and_down", [False, True])
def test_projwfc_files_give_the_share_of_all_hydrogen_orbitals(water_like, tmp_path, up_and_down):
    path = projwfc(tmp_path, up_and_down)
    assert hydrogen_dos(water_like, None, path, 1.0) == pytest.approx(0.8)
    assert hydrogen_dos(water_like, None, path, 0.5) == pytest.approx(3.0 / 4.5)


def test_helium_is_not_hydrogen(odd_cell, tmp_path):
    path = projwfc(tmp_path)
    water_like = Structure(odd_cell, np.arange(9.0).reshape(3, 3), ("O", "He", "H"))
    (tmp_path / "h2o.pdos_atm#2(H)_wfc#1(s)").rename(tmp_path / "h2o.pdos_atm#2(He)_wfc#1(s)")
    assert hydrogen_dos(water_like, None, path, 1.0) == pytest.approx(3.0 / 5.0)


def test_total_without_its_orbital_files_is_refused(water_like, tmp_path):
    path = write_table(tmp_path / "h2o.pdos_tot", ENERGY, OTHER, OTHER)
    with pytest.raises(FormatError, match="keep them together"):
        hydrogen_dos(water_like, None, path, 0.0)


def test_fortran_exponents_without_an_e_are_read(water_like, tmp_path):
    (tmp_path / "dos.dat").write_text("# energy total hydrogen\n-1.0 0.4 0.1\n0.0 0.400E+00 0.304-102\n1.0 0.4 0.1\n")
    assert hydrogen_dos(water_like, None, tmp_path / "dos.dat", 0.0) == pytest.approx(0.304e-102 / 0.4)


def test_doscar_with_a_broken_header_is_refused(water_like, tmp_path):
    (tmp_path / "DOSCAR").write_text("3 3 1 1\nonly\n")
    with pytest.raises(FormatError, match="header"):
        hydrogen_dos(water_like, None, tmp_path / "DOSCAR")


def test_missing_dos_file_is_refused(water_like, tmp_path):
    with pytest.raises(FormatError, match="No such file"):
        hydrogen_dos(water_like, None, tmp_path / "dos.dat", 0.0)


def doscar(path, spins=1, n_ions=3):
    """A DOSCAR of O, H, H with s and p projections, Fermi energy 1.0."""
    grid = f"  2.0  -1.0  {len(ENERGY)}  1.00000000  1.0\n"

    def block(*columns):
        return "".join(" ".join(f"{x:.5f}" for x in row) + "\n" for row in zip(ENERGY, *columns, strict=True))

    head = f"  {n_ions}  {n_ions}  1  {spins}\n  1.0 2.0 3.0\n  1e-4\n  CAR\n  water\n"
    total = (OTHER + HYDROGEN) / spins
    text = head + grid + block(*[total] * spins, *[np.cumsum(total)] * spins)
    for states in (OTHER, HYDROGEN / 4, HYDROGEN * 0.75)[:n_ions]:
        text += grid + block(*[states / 2 / spins] * spins, *[states / 2 / spins] * spins)
    path.write_text(text)
    return path


@pytest.mark.parametrize("spins", [1, 2])
def test_doscar_brings_its_own_fermi_energy(water_like, tmp_path, spins):
    path = doscar(tmp_path / "DOSCAR", spins)
    assert hydrogen_dos(water_like, None, path) == pytest.approx(0.8)
    assert hydrogen_dos(water_like, None, path, 0.0) == pytest.approx(0.5)


def test_ions_of_a_doscar_are_those_of_the_poscar_beside_it(water_like, tmp_path):
    """O, H, H in the DOSCAR; the structure has H, H, O. Without a POSCAR nothing tells, and a warning says so."""
    water_like = Structure(water_like.cell, water_like.positions, ("H", "H", "O"))
    path = doscar(tmp_path / "DOSCAR")
    assumed = dos.hydrogen_dos(water_like, None, path)
    assert assumed.value == pytest.approx(0.4)
    assert "no POSCAR beside DOSCAR" in assumed.warnings[0]
    (tmp_path / "POSCAR").write_text("water\n1.0\n5 0 0\n0 5 0\n0 0 5\n  O_s  H.5\n  1  2\nDirect\n")
    read = dos.hydrogen_dos(water_like, None, path)
    assert (read.value, read.warnings) == (pytest.approx(0.8), ())


def test_the_share_says_where_it_is_from(water_like, tmp_path):
    assert dos.hydrogen_dos(water_like, 0.7, None).source == "given"
    read = dos.hydrogen_dos(water_like, None, projwfc(tmp_path), 0.5)
    assert (read.source, read.fermi_energy_ev, read.total_at_fermi) == ("h2o.pdos_tot", 0.5, pytest.approx(4.5))
    assert str(read) == "h2o.pdos_tot, E_F = 0.5000 eV, total DOS there 4.5"


def test_another_fermi_energy_than_that_of_the_file_is_told(water_like, tmp_path):
    assert not any(
        "Fermi" in warning for warning in dos.hydrogen_dos(water_like, None, doscar(tmp_path / "DOSCAR")).warnings
    )
    given = dos.hydrogen_dos(water_like, None, doscar(tmp_path / "DOSCAR"), 0.0)
    assert "0 eV was given, and DOSCAR says 1 eV" in given.warnings[-1]


@pytest.mark.parametrize(("spins", "n_ions"), [(1, 2), (4, 3)])
def test_doscar_of_another_structure_or_non_collinear_is_refused(water_like, tmp_path, spins, n_ions):
    with pytest.raises(FormatError, match="collinear projections on 3 atoms"):
        hydrogen_dos(water_like, None, doscar(tmp_path / "DOSCAR", spins, n_ions))


def test_doscar_without_projections_is_refused(water_like, tmp_path):
    path = doscar(tmp_path / "DOSCAR")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[: 6 + len(ENERGY)]))
    with pytest.raises(FormatError, match="LORBIT"):
        hydrogen_dos(water_like, None, path)
