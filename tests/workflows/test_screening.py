"""Screening: one line per structure whatever happens, the same lines however often it is killed and repeated."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import ase.io
import numpy as np
import pytest

from jovium.base.errors import InputError
from jovium.cli.main import main
from jovium.crystals import crystal
from jovium.elf.model import elf_grid_shape
from jovium.workflows.analyse import AnalysisSettings, analyse_field
from jovium.workflows.elf_sources import predict_elf
from jovium.workflows.screening import FORMATS, screen

SPACING = 0.2


def hydrogen(seed):
    atoms = crystal("bcc", 1.4).supercell((2, 1, 1)).to_ase()
    atoms.positions += np.random.default_rng(seed).normal(scale=0.05, size=atoms.positions.shape)
    return atoms


@pytest.fixture
def structures(tmp_path):
    """Fluid, dense beyond the training data, a hydride, a cell whose atoms overlap, fluid."""
    dense, hydride, overlapping = hydrogen(1), hydrogen(2), hydrogen(3)
    dense.set_cell(0.7 * dense.cell, scale_atoms=True)
    hydride.symbols[0] = "La"
    overlapping.positions[1] = overlapping.positions[0] + 0.1
    ase.io.write(tmp_path / "in.extxyz", [hydrogen(0), dense, hydride, overlapping, hydrogen(4)])
    return tmp_path / "in.extxyz"


def command(path, out, *more):
    return ["screen", str(path), str(out), "--spacing", str(SPACING), *more]


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_structure_has_a_line(structures, tmp_path, capsys):
    assert main(command(structures, tmp_path / "out", "--json")) == 3  # two of them have no numbers
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    rows = table(tmp_path / "out.csv")
    for row, line in zip(rows, printed, strict=True):
        assert list(row) == list(line) == list(FORMATS)
        assert row == {name: "" if value is None else format(value, FORMATS[name]) for name, value in line.items()}
    assert [row["structure"] for row in rows] == ["0", "1", "2", "3", "4"]
    assert [bool(row["phi_3d"]) for row in rows] == [True, True, False, False, True]
    assert "trained from" in rows[1]["flags"]
    assert float(rows[1]["phi_3d_high"]) - float(rows[1]["phi_3d_low"]) > 0.3
    assert "hydrogen only" in rows[2]["flags"]
    assert "apart" in rows[3]["flags"]
    for row in (rows[0], rows[4]):
        assert row["flags"] == ""
        assert float(row["phi_3d_low"]) <= float(row["phi_3d"]) <= float(row["phi_3d_high"])
    images = ase.io.read(tmp_path / "out.extxyz", ":")
    assert [image.info["structure"] for image in images] == [0, 1, 4]
    assert images[2].info["phi_3d"] == float(rows[4]["phi_3d"])


def test_numbers_are_those_of_the_analysis(structures, tmp_path):
    assert main(command(structures, tmp_path / "out", "--frames", "0")) == 0
    structure = crystal("bcc", 1.4).supercell((2, 1, 1)).from_ase(ase.io.read(structures, 0))
    shape = elf_grid_shape(structure, SPACING / 0.529177210903)
    analysis = analyse_field("x", structure, predict_elf(structure, shape), AnalysisSettings())
    row = table(tmp_path / "out.csv")[0]
    assert float(row["phi_3d"]) == pytest.approx(analysis.network.phi_3d.value, abs=1e-4)
    sr4 = next(t for t in analysis.tc if t.name == "SR4")
    assert float(row["tc_sr4_kelvin"]) == pytest.approx(sr4.kelvin, abs=0.1)


def test_shards_and_executors_give_the_lines_of_one_run(structures, tmp_path):
    assert main(command(structures, tmp_path / "whole")) == 3
    for shard in ("0/2", "1/2"):
        assert main(command(structures, tmp_path / "part", "--shard", shard)) == 3
    parts = table(tmp_path / "part-0-of-2.csv") + table(tmp_path / "part-1-of-2.csv")
    assert sorted(parts, key=lambda row: row["structure"]) == table(tmp_path / "whole.csv")
    crystals = [crystal("bcc", 1.4), crystal("fcc", 1.4)]
    with ThreadPoolExecutor(2) as pool:
        rows = screen(crystals, tmp_path / "pool", spacing=0.4, executor=pool)
    assert rows == screen(crystals, tmp_path / "serial", spacing=0.4)


def test_structures_in_memory_give_the_rows_of_the_file_and_write_nothing(structures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = ase.io.read(structures, ":")
    rows = screen(images, spacing=0.4)
    assert list(tmp_path.iterdir()) == [structures]
    for row, line in zip(rows, screen(structures, str(tmp_path / "out"), spacing=0.4), strict=True):
        failed = row["phi_3d"] is None
        assert {**row, "flags": failed} == {**line, "flags": failed}
    assert rows == [{**screen(atoms, spacing=0.4)[0], "structure": i} for i, atoms in enumerate(images)]
    html = rows._repr_html_()
    assert html.count("<tr>") == 6
    assert f"<td>{rows[0]['phi_3d']:.5f}</td>" in html


def test_a_line_cut_short_is_made_again_and_the_rest_is_kept(structures, tmp_path, capsys):
    assert main(command(structures, tmp_path / "out")) == 3
    whole = (tmp_path / "out.csv").read_text()
    lines = whole.splitlines(keepends=True)
    (tmp_path / "out.csv").write_text("".join(lines[:3]) + lines[3][:7])
    capsys.readouterr()
    assert main(command(structures, tmp_path / "out")) == 3
    assert (tmp_path / "out.csv").read_text() == whole
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert main(command(structures, tmp_path / "out")) == 3
    assert capsys.readouterr().out.count("failed") == 2  # what has no numbers is tried again, the rest is not


def test_a_killed_run_continues(structures, tmp_path):
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    arguments = [sys.executable, "-m", "jovium.cli.main", *command(structures, tmp_path / "out")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as process:
        assert process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    time.sleep(0.1)
    assert main(command(structures, tmp_path / "out")) == 3
    assert [row["structure"] for row in table(tmp_path / "out.csv")] == ["0", "1", "2", "3", "4"]


def test_results_of_other_structures_are_not_continued(structures, tmp_path):
    screen(crystal("bcc", 1.4), tmp_path / "out", spacing=0.4)
    with pytest.raises(InputError, match="another one"):
        screen(crystal("fcc", 1.4), tmp_path / "out", spacing=0.4)
    with pytest.raises(InputError, match="another grid"):
        screen(crystal("bcc", 1.4), tmp_path / "out", spacing=0.3)
    for foreign in ("a,b\n1,2\n", "one line without an end"):
        (tmp_path / "other.csv").write_text(foreign)
        with pytest.raises(InputError, match="something else"):
            screen(crystal("bcc", 1.4), tmp_path / "other", spacing=0.4)
        assert (tmp_path / "other.csv").read_text() == foreign
    assert main(["screen", str(structures), str(tmp_path / "x"), "--spacing", "-1"]) == 2
    assert main(["screen", str(structures), "/"]) == 2


def test_a_structure_without_room_is_a_line_and_not_the_end(monkeypatch):
    def hungry(structure, spacing):
        raise MemoryError

    monkeypatch.setattr("jovium.workflows.screening._numbers", hungry)
    rows = screen([crystal("bcc", 1.4), crystal("fcc", 1.4)], spacing=0.4)
    assert [row["flags"] for row in rows] == ["failed: out of memory"] * 2


def test_a_file_named_like_a_library_does_not_run(structures, tmp_path):
    """Workers start in the folder of the data."""
    (tmp_path / "random.py").write_text("raise SystemExit('taken')")
    arguments = [sys.executable, "-m", "jovium.cli.main", *command("in.extxyz", "out"), "--workers", "2"]
    done = subprocess.run(
        arguments, cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "PYTHONSAFEPATH": "1"}
    )
    assert done.returncode == 3, done.stderr
    assert len(table(tmp_path / "out.csv")) == 5
