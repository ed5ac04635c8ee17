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
from tiny_pair import TINY, options_of

from jovium.base.errors import InputError, JoviumError
from jovium.cli.main import main
from jovium.free_energy import step as free_energy_step
from jovium.free_energy import training as free_energy_training
from jovium.free_energy.measurement import measure_run
from jovium.free_energy.settings import MeasurementSettings
from jovium.free_energy.systems import FreeEnergySystem
from jovium.free_energy.training import FreeEnergyTraining, load_run, train
from jovium.optimise.step_rules import Natural
from jovium.protons import training as proton_training
from jovium.protons.settings import ProtonSettings
from jovium.report.free_energy_figures import draw_training
from jovium.training import loop
from jovium.training.devices import idle_devices, join_processes
from jovium.training.run_folder import read_metrics

FIGURES = (
    "free_energy", "energy", "entropy", "virial_pressure", "variance", "equilibration_bias", "acceptance",
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    list(train(folder, TINY, 4))
    return folder


def test_a_run_that_was_stopped_and_repeated_is_the_run_that_was_not(run, whole):
    repeated, uninterrupted = (jax.tree.leaves(load_run(folder)[1]) for folder in (run, whole))
    assert len(repeated) > 20
    for leaf, expected in zip(repeated, uninterrupted, strict=True):
        np.testing.assert_array_equal(leaf, expected)


def test_training_in_memory_is_the_training_in_a_folder(whole):
    """And it can be measured, sampled, and continued where it ended."""
    import jovium

    in_memory = jovium.free_energy(**TINY.to_dict(), report_every=4)
    for leaf, expected in zip(jax.tree.leaves(in_memory.state), jax.tree.leaves(load_run(whole)[1]), strict=True):
        np.testing.assert_array_equal(leaf, expected)
    how = MeasurementSettings(samples=32, electron_samples=4)
    assert in_memory.measure(32, 4).record() == measure_run(whole, how).record()
    assert len(in_memory.sample(3)) == 3
    assert in_memory.train(10, report_every=2).reports[-1]["step"] == 10
    with pytest.raises(InputError, match="8 are done"):
        in_memory.train(4)
    assert "8 steps" in repr(in_memory)


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
        for name in FIGURES:
            assert found[name] == pytest.approx(expected[name], abs=1e-4), name


@pytest.mark.slow
def test_two_processes_write_the_run_of_one(whole, tmp_path):
    """As two machines would: joined by an address, one of them writes."""
    folder = tmp_path / "shared"
    command = [sys.executable, "-m", "jovium.cli.main", "free-energy", "train", str(folder), "--report-every=4"]
    command += options_of(TINY)
    codes, written, _ = as_two(command)
    assert codes == [0, 0]
    assert [len([line for line in lines.splitlines() if "step" in line]) for lines in written] == [2, 0]
    for found, expected in zip(read_metrics(folder), read_metrics(whole), strict=True):
        for name in FIGURES:
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
        join_processes()


def test_a_wave_function_of_another_number_of_atoms_comes_along(run, tmp_path):
    """Its parameters know nothing of the cell; a flow's do."""
    settings = replace(TINY, n_atoms=4, init_wavefunction=str(run))
    psi = FreeEnergyTraining(settings, tmp_path / "four").state.model.psi
    for leaf, expected in zip(jax.tree.leaves(psi), jax.tree.leaves(load_run(run)[1].model.psi), strict=True):
        np.testing.assert_array_equal(leaf, expected)


def test_a_step_is_compiled_once():
    """The numbers a run begins with have the types of those it goes on with: a weak type would compile it again."""
    state = eqx.filter_eval_shape(free_energy_step.initial_state, FreeEnergySystem(TINY))
    assert not any(leaf.weak_type for leaf in jax.tree.leaves(state))


def test_the_flow_is_damped_as_its_settings_say(monkeypatch):
    """What damping does is tested with the natural gradient."""
    rules = []
    monkeypatch.setattr(free_energy_step, "Natural", lambda *values: rules.append(values) or Natural(*values))
    system = FreeEnergySystem(replace(TINY, flow_learning_rate=0.3, flow_damping=0.02))

    def step():
        state = free_energy_step.initial_state(system)
        energies = jnp.zeros(TINY.proton_walkers)
        return free_energy_step.update_flow(system, state, state.walkers, energies, jnp.ones(()))[1]

    eqx.filter_eval_shape(step)
    assert rules == [(0.3, 0.02, free_energy_step.FLOW_MAX_NORM)]


def test_every_report_has_the_figures_of_the_nested_estimate(run):
    reports = read_metrics(run)
    assert [report["step"] for report in reports] == [4, 8]
    for report in reports:
        kT = FreeEnergySystem(TINY).state.temperature
        assert report["free_energy"] == pytest.approx(report["energy"] - kT * report["entropy"], abs=1e-6)
        assert report["equilibration_bias_error"] > 0
    assert reports[0]["flow_step_norm"] == 0  # the wave function alone, at first
    assert reports[1]["flow_step_norm"] > 0


def test_more_than_four_electrons_are_computed_in_double_precision():
    assert not FreeEnergySystem(replace(TINY, n_atoms=4)).in_double_precision
    assert FreeEnergySystem(replace(TINY, n_atoms=6)).in_double_precision


def test_the_commands_do_the_same(run, tmp_path, capsys):
    """A finished run repeated does nothing; with the figures of a report drawn, measured, sampled."""
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    assert main(["free-energy", "train", str(folder), *options_of(TINY)]) == 0
    assert capsys.readouterr().out == ""
    measure = ["free-energy", "measure", str(folder), "--samples", "32", "--electron-samples", "4", "--json"]
    assert main(measure) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured == measure_run(run, MeasurementSettings(32, 4)).record()
    assert set(measured["S_kB_per_atom"]) == set(measured["P_GPa"]) == {"value", "error"}
    assert main(["free-energy", "sample", str(folder), str(tmp_path / "out.extxyz"), "--samples", "2"]) == 0
    assert "2 configurations" in capsys.readouterr().out
    (tmp_path / "how.yaml").write_text("samples: 3")
    assert main(["free-energy", "sample", str(folder), str(tmp_path / "out.xyz"), f"--config={tmp_path}/how.yaml"]) == 0
    assert "3 configurations" in capsys.readouterr().out
    draw_training(folder / "training.png", read_metrics(folder))
    assert (folder / "training.png").stat().st_size > 1000


def test_a_dry_run_tells_what_training_takes_and_trains_nothing(tmp_path, capsys):
    assert main(["free-energy", "train", str(tmp_path / "dry"), "--dry-run", *options_of(TINY)]) == 0
    cost = json.loads(capsys.readouterr().out)
    assert cost["rs"] == TINY.rs
    assert min(cost[name] for name in ("parameters_of_flow", "parameters_of_wave_function", "seconds_per_step")) > 0
    assert cost["minutes"] == pytest.approx(cost["seconds_per_step"] * TINY.steps / 60, abs=0.1)
    assert not (tmp_path / "dry").exists()


def test_a_configuration_file_is_a_command_line(run, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    assert main(["free-energy", "train", str(folder), "--print-config", *options_of(TINY)]) == 0
    (tmp_path / "run.yaml").write_text(capsys.readouterr().out)
    assert main(["free-energy", "train", str(folder), "--config", str(tmp_path / "run.yaml")]) == 0
    assert main(["free-energy", "train", str(folder), "--config", str(tmp_path / "run.yaml"), "--rs", "1.3"]) == 2
    assert "rs 1.25 -> 1.3" in capsys.readouterr().err


def test_a_run_that_has_begun_keeps_what_the_command_leaves_out(run, tmp_path, capsys):
    import jovium

    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    assert main(["free-energy", "train", str(folder)]) == 0
    assert main(["free-energy", "train", str(folder), "--learning-rate", "0.03"]) == 2
    told = capsys.readouterr().err
    assert "learning_rate 0.1 -> 0.03" in told
    assert "--init-from" in told
    assert main(["free-energy", "train", str(folder), "--steps", "4"]) == 2
    assert "4 steps, and 8 are done" in capsys.readouterr().err
    assert json.loads((folder / "config.json").read_text())["steps"] == TINY.steps
    with pytest.raises(InputError, match="holds a run"):
        jovium.open_run(run).save(folder)


def test_a_file_may_hold_what_only_another_file_makes_possible(tmp_path):
    (tmp_path / "walkers.yaml").write_text("proton_walkers: 16\n")
    command = [
        "free-energy",
        "train",
        str(tmp_path / "new"),
        "--config",
        str(tmp_path / "walkers.yaml"),
        "--print-config",
    ]
    assert main(command) == 2
    assert main([*command, "--twists", "1"]) == 0


def test_not_a_number_goes_back_to_the_last_good_state(run, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)

    def broken(training, state, key):
        rows, number = np.full(TINY.proton_walkers, np.nan), np.array(0.5)
        metrics = dict.fromkeys(("work", "energy", "log_density", "kinetic"), rows)
        metrics |= dict.fromkeys(("variance", "acceptance", "flow_step_norm", "psi_step_norm"), number)
        return state._replace(step=state.step + 1), metrics

    monkeypatch.setattr(FreeEnergyTraining, "step", broken)
    monkeypatch.setattr(loop, "MAX_ROLLBACKS", 1)
    reports = []
    with pytest.raises(JoviumError, match="returns to a good state"):
        reports.extend(train(folder, replace(TINY, steps=12), 4))
    assert "not a number; back to step 8" in read_metrics(folder)[-1]["note"]
    assert int(load_run(folder)[1].step) == 8


@pytest.mark.slow
def test_protons_of_another_run_come_along_when_they_live_on_a_torus(tmp_path):
    """The flow of `jovium protons` is the first flow; one whose velocity means something else is refused."""
    pair = ProtonSettings(
        n_atoms=2, coupling=2.0, flow_matching_steps=4, energy_steps=0, ode_steps=2, flow_knots=2, flow_radial=4,
        flow_channels=1, chains=16, frames=2, batch_size=16,
    )  # fmt: skip
    for torus in (True, False):
        folder = tmp_path / f"protons {torus}"
        list(proton_training.train(folder, replace(pair, torus=torus), 4))
        settings = replace(TINY, init_flow=str(folder))
        if not torus:
            with pytest.raises(InputError, match="--torus"):
                FreeEnergyTraining(settings, tmp_path / "pair")
            continue
        flow = FreeEnergyTraining(settings, tmp_path / "pair").state.model.flow
        expected = proton_training.load_run(folder)[1]
        for leaf, other in zip(jax.tree.leaves(flow), jax.tree.leaves(expected), strict=True):
            np.testing.assert_array_equal(leaf, other)


def test_a_flow_that_is_integrated_badly_takes_more_steps(run, tmp_path, monkeypatch):
    """The error is told, the steps are doubled at the same rate, kept with the run, and the run goes on with them."""
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    monkeypatch.setattr(free_energy_training, "INTEGRATION_TOLERANCE", -1.0)
    monkeypatch.setattr(free_energy_training, "MAX_ODE_STEPS", 4)
    longer = replace(TINY, steps=12)
    reports = list(train(folder, longer, 4))
    assert [report.note.partition(";")[2] for report in reports] == [" back to step 8 with 4 Runge-Kutta steps", ""]
    state = load_run(folder)[1]
    assert state.model.flow.n_steps == 4
    assert int(state.rollbacks) == 0
    assert FreeEnergyTraining(longer, folder).state.model.flow.n_steps == 4


def test_the_error_of_integration_is_what_better_integration_gains():
    """A flow that was shaken, in one step, in two and in eight: ln p changes by as much as the reverse way says."""
    leaves, form = jax.tree.flatten(FreeEnergySystem(TINY).flow())
    keys = jax.random.split(jax.random.key(0), len(leaves))
    shaken = [leaf + 0.01 * jax.random.normal(key, leaf.shape) for leaf, key in zip(leaves, keys, strict=True)]
    flow = jax.tree.unflatten(form, shaken)
    latents = flow.base.sample(jax.random.key(1))[None]
    errors = [
        float(free_energy_step.integration_errors(flow.with_steps(n), flow.with_steps(32), latents)[0])
        for n in (1, 2, 8)
    ]
    assert abs(errors[0]) > 1
    assert abs(errors[0]) > abs(errors[1]) > abs(errors[2])
    assert abs(errors[2]) < 1e-3


def test_another_system_in_the_same_folder_is_refused(run):
    with pytest.raises(InputError, match="n_atoms 2 -> 4"):
        list(train(run, replace(TINY, n_atoms=4)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_atoms": 3}, {"n_atoms": 0}, {"rs": 0.0}, {"rs": float("nan")}, {"kelvin": -1.0}, {"twists": 3},
        {"twists": 0}, {"isotope": "T"}, {"electron_walkers": 1}, {"momentum": 1.0}, {"learning_rate": 0.0},
        {"flow_batch_size": 100},
    ],
    ids=str,
)  # fmt: skip
def test_settings_that_cannot_be(wrong):
    with pytest.raises(InputError) as caught:
        replace(TINY, **wrong)
    name = next(iter(wrong))
    assert name in str(caught.value) or name == "twists"
