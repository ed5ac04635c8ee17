"""Errors: three parts, exit codes, and the way through a process pool."""

import pickle

import pytest

from jovium.base import errors
from jovium.base.errors import JoviumError
from jovium.crystals import crystal

CLASSES = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, JoviumError)]


@pytest.mark.parametrize("error", CLASSES)
def test_message_says_got_expected_and_do(error):
    raised = error("three atoms", "an even number", "add one")
    assert str(raised) == "three atoms\n  expected: an even number\n  do: add one"


@pytest.mark.parametrize("error", CLASSES)
def test_error_survives_pickling_with_its_class_and_parts(error):
    back = pickle.loads(pickle.dumps(error("a", "b", "c")))
    assert type(back) is error
    assert (back.got, back.expected, back.do) == ("a", "b", "c")


def test_error_comes_back_from_a_worker_process():
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with pytest.raises(errors.InputError) as raised:
        crystal("no-such-crystal")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        future = pool.submit(crystal, "no-such-crystal")
        with pytest.raises(errors.InputError) as caught:
            future.result(timeout=60)
    assert str(caught.value) == str(raised.value)


def test_exit_codes_tell_bad_input_engine_and_output_apart():
    assert errors.FormatError.exit_code == errors.StructureError.exit_code == errors.InputError.exit_code == 2
    assert errors.NotConverged.exit_code == 3
    assert errors.OutputError.exit_code == 4
    assert JoviumError.exit_code == 1
