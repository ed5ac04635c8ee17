"""Scenes of the laws of wave functions, in double precision."""

import jax
import pytest
from wave_scenes import CASES, Scene


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


@pytest.fixture(params=CASES)
def scene(request):
    return Scene(request.param)


@pytest.fixture(params=[name for name, case in CASES.items() if case[0].vectors])
def periodic(request):
    return Scene(request.param)


@pytest.fixture(params=[name for name, case in CASES.items() if case[3]])
def with_protons(request):
    return Scene(request.param)
