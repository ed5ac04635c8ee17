"""The plan of a data set: what it runs, what it keeps, what it refuses."""

import lzma

import ase.io
import numpy as np
import pytest

from jovium.base.errors import InputError
from jovium.cli.main import main
from jovium.crystals import crystal
from jovium.labels.fluid_frames import (
    read_plan,
    read_trajectories,
    trajectory_path,
    write_frames,
    write_pair_correlation,
)
from jovium.labels.record import Candidate
from jovium.reference.dynamics import force_protocol, sample

HEADER = "n_atoms,rs_bohr,kelvin,seed,frames,split\n"


def plan_file(tmp_path, rows):
    path = tmp_path / "states.csv"
    path.write_text(HEADER + rows)
    return path


def test_collected_frames_carry_their_split_group_and_state(tmp_path, harmonic, capsys):
    path = plan_file(tmp_path, "4,2.0,3000,1,12,train\n5,1.8,6000,2,12,test\n6,1.8,6000,3,12,test\n")
    plan = read_plan(path)
    for run in plan[:2]:
        list(sample(run.state, tmp_path / f"{run.name}.extxyz", run.frames, harmonic, force_protocol(run.state)))
    assert main(["reference", "collect", str(path), str(tmp_path), str(tmp_path / "out.extxyz")]) == 0
    assert "1 of the plan not there or too short yet" in capsys.readouterr().out
    images = ase.io.read(tmp_path / "out.extxyz", index=":")
    assert {(len(a), a.info["split"], a.info["group"]) for a in images} == {
        (4, "train", "n4-rs2-3000K-1"),
        (5, "test", "n5-rs1.8-6000K-2"),
    }
    assert all(a.info["rs_bohr"] in (2.0, 1.8) and a.info["temperature_kelvin"] in (3000, 6000) for a in images)
    assert len(images) == write_frames(read_trajectories(plan, tmp_path), tmp_path / "again.extxyz")


def test_pair_correlation_is_kept_beside_the_trajectory(tmp_path, harmonic):
    run = read_plan(plan_file(tmp_path, "20,3.0,3000,1,16,train\n"))[0]
    path = tmp_path / f"{run.name}.extxyz"
    list(sample(run.state, path, run.frames, harmonic, force_protocol(run.state)))
    table = write_pair_correlation(path)
    assert table.name == "n20-rs3-3000K-1.gr.csv"
    r, g, error = np.loadtxt(table, delimiter=",", skiprows=1).T
    assert r[-1] < run.state.box.lengths[0] / 2
    assert g.min() >= 0
    assert error.max() > 0


def test_packed_trajectories_are_unpacked_and_continued(tmp_path, harmonic):
    run = read_plan(plan_file(tmp_path, "4,2.0,3000,1,12,train\n"))[0]
    path = tmp_path / f"{run.name}.extxyz"
    list(sample(run.state, path, 12, harmonic, force_protocol(run.state)))
    whole = path.read_text()
    (tmp_path / f"{run.name}.extxyz.xz").write_bytes(lzma.compress("".join(whole.splitlines(True)[:24]).encode()))
    path.unlink()
    list(sample(run.state, trajectory_path(run, tmp_path), 12, harmonic, force_protocol(run.state)))
    assert path.read_text() == whole


def test_hotter_states_take_shorter_steps(tmp_path):
    cold, hot = (run.state for run in read_plan(plan_file(tmp_path, "4,2,1000,1,9,train\n4,2,16000,1,9,train\n")))
    assert hot.time_step == pytest.approx(cold.time_step / 2)


def test_a_plan_may_hold_tests_of_a_kind_and_sealed_ones(tmp_path):
    splits = ["train", "validation", "test", "test-state", "test-random", "sealed-window", "sealed-seed", "unassigned"]
    rows = "".join(f"4,2,1000,{seed},9,{split}\n" for seed, split in enumerate(splits))
    assert [run.split for run in read_plan(plan_file(tmp_path, rows))] == splits


@pytest.mark.parametrize("split", ["exam", "testing", "test-", "Train", "sealed-Window", "validation-2", "train-x", ""])
def test_other_splits_are_refused_by_name(tmp_path, split):
    with pytest.raises(InputError, match="sealed-<kind>"):
        read_plan(plan_file(tmp_path, f"4,2,1000,1,9,{split}\n"))
    with pytest.raises(InputError, match="sealed-<kind>"):
        Candidate(crystal("bcc", 1.4), split)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("4,2,1000,1,9,exam\n", "splits"),
        ("4,2,1000,1,9,train\n4,2.0,1000,1,12,test\n", "same run twice"),
        ("4,2,hot,1,9,train\n", "hot"),
    ],
)
def test_impossible_plans_are_refused(tmp_path, rows, message):
    with pytest.raises(InputError, match=message):
        read_plan(plan_file(tmp_path, rows))


@pytest.mark.parametrize("text", ["2/2", "-1/3", "one/2", "3"])
def test_impossible_shards_are_refused(tmp_path, text, capsys):
    path = plan_file(tmp_path, "4,2,1000,1,9,train\n")
    assert main(["reference", "plan", str(path), str(tmp_path), "--shard=" + text]) == 2
    assert "--shard" in capsys.readouterr().err


def test_the_shipped_plan_holds_out_states_and_a_cell_size():
    """At least 24 trajectories; three (rs, T) states and one cell size are in the test split only."""
    from pathlib import Path

    plan = read_plan(Path(__file__).parents[2] / "data" / "states.csv")
    seen = [run for run in plan if run.split != "test"]
    held_out = {(run.rs, run.kelvin) for run in plan} - {(run.rs, run.kelvin) for run in seen}
    assert len(plan) >= 24
    assert len(held_out) >= 3
    assert {run.n_atoms for run in plan} - {run.n_atoms for run in seen}
