"""A trained run of two atoms, for all who train, measure and show it."""

import pytest
from tiny_pair import TINY

from jovium.free_energy.training import train


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two atoms, stopped after four of its eight steps and repeated."""
    folder = tmp_path_factory.mktemp("runs") / "pair"
    reports = train(folder, TINY, 4)
    next(reports)
    reports.close()
    list(train(folder, TINY, 4))
    return folder
