"""Structure files as people have them: every variant is read as the crystal it is, or refused, or warned about."""

import numpy as np
import pytest
from cif_files import CIFS, cif
from structure_files import EXTXYZ, POSCARS, REFUSED, RES, TRUE, WARNED, crystal, extxyz, poscar, res

from jovium.base.errors import JoviumError
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM
from jovium.base.validity import plausibility
from jovium.formats.structures import read_structure, read_structures, structures_or_errors

FILES = {"POSCAR": POSCARS, "x.extxyz": EXTXYZ, "x.res": RES, "x.cif": CIFS}
WHOLE = {
    "POSCAR": poscar(),
    "x.extxyz": extxyz(),
    "x.res": res(),
    "x.cif": cif(formula="_chemical_formula_sum 'H2 S1'"),
}


def is_same(found: Structure, true: Structure) -> bool:
    """The same metric, and every atom at the place of one of the same symbol, whatever the orientation and order."""
    metrics = [s.cell.vectors @ s.cell.vectors.T for s in (found, true)]
    if not np.allclose(*metrics, atol=2e-3) or sorted(found.symbols) != sorted(true.symbols):
        return False
    left = list(range(true.n_atoms))
    for place, symbol in zip(found.cell.fractional(found.positions), found.symbols, strict=True):
        apart = true.cell.fractional(true.positions) - place
        apart = np.abs(apart - np.round(apart)).max(axis=1)
        match = [i for i in left if true.symbols[i] == symbol and apart[i] < 2e-3]
        if not match:
            return False
        left.remove(match[0])
    return True


def verdict(path, expected) -> str:
    """ "" when the file is read as it should be, else what is wrong. expected: a crystal, REFUSED, WARNED, or the last
    with the crystal that comes with the warning."""
    try:
        found = read_structure(path)
        warnings = plausibility(found)
    except JoviumError as error:
        whole = all(part.strip() and not part.rstrip().endswith(":") for part in (error.got, error.expected, error.do))
        return "" if whole and expected == REFUSED else f"refused: {error}"
    if expected == REFUSED:
        return f"read as {found}"
    if expected == WARNED or isinstance(expected, tuple):
        right = expected == WARNED or is_same(found, expected[1])
        return "" if warnings and right else f"warnings {warnings}, {found}"
    return "" if is_same(found, expected) and not warnings else f"warnings {warnings}, {found}"


VARIANTS = [(name, variant) for name, variants in FILES.items() for variant in variants]


@pytest.mark.parametrize("name", FILES)
def test_there_are_thirty_variants_of_every_format(name):
    assert len(FILES[name]) >= 30


@pytest.mark.parametrize(("name", "variant"), VARIANTS, ids=[f"{name}: {variant}" for name, variant in VARIANTS])
def test_variant_is_read_as_the_crystal_it_is_or_refused_or_warned_about(tmp_path, name, variant):
    text, expected = FILES[name][variant]
    (tmp_path / name).write_text(text, newline="")
    assert not verdict(tmp_path / name, expected)


@pytest.mark.parametrize("name", WHOLE)
def test_file_that_was_cut_anywhere_is_never_another_crystal_without_a_word(tmp_path, name):
    path, text = tmp_path / name, WHOLE[name]
    for end in range(1, len(text)):
        path.write_text(text[:end])
        assert "" in (verdict(path, TRUE), verdict(path, WARNED), verdict(path, REFUSED)), f"{text[:end]!r}"


