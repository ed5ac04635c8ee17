"""Screening from first principles, and of folders: rows say how they were made, and are kept whatever happens."""

import csv
import itertools
import json
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import ase.io
import pytest
from ase.build import bulk
from ase.spacegroup import crystal as of_space_group

from jovium.base.errors import EngineError, InputError, JoviumError
from jovium.base.structure import Structure
from jovium.base.units import PRESSURE_GPA
from jovium.cli.main import main
from jovium.crystals import crystal
from jovium.reference.kohn_sham import CHEAP, PRODUCTION
from jovium.reference.relaxation import Relaxation
from jovium.reference.state import GroundState
from jovium.reference.symmetry import space_group
from jovium.superconductivity.fits import critical_temperatures
from jovium.workflows import screening
from jovium.workflows.screening import FORMATS, failed, screen
from jovium.workflows.screening_table import ENGINE_FORMATS

COARSE = 0.75
"""Distance of the grid points in bohr."""


def pretended_analysis(structure, *, engine, protocol, spacing):
    """What an analysis says, at once: phi is the Wigner-Seitz radius over ten. Manganese is refused."""
    if "Mn" in structure.symbols:
        raise EngineError("Mn, which may be magnetic", "paired spins", "leave it out")
    phi, h_f = structure.rs / 10, len(structure.hydrogens) / structure.n_atoms
    return SimpleNamespace(
        protocol={"pressure_gpa": 123.456},
        network=SimpleNamespace(phi_3d=SimpleNamespace(value=phi), phi_star=None),
        hydrogen_fraction=h_f,
        hydrogen_dos=SimpleNamespace(value=0.5, uncertainty=0.1),
        tc=critical_temperatures(phi, None, h_f, 0.5),
        warnings=structure.notes,
    )


def pretended_relaxation(structure, pressure_gpa, protocol, engine):
    """Every lattice vector a tenth longer."""
    relaxed = structure.at_rs(1.1 * structure.rs).noted("moved")
    pressure = pressure_gpa / PRESSURE_GPA
    state = GroundState(relaxed, protocol, engine, -1.0 - pressure * relaxed.cell.volume, 0.0)
    return Relaxation(relaxed, pressure, state, 7, "any")


def hydride(a, metal="La"):
    return bulk(f"{metal}H", "rocksalt", a=a)


@pytest.fixture
def engine(monkeypatch):
    """An engine that answers at once; which structures it was asked about."""
    asked = []

    def analyse(structure, **how):
        asked.append(structure)
        return pretended_analysis(structure, **how)

    monkeypatch.setattr(screening, "analyse", analyse)
    monkeypatch.setattr(screening, "relax", pretended_relaxation)
    return asked


@pytest.fixture
def folder(tmp_path):
    """Two hydrides, hydrogen, a compound that is refused, a broken file, and what is no structure file."""
    place = tmp_path / "in"
    place.mkdir()
    ase.io.write(place / "LaH10.cif", hydride(4.0))
    ase.io.write(place / "LaH2.vasp", hydride(4.2))
    ase.io.write(place / "H.extxyz", crystal("bcc", 1.4).to_ase())
    ase.io.write(place / "MnH.vasp", hydride(4.1, "Mn"))
    (place / "broken.cif").write_text((place / "LaH10.cif").read_text()[:120])
    (place / ".hidden").write_text("no structure")
    (place / "LaH10.cif-jovium").mkdir()
    return place


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def computed(source, output, **how):
    return screen(source, output, **{"engine": "espresso", "relax_gpa": 200.0, "spacing": COARSE} | how)


ORDER = ["H.extxyz", "LaH2.vasp", "LaH10.cif", "MnH.vasp", "broken.cif"]


