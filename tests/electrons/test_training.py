"""Runs of wave functions: they continue with equal bits, go back from what is not a number, refuse what cannot be."""

import json

import equinox as eqx
import jax
import numpy as np
import pytest

from jovium.base.errors import FormatError, InputError, JoviumError
from jovium.electrons import step as electron_step
from jovium.electrons import training as electron_training
from jovium.electrons.measurement import measure_run
from jovium.electrons.settings import ElectronSettings
from jovium.electrons.systems import electron_system
from jovium.electrons.training import load_run, train
from jovium.training import checkpoint
from jovium.training.run_folder import CONFIG, METRICS, STATE, read_metrics

SMALL = {"walkers": 32, "mc_steps": 2, "determinants": 2, "features": 8, "backflow_channels": 2}
CELL = "bcc:2:1.4"


def finished(folder, every=4, **settings):
    return list(train(folder, ElectronSettings(**{"structure": CELL, "steps": 8, **SMALL, **settings}), every))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("electrons") / "run"
    finished(folder)
    return folder


def test_a_run_that_was_stopped_and_repeated_is_the_run_that_was_not(run, tmp_path):
    finished(tmp_path / "halves", steps=4)
    finished(tmp_path / "halves")
    whole, repeated = (load_run(folder)[1] for folder in (run, tmp_path / "halves"))
    jax.tree.map(np.testing.assert_array_equal, whole, repeated)


def test_training_in_memory_is_the_training_in_a_folder(run):
    import jovium

    in_memory = jovium.wave_function(CELL, steps=8, report_every=4, **SMALL)
    jax.tree.map(np.testing.assert_array_equal, in_memory.state, load_run(run)[1])
    assert in_memory.measure(4).record() == measure_run(run, 4, seed=1).record()


@pytest.mark.parametrize("structure", [CELL, "h2:1.4"])
def test_a_step_is_compiled_once(structure):
    """The numbers a run begins with have the types of those it goes on with: a weak type would compile it again."""
    state = eqx.filter_eval_shape(electron_step.initial_state, ElectronSettings(structure, **SMALL))
    assert not any(leaf.weak_type for leaf in jax.tree.leaves(state))


def test_a_finished_run_repeated_does_nothing(run):
    before = (run / STATE).read_bytes()
    assert finished(run) == []
    assert (run / STATE).read_bytes() == before


def test_every_report_tells_energy_error_and_how_the_walkers_fare(run):
    for report in read_metrics(run):
        names = "energy", "energy_error", "variance", "acceptance", "width", "autocorrelation", "r_hat", "step_norm"
        assert set(names) <= report.keys()
        assert 0 < report["acceptance"] < 1
    assert len(read_metrics(run)) == 2


def test_the_mean_energy_falls(run):
    energies = [report["energy"] for report in read_metrics(run)]
    assert energies[-1] < energies[0]


def test_measuring_gives_parts_that_add_up(run):
    found = measure_run(run, 4, seed=1).record()
    parts = sum(found[f"{name}_Ha_per_atom"]["value"] for name in ("K", "V_pp", "V_ep", "V_ee"))
    assert parts == pytest.approx(found["E_Ha_per_atom"]["value"], abs=1e-9)
    volume = 2 * 4 / 3 * np.pi * 1.4**3
    virial = (found["E_Ha_per_atom"]["value"] + found["K_Ha_per_atom"]["value"]) * 2 / (3 * volume)
    assert found["P_GPa"]["value"] == pytest.approx(virial * 29421.0, rel=1e-4)
    assert json.loads((run / "measure.json").read_text())["structure"] == CELL
    assert (run / "g_of_r.csv").read_text().startswith("r_bohr,g_up_down")


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"optimiser": "adam", "learning_rate": 0.002, "sampler": "mala"}, marks=pytest.mark.slow),
        {"blocks": 2},
    ],
)
def test_other_ways_to_step_and_to_move(tmp_path, settings):
    reports = finished(tmp_path, every=4, steps=4, **settings)
    assert np.isfinite(reports[-1]["energy"])
    assert 0.05 < reports[-1]["acceptance"] < 1


def test_a_twist_makes_a_complex_wave_function_that_trains(tmp_path):
    reports = finished(tmp_path, every=2, steps=2, twist=(0.25, 0.25, 0.25))
    assert np.isfinite(reports[-1]["energy"])


def broken_steps(monkeypatch):
    """Every step gives energies that are not numbers."""
    honest = electron_training.step

    def broken(*arguments):
        state, metrics = honest(*arguments)
        return state, {**metrics, "energies": metrics["energies"] * np.nan}

    monkeypatch.setattr(electron_training, "step", broken)


