"""Freed memory stays with the process, unless its environment says otherwise."""

import os
import subprocess
import sys

import pytest

ASK = """
import resource
import numpy as np
from jovium.base.memory import keep_freed_memory
keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    np.ones(2**18)
before = faults()
for _ in range(20):
    np.ones(2**18)
print(faults() - before)
"""
"""Page faults of twenty arrays of 2 MiB, after some others."""


def faults(**environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("GLIBC", "MALLOC"))}
    result = subprocess.run([sys.executable, "-c", ASK], env=clean | environment, capture_output=True, check=True)
    return int(result.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of the GNU C library")
def test_arrays_come_from_what_others_left():
    assert faults() < 200
    assert faults(MALLOC_MMAP_THRESHOLD_="65536") > 20 * 400
