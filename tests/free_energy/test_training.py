"""Free-energy runs: training two atoms, continuing, sharing the work; what goes wrong is told."""

import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_pair import TINY

from jovium.base.errors import InputError, JoviumError
from jovium.cli.main import main
from jovium.free_energy import step as hydrogen_step
from jovium.free_energy import training as hydrogen_training
from jovium.free_energy.measurement import measure_run
from jovium.free_energy.settings import FreeEnergySettings
from jovium.free_energy.training import train, trained
from jovium.optimise.step_rules import Natural
from jovium.protons import training as proton_training
from jovium.protons.settings import ProtonSettings
from jovium.protons.systems import ProtonSystemSettings
from jovium.report.free_energy_figures import draw_training
from jovium.training import loop as watched_training
from jovium.training.devices import idle_devices, joined
from jovium.training.run_folder import read_metrics

pytestmark = pytest.mark.usefixtures("kept_programs")


@pytest.fixture(scope="module")
def whole(kept_programs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    list(train(folder, TINY, 4))
    return folder


def test_a_run_that_was_stopped_and_repeated_is_the_run_that_was_not(run, whole):
    one, other = (jax.tree.leaves(trained(folder)[1]) for folder in (run, whole))
    assert len(one) > 20
    for found, expected in zip(one, other, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_four_devices_give_the_numbers_of_one(whole, tmp_path):
    """A run that one device began and four end, configurations shared among them."""
    begun = tmp_path / "begun"
    script = (
        "import sys, jax; from pathlib import Path; from jovium.free_energy.training import train;"
        "from jovium.free_energy.settings import FreeEnergySettings; assert jax.device_count() == 4;"
        "list(train(Path(sys.argv[1]), FreeEnergySettings(**eval(sys.argv[2])), 4))"
    )
    reports = train(begun, TINY, 4)
    next(reports)
    reports.close()
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
    command = [sys.executable, "-c", script, str(begun), repr(TINY.__dict__)]
    subprocess.run(command, env=environment, check=True, timeout=500)
    for found, expected in zip(read_metrics(begun), read_metrics(whole), strict=True):
        for name in ("free_energy", "energy", "entropy", "pressure", "variance", "lag", "acceptance"):
            assert found[name] == pytest.approx(expected[name], abs=1e-4), name


@pytest.mark.slow
def test_two_processes_write_the_run_of_one(whole, tmp_path):
    """As two machines would: joined by an address, one of them writes."""
    folder = tmp_path / "shared"
    shapes = {name: value for name, value in TINY.__dict__.items() if not isinstance(value, str)}
    options = [f"--{name.replace('_', '-')}={value}" for name, value in shapes.items()]
    command = [sys.executable, "-m", "jovium.cli.main", "free-energy", str(folder), "--every=4", *options]
    codes, written, _ = as_two(command)
    assert codes == [0, 0]
    assert [len([line for line in lines.splitlines() if "step" in line]) for lines in written] == [2, 0]
    for found, expected in zip(read_metrics(folder), read_metrics(whole), strict=True):
        for name in ("free_energy", "energy", "entropy", "pressure", "variance", "lag", "acceptance"):
            assert found[name] == pytest.approx(expected[name], abs=1e-4), name
    codes, _, errors = as_two([*command, "--rs=1.3"])
    assert codes == [2, 2]
    assert all("other settings" in error for error in errors)


def as_two(command):
    """Exit codes, output and errors of a command as two processes that know of each other."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    parts = []
    for rank in range(2):
        told = {"JAX_COORDINATOR_ADDRESS": address, "JAX_NUM_PROCESSES": "2", "JAX_PROCESS_ID": str(rank)}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        parts.append(subprocess.Popen(command, env={**os.environ, **told}, **pipes))
    written = [part.communicate(timeout=500) for part in parts]
    return [part.returncode for part in parts], *zip(*written, strict=True)


def test_devices_that_cannot_share_a_step_are_told(monkeypatch):
    monkeypatch.setattr(jax, "device_count", lambda: 3)
    assert not idle_devices(96)
    assert "multiple of 3" in idle_devices(128)


def test_half_an_address_is_refused(monkeypatch):
    monkeypatch.setenv("JAX_NUM_PROCESSES", "2")
    with pytest.raises(InputError, match="all three"):
        joined()


def test_a_wave_function_of_another_number_of_atoms_comes_along(run, tmp_path):
    """Its parameters know nothing of the cell; a flow's do."""
    recipe = FreeEnergySettings(**{**TINY.__dict__, "n": 4, "psi": str(run)})
    found = hydrogen_training._Run(tmp_path / "four", recipe).state.psi
    for leaf, other in zip(jax.tree.leaves(found), jax.tree.leaves(trained(run)[1].psi), strict=True):
        np.testing.assert_array_equal(leaf, other)


def test_a_step_is_compiled_once():
    """The numbers a run begins with have the types of those it goes on with: a weak type would compile it again."""
    state = eqx.filter_eval_shape(hydrogen_step.initial_state, TINY)
    assert not any(leaf.weak_type for leaf in jax.tree.leaves(state))


def test_the_flow_is_damped_as_its_recipe_says(monkeypatch):
    """What damping does is tested with the natural gradient."""
    told = []
    monkeypatch.setattr(hydrogen_step, "Natural", lambda *values: told.append(values) or Natural(*values))
    recipe = replace(TINY, proton_rate=0.3, proton_damping=0.02)

    def step():
        state = hydrogen_step.initial_state(recipe)
        return hydrogen_step.flow_learned(recipe, state, state.walkers, jnp.zeros(TINY.configurations), jnp.ones(()))[1]

    eqx.filter_eval_shape(step)
    assert told == [(0.3, 0.02, hydrogen_step.FLOW_LARGEST_STEP)]


def test_every_report_has_the_figures_of_the_nested_estimate(run):
    reports = read_metrics(run)
    assert [report["step"] for report in reports] == [4, 8]
    for report in reports:
        kT = TINY.state.temperature
        assert report["free_energy"] == pytest.approx(report["energy"] - kT * report["entropy"], abs=1e-6)
        assert report["lag_error"] > 0
    assert reports[0]["moved_protons"] == 0  # the wave function alone, at first
    assert reports[1]["moved_protons"] > 0


def test_more_than_four_electrons_are_computed_in_double_precision():
    assert not FreeEnergySettings(n=4).in_double_precision
    assert FreeEnergySettings(n=6).in_double_precision


def test_the_commands_do_the_same(run, tmp_path, capsys):
    """A finished run repeated does nothing; with the figures of a report drawn, measured, sampled."""
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    options = [f"--{name.replace('_', '-')}={value}" for name, value in TINY.__dict__.items() if value != ""]
    assert main(["free-energy", str(folder), *options]) == 0
    assert capsys.readouterr().out == ""
    assert main(["measure", str(folder), "--batches", "2", "--looks", "4", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == measure_run(run, 2, 4, 1).record()
    assert set(found["S_kB_per_atom"]) == set(found["P_GPa"]) == {"value", "error"}
    assert main(["sample", str(folder), str(tmp_path / "out.extxyz"), "--samples", "2"]) == 0
    assert "2 configurations" in capsys.readouterr().out
    draw_training(folder / "training.png", read_metrics(folder))
    assert (folder / "training.png").stat().st_size > 1000


def test_a_dry_run_tells_what_training_takes_and_trains_nothing(kept_programs, tmp_path, capsys):
    options = [f"--{name.replace('_', '-')}={value}" for name, value in TINY.__dict__.items() if value != ""]
    assert main(["free-energy", str(tmp_path / "dry"), "--dry-run", *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rs"] == TINY.rs
    assert min(found[name] for name in ("parameters_of_flow", "parameters_of_wave_function", "seconds_per_step")) > 0
    assert found["minutes"] == pytest.approx(found["seconds_per_step"] * TINY.steps / 60, abs=0.1)
    assert not (tmp_path / "dry").exists()


def test_not_a_number_goes_back_to_the_last_good_state(run, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)

    def broken(run, seed):
        rows, one = np.full(TINY.configurations, np.nan), np.array(0.5)
        names = "works", "energies", "log_densities", "kinetic"
        told = dict.fromkeys(names, rows)
        told |= dict.fromkeys(("variance", "acceptance", "moved_protons", "moved_electrons"), one)
        return run.state._replace(step=run.state.step + 1), told

    monkeypatch.setattr(hydrogen_training._Run, "advanced", broken)
    monkeypatch.setattr(watched_training, "MOST_ROLLBACKS", 1)
    longer = FreeEnergySettings(**{**TINY.__dict__, "steps": 12})
    reports = []
    with pytest.raises(JoviumError, match="returns to a good state"):
        reports.extend(train(folder, longer, 4))
    assert "not a number; back to step 8" in read_metrics(folder)[-1]["note"]
    assert int(trained(folder)[1].step) == 8


@pytest.mark.slow
def test_protons_of_another_run_come_along_when_they_live_on_a_torus(tmp_path):
    """The flow of `jovium protons` is the first flow; one whose velocity means something else is refused."""
    system = ProtonSystemSettings(n=2, coupling=2.0)
    sizes = {"n_steps": 2, "n_times": 2, "n_radial": 4, "n_channels": 1, "n_chains": 16, "n_frames": 2, "batch": 16}
    for torus in (True, False):
        folder = tmp_path / f"protons {torus}"
        list(
            proton_training.train(
                folder, ProtonSettings(system=system, matching=4, energy=0, torus=torus, **sizes), every=4
            )
        )
        recipe = FreeEnergySettings(**{**TINY.__dict__, "protons": str(folder)})
        if not torus:
            with pytest.raises(InputError, match="--torus"):
                hydrogen_training._Run(tmp_path / "pair", recipe)
            continue
        found = hydrogen_training._Run(tmp_path / "pair", recipe).state.flow
        expected = proton_training.trained_flow(folder)[1]
        for leaf, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            np.testing.assert_array_equal(leaf, other)


def test_a_flow_that_is_integrated_badly_takes_more_steps(run, tmp_path, monkeypatch):
    """The error is told, the steps are doubled at the same rate, kept with the run, and the run goes on with them."""
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    monkeypatch.setattr(hydrogen_training, "INTEGRATION_TOLERANCE", -1.0)
    monkeypatch.setattr(hydrogen_training, "MOST_INTEGRATION_STEPS", 4)
    longer = FreeEnergySettings(**{**TINY.__dict__, "steps": 12})
    reports = list(train(folder, longer, 4))
    assert [report.note.partition(";")[2] for report in reports] == [" back to step 8 with 4 steps of integration", ""]
    state = trained(folder)[1]
    assert state.flow.n_steps == 4
    assert int(state.rollbacks) == 0
    assert hydrogen_training._Run(folder, longer).state.flow.n_steps == 4


def test_the_error_of_integration_is_what_better_integration_gains():
    """A flow that was shaken, in one step, in two and in eight: ln p changes by as much as the reverse way says."""
    leaves, form = jax.tree.flatten(TINY.flow())
    keys = jax.random.split(jax.random.key(0), len(leaves))
    moved = [leaf + 0.01 * jax.random.normal(key, leaf.shape) for leaf, key in zip(leaves, keys, strict=True)]
    flow = jax.tree.unflatten(form, moved)
    starts = flow.base.sample(jax.random.key(1))[None]
    errors = [
        float(hydrogen_step.integration_errors(flow.with_steps(n), flow.with_steps(32), starts)[0]) for n in (1, 2, 8)
    ]
    assert abs(errors[0]) > 1
    assert abs(errors[0]) > abs(errors[1]) > abs(errors[2])
    assert abs(errors[2]) < 1e-3


def test_another_system_in_the_same_folder_is_refused(run):
    with pytest.raises(InputError, match="n 2 -> 4"):
        list(train(run, FreeEnergySettings(**{**TINY.__dict__, "n": 4})))


@pytest.mark.parametrize(
    "wrong",
    [
        {"n": 3}, {"n": 0}, {"rs": 0.0}, {"rs": float("nan")}, {"kelvin": -1.0}, {"twists": 3}, {"twists": 0},
        {"isotope": "T"}, {"electrons": 1}, {"keep": 1.0}, {"rate": 0.0}, {"lessons": 100},
    ],
    ids=str,
)  # fmt: skip
def test_settings_that_cannot_be(wrong):
    with pytest.raises(InputError):
        FreeEnergySettings(**{**TINY.__dict__, **wrong})