def test_a_folder_becomes_a_table_in_natural_order_and_a_bad_file_is_a_line(folder, tmp_path, engine):
    rows = computed(folder, tmp_path / "out" / "table")
    written = table(tmp_path / "out" / "table.csv")
    assert [row["file"] for row in rows] == [row["file"] for row in written] == ORDER
    assert list(rows[0]) == list(written[0]) == ["file", *list(ENGINE_FORMATS)[1:]]
    assert [row["formula"] for row in written[:3]] == ["H", "LaH", "LaH"]
    assert written[3]["formula"] == "MnH"
    assert [failed(row) for row in rows] == [False, False, False, True, True]
    assert written[3]["flags"] == "failed: Mn, which may be magnetic; expected: paired spins; do: leave it out"
    assert "broken.cif" in written[4]["flags"]
    assert rows[1]["pressure_gpa"] == 123.46
    assert (rows[1]["h_f"], rows[1]["h_dos"], rows[1]["phi_star"]) == (0.5, 0.5, None)
    assert rows[1]["tc_sr4_kelvin"] == pytest.approx(574.7 * rows[1]["phi_3d"] * (0.5 * 0.125) ** 0.5, abs=0.1)
    assert (rows[1]["relax_gpa"], rows[1]["relaxation_steps"], rows[1]["flags"]) == (200.0, 7, "moved")
    assert rows[1]["enthalpy_ev_per_atom"] == pytest.approx(-27.2114 / 2, abs=1e-4)
    json.dumps(rows, allow_nan=False)
    html = rows._repr_html_()
    assert "LaH2.vasp" in html
    assert "cell_angstrom" not in html


def test_relaxed_structures_are_written_with_their_numbers(folder, tmp_path, engine):
    rows = computed(folder, tmp_path / "out")
    images = ase.io.read(tmp_path / "out.extxyz", ":")
    assert [image.info["file"] for image in images] == ORDER[:3]
    assert images[1].get_volume() == pytest.approx(1.1**3 * hydride(4.2).get_volume(), rel=1e-6)
    assert images[1].get_scaled_positions() == pytest.approx(hydride(4.2).get_scaled_positions(), abs=1e-7)
    assert Structure.from_ase(images[1]).rs == pytest.approx(rows[1]["rs_bohr"], abs=1e-6)
    assert images[1].info["phi_3d"] == rows[1]["phi_3d"]
    computed(folder, tmp_path / "plain", relax_gpa=None)
    plain = ase.io.read(tmp_path / "plain.extxyz", 1)
    assert plain.get_volume() == pytest.approx(hydride(4.2).get_volume(), rel=1e-6)
    assert table(tmp_path / "plain.csv")[1]["relaxed"] == ""


def test_what_is_in_the_table_is_not_computed_again_and_what_failed_is_tried_again(folder, tmp_path, engine):
    computed(folder, tmp_path / "out")
    before = {name: (tmp_path / name).read_text() for name in ("out.csv", "out.extxyz")}
    engine.clear()
    computed(folder, tmp_path / "out")
    assert [structure.symbols for structure in engine] == [("Mn", "H")]
    (tmp_path / "out.extxyz").unlink()
    (tmp_path / "out.csv").write_text(before["out.csv"][:-20])  # a line cut by a kill
    computed(folder, tmp_path / "out")
    assert before == {name: (tmp_path / name).read_text() for name in before}


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"relax_gpa": 150.0}, "relax_gpa"),
        ({"relax_gpa": None}, "relax_gpa"),
        ({"protocol": CHEAP}, "protocol"),
        *(({"protocol": replace(PRODUCTION, **{name: value})}, "protocol") for name, value in
          {"cutoff": 41.0, "k_spacing": 0.3, "window": 1.0, "k_offset": 0.0, "functional": "LDA"}.items()),
        ({"engine": "pyscf", "relax_gpa": None}, "engine"),
        ({"spacing": 0.5}, "spacing_bohr"),
    ],
)  # fmt: skip
def test_numbers_made_in_another_way_are_not_continued(folder, tmp_path, engine, changes, column):
    computed(folder, tmp_path / "out")
    before = (tmp_path / "out.csv").read_text()
    with pytest.raises(InputError, match=rf"H\.extxyz .* another way: ({column} [^;]*, not .+|engine .*)"):
        computed(folder, tmp_path / "out", **changes)
    assert (tmp_path / "out.csv").read_text() == before


