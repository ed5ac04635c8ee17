"""Fixtures shared by all tests: the odd cell, and random structures in it."""

import os
import shutil
import sys
import tempfile

import jaxtyping
import numpy as np
import pytest
from contracts import check_signatures

check_signatures()

from jovium.base.cell import Cell  # noqa: E402 (imported as it is to be checked)
from jovium.base.structure import Structure  # noqa: E402

pytest_plugins = ["engines"]


def pytest_configure(config):
    """A program that several tests need is compiled once, by whichever process comes first."""
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = tempfile.mkdtemp(prefix="jovium-programs-")
        os.environ |= {"JAX_COMPILATION_CACHE_DIR": folder, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.5"}
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.fixture(scope="session", autouse=True)
def states_are_computed_only_where_they_are_asked_for():
    """An analysis of hydrogen by the network also computes its states: some seconds that most tests do not look at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jovium.workflows.elf_sources.QUICK_STATES", 0.0)
        yield


@pytest.fixture
def unchecked_signatures():
    """For input that breaks a signature: what is tested is the error that a user sees, who has no checker."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="module", autouse=True)
def compiled_programs_are_dropped():
    """Thousands of compiled programs in one process run into the limit of memory maps, and the compiler crashes."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()


@pytest.fixture(scope="module")
def quickly_compiled():
    """For modules whose programs run once: what the compiler leaves out takes a third off its time."""
    import jax

    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def odd_cell() -> Cell:
    """A triclinic cell with no two lengths or angles alike: a transposed lattice cannot hide in it."""
    return Cell(np.array([[5.1, 0.3, -0.4], [1.2, 6.3, 0.7], [-0.9, 1.6, 7.2]]))


@pytest.fixture
def odd_structure(odd_cell: Cell) -> Structure:
    """Five hydrogen atoms at general positions in the odd cell, no two closer than a bohr."""
    fractional = np.array(
        [[0.05, 0.11, 0.07], [0.31, 0.52, 0.13], [0.72, 0.21, 0.38], [0.44, 0.83, 0.61], [0.87, 0.67, 0.88]]
    )
    return Structure(odd_cell, odd_cell.cartesian(fractional), ("H",) * 5)
