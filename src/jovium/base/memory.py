"""Memory of large arrays, which come and go by the thousand."""

import ctypes
import functools
import os

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt, malloc.h of the GNU C library."""

LARGEST, LARGEST_BEFORE = 2**30, 2**25
"""Bytes that stay with the process; glibc up to 2.34 refuses more than the second for one array."""


@functools.cache
def keep_freed_memory() -> None:
    """Let the process keep what arrays leave, for the next ones: else the system hands every large array over in pages
    full of zeros, a fifth of the time of a field network. An environment that says something of its own is left alone,
    and so is a C library that knows no such choice."""
    said = os.environ.get("GLIBC_TUNABLES", "")
    if "threshold" in said or any(name.startswith("MALLOC_") for name in os.environ):
        return
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # not Linux, or another C library
        return
    # The second alone would be worse than nothing: it ends the choice that the library makes of the first.
    if mallopt(MMAP_THRESHOLD, LARGEST) or mallopt(MMAP_THRESHOLD, LARGEST_BEFORE):
        mallopt(TRIM_THRESHOLD, LARGEST)
