"""A scan in real life: killed, out of disk, files cut or lost, moved, with states added before, between and after.

What the states compute is replaced by a sum along the chain of their starts; folders, files and checks are real."""

import contextlib
import errno
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import pytest
from faults import Killed, failing_write, told

from jovium.base.errors import InputError, OutputError
from jovium.free_energy import equation_of_state
from jovium.free_energy.equation_of_state import TABLE, Scan, scan
from jovium.free_energy.measurement import request
from jovium.free_energy.settings import FreeEnergySettings, MeasurementSettings
from jovium.training import checkpoint
from jovium.training.loop import TrainingState, run_in_folder
from jovium.training.run_folder import CONFIG, MEASURED, STATE, read_settings

SETTINGS = FreeEnergySettings(n_atoms=2, twists=1, steps=4, proton_walkers=4)
QUICK = MeasurementSettings(samples=4, electron_samples=2)
PLAN = Scan(SETTINGS, (1.2, 1.4), (5000.0, 6000.0), 2, QUICK)
FIGURES = ("F_Ha_per_atom", "F_reweighted_Ha_per_atom", "E_Ha_per_atom", "S_kB_per_atom", "P_GPa")


def load(path):
    like = TrainingState.first(jnp.float32(0), None, None)
    return read_settings(path, FreeEnergySettings), checkpoint.load(path / STATE, like)


def train(path, settings, report_every):
    """The model of a state: rs and steps, added to the model it began with."""
    with run_in_folder(path, settings, report_every):
        if not (path / STATE).exists():
            start = float(load(Path(settings.init_from))[1].model) if settings.init_from else 0.0
            state = TrainingState.first(jnp.float32(start + settings.rs), None, None)
        else:
            state = load(path)[1]
        while int(state.step) < settings.steps:
            state = state._replace(step=state.step + 2, model=state.model + 10)
            checkpoint.save(path / STATE, state, {"good": None})
    return iter(())


MEASURED_NOW = []


def measure(path, how):
    settings, state = load(path)
    MEASURED_NOW.append(path.name)
    figures = {name: {"value": float(state.model), "error": 0.1} for name in FIGURES}
    about = {"rs_bohr": settings.rs, "T_K": settings.kelvin, "n_atoms": 2, "n_twists": 1, "isotope": "H"}
    rest = {"acceptance": 0.5, "effective_samples": 10.0, "accept_fraction": 1.0}
    equation_of_state.write_lines(
        path / MEASURED, [json.dumps({**request(settings, state, how), **figures, **about, **rest})]
    )


@pytest.fixture(autouse=True)
def quick_states(monkeypatch):
    for name, function in {"train": train, "measure_run": measure, "load_run": load}.items():
        monkeypatch.setattr(equation_of_state, name, function)
    MEASURED_NOW.clear()


def run(folder, plan=PLAN):
    return {name: row["F_Ha_per_atom"] for name, row in scan(folder, plan, 2) if isinstance(row, dict)}


@pytest.fixture
def done(tmp_path):
    """A scan that nothing happened to, and what it found."""
    found = run(tmp_path / "scan")
    MEASURED_NOW.clear()
    return tmp_path / "scan", found


@pytest.mark.parametrize("number", range(0, 36, 3))
def test_killed_at_any_write_it_ends_with_the_same_table(tmp_path, done, number):
    with failing_write(number, Killed()), contextlib.suppress(Killed):
        run(tmp_path / "killed")
    assert run(tmp_path / "killed") == done[1]
    assert (tmp_path / "killed" / TABLE).read_bytes() == (done[0] / TABLE).read_bytes()


@pytest.mark.parametrize("number", range(0, 36, 7))
def test_a_full_disk_is_told_and_costs_the_work_at_hand(tmp_path, done, number):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with failing_write(number, full), pytest.raises(OutputError, match="free some space"):
        run(tmp_path / "full")
    assert run(tmp_path / "full") == done[1]


