"""JAX_ENABLE_X64, or jax_enable_x64 in the user's program, changes neither what can be loaded nor any number."""

import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

from jovium.calculator import ELF
from jovium.free_energy.training import load_run
from jovium.protons.fit import fit_flow
from jovium.protons.measurement import measure_run as measure_protons
from jovium.protons.targets import OneComponentPlasma
from jovium.protons.training import load_run as load_protons
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


def test_a_flow_fitted_in_memory_is_the_same():
    def samples():
        return fit_flow(OneComponentPlasma(2, 2.0), n_steps=2, batch_size=8, n_channels=2).sample(4)

    np.testing.assert_array_equal(*in_both(samples))


@pytest.mark.parametrize("name", ["free_energy/n2_twists2", "free_energy/n8_twists2", "protons/ocp_n16_gamma10"])
def test_shipped_runs_load_in_their_own_precision(name):
    """Also inside of a run in double precision that begins with one of them."""
    load = load_run if name.startswith("free") else load_protons
    (_, one), (_, other) = in_both(lambda: load(DATA / name))
    with jax.enable_x64(True):
        _, inside = load(DATA / name)
    for leaf, *others in zip(*map(jax.tree.leaves, (one, other, inside)), strict=True):
        for again in others:
            assert leaf.dtype == again.dtype
            np.testing.assert_array_equal(leaf, again)
