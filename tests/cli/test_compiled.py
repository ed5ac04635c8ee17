"""Compiled programs are kept where the user keeps caches, and a place that cannot be written stops nothing."""

import os

import pytest

from jovium.cli.compiled import enable_compilation_cache


@pytest.fixture
def environment(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith("JAX_COMPILATION") or name.startswith("JAX_PERSISTENT"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    # What is set below is undone when the test ends.
    for name in (
        "COMPILATION_CACHE_DIR",
        "PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS",
        "PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES",
    ):
        monkeypatch.setenv(f"JAX_{name}", "")
        monkeypatch.delenv(f"JAX_{name}")
    return monkeypatch


def test_programs_are_kept_in_the_cache_of_the_user(environment, tmp_path):
    enable_compilation_cache()
    folder = os.environ["JAX_COMPILATION_CACHE_DIR"]
    assert os.path.isdir(folder)
    assert folder.startswith(str(tmp_path / "jovium" / "compiled-"))


def test_a_folder_chosen_by_the_user_is_obeyed(environment):
    environment.setenv("JAX_COMPILATION_CACHE_DIR", "elsewhere")
    enable_compilation_cache()
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == "elsewhere"


def test_without_a_place_nothing_is_kept(environment, tmp_path):
    (tmp_path / "jovium").write_text("a file in the way")
    enable_compilation_cache()
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ
