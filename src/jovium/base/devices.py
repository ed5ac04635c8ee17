"""Many configurations shared among devices.

Every device holds the whole state and computes its part of a map over configurations; results are gathered. What is
computed does not depend on the number of devices: random numbers belong to configurations, batches are as large as they
are told to be, and a checkpoint knows nothing of the devices that made it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jax import core
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

AXIS = "configurations"

_meshes: list[Mesh] = []


@contextmanager
def all_devices() -> Iterator[None]:
    """Maps inside are shared among all devices there are."""
    devices = np.array(jax.devices())
    if len(devices) == 1:
        yield
        return
    _meshes.append(Mesh(devices, (AXIS,), axis_types=(AxisType.Auto,)))
    try:
        yield
    finally:
        _meshes.pop()


def everywhere(tree: Any) -> Any:
    """Arrays of one device, copied to all."""
    if not _meshes:
        return tree
    whole = NamedSharding(_meshes[-1], PartitionSpec())
    return jax.tree.map(lambda leaf: jax.device_put(leaf, whole) if eqx.is_array(leaf) else leaf, tree)


def mapped(function: Callable[[Any], Any], rows: Any, at_once: int | None) -> Any:
    """The function of every row, `at_once` rows at a time (None: one, without a batch) on each device. Rows that cannot
    be shared evenly are computed by every device."""
    n_rows = len(jax.tree.leaves(rows)[0])
    n_devices = _meshes[-1].size if _meshes else 1
    if n_rows % n_devices:
        n_devices = 1
    size = None if at_once is None else min(at_once, n_rows // n_devices)

    def part(rows: Any) -> Any:
        return jax.lax.map(function, rows, batch_size=size)

    if n_devices == 1:
        return part(rows)
    share = jax.tree.map(lambda row: jax.ShapeDtypeStruct((len(row) // n_devices, *row.shape[1:]), row.dtype), rows)
    # What the function closes over is handed in: a program for one device may not look at arrays of all.
    program, form = jax.make_jaxpr(part, return_shape=True)(share)
    shared = jax.shard_map(
        lambda closed, rows: core.eval_jaxpr(program.jaxpr, closed, *jax.tree.leaves(rows)),
        mesh=_meshes[-1],
        in_specs=(PartitionSpec(), PartitionSpec(AXIS)),
        out_specs=PartitionSpec(AXIS),
        check_vma=False,
    )
    whole = NamedSharding(_meshes[-1], PartitionSpec())
    found = jax.lax.with_sharding_constraint(shared(program.consts, rows), whole)
    return jax.tree.unflatten(jax.tree.structure(form), found)
