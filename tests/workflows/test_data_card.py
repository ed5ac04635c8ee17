"""The data card says what the trajectories and labels hold, with pressures at the label protocol."""

import numpy as np
import pytest
from known_labels import KNOWN, ClosedForm

from jovium.base.units import PRESSURE_GPA, kelvin_to_hartree
from jovium.cli.main import main
from jovium.labels.fluid_frames import read_plan, read_trajectories
from jovium.labels.labelling import label
from jovium.labels.packed import pack
from jovium.labels.record import Candidate
from jovium.reference.dynamics import force_protocol, sample
from jovium.workflows.data_card import first_order, read_label_points

STATIC = 0.01
"""Static pressure of the engine in closed form, hartree/bohr^3."""


@pytest.fixture
def data(tmp_path, harmonic, odd_structure):
    """A trajectory with all of its kept frames labelled, and one crystal."""
    plan = tmp_path / "states.csv"
    plan.write_text("n_atoms,rs_bohr,kelvin,seed,frames,split\n4,2.0,3000,1,12,train\n")
    (run,) = read_plan(plan)
    list(sample(run.state, tmp_path / f"{run.name}.extxyz", run.frames, harmonic, force_protocol(run.state)))
    ((_, fluid),) = read_trajectories([run], tmp_path)
    several = [
        Candidate(fluid.structures[i], "train", run.name, 3000.0, int(fluid.steps[i])) for i in fluid.decorrelate()
    ]
    several.append(Candidate(odd_structure, "test-crystal", "odd-crystal"))
    label(several, tmp_path / "labels", KNOWN, open_engine=ClosedForm)
    return plan, fluid


def test_card_gives_pressures_of_the_labels_and_their_distance_from_those_of_the_forces(data, tmp_path, capsys):
    plan, fluid = data
    out = tmp_path / "card"
    assert main(["reference", "card", str(plan), str(tmp_path), str(tmp_path / "labels"), "--out", str(out)]) == 0
    assert str(out / "states.md") in capsys.readouterr().out
    lines = (out / "states.md").read_text().splitlines()
    cells = [cell.strip() for cell in lines[2].split("|")[1:-1]]
    assert cells[:2] == ["n4-rs2-3000K-1", "train"]
    ideal = kelvin_to_hartree(3000.0) * 4 / fluid.structures[0].cell.volume
    kept = fluid.decorrelate()
    assert int(cells[4]) == len(kept)
    assert cells[5] == f"{(STATIC + ideal) * PRESSURE_GPA:.1f} +- 0.0"
    correction = (STATIC + ideal - fluid.pressure[kept].mean()) * PRESSURE_GPA
    assert float(cells[6].split()[0]) == pytest.approx(correction, abs=0.06)
    assert any(line.startswith("| odd-crystal | test-crystal | 1 | 5 |") for line in lines)
    for name in ("pair_correlation", "pressure", "pairs"):
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_packed_labels_make_the_same_card(data, tmp_path):
    pack(tmp_path / "labels", tmp_path)
    plain, packed = read_label_points(tmp_path / "labels"), read_label_points(tmp_path)
    assert [p.group for p in packed] == sorted(p.group for p in plain)
    plain = {(p.group, p.step): p for p in plain}
    for p in packed:
        other = plain[p.group, p.step]
        assert (p.pressure, p.energy) == (other.pressure, other.energy)
        assert np.abs([p.phi - other.phi, p.phi_star - other.phi_star, p.mean_elf - other.mean_elf]).max() < 2e-3


def test_states_without_labels_are_shown_without_figures_of_labels(data, tmp_path, harmonic):
    plan, _ = data
    with plan.open("a") as file:
        file.write("4,1.8,3000,2,12,test\n")
    run = read_plan(plan)[1]
    list(sample(run.state, tmp_path / f"{run.name}.extxyz", run.frames, harmonic, force_protocol(run.state)))
    out = tmp_path / "card"
    assert main(["reference", "card", str(plan), str(tmp_path), str(tmp_path / "labels"), "--out", str(out)]) == 0
    cells = [cell.strip() for cell in (out / "states.md").read_text().splitlines()[3].split("|")[1:-1]]
    assert cells[4:7] == ["0", "-", "-"]


def test_first_order_change_of_a_mean_is_that_of_reweighting():
    """For a Gaussian x and work a x, exp(-a x) moves the mean of x by -a var(x)."""
    x = np.random.default_rng(0).normal(scale=0.7, size=20000)
    found = first_order(x, 0.3 * x)
    assert found.value == pytest.approx(-0.3 * 0.49, abs=4 * found.error)
    assert found.error < 0.005
