"""The sampler: exact for the harmonic crystal, unharmed by kills, honest about its input."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest

from jovium.base.errors import InputError
from jovium.base.units import PROTON_MASS, kelvin_to_hartree
from jovium.base.validity import SHORTEST_DISTANCE
from jovium.reference.dynamics import (
    FluidState,
    first_frame,
    force_protocol,
    random_structure,
    read_trajectory,
    sample,
)
from jovium.reference.espresso import Espresso
from jovium.reference.kohn_sham import CHEAP
from jovium.reference.trajectory import read_fluid


def test_langevin_dynamics_samples_the_boltzmann_distribution_of_a_harmonic_well(tmp_path, harmonic):
    """BAOAB has no time-step error in the positions of a harmonic oscillator: <R^2> = 3 N kT / k."""
    state = FluidState(40, 3.0, kelvin_to_hartree(3000), time_step=60.0, friction_time=400.0, block=20)
    assert 60.0 * np.sqrt(harmonic.spring / PROTON_MASS) > 0.15  # a step of a fortieth of the period: large on purpose
    frames = list(sample(state, tmp_path / "h.extxyz", 120, harmonic, CHEAP))[10:]
    squares = np.array([np.mean(f.structure.positions**2) for f in frames])
    assert squares.mean() == pytest.approx(state.kT / harmonic.spring, rel=0.05)
    assert np.mean([f.temperature for f in frames]) == pytest.approx(state.kT, rel=0.03)


def test_random_start_is_reproducible_and_has_no_close_pairs():
    state = FluidState(54, 1.4, kelvin_to_hartree(3000), seed=7)
    structure = random_structure(state)
    assert structure.shortest_distance() > 1.0
    assert structure.rs == pytest.approx(1.4)
    assert np.array_equal(structure.positions, random_structure(state).positions)
    assert np.mean(first_frame(state).momenta ** 2) / PROTON_MASS == pytest.approx(state.kT, rel=0.3)


def test_trajectory_torn_anywhere_continues_to_the_same_digits(tmp_path, harmonic):
    state = FluidState(4, 2.0, kelvin_to_hartree(2000), block=5)
    whole = tmp_path / "whole.extxyz"
    list(sample(state, whole, 4, harmonic, CHEAP))
    text = whole.read_text()
    for cut in (len(text) - 1, len(text) - 40, len(text) // 2, 200):
        torn = tmp_path / f"torn-{cut}.extxyz"
        torn.write_text(text[:cut])
        list(sample(state, torn, 4, harmonic, CHEAP))
        assert torn.read_text() == text


def test_trajectory_opens_in_ase(tmp_path, harmonic):
    state = FluidState(4, 2.0, kelvin_to_hartree(2000), block=5)
    list(sample(state, tmp_path / "t.extxyz", 2, harmonic, CHEAP))
    images = ase.io.read(tmp_path / "t.extxyz", index=":")
    assert len(images) == 3
    assert images[-1].info["temperature_kelvin"] == pytest.approx(2000)


def test_file_of_another_state_is_refused(tmp_path, harmonic):
    path = tmp_path / "t.extxyz"
    list(sample(FluidState(4, 2.0, kelvin_to_hartree(2000), block=5), path, 1, harmonic, CHEAP))
    same = FluidState(4, 2.0, kelvin_to_hartree(2000), block=5)
    assert len(read_trajectory(path, same, CHEAP)) == 2
    with pytest.raises(InputError, match="holds temperature_kelvin 2000"):
        read_trajectory(path, replace(same, kT=kelvin_to_hartree(3000)), CHEAP)
    with pytest.raises(InputError, match="holds forces PBE-20Ha"):
        read_trajectory(path, same, replace(CHEAP, cutoff=30.0))


@pytest.mark.parametrize(
    ("field", "value"), [("rs", -1.0), ("kT", 0.0), ("n_atoms", 0), ("time_step", float("nan")), ("seed", -1)]
)
def test_impossible_states_are_refused(field, value):
    arguments = {"n_atoms": 4, "rs": 2.0, "kT": 0.01, field: value}
    with pytest.raises(InputError, match=field):
        FluidState(**arguments)


def test_pressure_holds_the_ideal_gas_of_the_protons(tmp_path, harmonic):
    """The harmonic engine has no stress of its own: what is left is n kT."""
    state = FluidState(4, 2.0, kelvin_to_hartree(2000), block=5)
    frame = next(sample(state, tmp_path / "t.extxyz", 1, harmonic, CHEAP))
    assert frame.pressure == pytest.approx(4 * state.kT / state.box.volume)


def test_electrons_of_the_force_protocol_have_the_temperature_of_the_protons():
    hot, cold = (force_protocol(FluidState(n, 1.4, kelvin_to_hartree(T))) for n, T in ((54, 8000), (16, 300)))
    assert hot.electronic_kT == pytest.approx(kelvin_to_hartree(8000))
    assert cold.electronic_kT == pytest.approx(kelvin_to_hartree(1000))
    assert (hot.k_mesh, hot.k_offset) == ((1, 1, 1), 0.25)
    assert (cold.k_mesh, cold.k_offset) == ((2, 2, 2), 0.5)


def test_forces_at_the_threshold_of_the_sampler_are_good_to_one_part_in_a_hundred():
    """Against a field converged ten thousand times tighter, root mean square over a random start."""
    state = FluidState(8, 1.4, kelvin_to_hartree(3000))
    loose = force_protocol(state)
    structure = random_structure(state)
    forces = []
    for protocol in (loose, replace(loose, scf_threshold=1e-4 * loose.scf_threshold)):
        with Espresso() as engine:
            forces.append(engine.ground_state(structure, protocol, fields=False, stress=False).forces)
    assert np.linalg.norm(forces[0] - forces[1]) < 0.01 * np.linalg.norm(forces[1])


def test_protons_of_the_committed_trajectories_stay_apart():
    """The limit below which a structure is refused leaves room: the closest pair is at more than twice the limit."""
    paths = sorted((Path(__file__).parents[2] / "data" / "trajectories").glob("*.xz"))
    closest = min(s.shortest_distance() for path in paths for s in read_fluid(path).structures)
    assert closest > 2 * SHORTEST_DISTANCE


@pytest.mark.parametrize("content", ["my notes\n", "4\nno facts\n" + "H 0 0 0\n" * 4])
def test_a_foreign_file_is_left_as_it_is(tmp_path, harmonic, content):
    path = tmp_path / "notes.txt"
    path.write_text(content)
    with pytest.raises(InputError, match=r"give another file name|holds"):
        list(sample(FluidState(4, 2.0, kelvin_to_hartree(2000)), path, 1, harmonic, CHEAP))
    assert path.read_text() == content


def test_other_block_or_friction_is_refused(tmp_path, harmonic):
    path = tmp_path / "t.extxyz"
    state = FluidState(4, 2.0, kelvin_to_hartree(2000), block=5)
    list(sample(state, path, 1, harmonic, CHEAP))
    for other, word in ((replace(state, block=6), "block"), (replace(state, friction_time=9.0), "friction_fs")):
        with pytest.raises(InputError, match=f"holds {word}"):
            list(sample(other, path, 2, harmonic, CHEAP))


def test_two_writers_of_one_file_are_refused(tmp_path, harmonic):
    path = tmp_path / "t.extxyz"
    state = FluidState(4, 2.0, kelvin_to_hartree(2000), block=5)
    first = sample(state, path, 3, harmonic, CHEAP)
    next(first)
    with pytest.raises(InputError, match="being written by another process"):
        next(sample(state, path, 3, harmonic, CHEAP))
    assert len(list(first)) == 2


def command(path: Path) -> list[str]:
    options = ["--n-atoms", "2", "--rs", "1.6", "--kelvin", "3000", "--frames", "3", "--block", "3"]
    return [sys.executable, "-m", "jovium.cli.main", "reference", "sample", str(path), *options]


def test_killed_sampler_repeats_to_the_same_trajectory(tmp_path):
    """First-principles forces, the process group killed at three different moments.

    The library's forces differ in the last digit between processes (its sums depend on memory alignment), so frames
    agree to 1e-9, not to the bit; with forces that repeat, the torn trajectories above agree to the bit.
    """
    whole, killed = tmp_path / "whole.extxyz", tmp_path / "killed.extxyz"
    subprocess.run(command(whole), check=True, capture_output=True)
    for delay in (1.5, 2.5, 4.0):
        process = subprocess.Popen(command(killed), stdout=subprocess.DEVNULL, start_new_session=True)
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run(command(killed), check=True, capture_output=True)
    first, second = (ase.io.read(path, index=":") for path in (killed, whole))
    assert len(first) == len(second) == 4
    for a, b in zip(first, second, strict=True):
        assert a.info["step"] == b.info["step"]
        assert a.positions == pytest.approx(b.positions, abs=1e-9)
        assert a.arrays["momenta_au"] == pytest.approx(b.arrays["momenta_au"], abs=1e-9)
