"""Scans over rs and temperature: neighbours, tables, and a scan that is repeated."""

import csv
import json
from dataclasses import replace

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jovium.base.errors import InputError
from jovium.cli.main import main
from jovium.free_energy import equation_of_state
from jovium.free_energy.equation_of_state import Scan, flatten, scan, write_table
from jovium.free_energy.measurement import request
from jovium.free_energy.settings import FreeEnergySettings, MeasurementSettings
from jovium.free_energy.systems import FreeEnergySystem
from jovium.free_energy.training import load_run, with_parameters_of
from jovium.report.free_energy_figures import draw_equation_of_state
from jovium.training.loop import TrainingState
from jovium.training.run_folder import write_config

TINY = FreeEnergySettings(
    n_atoms=2, twists=1, steps=2, wavefunction_warmup=0, proton_walkers=4, electron_walkers=2, mc_steps=1,
    flow_batch_size=8, flow_channels=1, flow_radial=4, flow_knots=2, ode_steps=1, features=4,
)  # fmt: skip

QUICK = MeasurementSettings(samples=4, electron_samples=2)

MEASURED = {
    "F_Ha_per_atom": {"value": -0.5, "error": 0.01}, "F_reweighted_Ha_per_atom": {"value": -0.51, "error": 0.02},
    "E_Ha_per_atom": {"value": -0.4, "error": 0.01}, "S_kB_per_atom": {"value": 6.0, "error": 0.1},
    "P_GPa": {"value": 500.0, "error": 3.0}, "acceptance": 0.5, "effective_samples": 10.0, "samples": 20,
    "n_atoms": 2, "rs_bohr": 1.25, "T_K": 6000.0, "isotope": "H", "n_twists": 8, "accept_fraction": 1.0,
    "step": 2, "seed": 1,
}  # fmt: skip


def test_every_state_begins_where_a_neighbour_ended(tmp_path):
    plan = Scan(replace(TINY, init_from="before"), (1.2, 1.3), (5000.0, 6000.0), 1, QUICK)
    assert plan.states == [(1.2, 5000.0), (1.3, 5000.0), (1.3, 6000.0), (1.2, 6000.0)]
    paths, settings = zip(*plan.runs(tmp_path), strict=True)
    assert [each.init_from for each in settings] == ["before", *map(str, paths[:-1])]
    assert [each.steps for each in settings] == [2, 1, 1, 1]
    assert [(each.rs, each.kelvin) for each in settings] == plan.states


def test_a_table_has_errors_beside_values_and_units_in_names(tmp_path):
    rows = [flatten(MEASURED), flatten({**MEASURED, "rs_bohr": 1.3})]
    write_table(tmp_path, rows)
    with (tmp_path / "eos.csv").open() as file:
        read = list(csv.DictReader(file))
    assert [row["rs_bohr"] for row in read] == ["1.25", "1.3"]
    assert read[0]["P_GPa_error"] == "3.0"
    assert read[0]["accept_fraction"] == "1.0"
    with h5py.File(tmp_path / "eos.h5") as file:
        np.testing.assert_array_equal(file["rs_bohr"], [1.25, 1.3])
        assert file["isotope"].asstr()[0] == "H"
        assert set(file) == set(read[0])
    draw_equation_of_state(tmp_path / "eos.png", rows)
    assert (tmp_path / "eos.png").stat().st_size > 1000


def test_a_scan_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    """Every state is trained, measured and in the table before the next one begins; what is measured stays so."""
    done = []

    state = TrainingState(None, None, None, jnp.int32(2), jnp.int32(0))

    def measure(path, how):
        done.append(path.name)
        rs = float(path.name.split("_")[0][2:])
        record = {**MEASURED, **request(TINY, state, how), "rs_bohr": rs}
        (path / "measure.json").write_text(json.dumps(record))

    def train(path, settings, report_every):
        path.mkdir(exist_ok=True)
        write_config(path, settings)
        return iter(())

    monkeypatch.setattr(equation_of_state, "train", train)
    monkeypatch.setattr(equation_of_state, "measure_run", measure)
    monkeypatch.setattr(equation_of_state, "load_run", lambda path: (TINY, state))
    plan = Scan(TINY, (1.2, 1.3), (6000.0,), 2, QUICK)
    assert next(scan(tmp_path, plan, 2))[0] == "rs1.2_T6000"
    assert done == ["rs1.2_T6000"]
    rows = [row for _, row in scan(tmp_path, plan, 2)]
    assert done == ["rs1.2_T6000", "rs1.3_T6000"]
    assert [row["rs_bohr"] for row in rows] == [1.2, 1.3]
    others = replace(plan, measurement=replace(QUICK, accept_fraction=0.5))
    list(scan(tmp_path, others, 2))  # other protons are another measurement
    assert done[2:] == ["rs1.2_T6000", "rs1.3_T6000"]


@pytest.mark.slow
def test_a_scan_that_is_repeated_does_nothing_twice(tmp_path):
    plan = Scan(TINY, (1.25, 1.35), (6000.0,), 2, QUICK)
    found = list(scan(tmp_path, plan, 2))
    assert [name for name, _ in found] == ["rs1.25_T6000"] * 2 + ["rs1.35_T6000"] * 2
    rows = [row for _, row in scan(tmp_path, plan, 2)]
    assert rows == [found[1][1], found[3][1]]  # no training, the same figures
    assert json.loads((tmp_path / "rs1.35_T6000" / "config.json").read_text())["init_from"].endswith("rs1.25_T6000")


def test_parameters_know_nothing_of_the_cell_but_of_their_sizes():
    """In a cell that is larger by a factor, twists smaller by it, the mean field of the protons is another."""
    small, large = (FreeEnergySystem(replace(TINY, rs=rs)).wave_function() for rs in (1.25, 1.4))
    shaken = jax.tree.map(lambda leaf: leaf + 0.1, small)
    moved = with_parameters_of(large, shaken, "another run")
    assert moved.box == large.box
    for one, other in zip(jax.tree.leaves(moved), jax.tree.leaves(shaken), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(InputError, match="of another form"):
        with_parameters_of(FreeEnergySystem(replace(TINY, features=8)).wave_function(), small, "another run")


@pytest.mark.parametrize("wrong", [{"rs": ()}, {"kelvin": ()}, {"steps_per_state": 0}, {"rs": (1.2, -1.0)}], ids=str)
def test_scans_that_cannot_be(wrong):
    plan = {"settings": TINY, "rs": (1.25,), "kelvin": (6000.0,), "steps_per_state": 1, "measurement": QUICK}
    with pytest.raises(InputError):
        Scan(**{**plan, **wrong})


def test_the_command_says_what_is_wrong_before_it_trains(tmp_path, capsys):
    assert main(["free-energy", "eos", str(tmp_path / "out"), "--rs", "1.2", "0", "--kelvin", "6000"]) == 2
    assert "rs 0.0" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_start_that_is_no_run_is_told(tmp_path):
    with pytest.raises(InputError, match="holds no run"):
        load_run(tmp_path)