@pytest.mark.parametrize("share", [0, 3, 50, 90, 100])
@pytest.mark.parametrize("name", [CONFIG, STATE, MEASURED])
def test_a_file_of_a_state_that_is_cut_or_lost_is_made_again_or_told(done, name, share):
    folder, found = done
    path = folder / "rs1.4_T5000" / name
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * share // 100]) if share < 100 else path.unlink()
    if error := told(run, folder):
        assert "rs1.4_T5000" in error.got
        path.write_bytes(content)
    assert run(folder) == found
    assert set(MEASURED_NOW) <= {"rs1.4_T5000"}


@pytest.mark.parametrize("how", ["moved", "copied", "from another folder"])
def test_a_folder_may_be_moved_and_the_command_repeated(done, tmp_path, monkeypatch, how):
    """Of relative and whole paths; before, the start of every state was another setting."""
    folder, found = done
    before = {path: path.read_bytes() for path in folder.rglob(STATE)}
    if how == "moved":
        folder = folder.rename(tmp_path / "elsewhere")
    if how == "copied":
        folder = Path(shutil.copytree(folder, tmp_path / "elsewhere"))
    if how == "from another folder":
        monkeypatch.chdir(tmp_path)
        folder = Path("scan")
    assert run(folder) == found
    assert not MEASURED_NOW
    assert sorted(path.read_bytes() for path in folder.rglob(STATE)) == sorted(before.values())


@pytest.mark.parametrize(
    ("rs", "kelvin"),
    [((1.2, 1.3, 1.4), PLAN.kelvin), ((1.1, 1.2, 1.4), PLAN.kelvin), ((1.2, 1.4, 1.5), PLAN.kelvin),
     (PLAN.rs, (5000.0, 5500.0, 6000.0)), (PLAN.rs, (4000.0, 5000.0, 6000.0)), ((1.4, 1.2), PLAN.kelvin),
     ((1.4,), PLAN.kelvin), ((1.1, 1.2, 1.3, 1.4), (4000.0, 5000.0, 6000.0))],
)  # fmt: skip
def test_states_that_are_there_stay_as_they_are_whatever_is_added(done, rs, kelvin):
    folder, found = done
    again = run(folder, replace(PLAN, rs=rs, kelvin=kelvin))
    assert len(again) == len(rs) * len(kelvin)
    kept = again.keys() & found.keys()
    # The first state of the command has its steps, wherever it stood before.
    longer = {f"rs{rs[0]:g}_T{kelvin[0]:g}"} - {"rs1.2_T5000"}
    assert {name: again[name] for name in kept - longer} == {name: found[name] for name in kept - longer}
    assert set(MEASURED_NOW) == (again.keys() - found.keys()) | (longer & found.keys())


def test_more_steps_train_on_and_fewer_are_refused(done):
    folder, found = done
    again = run(folder, replace(PLAN, steps_per_state=6))
    assert again["rs1.2_T5000"] == found["rs1.2_T5000"]
    assert again["rs1.4_T5000"] == found["rs1.4_T5000"] + 20
    with pytest.raises(InputError, match="2 steps, and 6 are done"):
        run(folder)


def test_another_start_of_the_first_state_is_another_setting(done, tmp_path):
    with pytest.raises(InputError, match="init_from"):
        run(done[0], replace(PLAN, settings=replace(SETTINGS, init_from=str(done[0] / "rs1.4_T5000"))))


def test_a_state_folder_that_is_of_something_else_is_told(tmp_path):
    (tmp_path / "rs1.2_T5000").mkdir()
    (tmp_path / "rs1.2_T5000" / CONFIG).write_text('{"name": "another program"}')
    with pytest.raises(InputError, match="another program or version"):
        run(tmp_path)
    assert "another program" in (tmp_path / "rs1.2_T5000" / CONFIG).read_text()


def test_two_scans_in_one_folder_are_refused(done):
    from jovium.base.files import sole_writer

    with sole_writer(done[0] / "rs1.2_T5000" / "metrics.jsonl"), pytest.raises(InputError, match="another process"):
        run(done[0])
