"""Training that is watched: what diverges is given up for the last good state, and what is told says so."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

from jovium.base.errors import InputError, JoviumError
from jovium.training import checkpoint
from jovium.training.loop import MOST_ROLLBACKS, WatchedTraining, verdict
from jovium.training.run_folder import CONFIG, STATE, keep_config, read_config, read_metrics


@dataclass(frozen=True)
class Plan:
    """What the toy is told to do."""

    steps: int = 6
    rate: float = 1.0
    seed: int = 0

    @classmethod
    def of_dict(cls, values):
        return cls(**values)


class Toy(NamedTuple):
    step: jnp.ndarray
    rollbacks: jnp.ndarray
    momentum: jnp.ndarray


@dataclass(frozen=True)
class Told:
    step: int
    value: float
    error: float
    note: str = ""


class Training(WatchedTraining):
    """Values of a script, one after the other, whatever the state is."""

    jump, spread, unit = 1.0, 0.01, "units"

    def __init__(self, folder, script, plan=None):
        super().__init__(folder, plan or Plan())
        self.script = iter(script)
        self.state = self.state or self.form()

    def form(self):
        return Toy(jnp.int32(0), jnp.int32(0), jnp.float32(1.0))

    def advanced(self, seed):
        return self.state._replace(step=self.state.step + 1), {"value": jnp.asarray(next(self.script))}

    def forgetful(self, state):
        return state._replace(momentum=0 * state.momentum)

    def minimised(self, report):
        return report.value, report.error

    def report(self, found, note=""):
        values = np.array([told["value"] for told in found])
        return Told(int(self.state.step), float(values.mean()), float(values.std()), note)


def test_a_value_that_is_no_number_costs_the_steps_since_the_last_report(tmp_path):
    run = Training(tmp_path, [3.0, 2.9, 2.8, float("nan"), 2.8, 2.7, 2.6, 2.5])
    reports = list(run.until_done(2))
    assert [report.step for report in reports] == [2, 2, 4, 6]
    assert reports[1].note == "not a number; back to step 2 with half the rate"
    assert int(run.state.rollbacks) == 1
    assert float(run.state.momentum) == 0
    assert [line["value"] for line in read_metrics(tmp_path)][1] is None


def test_a_value_that_rises_costs_them_too(tmp_path):
    run = Training(tmp_path, [3.0, 3.0, 9.0, 9.0, 2.0, 2.0, 2.0, 2.0])
    assert "diverging: 3.0000 -> 9.0000 units; back to step 2" in [r.note for r in run.until_done(2)][1]


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ((0.9, 0.05), ""),  # lower, within what errors do
        ((1.9, 0.1), ""),  # higher by less than the jump that is allowed in any case
        ((3.1, 0.2), "diverging: 1.0000 -> 3.1000 Ha"),
        ((1.0, 2.1), "diverging: an error of 0.2000 -> 2.1000 Ha"),
        ((float("nan"), 0.1), "not a number"),
        ((1.0, float("inf")), "not a number"),
    ],
)
def test_what_is_wrong_beside_the_last_good_value(now, told):
    """1.0 +- 0.2 was good; ten errors are suspicious."""
    assert verdict(now, (1.0, 0.2), 1.0, 0.01, "Ha") == told


def test_the_first_value_is_good_if_it_is_a_number():
    assert verdict((1e9, 1e9), None, 1.0, 0.01, "Ha") == ""


def test_training_that_always_fails_ends_and_keeps_the_last_good_state(tmp_path):
    run = Training(tmp_path, [3.0, 3.0] + [float("nan")] * 20)
    with pytest.raises(JoviumError, match=f"after {MOST_ROLLBACKS} returns"):
        list(run.until_done(2))
    assert int(checkpoint.load(tmp_path / STATE, run.form()).step) == 2


def test_a_run_that_is_repeated_goes_on_and_remembers_what_was_good(tmp_path):
    list(Training(tmp_path, [3.0] * 4, Plan(steps=4)).until_done(2))
    again = Training(tmp_path, [9.0, 9.0, 2.0, 2.0])
    assert int(again.state.step) == 4
    assert "diverging" in next(again.until_done(2)).note


def test_a_trained_run_keeps_its_recipe_but_for_what_may_grow(tmp_path):
    keep_config(tmp_path, Plan())
    keep_config(tmp_path, Plan(rate=2.0))  # nothing was trained yet
    (tmp_path / STATE).touch()
    keep_config(tmp_path, Plan(rate=2.0, steps=9), growing=("steps",))
    assert read_config(tmp_path, Plan.of_dict, "toy") == Plan(rate=2.0, steps=9)
    with pytest.raises(InputError, match=r"rate 2.0 -> 3.0"):
        keep_config(tmp_path, replace(Plan(), rate=3.0, steps=9), growing=("steps",))
    with pytest.raises(InputError, match=r"steps 9 -> 6"):
        keep_config(tmp_path, Plan(rate=2.0))


@pytest.mark.parametrize("text", ["", "{", '{"unknown": 1}', "[]"])
def test_a_damaged_config_is_no_run(tmp_path, text):
    (tmp_path / CONFIG).write_text(text)
    with pytest.raises(InputError, match="holds no toy"):
        read_config(tmp_path, Plan.of_dict, "toy")