@pytest.mark.parametrize("name", ["x.extxyz", "x.res", "x.cif"])
def test_whole_structures_of_a_file_that_is_being_written_are_read_and_the_last_is_an_error(tmp_path, name):
    text = WHOLE[name]
    (tmp_path / name).write_text(text * 2 + text[: len(text) * 5 // 6])
    *whole, last = structures_or_errors(tmp_path / name)
    assert len(whole) == 2
    assert all(isinstance(found, Structure) and is_same(found, TRUE) for found in whole)
    assert isinstance(last, JoviumError)
    assert f"{name}, frame 2" in last.got
    assert len(read_structures(tmp_path / name, ":2")) == 2
    assert is_same(read_structure(tmp_path / name, 1), TRUE)
    with pytest.raises(JoviumError, match="frame 2"):
        read_structure(tmp_path / name)


@pytest.mark.parametrize("name", ["x.extxyz", "x.res", "x.cif"])
def test_wrong_structure_in_the_middle_does_not_hide_the_others(tmp_path, name):
    wrong = WHOLE[name].replace("\nH ", "\nQ ")
    (tmp_path / name).write_text(WHOLE[name] + wrong + WHOLE[name])
    first, error, last = structures_or_errors(tmp_path / name)
    assert isinstance(error, JoviumError)
    assert "frame 1" in error.got
    assert all(isinstance(found, Structure) and is_same(found, TRUE) for found in (first, last))


def test_frames_are_read_when_they_are_asked_for(tmp_path):
    path = tmp_path / "long.extxyz"
    path.write_text(extxyz() * 1000)
    frames = structures_or_errors(path, "::500")
    assert is_same(next(iter(frames)), TRUE)
    path.write_text(extxyz().replace("H", "D") * 1000)
    assert [found.symbols[0] for found in frames if isinstance(found, Structure)] == ["D"]


@pytest.mark.parametrize("name", FILES)
def test_a_byte_order_mark_changes_nothing(tmp_path, name):
    (tmp_path / name).write_text((WHOLE | {"x.cif": cif()})[name], encoding="utf-8-sig")
    assert is_same(read_structure(tmp_path / name), TRUE)


@pytest.mark.parametrize("label", ["H", "D", "T", "D1"])
def test_isotopes_in_files_that_ase_reads_are_hydrogen(tmp_path, label):
    cell = "CELL_PARAMETERS angstrom\n4 0 0\n0 4 0\n0 0 4\n"
    atoms = f"ATOMIC_SPECIES\n{label} 1.0 H.upf\nATOMIC_POSITIONS angstrom\n{label} 0 0 0\n{label} 0.74 0 0\n"
    (tmp_path / "h.pwi").write_text(f"&SYSTEM\nibrav=0, nat=2, ntyp=1\n/\n{atoms}K_POINTS gamma\n{cell}")
    row = "ATOM  {:5d}  {:3s} MOL     1    {:8.3f}   0.000   0.000  1.00  0.00          {:>2s}\n"
    molecule = "".join(row.format(i + 1, label, 0.74 * i, label[0]) for i in range(2))
    (tmp_path / "h.pdb").write_text("CRYST1    4.000    4.000    4.000  90.00  90.00  90.00 P 1\n" + molecule)
    for name in ("h.pwi", "h.pdb"):
        found = read_structure(tmp_path / name)
        assert found.is_pure_hydrogen
        assert found.shortest_distance() * BOHR_ANGSTROM == pytest.approx(0.74)


ORDERS = {
    "C m c a": ("a", "b", "c"),
    "C c m b": ("b", "a", "-c"),
    "A b m a": ("c", "a", "b"),
    "A c a m": ("-c", "b", "a"),
    "B b c m": ("b", "c", "a"),
    "B m a b": ("a", "-c", "b"),
}
"""Names of the space group 64 before the glide e, and the axes of each in those of the first."""


@pytest.mark.parametrize("name", ORDERS)
def test_old_names_of_glides_are_known_in_every_order_of_the_axes(tmp_path, name):
    axes = ["abc".index(axis[-1]) for axis in ORDERS[name]]
    signs = np.array([-1 if "-" in axis else 1 for axis in ORDERS[name]])
    lengths, site = np.array([6.1, 7.3, 9.5]), np.array([0.11, 0.17, 0.07])
    for file, symmetry, order, sign in (
        ("named.cif", f"_symmetry_space_group_name_H-M '{name}'\n_space_group_IT_number 64", axes, signs),
        ("new.cif", "_symmetry_space_group_name_H-M 'C m c e'", [0, 1, 2], 1),
    ):
        cell = (*lengths[order], 90, 90, 90)
        (tmp_path / file).write_text(cif(cell, symmetry, ("La",), [site[order] * sign]))
    named, new = (read_structure(tmp_path / file) for file in ("named.cif", "new.cif"))
    turned = new.cell.fractional(new.positions)[:, axes] * signs
    assert is_same(named, crystal((*lengths[axes], 90, 90, 90), turned, new.symbols))
    assert named.notes == ()
