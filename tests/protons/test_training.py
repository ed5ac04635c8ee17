"""Training runs: they continue after a kill, go back when they fail, refuse what does not fit, and lose nothing."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from ase.io import read, write

from jovium.base.errors import InputError, JoviumError, OutputError
from jovium.base.units import BOHR_ANGSTROM
from jovium.protons import training as proton_training
from jovium.protons.measurement import measure_run, sample_run
from jovium.protons.settings import ProtonSettings
from jovium.protons.step import step_rule
from jovium.protons.targets import OneComponentPlasma
from jovium.protons.training import ProtonTraining, cost, load_run, train
from jovium.sampling.hamiltonian import trajectories
from jovium.sampling.metropolis import init_chains
from jovium.training import checkpoint, loop
from jovium.training.run_folder import STATE, read_metrics, read_settings

PAIR = ProtonSettings(
    n_atoms=2, coupling=2.0, flow_matching_steps=8, energy_steps=8, batch_size=16, flow_radial=5, flow_channels=1,
    chains=16, frames=4, ode_steps=3,
)  # fmt: skip


def arrays_of(folder):
    from safetensors.numpy import load_file

    return load_file(folder / "state.safetensors")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run from beginning to end."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, list(train(folder, PAIR, report_every=4))


def test_a_run_reports_both_stages_and_everything_that_is_known(whole):
    folder, reports = whole
    steps = [(report.step, report["stage"]) for report in reports if not report.note]
    assert steps == [(4, "flow-matching"), (8, "flow-matching"), (12, "energy"), (16, "energy")]
    assert [line["step"] for line in read_metrics(folder)] == [report.step for report in reports]
    for report in reports:
        assert 0 < report["effective_fraction"] <= 1
        assert 0 < report["acceptance"] <= 1
        assert report["gradient_norm"] > 0
        assert report["free_energy_error"] > 0
        assert abs(report["integration_error"]) < 0.01


def test_a_run_stopped_anywhere_ends_with_the_same_bits(whole, tmp_path):
    for stop in (1, 3):
        folder = tmp_path / str(stop)
        for number, _ in enumerate(train(folder, PAIR, report_every=4)):
            if number + 1 == stop:
                break
        list(train(folder, PAIR, report_every=4))
        expected, found = arrays_of(whole[0]), arrays_of(folder)
        assert expected.keys() == found.keys()
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_a_killed_process_is_continued(tmp_path):
    """SIGKILL in the middle: the state on disk is whole, and the same command goes on from it."""
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "jovium.cli.main", "protons", "train", str(folder), "--coupling", "2"]
    command += ["--n-atoms", "2", "--flow-matching-steps", "4000", "--energy-steps", "0", "--batch-size", "16"]
    command += [
        "--flow-radial",
        "5",
        "--flow-channels",
        "1",
        "--ode-steps",
        "3",
        "--frames",
        "2",
        "--report-every",
        "5",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    metrics = folder / "metrics.jsonl"
    begin = time.monotonic()
    while time.monotonic() - begin < 200 and not (metrics.exists() and metrics.read_text().count("\n") >= 3):
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = json.loads(metrics.read_text().splitlines()[-1])["step"]
    assert before >= 15
    assert next(train(folder, read_settings(folder, ProtonSettings), report_every=5)).step >= before


def test_not_a_number_goes_back_to_the_last_good_state(tmp_path, monkeypatch):
    """An energy that is NaN in some steps: the run says so, halves its rate, and ends well."""
    calls, real = {"left": 1}, proton_training.step_program

    def poisoned(loss, rule):
        program = real(loss, rule)

        def step(state, *rest):
            state, metrics = program(state, *rest)
            if int(state.step) == 11 and calls["left"]:
                calls["left"] -= 1
                return state, {**metrics, "loss": jnp.float32(np.nan)}
            return state, metrics

        return step

    monkeypatch.setattr(proton_training, "step_program", poisoned)
    reports = list(train(tmp_path, PAIR, report_every=4))
    notes = [report.note for report in reports if report.note]
    assert len(notes) == 1
    assert "not a number; back to step 8" in notes[0]
    assert reports[-1].step == 16
    assert np.isfinite(reports[-1]["free_energy"])


def test_a_run_that_only_fails_ends_with_an_error_and_its_last_good_state(tmp_path, monkeypatch):
    list(train(tmp_path, PAIR, report_every=4))
    before = arrays_of(tmp_path)
    folder = tmp_path / "broken"
    real = proton_training.step_program

    def poisoned(loss, rule):
        program = real(loss, rule)

        def step(state, *rest):
            state, metrics = program(state, *rest)
            return state, {**metrics, "loss": jnp.float32(np.nan if int(state.step) > 8 else 1.0)}

        return step

    monkeypatch.setattr(proton_training, "step_program", poisoned)
    with pytest.raises(JoviumError, match="returns to a good state"):
        list(train(folder, PAIR, report_every=4))
    state = arrays_of(folder)
    assert int(next(value for name, value in state.items() if name.endswith(".step"))) == 8
    assert all(np.isfinite(value).all() for value in state.values())
    assert before.keys() == arrays_of(tmp_path).keys()


def test_collapse_and_divergence_and_bad_integration_are_noticed(whole):
    training = ProtonTraining(PAIR, whole[0])
    figures = whole[1][-1].metrics
    density = training.log_density = figures["log_density"]
    assert training.diagnose(figures) == ""
    assert "entropy collapsed" in training.diagnose({**figures, "log_density": density + 4})
    assert "integration error" in training.diagnose({**figures, "integration_error": 0.01})
    assert "not a number" in training.diagnose({**figures, "log_density": np.nan})
    good = 1.0, 0.1

    def judge(losses):
        now = float(np.median(losses)), float(np.std(losses))
        return loop.verdict(now, good, training.jump, training.spread, training.unit)

    assert judge([1.0, 1.1, 0.9, 1.2]) == ""
    assert judge([1.0, 1.1, 400.0]) == "", "one bad batch is no divergence"
    assert "diverging" in judge([4.0, 40.0, 400.0])


def test_bad_integration_doubles_the_steps_and_training_goes_on(tmp_path, monkeypatch):
    """In the middle of a lesson: back to the last good state, twice the steps, the means of the step rule kept."""
    reports = train(tmp_path, replace(PAIR, flow_matching_steps=0, energy_steps=12), report_every=4)
    assert next(reports)["ode_steps"] == 3
    monkeypatch.setattr(proton_training, "INTEGRATION_TOLERANCE", 1e-9)
    found = next(reports)
    assert "integration error" in found.note
    assert (found.step, found["ode_steps"]) == (4, 6)
    monkeypatch.setattr(proton_training, "INTEGRATION_TOLERANCE", 1.0)
    assert [(report.step, report["ode_steps"]) for report in reports] == [(8, 6), (12, 6)]


def test_other_settings_in_the_same_folder_are_refused(whole):
    with pytest.raises(InputError, match="energy_steps 8 -> 9"):
        list(train(whole[0], replace(PAIR, energy_steps=9), report_every=4))


def test_two_trainings_in_one_folder_are_refused(whole):
    from jovium.base.files import sole_writer

    with sole_writer(whole[0] / "metrics.jsonl"), pytest.raises(InputError, match="another process"):
        list(train(whole[0], PAIR))


def frames(path, n, edge):
    """A file of configurations with n particles in a cube."""
    random = np.random.default_rng(0)
    cells = {"cell": np.eye(3) * edge * BOHR_ANGSTROM, "pbc": True}
    write(path, [Atoms(f"H{n}", random.random((n, 3)) * edge * BOHR_ANGSTROM, **cells) for _ in range(6)])
    return path


EDGE = OneComponentPlasma(2, 2.0).cell.vectors[0, 0]


def test_configurations_of_a_file_are_learnt_from(tmp_path):
    data = frames(tmp_path / "data.extxyz", 2, EDGE)
    list(
        train(
            tmp_path / "run",
            replace(PAIR, flow_matching_steps=2, likelihood_steps=2, energy_steps=0, data=str(data)),
            report_every=2,
        )
    )
    with np.load(tmp_path / "run" / "data.npz") as kept:
        assert kept["configurations"].shape == (6, 2, 3)


@pytest.mark.parametrize(("n", "edge", "said"), [(3, EDGE, "has 3 particles"), (2, 1.1 * EDGE, "another cell")])
def test_configurations_of_another_system_are_refused(tmp_path, n, edge, said):
    data = frames(tmp_path / "data.extxyz", n, edge)
    with pytest.raises(InputError, match=said):
        list(train(tmp_path / "run", replace(PAIR, data=str(data))))
    assert not (tmp_path / "run" / "state.safetensors").exists()


def test_overlapping_particles_have_no_chain():
    plasma = OneComponentPlasma(2, 2.0)
    with pytest.raises(InputError, match="configuration 0 has no finite energy"):
        init_chains(plasma.beta_energy, np.zeros((1, 2, 3)), 0.1)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: ProtonSettings(system="gas"),
        lambda: ProtonSettings(crystal="diamond"),
        lambda: ProtonSettings(learning_rate=-1.0),
        lambda: ProtonSettings(optimiser="sgd"),
        lambda: ProtonSettings(batch_size=20),
        lambda: ProtonSettings(energy_steps=-1),
        lambda: ProtonSettings(data="file.extxyz", flow_matching_steps=0),
        lambda: ProtonSettings(n_atoms=0),
        lambda: cost(ProtonSettings(system="dw4", torus=True)),
    ],
)
def test_settings_that_train_nothing_are_refused(wrong):
    with pytest.raises(InputError):
        wrong()


def test_each_optimiser_has_its_own_learning_rate():
    """The natural gradient takes the rate it is told; before, it was fifty times that of Adam, whatever that was."""
    settings = ProtonSettings(optimiser="natural", learning_rate=0.003, natural_learning_rate=0.07)
    assert (step_rule(settings, "energy").rate, step_rule(settings, "flow-matching").rate) == (0.07, 0.003)
    assert step_rule(replace(settings, optimiser="adam"), "energy").rate == 0.003


def test_a_refused_command_does_not_bind_the_folder(tmp_path):
    """The mended command may follow in the same place, and nothing of the refused one is kept."""
    with pytest.raises(InputError, match="17 particles"):
        list(train(tmp_path, replace(PAIR, n_atoms=17, crystal="bcc")))
    with pytest.raises(InputError, match="nowhere"):
        list(train(tmp_path, replace(PAIR, data=str(tmp_path / "nowhere.extxyz"))))
    reports = train(tmp_path, PAIR, report_every=4)
    assert next(reports).step == 4


def test_a_report_of_one_step_is_refused(tmp_path):
    with pytest.raises(InputError, match="every 1 steps"):
        list(train(tmp_path, PAIR, report_every=1))


def test_a_wider_run_begins_where_another_ended(whole, tmp_path):
    """More channels, the same density."""
    wider = replace(PAIR, flow_channels=3, init_from=str(whole[0]))
    training = ProtonTraining(wider, tmp_path)
    old = load_run(whole[0])[1]
    x = training.state.model.base.sample(jax.random.key(0))
    np.testing.assert_allclose(
        training.state.model.with_steps(8).log_density(x), old.with_steps(8).log_density(x), atol=1e-4
    )
    with pytest.raises(InputError, match="a start with parameters"):
        ProtonTraining(replace(wider, flow_radial=7), tmp_path)


def test_a_folder_without_a_run_is_refused(tmp_path):
    for use in (load_run, read_metrics, lambda folder: measure_run(folder, 10, 0)):
        with pytest.raises(InputError):
            use(tmp_path)


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        list(train(tmp_path / "file", PAIR))


def test_measured_pair_is_the_pair_of_a_long_chain(whole):
    """Energy and g(r), reweighted, against Hamiltonian Monte Carlo of the same two charges."""
    found = measure_run(whole[0], 4096, 3)
    plasma = OneComponentPlasma(2, 2.0)
    start = np.random.default_rng(0).random((64, 2, 3)) * EDGE
    chains = trajectories(plasma.beta_energy, init_chains(plasma.beta_energy, start, 0.3), 60, tune=True)
    energies = []
    for _ in range(60):
        chains = trajectories(plasma.beta_energy, chains, 3)
        energies.append(np.asarray(chains.beta_energies))
    # Looks at one chain are alike; the chains know nothing of each other.
    of_chains = np.mean(energies, axis=0)
    error = np.hypot(found.energy.error, of_chains.std(ddof=1) / np.sqrt(len(of_chains)))
    assert abs(found.energy.value - of_chains.mean()) < 4 * error
    record = json.loads((whole[0] / "measure.json").read_text())
    assert record["F_excess_kT_per_particle_variational"]["value"] == pytest.approx(
        found.free_energy.variational.value / 2
    )
    assert (whole[0] / "g_of_r.csv").read_text().startswith("r_bohr,g,g_error")


def test_samples_are_written_with_their_weights(whole, tmp_path):
    for exact in (False, True):
        path = tmp_path / f"{exact}.extxyz"
        different = sample_run(whole[0], path, 50, 0, exact)
        images = read(path, ":")
        assert len(images) == 50
        assert different == (50 if not exact else len({image.positions.tobytes() for image in images}))
        np.testing.assert_allclose(images[0].cell.lengths(), EDGE * BOHR_ANGSTROM, rtol=1e-6)
        weights = [image.info["weight"] for image in images]
        assert np.mean(weights) == pytest.approx(1)


def test_a_return_to_the_first_step_of_a_stage_is_loaded_with_the_step_rule_of_that_stage(tmp_path):
    """Natural gradients after flow matching: another memory than that of the stage before."""
    settings = replace(PAIR, optimiser="natural")
    training = ProtonTraining(settings, tmp_path)
    first = training.state._replace(step=training.state.step + PAIR.flow_matching_steps)
    state = training.enter_stage(training.stage(PAIR.flow_matching_steps), first)
    training.state = state
    checkpoint.save(tmp_path / STATE, state, {"good": None, **training.facts()})
    found = ProtonTraining(settings, tmp_path).state
    assert int(found.step) == PAIR.flow_matching_steps
    assert jax.tree.structure(found.momentum) == jax.tree.structure(state.momentum)
