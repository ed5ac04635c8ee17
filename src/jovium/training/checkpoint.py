"""Models and training states as safetensors files: arrays by their path in the tree, facts as JSON in the header."""

import json
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jovium.base.errors import FormatError, InputError, reason
from jovium.base.files import atomic_write

Tree = TypeVar("Tree")


class Facts(dict[str, Any]):
    """Facts of a file by name. Raises FormatError for one that it does not hold."""

    def __init__(self, path: Path, facts: dict[str, Any]):
        super().__init__(facts)
        self.path = path

    def __missing__(self, name: str) -> Any:
        raise FormatError(f"{self.path} says no '{name}'", "the state of such a run", "give the folder of one")


def save(path: Path, tree: Any, facts: dict[str, Any]) -> None:
    """Write every array of `tree` and the facts, as a whole or not at all. Raises OutputError."""
    from safetensors.numpy import save as serialised

    arrays = {name: np.asarray(leaf) for name, leaf in _named(tree)}
    with atomic_write(path) as part:
        # Not by the library: its error of a full disk is no OSError, and nobody else can read its files.
        part.write_bytes(serialised(arrays, metadata={"facts": json.dumps(facts)}))


def read_facts(path: Path) -> Facts:
    """The facts of a file. Raises InputError when it is not there, FormatError when it is something else."""
    return _opened(path)[1]


def read_step(path: Path) -> int:
    """The steps that a training state has done. Raises what `load` raises."""
    arrays, _ = _opened(path)
    if ".step" not in arrays:
        raise FormatError(f"{path} is no state of a training", "the state of a run", "give another folder")
    return int(arrays[".step"])


def load(path: Path, like: Tree) -> Tree:
    """The tree of a file in the form of `like`, whose arrays have the same names, shapes and types.

    Raises InputError when the file is not there, FormatError when it is damaged or of another form.
    """
    arrays, _ = _opened(path)
    expected = dict(_named(like))
    wrong = [name for name in {*arrays, *expected} if not _same(arrays.get(name), expected.get(name))]
    if wrong:
        raise FormatError(
            f"{path}: {', '.join(sorted(wrong)[:3])} does not fit",
            "a file of this model",
            "give the file it was saved to",
        )
    leaves, form = jax.tree.flatten(like)
    assert len(leaves) == len(expected)
    return jax.tree.unflatten(form, [jnp.asarray(arrays[name]) for name in expected])


def _named(tree: Any) -> list[tuple[str, Any]]:
    return [(jax.tree_util.keystr(path), leaf) for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]]


def _same(one: Any, other: Any) -> bool:
    return one is not None and other is not None and one.shape == other.shape and one.dtype == other.dtype


def _opened(path: Path) -> tuple[dict[str, np.ndarray], Facts]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            facts = Facts(path, json.loads((file.metadata() or {})["facts"]))
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118 (no mapping)
    except FileNotFoundError as error:
        raise InputError(f"{path} is not there", "a model file (.safetensors)", "check the path") from error
    except (SafetensorError, KeyError, ValueError, TypeError, OSError) as error:
        raise FormatError(
            f"{path} is damaged or of another program: {reason(error)}",
            "a model file (.safetensors) of jovium",
            "check the path, put a copy back, or train again in another folder",
        ) from error
