"""JAX_ENABLE_X64, or jax_enable_x64 in the user's program, changes neither what can be loaded nor any number."""

import shutil
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from tiny_pair import TINY

from jovium.calculator import ELF
from jovium.free_energy.measurement import measure_run
from jovium.free_energy.settings import MeasurementSettings
from jovium.free_energy.training import FreeEnergyTraining, load_run, precision, train
from jovium.protons.fit import fit_flow
from jovium.protons.measurement import measure_run as measure_protons
from jovium.protons.settings import ProtonSettings
from jovium.protons.targets import OneComponentPlasma
from jovium.protons.training import load_run as load_protons
from jovium.protons.training import train as train_protons
from jovium.workflows.analyse import analyse
from jovium.workflows.screening import screen

DATA = Path(__file__).parents[2] / "data"


def in_both(function):
    """What a function gives as JAX is by default, and where double precision is switched on for the whole program."""
    single = function()
    jax.config.update("jax_enable_x64", True)
    try:
        return single, function()
    finally:
        jax.config.update("jax_enable_x64", False)


def test_an_analysis_and_a_screening_are_the_same(odd_structure):
    def numbers():
        analysis = analyse(odd_structure, shape=(18, 22, 26))
        calculator, atoms = ELF(spacing=0.2), odd_structure.to_ase()
        atoms.calc = calculator
        return analysis.elf.values, analysis.to_json(), calculator.get_property("phi_3d", atoms), screen(odd_structure)

    one, other = in_both(numbers)
    np.testing.assert_array_equal(one[0], other[0])
    assert one[1:] == other[1:]


def test_a_measured_density_is_the_same(tmp_path):
    shutil.copytree(DATA / "protons" / "double_well_left", tmp_path / "run")
    one, other = in_both(lambda: measure_protons(tmp_path / "run", 256, 1).record())
    assert one == other


def test_a_trained_density_is_the_same(tmp_path):
    settings = ProtonSettings.from_dict(
        {"system": "ocp", "n_atoms": 2, "coupling": 1.0, "steps": 4, "batch_size": 8, "flow_channels": 2}, "here"
    )
    folders = iter([tmp_path / "one", tmp_path / "other"])
    one, other = in_both(lambda: [report.metrics for report in train_protons(next(folders), settings, 2)])
    assert one == other


def test_a_flow_fitted_in_memory_is_the_same():
    def samples():
        return fit_flow(OneComponentPlasma(2, 2.0), n_steps=2, batch_size=8, n_channels=2).sample(4)

    np.testing.assert_array_equal(*in_both(samples))


def test_a_free_energy_is_the_same(tmp_path):
    folders = iter([tmp_path / "one", tmp_path / "other"])

    def measured():
        folder = next(folders)
        reports = [report.metrics for report in train(folder, replace(TINY, steps=2), 2)]
        return reports, measure_run(folder, MeasurementSettings(samples=4, electron_samples=1)).record()

    one, other = in_both(measured)
    assert one == other


def test_a_density_begins_a_run_in_double_precision(tmp_path):
    """Six electrons in a cell need double precision, their protons do not."""
    flow = {name: getattr(TINY, name) for name in ("flow_channels", "flow_radial", "flow_knots", "ode_steps")}
    protons = ProtonSettings.from_dict(
        {"system": "ocp", "n_atoms": 6, "coupling": 1.0, "torus": True, "steps": 2, "batch_size": 4, **flow}, "here"
    )
    list(train_protons(tmp_path / "protons", protons, 2))
    settings = replace(TINY, n_atoms=6, init_flow=str(tmp_path / "protons"))
    with precision(settings):
        began = FreeEnergyTraining(settings).state.model.flow
    for leaf, expected in zip(
        *(jax.tree.leaves(each) for each in (began, load_protons(tmp_path / "protons")[1])), strict=True
    ):
        np.testing.assert_array_equal(leaf, np.asarray(expected, leaf.dtype))


@pytest.mark.parametrize("name", ["n2_twists2", "n8_twists2"])
def test_shipped_runs_load_in_their_own_precision(name):
    (_, one), (_, other) = in_both(lambda: load_run(DATA / "free_energy" / name))
    for leaf, expected in zip(jax.tree.leaves(other), jax.tree.leaves(one), strict=True):
        assert leaf.dtype == expected.dtype
        np.testing.assert_array_equal(leaf, expected)
