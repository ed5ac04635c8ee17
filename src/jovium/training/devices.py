"""Many configurations shared among devices.

Every device holds the whole state and computes its part of a map over configurations; results are gathered. What is
computed does not depend on the number of devices: random numbers belong to configurations, batches are as large as they
are told to be, and a checkpoint knows nothing of the devices that made it. Devices may belong to several processes,
on several machines: all of them do the same, and the first one writes."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jax import core
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jovium.base.errors import InputError

AXIS = "configurations"

_meshes: list[Mesh] = []


def join_processes() -> None:
    """Take part in a run of several processes: the tasks that `srun` started, or processes that each have
    JAX_COORDINATOR_ADDRESS (host:port of the first), JAX_NUM_PROCESSES and JAX_PROCESS_ID (0, 1, ...) in their
    environment. One process alone is left alone. Raises InputError where one of the three is missing."""
    names = "JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"
    given = [os.environ[name] for name in names if name in os.environ]
    if given and len(given) < len(names):
        raise InputError(f"{len(given)} of {', '.join(names)}", "all three, or none", "set the others, or unset them")
    if given:
        jax.distributed.initialize(given[0], int(given[1]), int(given[2]))
    elif int(os.environ.get("SLURM_STEP_NUM_TASKS", 1)) > 1:
        jax.distributed.initialize()


def is_writer() -> bool:
    """Whether this process is the one that writes files."""
    return jax.process_index() == 0


def largest(number: int) -> int:
    """The largest of the numbers that all processes have. All of them have to ask."""
    if jax.process_count() == 1:
        return number
    return int(multihost_utils.process_allgather(np.int32(number)).max())


def idle_devices(n_rows: int) -> str:
    """A warning where all devices there are cannot share so many configurations, or nothing."""
    n = jax.device_count()
    if n_rows % n == 0:
        return ""
    return (
        f"{n_rows} configurations cannot be shared among {n} devices: every one computes all of them; "
        f"take a multiple of {n}"
    )


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


def replicate(tree: Any) -> Any:
    """Arrays of one device, copied to all."""
    if not _meshes:
        return tree
    return jax.tree.map(lambda leaf: jax.device_put(leaf, _whole()) if eqx.is_array(leaf) else leaf, tree)


def compile_program(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as one program, whose results every device holds as a whole."""

    def program(*given: Any) -> Any:
        arrays, rest = eqx.partition(function(*given), eqx.is_array)
        return eqx.combine(jax.lax.with_sharding_constraint(arrays, _whole()) if _meshes else arrays, rest)

    return eqx.filter_jit(program)


def map_rows(function: Callable[[Any], Any], rows: Any, at_once: int | None) -> Any:
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
    part_shapes = jax.tree.map(
        lambda row: jax.ShapeDtypeStruct((len(row) // n_devices, *row.shape[1:]), row.dtype), rows
    )
    # What the function closes over is handed in: a program for one device may not look at arrays of all.
    program, form = jax.make_jaxpr(part, return_shape=True)(part_shapes)
    shared = jax.shard_map(
        lambda closed, rows: core.eval_jaxpr(program.jaxpr, closed, *jax.tree.leaves(rows)),
        mesh=_meshes[-1],
        in_specs=(PartitionSpec(), PartitionSpec(AXIS)),
        out_specs=PartitionSpec(AXIS),
        check_vma=False,
    )
    results = jax.lax.with_sharding_constraint(shared(program.consts, rows), _whole())
    return jax.tree.unflatten(jax.tree.structure(form), results)


def _whole() -> NamedSharding:
    return NamedSharding(_meshes[-1], PartitionSpec())