def test_a_file_that_changed_is_refused_and_new_files_anywhere_are_added(folder, tmp_path, engine):
    computed(folder, tmp_path / "out")
    ase.io.write(folder / "A.vasp", hydride(4.3))
    engine.clear()
    rows = computed(folder, tmp_path / "out")
    assert [row["file"] for row in rows] == ["A.vasp", *ORDER]
    assert len(engine) == 2  # the new one, and the one that is refused again
    ase.io.write(folder / "LaH2.vasp", hydride(4.4))
    with pytest.raises(InputError, match=r"LaH2\.vasp is another one there"):
        computed(folder, tmp_path / "out")


KINDS = [(engine, by_file) for engine in ("network", "espresso") for by_file in (False, True)]


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(KINDS, 2)))
def test_tables_of_the_network_of_an_engine_of_files_and_of_folders_do_not_mix(folder, tmp_path, engine, first, second):
    for name in ORDER[1:]:
        (folder / name).unlink()

    def run(kind):
        by_engine, by_file = kind
        return screen(folder if by_file else folder / ORDER[0], tmp_path / "out", engine=by_engine, spacing=COARSE)

    run(first)
    before = (tmp_path / "out.csv").read_text()
    with pytest.raises(InputError, match="another kind"):
        run(second)
    assert (tmp_path / "out.csv").read_text() == before


def test_tables_of_the_network_that_were_written_before_continue():
    assert ",".join(FORMATS) == (
        "structure,n_atoms,rs_bohr,phi_3d,phi_3d_low,phi_3d_high,phi_star,phi_star_low,phi_star_high,"
        "tc_belli_2021_kelvin,tc_leastsq_kelvin,tc_sr2_kelvin,tc_sr4_kelvin,tc_sr5_kelvin,flags,spacing_bohr,sha256"
    )


def test_the_network_takes_a_folder_as_well(folder, tmp_path):
    rows = screen(folder, tmp_path / "out", spacing=COARSE)
    assert list(rows[0]) == ["file", *list(FORMATS)[1:]]
    assert [failed(row) for row in rows] == [False, True, True, True, True]
    assert {**rows[0], "file": 0} == {"file": 0, **dict(list(screen(folder / ORDER[0], spacing=COARSE)[0].items())[1:])}


@pytest.mark.parametrize("name", ["two\nlines.vasp", "a,b.vasp", 'quo"te.vasp', "ü.vasp", "b\udcff.vasp", "1.vasp"])
def test_a_file_may_have_any_name(folder, tmp_path, engine, name):
    (folder / "MnH.vasp").rename(folder / name)
    ase.io.write(folder / "many.extxyz", [hydride(4.3), hydride(4.4)])
    first = computed(folder, tmp_path / "out")
    assert len({row["file"] for row in first}) == 7
    assert {"many.extxyz:0", "many.extxyz:1"} < {row["file"] for row in first}
    assert computed(folder, tmp_path / "out") == first
    assert (tmp_path / "out.csv").read_text().count("\n") == 8


def test_shards_of_a_folder_are_the_table_of_one_run(folder, tmp_path, engine):
    whole = computed(folder, tmp_path / "whole")
    parts = [computed(folder, tmp_path / "part", shard=f"{i}/2") for i in range(2)]
    assert sorted(itertools.chain(*parts), key=lambda row: ORDER.index(row["file"])) == list(whole)


def test_a_row_is_written_when_it_is_there_and_does_not_wait_for_a_slow_one_before_it(folder, tmp_path, monkeypatch):
    second_is_written = threading.Event()

    def slow(structure, **how):
        assert not structure.is_pure_hydrogen or second_is_written.wait(60)
        return pretended_analysis(structure, **how)

    def progress(row):
        if row["file"] == ORDER[1]:
            assert ORDER[1] in (tmp_path / "out.csv").read_text()
            second_is_written.set()

    monkeypatch.setattr(screening, "analyse", slow)
    with ThreadPoolExecutor(2) as pool:
        rows = computed(folder, tmp_path / "out", relax_gpa=None, executor=pool, progress=progress)
    assert [row["file"] for row in rows] == [row["file"] for row in table(tmp_path / "out.csv")] == ORDER
    assert not failed(rows[0])


