"""Free-energy runs: measuring, sampling and showing two atoms."""

import json
import shutil

import jax
import numpy as np
import pytest
from ase.io import read
from tiny_pair import TINY

from jovium.base.errors import InputError
from jovium.base.statistics import Estimate
from jovium.base.units import BOHR_ANGSTROM
from jovium.cli.main import main
from jovium.free_energy import measurement
from jovium.free_energy.equation_of_state import flatten
from jovium.free_energy.measurement import measure_run, sample, summarise, write_samples
from jovium.free_energy.settings import MeasurementSettings
from jovium.free_energy.systems import FreeEnergySystem
from jovium.free_energy.training import load_run
from jovium.observe.reweighting import reweighted_free_energy
from jovium.protons.rejection import RejectionSamples
from jovium.workflows import fluid_report
from jovium.workflows.fluid_report import report_run

QUICK = MeasurementSettings(samples=32, electron_samples=4)
OPTIONS = ["--samples", "32", "--electron-samples", "4"]


def test_measuring_gives_parts_that_add_up(run):
    found = measure_run(run, QUICK)
    record = json.loads((run / "measure.json").read_text())
    assert record["samples"] == 32
    kT = FreeEnergySystem(TINY).state.temperature
    parts = sum(part.value for part in found.parts.values())
    assert found.energy.value == pytest.approx(parts + 1.5 * kT, abs=1e-5)
    assert found.free_energy.value == pytest.approx(found.energy.value - kT * found.entropy.value, abs=1e-6)
    assert 0 < found.effective_samples <= 32


def test_a_program_in_double_precision_measures_the_same(run):
    """Two electrons need single precision alone; `tests/workflows/test_precision.py` has the other models."""
    expected = measure_run(run, QUICK).record()
    jax.config.update("jax_enable_x64", True)
    try:
        assert measure_run(run, QUICK).record() == expected
    finally:
        jax.config.update("jax_enable_x64", False)


def test_a_fraction_of_the_protons_lowers_what_its_surface_knows_of(run, tmp_path, monkeypatch, capsys):
    """kT ln p + surface; F, E and S are of the same density, and the page shows the protons that were measured."""
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    settings, state = load_run(folder)
    kT, bounds = FreeEnergySystem(settings).state.temperature, []
    for fraction in (1.0, 0.1):
        structures, log_densities = sample(settings, state, 64, 1, fraction)
        protons = np.array([structure.positions for structure in structures], np.float32)
        bounds.append(np.mean(kT * log_densities + jax.vmap(state.model.surface)(protons)))
    assert bounds[1] < bounds[0]
    command = ["free-energy", "measure", str(folder), *OPTIONS, "--accept-fraction", "0.1", "--json"]
    assert main(command) == 0
    measured = json.loads(capsys.readouterr().out)
    F, E, S = (measured[name]["value"] for name in ("F_Ha_per_atom", "E_Ha_per_atom", "S_kB_per_atom"))
    assert pytest.approx(E - kT * S, abs=1e-6) == F
    assert measured["accept_fraction"] == pytest.approx(0.1, rel=0.3)
    calls = []
    monkeypatch.setattr(fluid_report, "sample", lambda *args: calls.append(args) or sample(*args))
    report_run(folder, 2, 1)
    assert calls[0][4] == 0.1
    assert "by rejection" in (folder / "page.html").read_text()


def test_the_error_of_the_accepted_fraction_is_one_of_the_entropy():
    """E and P are means and do not need the fraction; F and S have ln p."""
    system, n = FreeEnergySystem(TINY), 40
    random = np.random.default_rng(0)
    log_densities, beta_energies = random.normal(size=(2, 17 * n))
    energies = {"energy": random.normal(size=n), "noise": np.full(n, 1e-6), "acceptance": np.full(n, 0.5)}
    energies |= {name: random.normal(size=n) for name in ("kinetic", "pp", "ep", "ee", "pulay")}

    def errors(of_fraction):
        fraction = Estimate(-1.6, of_fraction, 1000)
        protons = RejectionSamples(np.zeros((17 * n, 2, 3)), log_densities, beta_energies, fraction)
        result = summarise(system, protons, energies)
        return np.array([result.free_energy.error, result.entropy.error, result.energy.error, result.pressure.error])

    added = errors(5.0) ** 2 - errors(0.0) ** 2
    np.testing.assert_allclose(added[:2], (np.array([system.state.temperature, 1.0]) * 5.0 / 2) ** 2, rtol=1e-3)
    np.testing.assert_allclose(added[2:], 0, atol=1e-12)


