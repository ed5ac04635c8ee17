"""A cache of compiled programs between commands."""

import hashlib
import os
from pathlib import Path


def enable_compilation_cache() -> None:
    """Point the compiler to a folder in the user's cache, unless JAX_COMPILATION_CACHE_DIR names one already.

    One folder per kind of processor: a home folder is often shared by machines that do not know each other's
    instructions. Without a folder that can be written, programs are compiled anew every time.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "jovium" / f"compiled-{_processor()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
    # Everything is small and quick to compile here, and there are many: cache all.
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    kind = "".join(sorted({line for line in lines if line.startswith(("flags", "Features", "model name"))}))
    return hashlib.sha256(kind.encode()).hexdigest()[:12]
