"""The four trainings through everything at once: killed, out of disk, cut, moved, of an edited file.

The loop they share is tried more finely in test_faults; here it is what each model reads and writes itself."""

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from ase import Atoms
from ase.io import write
from faults import CUTS, Killed, damage, failing_write, told

from jovium.base.cell import Cell
from jovium.base.errors import InputError, OutputError
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM
from jovium.electrons.measurement import measure_run as measure_electrons
from jovium.electrons.run import wave_function
from jovium.electrons.settings import ElectronSettings
from jovium.electrons.training import load_run as load_electrons
from jovium.electrons.training import train as train_electrons
from jovium.elf.samples import Sample
from jovium.elf.settings import ElfSettings
from jovium.elf.training import finished_model, load_network
from jovium.elf.training import train as train_elf
from jovium.free_energy.settings import FreeEnergySettings
from jovium.free_energy.training import load_run as load_free_energy
from jovium.free_energy.training import train as train_free_energy
from jovium.protons.settings import ProtonSettings
from jovium.protons.targets import OneComponentPlasma
from jovium.protons.training import load_run as load_protons
from jovium.protons.training import train as train_protons
from jovium.training.run_folder import CONFIG, METRICS, STATE, broken_metrics, read_metrics

pytestmark = pytest.mark.usefixtures("quickly_compiled")

ELECTRONS = ElectronSettings(
    "pair.extxyz", steps=4, walkers=8, mc_steps=1, determinants=1, features=4, backflow_channels=1, radial_functions=3,
    direction_channels=1,
)  # fmt: skip
PROTONS = ProtonSettings(
    n_atoms=2, coupling=2.0, flow_matching_steps=4, energy_steps=0, batch_size=8, flow_radial=3, flow_channels=1,
    ode_steps=1, data="frames.extxyz",
)  # fmt: skip
ELF = ElfSettings(steps=4, field_channels=2, hidden_width=4, convolutions=1)
FREE_ENERGY = FreeEnergySettings(
    n_atoms=2, twists=1, steps=4, wavefunction_warmup=0, proton_walkers=4, electron_walkers=2, mc_steps=1,
    flow_batch_size=8, flow_channels=1, flow_radial=4, flow_knots=2, ode_steps=1, features=4,
)  # fmt: skip
CELL = np.array([[4.1, 0.3, -0.4], [0.8, 4.5, 0.5], [-0.6, 0.9, 4.3]])
EDGE = OneComponentPlasma(2, 2.0).cell.vectors[0, 0]


def samples(shift=0.0):
    random = np.random.default_rng(0)
    structure = Structure(Cell(CELL), random.random((2, 3)) @ CELL, ("H", "H"))
    elf = random.random((6, 8, 6)).astype(np.float32) + np.float32(shift)
    return [Sample(structure, elf, split, "a", 0, 3000.0) for split in ("train", "validation")]


class Model(NamedTuple):
    train: Callable[[Path], Any]
    load: Callable[[Path], Any]
    kept: str


MODELS = {
    "electrons": Model(lambda run: train_electrons(run, ELECTRONS, 2), load_electrons, "structure/pair.extxyz"),
    "protons": Model(lambda run: train_protons(run, PROTONS, 2), load_protons, "data/frames.extxyz"),
    "elf": Model(lambda run: train_elf(run, samples(), ELF, 2), load_network, ""),
    "free_energy": Model(lambda run: train_free_energy(run, FREE_ENERGY, 2), load_free_energy, ""),
}


def write_sources(folder, seed=0):
    """A pair in a triclinic cell, and frames of another one."""
    random = np.random.default_rng(seed)
    pair = Atoms("H2", [[0.1, 0.2, 0.3], [1.0, 1.1 + 0.1 * seed, 0.9]], cell=CELL * BOHR_ANGSTROM, pbc=True)
    write(folder / "pair.extxyz", pair)
    cell = {"cell": np.eye(3) * EDGE * BOHR_ANGSTROM, "pbc": True}
    write(folder / "frames.extxyz", [Atoms("H2", random.random((2, 3)) * EDGE * BOHR_ANGSTROM, **cell) for _ in "abcd"])


@pytest.fixture(scope="module", params=MODELS)
def scene(request, tmp_path_factory, quickly_compiled):
    """A model, a run of half its steps, and the state of one that nothing happened to."""
    folder, model = tmp_path_factory.mktemp(request.param), MODELS[request.param]
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        write_sources(folder)
        reports = model.train(Path("half"))
        next(reports)
        reports.close()
        shutil.copytree("half", "whole")
        list(model.train(Path("whole")))
    return model, folder


