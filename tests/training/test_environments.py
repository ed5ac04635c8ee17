"""Environments of clusters and shells: what a training makes of them is the run that was meant, or a named error."""

import os
import socket
import subprocess
import sys
import time

import jax
import pytest

from jovium.base.errors import JoviumError
from jovium.cli.main import main
from jovium.training import devices
from jovium.training.devices import join_processes

TASK = {
    "SLURM_JOB_ID": "77", "SLURM_STEP_NODELIST": "node[7-8]", "SLURM_STEP_NUM_TASKS": "4", "SLURM_NTASKS": "4",
    "SLURM_PROCID": "2", "SLURM_LOCALID": "0",
}  # fmt: skip
PAIR = {"JAX_COORDINATOR_ADDRESS": "localhost:1234", "JAX_NUM_PROCESSES": "2", "JAX_PROCESS_ID": "1"}
ALONE, REFUSED = (), None

# Variables, and (address, processes, number of this one) of the run that is joined.
ENVIRONMENTS = {
    "a laptop": ({}, ALONE),
    "one process": ({"JAX_NUM_PROCESSES": "1"}, ALONE),
    "one process, all said": ({**PAIR, "JAX_NUM_PROCESSES": "1", "JAX_PROCESS_ID": "0"}, ALONE),
    "one process in a task of four": ({**TASK, "JAX_NUM_PROCESSES": "1"}, ALONE),
    "a batch script": ({"SLURM_JOB_ID": "77", "SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}, ALONE),
    "a shell of salloc": ({"SLURM_JOB_ID": "77", "SLURM_NTASKS": "4"}, ALONE),
    "a shell that knows tasks": ({"SLURM_JOB_ID": "77", "SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "4"}, ALONE),
    "tasks alone": ({"SLURM_STEP_NUM_TASKS": "4"}, ALONE),
    "tasks that are no number": ({"SLURM_STEP_NUM_TASKS": "4(x2)"}, ALONE),
    "a step of one task": ({**TASK, "SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}, ALONE),
    "a task of srun": (TASK, (None, 4, 2)),
    "a task of a part of the job": ({**TASK, "SLURM_NTASKS": "8"}, (None, 4, 2)),
    "a task that is not of its step": ({**TASK, "SLURM_PROCID": "4"}, REFUSED),
    "a step of no number": ({**TASK, "SLURM_STEP_NUM_TASKS": "four"}, REFUSED),
    "two processes": (PAIR, ("localhost:1234", 2, 1)),
    "two processes in a task": ({**TASK, **PAIR}, ("localhost:1234", 2, 1)),
    "two, in words": ({**PAIR, "JAX_NUM_PROCESSES": "two"}, REFUSED),
    "none": ({**PAIR, "JAX_NUM_PROCESSES": "0"}, REFUSED),
    "fewer than none": ({**PAIR, "JAX_NUM_PROCESSES": "-2"}, REFUSED),
    "an empty number": ({**PAIR, "JAX_NUM_PROCESSES": ""}, REFUSED),
    "a third of two": ({**PAIR, "JAX_PROCESS_ID": "2"}, REFUSED),
    "one before the first": ({**PAIR, "JAX_PROCESS_ID": "-1"}, REFUSED),
    "a process without a port": ({**PAIR, "JAX_COORDINATOR_ADDRESS": "node7"}, REFUSED),
    "an address alone": ({"JAX_COORDINATOR_ADDRESS": "localhost:1234"}, REFUSED),
    "a number alone": ({"JAX_NUM_PROCESSES": "2"}, REFUSED),
    "no number of this one": ({**PAIR, "JAX_PROCESS_ID": ""}, REFUSED),
}  # fmt: skip


@pytest.fixture
def environment(monkeypatch):
    """An environment that says nothing of processes; what is set here is all it says."""
    for name in [*os.environ]:
        if name.startswith(("SLURM_", "JAX_NUM", "JAX_PROCESS", "JAX_COORD")):
            monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environment_is_the_run_that_was_meant_or_a_named_error(environment, name):
    variables, expected = ENVIRONMENTS[name]
    joined = []
    environment.setattr(jax.distributed, "initialize", lambda *run, **how: joined.append((run, how)))
    for variable, value in variables.items():
        environment.setenv(variable, value)
    if expected is REFUSED:
        with pytest.raises(JoviumError, match="JAX_NUM_PROCESSES=1 for one alone") as caught:
            join_processes()
        assert all(part.strip() for part in (caught.value.got, caught.value.expected, caught.value.do))
        assert not joined
        return
    join_processes()
    assert [run for run, _ in joined] == ([expected] if expected else [])


@pytest.mark.parametrize("error", [RuntimeError("DEADLINE_EXCEEDED: no answer"), ValueError("a bad address")])
def test_what_the_library_says_of_processes_is_an_error_to_act_on(environment, error):
    def fail(*run, **how):
        raise error

    environment.setattr(jax.distributed, "initialize", fail)
    for variable, value in PAIR.items():
        environment.setenv(variable, value)
    with pytest.raises(JoviumError, match=r"process 1 of 2 .*(DEADLINE|bad address)"):
        join_processes()


WAITING = """
from jovium.training import devices
from jovium.cli.main import main
devices.WAIT_SECONDS = 2
raise SystemExit(main(["free-energy", "train", "run", "--n-atoms=2", "--twists=1", "--steps=2"]))
"""


@pytest.mark.parametrize("rank", ["0", "1"])
def test_processes_that_never_come_are_given_up(tmp_path, rank):
    """The first waits for the second, or the second for an answer of the first."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    told = {**PAIR, "JAX_COORDINATOR_ADDRESS": address, "JAX_PROCESS_ID": rank}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", WAITING], env={**os.environ, **told}, cwd=tmp_path, capture_output=True, text=True
    )
    assert time.monotonic() - began < 40
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert f"jovium: process {rank} of 2 found no other at {address}" in done.stderr
    assert "do: start every process" in done.stderr


@pytest.mark.parametrize("command", [["analyse", "h.vasp", "--no-files"], ["doctor"]])
def test_a_device_that_is_not_there_is_told_in_three_lines(tmp_path, command):
    (tmp_path / "h.vasp").write_text("H\n1.0\n1.7 0 0\n0.1 1.8 0\n0 0.2 1.9\nH\n1\nDirect\n0 0 0\n")
    done = subprocess.run(
        [sys.executable, "-m", "jovium.cli.main", *command],
        env={**os.environ, "JAX_PLATFORMS": "cuda"}, cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    message = done.stderr[done.stderr.index("jovium: ") :].splitlines()
    assert [line.split(":")[0].strip() for line in message] == ["jovium", "expected", "do"]
    assert message[0].startswith("jovium: JAX_PLATFORMS=cuda: ")
    assert message[0].split("cuda: ")[1].strip()
    assert "pip install 'jovium[cuda13]'" in message[2]


def test_a_process_waits_a_minute():
    assert devices.WAIT_SECONDS == 60


def test_only_errors_of_devices_are_explained():
    assert devices.device_error(RuntimeError("a mistake of the program")) is None
    full = devices.device_error(RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes\nmore"))
    assert full is not None
    assert "fewer configurations" in full.do


def test_doctor_knows_devices_and_precision(capsys):
    assert main(["doctor"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "cpu" in lines["devices"]
    assert "jovium[cuda12]" in lines["devices"]
    assert "works" in lines["double_precision"]
