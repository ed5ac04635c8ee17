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
from jovium.free_energy import measurement as hydrogen_measure
from jovium.free_energy.equation_of_state import flat
from jovium.free_energy.measurement import _reweighted, measure_run, sample_structures, summary, write_samples
from jovium.free_energy.training import trained
from jovium.protons.rejection import RejectionSamples
from jovium.workflows import fluid_report
from jovium.workflows.fluid_report import report_run

pytestmark = pytest.mark.usefixtures("kept_programs")


def test_measuring_gives_parts_that_add_up(run):
    found = measure_run(run, 2, 4, 1)
    record = json.loads((run / "measure.json").read_text())
    assert record["samples"] == 32
    kT = TINY.state.temperature
    parts = sum(part.value for part in found.parts.values())
    assert found.energy.value == pytest.approx(parts + 1.5 * kT, abs=1e-5)
    assert found.free_energy.value == pytest.approx(found.energy.value - kT * found.entropy.value, abs=1e-6)
    assert 0 < found.effective_samples <= 32


def test_a_share_of_the_protons_lowers_what_its_surface_knows_of(run, tmp_path, monkeypatch, capsys):
    """kT ln p + surface; F, E and S are of the same density, and the page shows the protons that were measured."""
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    recipe, state = trained(folder)
    bounds = []
    for share in (1.0, 0.1):
        structures, log_densities = sample_structures(folder, 64, 1, share)
        protons = np.array([structure.positions for structure in structures], np.float32)
        bounds.append(np.mean(recipe.state.temperature * log_densities + jax.vmap(state.surface)(protons)))
    assert bounds[1] < bounds[0]
    assert main(["measure", str(folder), "--batches", "2", "--looks", "4", "--kept", "0.1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    free, energy, entropy = (found[name]["value"] for name in ("F_Ha_per_atom", "E_Ha_per_atom", "S_kB_per_atom"))
    assert free == pytest.approx(energy - recipe.state.temperature * entropy, abs=1e-6)
    assert found["kept"] == pytest.approx(0.1, rel=0.3)
    asked = []
    monkeypatch.setattr(fluid_report, "sample_structures", lambda *args: asked.append(args) or sample_structures(*args))
    report_run(folder, 2, 1)
    assert asked[0][3] == 0.1
    assert "kept by rejection from" in (folder / "page.html").read_text()
    assert main(["measure", str(folder), "--kept", "0"]) == 2
    assert "0.01 to 1" in capsys.readouterr().err


def test_the_error_of_the_share_that_was_kept_is_one_of_the_entropy():
    """E and P are means and do not need the share; F and S have ln p."""
    recipe, n = TINY, 40
    random = np.random.default_rng(0)
    log_densities, beta_energies = random.normal(size=(2, 17 * n))
    energies = {"energy": random.normal(size=n), "noise": np.full(n, 1e-6), "acceptance": np.full(n, 0.5)}
    energies |= {name: random.normal(size=n) for name in ("kinetic", "pp", "ep", "ee", "force")}

    def errors(share):
        protons = RejectionSamples(np.zeros((17 * n, 2, 3)), log_densities, beta_energies, Estimate(-1.6, share, 1000))
        found = summary(recipe, protons, energies)
        return np.array([found.free_energy.error, found.entropy.error, found.energy.error, found.pressure.error])

    added = errors(5.0) ** 2 - errors(0.0) ** 2
    np.testing.assert_allclose(added[:2], (np.array([recipe.state.temperature, 1.0]) * 5.0 / 2) ** 2, rtol=1e-3)
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
        estimate, effective = _reweighted(found, variances, kT, guesses, -0.7 + 0.02 * more)
        assert abs(estimate.value - exact) < 4 * estimate.error
        assert estimate.error < 1e-3
        assert 1000 < effective < 20000
    sure, _ = _reweighted(works, np.zeros(20000), kT, works, np.tile(works, 100))
    assert sure.error < 0.2 * kT * np.sqrt((np.e - 1) / 20000)


def test_guesses_that_rejection_made_alike_leave_the_reweighted_free_energy_alone():
    """They differ by rounding, and by more in one of a thousand of those without electrons."""
    random, kT = np.random.default_rng(1), 0.02
    works = -1.0 + 0.02 * random.normal(size=2000)
    guesses = -0.7 + 1e-7 * random.normal(size=2000)
    many = -0.7 + 1e-7 * random.normal(size=32000)
    plain, _ = _reweighted(works, np.zeros(2000), kT, np.full(2000, -0.7), np.full(32000, -0.7))
    many[::1000] += 0.01
    found, _ = _reweighted(works, np.zeros(2000), kT, guesses, many)
    assert abs(found.value - plain.value) < 0.1 * plain.error
    assert found.error == pytest.approx(plain.error, rel=0.01)


def test_a_reweighted_free_energy_of_a_few_samples_is_not_told(run, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(hydrogen_measure, "FEW", 33)
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    record = measure_run(folder, 2, 4, 1).record()
    assert record["F_reweighted_Ha_per_atom"] == {"value": None, "error": None}
    assert np.isnan(flat(record)["F_reweighted_Ha_per_atom"])
    assert main(["measure", str(folder), "--batches", "2", "--looks", "4"]) == 0
    assert "too few effective samples" in capsys.readouterr().out
    report_run(folder, 2, 1)
    assert "too few effective samples" in (folder / "page.html").read_text()


def test_samples_are_structures_of_the_cell(run, tmp_path):
    write_samples(run, tmp_path / "out.extxyz", 3, 1)
    frames = read(tmp_path / "out.extxyz", index=":")
    assert len(frames) == 3
    assert all(len(frame) == 2 and set(frame.get_chemical_symbols()) == {"H"} for frame in frames)
    assert frames[0].cell.volume == pytest.approx(TINY.cell.volume * BOHR_ANGSTROM**3)


def test_one_page_answers_both_questions(run, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    (folder / "measure.json").unlink(missing_ok=True)
    with pytest.raises(InputError, match="jovium measure"):
        report_run(folder, 2, 1)
    measure_run(folder, 1, 2, 1)
    with pytest.raises(InputError, match="two or more"):
        report_run(folder, 1, 1)
    assert main(["report", str(folder), "--samples", "3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["phi_3d"]) == len(found["phi_star"]) == 3
    assert all(0 < value < 1 for value in found["phi_3d"] + found["phi_star"])
    page = (folder / "page.html").read_text()
    measured = json.loads((folder / "measure.json").read_text())
    assert f"{measured['F_Ha_per_atom']['value']:.5f}" in page
    assert page.count("data:image/png;base64,") == 4
    assert "://" not in page  # "http" alone may stand in the letters of a picture


def test_fewer_protons_than_an_error_needs_are_refused(run, monkeypatch):
    monkeypatch.setattr(hydrogen_measure, "FEWEST", 17)
    with pytest.raises(InputError, match="more --batches"):
        measure_run(run, 1, 2, 1)


def test_folders_without_a_run(tmp_path):
    with pytest.raises(InputError, match="no free-energy run"):
        measure_run(tmp_path, 1, 2, 1)
    with pytest.raises(InputError, match="batches"):
        measure_run(tmp_path, 0, 2, 1)
    with pytest.raises(InputError, match="no free-energy run"):
        sample_structures(tmp_path, 1, 1, 0.5)
    with pytest.raises(InputError, match="samples"):
        write_samples(tmp_path, tmp_path / "out.extxyz", 0, 1)
