"""Reading a finished trajectory back: the numbers the sampler wrote, the frames that count."""

import lzma

import numpy as np
import pytest

from jovium.base.errors import FormatError, InputError
from jovium.base.units import kelvin_to_hartree
from jovium.reference.dynamics import FluidState, sample
from jovium.reference.kohn_sham import CHEAP
from jovium.reference.trajectory import read_fluid


@pytest.fixture(scope="module")
def path(tmp_path_factory, harmonic):
    path = tmp_path_factory.mktemp("fluid") / "n20-test.extxyz"
    state = FluidState(20, 3.0, kelvin_to_hartree(3000), time_step=60.0, friction_time=400.0, block=20)
    list(sample(state, path, 40, harmonic, CHEAP))
    return path


def test_means_are_those_of_the_sampled_state(path):
    """Harmonic wells started far out: after equilibration the energy per atom is 3/2 kT, within four errors."""
    fluid = read_fluid(path)
    kT = kelvin_to_hartree(3000)
    energy = fluid.mean(fluid.energy)
    assert fluid.kT == pytest.approx(kT)
    assert fluid.energy[0] > 3 * 1.5 * kT
    assert abs(energy.value - 1.5 * kT) < 4 * energy.error
    assert fluid.start >= 5
    assert set(np.diff(fluid.steps)) == {20}


def test_kept_frames_are_in_equilibrium_and_apart(path):
    fluid = read_fluid(path)
    kept = fluid.decorrelate()
    assert kept[0] == fluid.start
    assert len(set(np.diff(kept))) == 1


def test_compressed_files_read_the_same(path, tmp_path):
    packed = tmp_path / (path.name + ".xz")
    packed.write_bytes(lzma.compress(path.read_bytes()))
    assert read_fluid(packed).name == read_fluid(path).name == "n20-test"
    assert np.array_equal(read_fluid(packed).energy, read_fluid(path).energy)


def test_other_files_and_short_runs_are_refused(path, tmp_path):
    (tmp_path / "x.extxyz").write_text("1\nno facts here\nH 0 0 0\n" * 3)
    with pytest.raises(FormatError, match="jovium reference sample"):
        read_fluid(tmp_path / "x.extxyz")
    lines = path.read_text().splitlines(keepends=True)
    (tmp_path / "short.extxyz").write_text("".join(lines[: 22 * 4]))
    with pytest.raises(InputError, match="holds 3 frames"):
        read_fluid(tmp_path / "short.extxyz")
