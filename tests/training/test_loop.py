"""The training loop: what diverges is given up for the last good state, and the report says so; nothing is lost."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import pytest

from jovium.base.errors import InputError, JoviumError
from jovium.training import checkpoint
from jovium.training.loop import MAX_ROLLBACKS, Stage, Training, TrainingState, run_in_folder, verdict
from jovium.training.run_folder import CONFIG, STATE, check_config, read_kind, read_metrics, read_settings, write_config
from jovium.training.settings import Settings, setting


@dataclass(frozen=True)
class ToySettings(Settings):
    """Of a training whose values are written down beforehand."""

    kind: ClassVar[str] = "toy"

    steps: int = setting(6, "steps", may_change=True)
    learning_rate: float = setting(1.0, "learning rate")
    seed: int = setting(0, "seed")


class Toy(Training):
    """Values of a script, one after the other, whatever the state is."""

    jump, spread, unit = 1.0, 0.01, "units"

    def __init__(self, folder, script, settings=None):
        super().__init__(settings or ToySettings(), folder)
        self.script = iter(script)
        self.state = self.state or self.template({})

    def template(self, facts):
        return TrainingState.first(None, None, jnp.float32(1.0))

    def step(self, state, key):
        return state._replace(step=state.step + 1), {"value": jnp.asarray(next(self.script))}

    def objective(self, figures):
        return figures["value"], figures["error"]

    def summarise(self, metrics):
        values = np.array([of_step["value"] for of_step in metrics])
        return {"value": float(values.mean()), "error": float(values.std())}


def test_a_value_that_is_no_number_costs_the_steps_since_the_last_report(tmp_path):
    toy = Toy(tmp_path, [3.0, 2.9, 2.8, float("nan"), 2.8, 2.7, 2.6, 2.5])
    reports = list(toy.run(2))
    assert [report.step for report in reports] == [2, 2, 4, 6]
    assert reports[1].note == "not a number; back to step 2 with half the learning rate"
    assert int(toy.state.rollbacks) == 1
    assert float(toy.state.momentum) == 0
    assert [line["value"] for line in read_metrics(tmp_path)][1] is None


def test_a_first_value_that_is_no_number_costs_nothing_else(tmp_path):
    """The step after a report breaks: no second value is waited for."""
    reports = list(Toy(tmp_path, [3.0, 2.9, float("nan"), 2.8, 2.7, 2.6, 2.5]).run(2))
    assert [report.step for report in reports] == [2, 2, 4, 6]


def test_a_value_that_rises_costs_them_too(tmp_path):
    toy = Toy(tmp_path, [3.0, 3.0, 9.0, 9.0, 2.0, 2.0, 2.0, 2.0])
    assert "diverging: 3.0000 -> 9.0000 units; back to step 2" in [report.note for report in toy.run(2)][1]


def test_training_in_memory_is_the_training_in_a_folder(tmp_path):
    script = [3.0, 2.9, 2.8, float("nan"), 2.8, 2.7, 2.6, 2.5]
    in_memory, in_folder = (list(Toy(folder, script).run(2)) for folder in (None, tmp_path))
    assert [report.metrics for report in in_memory[2:]] == [report.metrics for report in in_folder[2:]]


def test_another_stage_has_other_values(tmp_path):
    class Staged(Toy):
        def stage(self, step):
            return Stage("first", 0, 4) if step < 4 else Stage("second", 4, 2)

    reports = list(Staged(tmp_path, [3.0, 3.0, 3.0, 3.0, 99.0, 99.0]).run(3))
    assert [(report.step, report.note) for report in reports] == [(3, ""), (4, ""), (6, "")]


@pytest.mark.parametrize(
    ("now", "note"),
    [
        ((0.9, 0.05), ""),  # lower, within what errors do
        ((1.9, 0.1), ""),  # higher by less than the jump that is allowed in any case
        ((3.1, 0.2), "diverging: 1.0000 -> 3.1000 Ha"),
        ((1.0, 2.1), "diverging: an error of 0.2000 -> 2.1000 Ha"),
        ((float("nan"), 0.1), "not a number"),
        ((1.0, float("inf")), "not a number"),
    ],
)
def test_what_is_wrong_beside_the_last_good_value(now, note):
    """1.0 +- 0.2 was good; ten errors are suspicious."""
    assert verdict(now, (1.0, 0.2), 1.0, 0.01, "Ha") == note


def test_the_first_value_is_good_if_it_is_a_number():
    assert verdict((1e9, 1e9), None, 1.0, 0.01, "Ha") == ""


def test_training_that_always_fails_ends_and_keeps_the_last_good_state(tmp_path):
    toy = Toy(tmp_path, [3.0, 3.0] + [float("nan")] * 20)
    with pytest.raises(JoviumError, match=f"after {MAX_ROLLBACKS} returns"):
        list(toy.run(2))
    assert int(checkpoint.load(tmp_path / STATE, toy.template({})).step) == 2


def test_a_run_that_is_repeated_goes_on_and_remembers_what_was_good(tmp_path):
    list(Toy(tmp_path, [3.0] * 4, ToySettings(steps=4)).run(2))
    again = Toy(tmp_path, [9.0, 9.0, 2.0, 2.0])
    assert int(again.state.step) == 4
    assert "diverging" in next(again.run(2)).note


def test_a_trained_run_keeps_its_settings_but_for_those_that_may_change(tmp_path):
    write_config(tmp_path, ToySettings())
    check_config(tmp_path, ToySettings(learning_rate=2.0))  # nothing was trained yet
    write_config(tmp_path, ToySettings(learning_rate=2.0))
    (tmp_path / STATE).touch()
    check_config(tmp_path, ToySettings(learning_rate=2.0, steps=9))
    assert read_settings(tmp_path, ToySettings) == ToySettings(learning_rate=2.0)
    assert read_kind(tmp_path) == "toy"
    with pytest.raises(InputError, match=r"learning_rate 2.0 -> 3.0"):
        check_config(tmp_path, replace(ToySettings(), learning_rate=3.0, steps=9))


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"kind": "toy", "version": 1, "unknown": 1}', '{"kind": "toy", "version": 99}',
     '{"kind": "other", "version": 1}'],
)  # fmt: skip
def test_a_damaged_or_foreign_config_is_no_run(tmp_path, text):
    (tmp_path / CONFIG).write_text(text)
    with pytest.raises(InputError):
        read_settings(tmp_path, ToySettings)


def test_a_report_of_one_step_has_no_error_bar_and_is_refused(tmp_path):
    with pytest.raises(InputError, match="every 1 steps"), run_in_folder(tmp_path, ToySettings(), 1):
        pass


SLOW = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_loop import Toy, ToySettings
from jovium.training.devices import join_processes
join_processes()
class Slow(Toy):
    def step(self, state, key):
        time.sleep(0.05)
        return super().step(state, key)
print("begun", flush=True)
toy = Slow(Path(sys.argv[1]), [3.0] * 10000, ToySettings(steps=10000))
for report in toy.run(5000):
    print(report.step, flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_saves_the_step_at_hand_and_ends(tmp_path, number):
    """As a queue does before it kills: a report long before its time, and a state to go on from."""
    here = os.path.dirname(__file__)
    process = subprocess.Popen([sys.executable, "-c", SLOW, str(tmp_path), here], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(3.0)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 128 + number
    steps = [json.loads(line)["step"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert len(steps) == 1
    assert int(Toy(tmp_path, []).state.step) == steps[0] > 1


def test_a_signal_to_one_of_two_processes_ends_both_after_the_same_step(tmp_path):
    """None is left waiting for one that has gone."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        told = {"JAX_COORDINATOR_ADDRESS": f"localhost:{free.getsockname()[1]}", "JAX_NUM_PROCESSES": "2"}
    command = [sys.executable, "-c", SLOW, str(tmp_path), os.path.dirname(__file__)]
    processes = [
        subprocess.Popen(
            command, env={**os.environ, **told, "JAX_PROCESS_ID": str(rank)}, stdout=subprocess.PIPE, text=True
        )
        for rank in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    time.sleep(3.0)
    processes[1].send_signal(signal.SIGTERM)
    last = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [128 + signal.SIGTERM] * 2
    steps = [lines.splitlines()[-1] for lines in last]
    assert steps == [str(read_metrics(tmp_path)[-1]["step"])] * 2
