"""The command `reference label`: options, bad structures, exit codes, kills."""

import json
import os
import signal
import subprocess
import sys
import time

import ase.io
import numpy as np
import pytest
from known_labels import ClosedForm, candidates

from jovium.base.errors import NotConverged
from jovium.cli.main import main
from jovium.labels.file import read_record, record_files
from jovium.labels.reading import read_labels


def hydrogen_file(path, images):
    ase.io.write(path, images, format="extxyz")
    return path


@pytest.fixture
def images():
    """Three frames as the sampler collects them."""
    made = []
    for candidate in candidates(3)[1:]:
        atoms = candidate.structure.to_ase()
        atoms.info |= {"split": "train", "group": "t", "temperature_kelvin": 3000.0, "step": candidate.step}
        made.append(atoms)
    return made


def command(source, out, *options):
    return ["reference", "label", str(source), str(out), "--protocol", "cheap", "--spacing", "0.2", *options]


def assert_close(first, second):
    """Equal but for the order of floating-point sums: one unit of the stored ELF, 1e-9 hartree."""
    assert first.keys() == second.keys()
    for name, record in first.items():
        repeated = second[name]
        assert np.abs(record["elf"].astype(int) - repeated["elf"].astype(int)).max() <= 1
        assert np.allclose(record["density"], repeated["density"], rtol=1e-6)
        assert all(np.allclose(record[n], repeated[n], rtol=0, atol=1e-9) for n in ("free_energy", "forces", "stress"))


def records(path):
    return {file.stem: read_record(file)[1] for file in record_files(path)}


def test_killed_command_repeats_to_the_same_labels_from_first_principles(tmp_path, images, capsys):
    source = hydrogen_file(tmp_path / "in.extxyz", images)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert main(command(source, whole, "--json")) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["done"], line["total"], line["status"]) for line in lines] == [(1, 2, "ok"), (2, 2, "ok")]
    for delay in (1.0, 1.5, 2.2):
        process = subprocess.Popen(
            [sys.executable, "-m", "jovium.cli.main", *command(source, killed)],
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert main(command(source, killed, "--workers", "2")) == 0
    assert_close(records(killed), records(whole))
    assert main(["reference", "verify", str(killed)]) == 0
    assert "| 1.595 | 3000 | 3 | train | 1 | 2 | 0 |" in capsys.readouterr().out


def test_shards_and_frames_divide_the_structures_and_share_a_folder(tmp_path, images, capsys):
    source, folder = hydrogen_file(tmp_path / "in.extxyz", images), tmp_path / "out"
    assert main(command(source, folder, "--shard", "1/2")) == 0
    assert "1/1  t step 2  N 3  rs 1.5952" in capsys.readouterr().out
    assert [stored.step for stored in read_labels(folder)] == [2]
    assert main(command(source, folder, "--shard", "1/2", "--frames", "0")) == 2
    assert "no structures" in capsys.readouterr().err
    assert main(command(source, folder, "--shard", "0/2")) == 0
    assert [stored.step for stored in read_labels(folder)] == [1, 2]


def test_a_damaged_file_is_computed_again_and_the_command_says_so(tmp_path, images, monkeypatch, capsys):
    from jovium.reference import espresso

    closed = ClosedForm()
    monkeypatch.setattr(espresso, "espresso_version", lambda: "closed form (1)")
    monkeypatch.setattr(espresso.Espresso, "ground_state", lambda _, *args, **options: closed.ground_state(*args))
    source, folder = hydrogen_file(tmp_path / "in.extxyz", images), tmp_path / "out"
    assert main(command(source, folder)) == 0
    file = record_files(folder)[0]
    content = file.read_bytes()
    file.write_bytes(content[:-9])
    assert main(["reference", "verify", str(folder)]) == 1
    assert f"WRONG: {file}: File is not a zip file; copy it again, or repeat the command" in capsys.readouterr().out
    assert main(command(source, folder)) == 0
    out = capsys.readouterr().out
    assert f"in place of a damaged file: {file}" in out
    assert "1 labelled, 1 there before, 0 failed" in out
    assert file.read_bytes() == content


def spoiled(images, kind):
    atoms = images[0]
    if kind == "species":
        atoms.symbols[0] = "U"
    elif kind == "nan":
        atoms.positions[1, 1] = np.nan
    elif kind == "overlap":
        atoms.positions[1] = atoms.positions[0] + 0.05
    elif kind == "cell":
        atoms.cell[2] = 0
    else:
        key, value = kind
        atoms.info[key] = value
    return images


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("species", "U: no pseudopotential in GTH-PBE"),
        ("nan", "finite coordinates"),
        ("overlap", "angstrom apart"),
        ("cell", "lattice vectors"),
        (("split", "exam"), "split 'exam'"),
        (("split", "test"), "group t is in the splits test and train"),
        (("temperature_kelvin", "hot"), "temperature_kelvin"),
        (("group", "g" * 97), "at most 96"),
    ],
    ids=str,
)
def test_bad_structures_are_refused_before_anything_is_computed(tmp_path, images, kind, message, capsys):
    source = hydrogen_file(tmp_path / "in.extxyz", spoiled(images, kind))
    assert main(command(source, tmp_path / "out")) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("out/*.npz"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shard", "2/2"], "--shard 2/2"),
        (["--shard", "half"], "--shard half"),
        (["--workers", "0"], "--workers 0"),
        (["--spacing", "0.5"], "grid spacing"),
        (["--frames", "5:5"], "no structure at index 5:5"),
        (["--frames", "a:b"], "--frames 'a:b'"),
    ],
    ids=str,
)
def test_bad_options_are_refused(tmp_path, images, options, message, capsys):
    source = hydrogen_file(tmp_path / "in.extxyz", images)
    assert main(command(source, tmp_path / "out", *options)) == 2
    assert message in capsys.readouterr().err


def test_empty_and_missing_input_are_refused(tmp_path, capsys):
    (tmp_path / "empty.extxyz").write_text("")
    for name, message in (("empty.extxyz", "is empty"), ("absent.extxyz", "no file")):
        assert main(command(tmp_path / name, tmp_path / "out")) == 2
        assert message in capsys.readouterr().err


def test_output_where_no_folder_can_be_is_an_output_error(tmp_path, images):
    source = hydrogen_file(tmp_path / "in.extxyz", images)
    assert main(command(source, source)) == 4
    assert main(command(source, source / "out")) == 4


def test_failed_calculation_gives_exit_code_3(tmp_path, images, monkeypatch, capsys):
    from jovium.reference import espresso

    def hopeless(*_, **__):
        raise NotConverged("self-consistent field not converged", "convergence", "give up")

    monkeypatch.setattr(espresso.Espresso, "ground_state", hopeless)
    source = hydrogen_file(tmp_path / "in.extxyz", images)
    assert main(command(source, tmp_path / "out")) == 3
    assert "FAILED: NotConverged: self-consistent field not converged" in capsys.readouterr().out
    assert main(command(source, tmp_path / "out")) == 3
    assert "2 failed before and were not tried again" in capsys.readouterr().out
