"""Scans over rs and temperature: neighbours, tables, and a scan that is repeated."""

import csv
import json
from dataclasses import replace
from types import SimpleNamespace

import h5py
import jax
import numpy as np
import pytest

from jovium.base.errors import InputError
from jovium.cli.main import main
from jovium.free_energy import equation_of_state
from jovium.free_energy.equation_of_state import Scan, flat, scan, write_table
from jovium.free_energy.settings import FreeEnergySettings
from jovium.free_energy.training import trained, with_parameters_of
from jovium.report.free_energy_figures import draw_equation_of_state

TINY = FreeEnergySettings(
    steps=2, waiting=0, configurations=4, electrons=2, sweeps=1, lessons=8, channels=1, radial=4, times=2,
    integration_steps=1, features=4,
)  # fmt: skip

MEASURED = {
    "F_Ha_per_atom": {"value": -0.5, "error": 0.01}, "F_reweighted_Ha_per_atom": {"value": -0.51, "error": 0.02},
    "E_Ha_per_atom": {"value": -0.4, "error": 0.01}, "S_kB_per_atom": {"value": 6.0, "error": 0.1},
    "P_GPa": {"value": 500.0, "error": 3.0}, "acceptance": 0.5, "effective_samples": 10.0, "samples": 20,
    "n_protons": 2, "rs_bohr": 1.25, "T_K": 6000.0, "isotope": "H", "twists": 8, "step": 2, "seed": 1,
}  # fmt: skip


def test_every_state_begins_where_a_neighbour_ended(tmp_path):
    plan = Scan(replace(TINY, start="before"), (1.2, 1.3), (5000.0, 6000.0), 1, 1, 2)
    assert plan.states == [(1.2, 5000.0), (1.3, 5000.0), (1.3, 6000.0), (1.2, 6000.0)]
    places, recipes = zip(*plan.recipes(tmp_path), strict=True)
    assert [recipe.start for recipe in recipes] == ["before", *map(str, places[:-1])]
    assert [recipe.steps for recipe in recipes] == [2, 1, 1, 1]
    assert [(recipe.rs, recipe.kelvin) for recipe in recipes] == plan.states


def test_a_table_has_errors_beside_values_and_units_in_names(tmp_path):
    rows = [flat(MEASURED), flat({**MEASURED, "rs_bohr": 1.3})]
    write_table(tmp_path, rows)
    with (tmp_path / "eos.csv").open() as file:
        read = list(csv.DictReader(file))
    assert [row["rs_bohr"] for row in read] == ["1.25", "1.3"]
    assert read[0]["P_GPa_error"] == "3.0"
    assert read[0]["kept"] == "1.0"  # of a measurement by a version that had no other
    with h5py.File(tmp_path / "eos.h5") as file:
        np.testing.assert_array_equal(file["rs_bohr"], [1.25, 1.3])
        assert file["isotope"].asstr()[0] == "H"
        assert set(file) == set(read[0])
    draw_equation_of_state(tmp_path / "eos.png", rows)
    assert (tmp_path / "eos.png").stat().st_size > 1000


def test_a_scan_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    """Every state is trained, measured and in the table before the next one begins; what is measured stays so."""
    done = []

    def measured(place, n_batches, n_looks, seed, share):
        done.append(place.name)
        rs = float(place.name.split("_")[0][2:])
        found = {**MEASURED, "rs_bohr": rs, "seed": seed, "batches": n_batches, "looks": n_looks, "kept_asked": share}
        (place / "measure.json").write_text(json.dumps(found))

    def at_its_end(place):
        return None, SimpleNamespace(step=2)

    def train(place, recipe, every):
        place.mkdir(exist_ok=True)
        return iter(())

    monkeypatch.setattr(equation_of_state, "train", train)
    monkeypatch.setattr(equation_of_state, "measure_run", measured)
    monkeypatch.setattr(equation_of_state, "trained", at_its_end)
    plan = Scan(TINY, (1.2, 1.3), (6000.0,), 2, 1, 2)
    assert next(scan(tmp_path, plan, 2, 1))[0] == "rs1.2_T6000"
    assert done == ["rs1.2_T6000"]
    rows = [row for _, row in scan(tmp_path, plan, 2, 1)]
    assert done == ["rs1.2_T6000", "rs1.3_T6000"]
    assert [row["rs_bohr"] for row in rows] == [1.2, 1.3]
    list(scan(tmp_path, replace(plan, share=0.5), 2, 1))  # other protons are another measurement
    assert done[2:] == ["rs1.2_T6000", "rs1.3_T6000"]


@pytest.mark.slow
def test_a_scan_that_is_repeated_does_nothing_twice(tmp_path, kept_programs):
    plan = Scan(TINY, (1.25, 1.35), (6000.0,), 2, 1, 2)
    found = list(scan(tmp_path, plan, 2, 1))
    assert [name for name, _ in found] == ["rs1.25_T6000"] * 2 + ["rs1.35_T6000"] * 2
    rows = [row for _, row in scan(tmp_path, plan, 2, 1)]
    assert rows == [found[1][1], found[3][1]]  # no training, the same figures
    assert json.loads((tmp_path / "rs1.35_T6000" / "config.json").read_text())["start"].endswith("rs1.25_T6000")


def test_parameters_know_nothing_of_the_cell_but_of_their_sizes():
    """In a cell that is larger by a factor, twists smaller by it, the mean field of the protons is another."""
    small, large = TINY.wave_function(), replace(TINY, rs=1.4).wave_function()
    shaken = jax.tree.map(lambda leaf: leaf + 0.1, small)
    moved = with_parameters_of(large, shaken, "another run")
    assert moved.space == large.space
    for one, other in zip(jax.tree.leaves(moved), jax.tree.leaves(shaken), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(InputError, match="of another form"):
        with_parameters_of(replace(TINY, features=8).wave_function(), small, "another run")


@pytest.mark.parametrize(
    "wrong", [{"rs": ()}, {"kelvin": ()}, {"later": 0}, {"share": 0.0}, {"rs": (1.2, -1.0)}], ids=str
)
def test_scans_that_cannot_be(wrong):
    plan = {"recipe": TINY, "rs": (1.25,), "kelvin": (6000.0,), "later": 1, "n_batches": 1, "n_looks": 2}
    with pytest.raises(InputError):
        Scan(**{**plan, **wrong})


def test_the_command_says_what_is_wrong_before_it_trains(tmp_path, capsys):
    assert main(["eos", str(tmp_path / "out"), "--rs", "1.2", "0", "--kelvin", "6000"]) == 2
    assert "rs and T above zero" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_start_that_is_no_run_is_told(tmp_path):
    with pytest.raises(InputError, match="no free-energy run"):
        trained(tmp_path)