def test_not_a_number_goes_back_to_the_last_good_state(tmp_path, monkeypatch):
    finished(tmp_path, steps=4)
    broken_steps(monkeypatch)
    report = next(train(tmp_path, ElectronSettings(structure=CELL, steps=8, **SMALL), 4))
    monkeypatch.undo()
    assert "not a number" in report.note
    assert report.step == 4
    after = finished(tmp_path)
    assert after[-1].step == 8
    assert np.isfinite(after[-1]["energy"])


def test_a_run_that_fails_again_and_again_stops_and_keeps_the_last_good_state(tmp_path, monkeypatch):
    finished(tmp_path, steps=4)
    broken_steps(monkeypatch)
    with pytest.raises(JoviumError, match="lower the learning rates"):
        finished(tmp_path)
    monkeypatch.undo()
    assert finished(tmp_path)[-1].step == 8


def test_other_settings_are_refused_and_more_steps_are_not(run, tmp_path):
    with pytest.raises(InputError, match="walkers 32 -> 64"):
        finished(run, walkers=64)
    finished(tmp_path, steps=2, every=2)
    assert finished(tmp_path, steps=4, every=2)[-1].step == 4


def test_damaged_files_are_told(run, tmp_path):
    (tmp_path / CONFIG).write_bytes((run / CONFIG).read_bytes())
    (tmp_path / STATE).write_bytes((run / STATE).read_bytes()[:2000])
    with pytest.raises(FormatError, match="safetensors"):
        load_run(tmp_path)
    with pytest.raises(InputError, match="holds no run"):
        load_run(tmp_path / "nothing")
    with (run / METRICS).open("a") as file:
        file.write('{"step": 12, "ene')
    assert len(read_metrics(run)) == 2


def test_checkpoints_hold_the_walkers_and_nothing_is_pickled(run):
    facts = checkpoint.read_facts(run / STATE)
    assert np.isfinite(facts["good"][1:]).all()
    assert load_run(run)[1].walkers.positions.shape == (32, 2, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("h2", "is no system"),
        ("h2:abc", "could not convert"),
        ("chain:2.5:1", "no number of particles"),
        ("bcc:15:1.3", "bcc lattice"),
        ("gas:14:-5", "rs"),
        ("h2:0.01", "bohr apart"),
        ("nothing.xyz", "is no system"),
    ],
)
def test_structures_that_cannot_be(text, message):
    with pytest.raises(InputError, match=message):
        electron_system(text)


def test_files_of_other_atoms_or_half_periodic_cells(tmp_path):
    from ase import Atoms

    Atoms("HHe", positions=[[0, 0, 0], [0, 0, 2]]).write(tmp_path / "helium.xyz")
    with pytest.raises(InputError, match="He"):
        electron_system(str(tmp_path / "helium.xyz"))
    slab = Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.74]], cell=[5, 5, 5], pbc=[True, True, False])
    slab.write(tmp_path / "slab.extxyz")
    with pytest.raises(InputError, match="in all three or in none"):
        electron_system(str(tmp_path / "slab.extxyz"))


def test_a_file_is_read_in_bohr(tmp_path):
    from ase import Atoms

    Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.74]]).write(tmp_path / "h2.xyz")
    found = electron_system(str(tmp_path / "h2.xyz"))
    assert np.linalg.norm(found.protons[1] - found.protons[0]) == pytest.approx(0.74 / 0.529177, rel=1e-5)
    assert found.cell is None


@pytest.mark.parametrize(("unpaired", "spins"), [(None, (2, 2)), (2, (3, 1)), (4, (4, 0))])
def test_spins(unpaired, spins):
    found = electron_system("square:2.0", unpaired)
    assert (found.n_up, found.n_down) == spins


def test_spins_that_cannot_be():
    with pytest.raises(InputError, match="unpaired"):
        electron_system("square:2.0", 1)


@pytest.mark.parametrize(
    "settings",
    [
        {"walkers": 1},
        {"learning_rate": 0.0},
        {"momentum": 1.0},
        {"optimiser": "sgd"},
        {"sampler": "heat"},
        {"steps": -1},
    ],
)
def test_settings_that_cannot_be(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        ElectronSettings("h2:1.4", **settings)


def test_reports_of_one_step_are_refused(tmp_path):
    with pytest.raises(InputError, match="two or more"):
        finished(tmp_path, every=1)