def test_a_killed_run_has_the_relaxed_structures_of_an_undisturbed_one(folder, tmp_path, engine):
    computed(folder, tmp_path / "whole")
    code = """
import time
from jovium.workflows import screening
from test_screening_by_an_engine import computed, pretended_analysis, pretended_relaxation

def slow(structure, **how):
    time.sleep(0.0 if structure.is_pure_hydrogen else 100.0)
    return pretended_analysis(structure, **how)

screening.analyse, screening.relax = slow, pretended_relaxation
computed("in", "out", progress=lambda row: print(row["file"], flush=True))
"""
    here = [str(path) for path in (screening.Path(__file__).parent, screening.Path(__file__).parents[1])]
    begin = f"import sys; sys.path += {here}\n"
    with subprocess.Popen([sys.executable, "-c", begin + code], cwd=tmp_path, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline().strip() == b"H.extxyz"
        process.send_signal(signal.SIGKILL)
    assert [row["file"] for row in table(tmp_path / "out.csv")] == ["H.extxyz"]
    engine.clear()
    computed(folder, tmp_path / "out")
    assert len(engine) == 3
    for ending in (".csv", ".extxyz"):
        assert (tmp_path / f"out{ending}").read_text() == (tmp_path / f"whole{ending}").read_text()


def test_what_cannot_be_is_refused_before_the_work(folder, tmp_path, engine):
    (tmp_path / "empty").mkdir()
    for source, how, said in (
        (folder, {"relax_gpa": float("nan")}, "check its unit"),
        (folder, {"relax_gpa": 1e9}, "check its unit"),
        (folder, {"engine": "crystal ball"}, "espresso or pyscf"),
        (folder, {"engine": "network"}, "--engine dft"),
        (folder, {"engine": "network", "relax_gpa": None, "protocol": CHEAP}, "--engine dft"),
        (tmp_path / "empty", {}, "no files"),
    ):
        with pytest.raises(JoviumError, match=said):
            computed(source, tmp_path / "out", **how)
    with pytest.raises(InputError, match="the folder of the structures"):
        computed(folder, folder / "out")
    assert main(["screen", str(folder), str(tmp_path / "out"), "--relax", "200"]) == 2
    assert main(["screen", str(folder), str(tmp_path / "out"), "--protocol", "cheap"]) == 2
    assert not engine
    assert not (tmp_path / "out.csv").exists()


def test_the_engine_itself_relaxes_a_folder_by_the_command(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    h3s = of_space_group(
        "SH", [(0, 0, 0), (0, 0.5, 0.5)], spacegroup=229, cellpar=[2.98] * 3 + [90] * 3, primitive_cell=True
    )
    ase.io.write(tmp_path / "in" / "H3S.cif", h3s)
    ase.io.write(tmp_path / "in" / "overlap.vasp", bulk("H", "bcc", a=0.2))
    arguments = ["screen", str(tmp_path / "in"), str(tmp_path / "out"), "--engine", "dft", "--protocol", "cheap"]
    assert main([*arguments, "--relax", "180", "--spacing", "0.2"]) == 3
    assert "formula H3S  pressure_gpa 1" in capsys.readouterr().out
    good, bad = table(tmp_path / "out.csv")
    assert float(good["pressure_gpa"]) == pytest.approx(180, abs=1)
    assert float(good["phi_3d"]) == pytest.approx(0.73, abs=0.05)
    assert "apart" in bad["flags"]
    image = ase.io.read(tmp_path / "out.extxyz")
    assert Structure.from_ase(image).rs == pytest.approx(float(good["rs_bohr"]), abs=1e-6)
    assert space_group(Structure.from_ase(image)) == "Im-3m (229)"