@pytest.mark.parametrize("known", [0.0, 0.9])
def test_reweighting_works_with_a_known_noise_gives_the_exact_free_energy(known):
    """Works a + s x of a Gaussian x: F = a - s^2 / 2 kT, whatever Gaussian noise their electrons add; guesses of the
    works that know a share of x make it surer, and guesses that know nothing do not spoil it."""
    random, kT = np.random.default_rng(0), 0.02
    x, more = random.normal(size=(2, 20000))
    works = -1.0 + 0.02 * x
    noisy = works + 0.015 * random.normal(size=20000)
    guesses = -0.7 + 0.02 * (known * x + np.sqrt(1 - known**2) * random.normal(size=20000))
    exact = -1.0 - 0.02**2 / (2 * kT)
    for found, noise in ((works, 0.0), (noisy, 0.015**2)):
        variances = noise * random.chisquare(15, size=20000) / 15
        estimate, effective = reweighted_free_energy(found, variances, kT, guesses, -0.7 + 0.02 * more)
        assert abs(estimate.value - exact) < 4 * estimate.error
        assert estimate.error < 1e-3
        assert 1000 < effective < 20000
    sure, _ = reweighted_free_energy(works, np.zeros(20000), kT, works, np.tile(works, 100))
    assert sure.error < 0.2 * kT * np.sqrt((np.e - 1) / 20000)


def test_guesses_that_rejection_made_alike_leave_the_reweighted_free_energy_alone():
    """They differ by rounding, and by more in one of a thousand of those without electrons."""
    random, kT = np.random.default_rng(1), 0.02
    works = -1.0 + 0.02 * random.normal(size=2000)
    guesses = -0.7 + 1e-7 * random.normal(size=2000)
    many = -0.7 + 1e-7 * random.normal(size=32000)
    plain, _ = reweighted_free_energy(works, np.zeros(2000), kT, np.full(2000, -0.7), np.full(32000, -0.7))
    many[::1000] += 0.01
    found, _ = reweighted_free_energy(works, np.zeros(2000), kT, guesses, many)
    assert abs(found.value - plain.value) < 0.1 * plain.error
    assert found.error == pytest.approx(plain.error, rel=0.01)


def test_a_reweighted_free_energy_of_a_few_samples_is_not_told(run, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(measurement, "MIN_EFFECTIVE_SAMPLES", 33)
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    record = measure_run(folder, QUICK).record()
    assert record["F_reweighted_Ha_per_atom"] == {"value": None, "error": None}
    assert np.isnan(flatten(record)["F_reweighted_Ha_per_atom"])
    assert main(["free-energy", "measure", str(folder), *OPTIONS]) == 0
    assert "too few effective samples" in capsys.readouterr().out
    report_run(folder, 2, 1)
    assert "too few effective samples" in (folder / "page.html").read_text()


def test_samples_are_structures_of_the_cell(run, tmp_path):
    write_samples(run, tmp_path / "out.extxyz", 3, 1)
    frames = read(tmp_path / "out.extxyz", index=":")
    assert len(frames) == 3
    assert all(len(frame) == 2 and set(frame.get_chemical_symbols()) == {"H"} for frame in frames)
    assert frames[0].cell.volume == pytest.approx(FreeEnergySystem(TINY).cell.volume * BOHR_ANGSTROM**3)


def test_one_page_answers_both_questions(run, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    (folder / "measure.json").unlink(missing_ok=True)
    with pytest.raises(InputError, match="was not measured"):
        report_run(folder, 2, 1)
    measure_run(folder, MeasurementSettings(16, 2))
    with pytest.raises(InputError, match="two or more"):
        report_run(folder, 1, 1)
    assert main(["free-energy", "report", str(folder), "--samples", "3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["phi_3d"]) == len(found["phi_star"]) == 3
    assert all(0 < value < 1 for value in found["phi_3d"] + found["phi_star"])
    page = (folder / "page.html").read_text()
    measured = json.loads((folder / "measure.json").read_text())
    estimate = Estimate(**measured["F_Ha_per_atom"], n_independent=16)
    assert str(estimate).replace("+-", "&plusmn;") in page
    assert "more than P itself" in page
    assert page.count("data:image/png;base64,") == 4
    assert "://" not in page  # "http" alone may stand in the letters of a picture
    (folder / "measure.json").write_text(json.dumps({**measured, "step": 4}))
    with pytest.raises(InputError, match="measured after 4 steps"):
        report_run(folder, 2, 1)


def test_fewer_protons_than_an_error_needs_are_refused(run, monkeypatch):
    monkeypatch.setattr(measurement, "MIN_SAMPLES", 17)
    with pytest.raises(InputError, match="more --samples"):
        measure_run(run, MeasurementSettings(16, 2))


def test_a_cell_whose_size_error_is_larger_than_its_answer_says_so(run, capsys):
    """Two atoms without a twist: the kinetic energy of the Fermi sea is missing, and P with it."""
    measured = measure_run(run, QUICK)
    assert measured.record()["size_error_GPa"] > abs(measured.record()["P_GPa"]["value"])
    assert "more than P itself" in str(measured)
    assert "more than P itself" in measured._repr_html_()


def test_folders_without_a_run(tmp_path):
    with pytest.raises(InputError, match="holds no run"):
        measure_run(tmp_path)
    with pytest.raises(InputError, match="samples 0"):
        MeasurementSettings(samples=0)
    with pytest.raises(InputError, match="electron_samples 1"):
        MeasurementSettings(electron_samples=1)
    with pytest.raises(InputError, match="holds no run"):
        write_samples(tmp_path, tmp_path / "out.extxyz", 0)