@pytest.fixture
def half(scene, tmp_path, monkeypatch):
    """A copy of the half run, at the place where its sources lie."""
    shutil.copytree(scene[1] / "half", tmp_path / "half")
    monkeypatch.chdir(tmp_path)
    write_sources(tmp_path)
    return Path("half")


def test_after_a_kill_a_full_disk_broken_reports_and_a_move_the_numbers_are_the_same(scene, half):
    model, folder = scene
    with failing_write(1, Killed()), contextlib.suppress(Killed):
        list(model.train(half))
    with failing_write(0, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))):
        assert isinstance(told(lambda: list(model.train(half))), OutputError)
    with (half / METRICS).open("ab") as file:
        file.write(b'\0\0\0\n{"step": 2, "val')
    for name in ("pair.extxyz", "frames.extxyz"):
        Path(name).unlink()
    with contextlib.suppress(FileNotFoundError):
        damage(half / "data.npz", "cut to 50 %")
    half.rename("moved")
    list(model.train(Path("moved")))
    assert (Path("moved") / STATE).read_bytes() == (folder / "whole" / STATE).read_bytes()
    assert [report["step"] for report in read_metrics(Path("moved"))] == [2, 4]
    assert broken_metrics(Path("moved"))


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("name", [CONFIG, STATE])
def test_a_damaged_file_is_told_and_nothing_is_overwritten(scene, half, name, how):
    damage(half / name, how)
    left = {path.name: path.read_bytes() for path in half.iterdir() if path.is_file()}
    for call in (lambda: list(scene[0].train(half)), lambda: scene[0].load(half)):
        error = told(call)
        assert error is not None
        assert name in error.got
    assert {path.name: path.read_bytes() for path in half.iterdir() if path.is_file()} == left


def test_the_state_of_another_model_is_told(scene, half):
    from jovium.training import checkpoint

    checkpoint.save(half / STATE, {"weights": np.ones(3)}, {"good": None})
    for call in (lambda: list(scene[0].train(half)), lambda: scene[0].load(half)):
        error = told(call)
        assert error is not None
        assert STATE in error.got


def test_an_edited_source_is_another_setting_and_the_run_keeps_its_own(scene, half):
    model, _ = scene
    if not model.kept:
        pytest.skip("names no file")
    write_sources(Path(), seed=1)
    error = told(lambda: list(model.train(half)))
    assert error is not None
    assert "has another content" in error.got
    model.load(half)
    (half / model.kept).unlink()
    for call in (lambda: list(model.train(half)), lambda: model.load(half)):
        error = told(call)
        assert error is not None


def test_the_energy_is_of_the_molecule_that_was_trained(tmp_path, monkeypatch):
    """Before, an edited file gave the energy of another molecule, in silence."""
    monkeypatch.chdir(tmp_path)
    write_sources(tmp_path)
    settings = ELECTRONS.to_dict() | {"steps": 2}
    runs = [wave_function(**settings, folder=folder, report_every=2) for folder in ("run", None)]
    before = [run.measure(4).record() for run in runs]
    for change in (lambda: write_sources(tmp_path, seed=1), Path("pair.extxyz").unlink):
        change()
        assert [run.measure(4).record() for run in runs] == before
        assert measure_electrons(Path("run"), 4, 1).record() == before[0]
    assert json.loads(Path("run/measure.json").read_text())["structure"] == "pair.extxyz"


def test_configurations_that_were_edited_before_the_first_report_are_read_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_sources(tmp_path)
    with failing_write(6, Killed()), contextlib.suppress(Killed):  # the one of the first state
        list(train_protons(Path("run"), PROTONS, 2))
    assert not Path("run", STATE).exists()
    before = np.load("run/data.npz")["configurations"]
    write_sources(tmp_path, seed=1)
    next(train_protons(Path("run"), PROTONS, 2))
    assert not np.array_equal(np.load("run/data.npz")["configurations"], before)


def test_other_labels_are_another_setting(tmp_path):
    reports = train_elf(tmp_path, samples(), ELF, 2)
    next(reports)
    reports.close()
    for call in (
        lambda: list(train_elf(tmp_path, samples(shift=0.1), ELF, 2)),
        lambda: finished_model(tmp_path, samples(shift=0.1), {}),
    ):
        error = told(call)
        assert isinstance(error, InputError)
        assert "other" in error.got


def test_runs_of_the_package_load_and_continue_as_they_are():
    """They were begun before runs kept copies; none of them names a file."""
    from jovium.training.run_folder import check_config

    data = Path(__file__).parents[2] / "data"
    for config in sorted(data.glob("*/*/config.json")):
        kind = config.parent.parent.name
        load = {"electrons": load_electrons, "protons": load_protons, "free_energy": load_free_energy}[kind]
        settings = load(config.parent)[0]
        check_config(config.parent, replace(settings))
