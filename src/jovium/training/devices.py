"""Many configurations shared among devices.

Every device holds the whole state and computes its part of a map over configurations; results are gathered. What is
computed does not depend on the number of devices: random numbers belong to configurations, batches are as large as they
are told to be, and a checkpoint knows nothing of the devices that made it. Devices may belong to several processes,
on several machines: all of them do the same, and the first one writes."""

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jax import core
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jovium.base.errors import InputError, JoviumError, reason

AXIS = "configurations"

WAIT_SECONDS = 60
"""How long processes of one run wait for one another at the beginning."""

JAX_VARIABLES = "JAX_NUM_PROCESSES", "JAX_PROCESS_ID", "JAX_COORDINATOR_ADDRESS"
SLURM_TASK = "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_STEP_NODELIST", "SLURM_JOB_ID"
"""What says that there are several processes and which of them this one is, in a task of srun. A shell of the queue
that has some of these alone is no task."""

ONE_PROCESS = "start every process, or say JAX_NUM_PROCESSES=1 for one alone"

INSTALL_CUDA = (
    "for a GPU of NVIDIA: pip install 'jovium[cuda13]', or 'jovium[cuda12]' where the driver is older than 580"
)

_meshes: list[Mesh] = []


def join_processes() -> None:
    """Take part in a run of several processes: the tasks that `srun` started, or processes that each have
    JAX_COORDINATOR_ADDRESS (host:port of the first), JAX_NUM_PROCESSES and JAX_PROCESS_ID (0, 1, ...) in their
    environment. One process alone is left alone, and so is one that has JAX_NUM_PROCESSES=1, whatever the queue says.
    Raises InputError where the environment is none of these, JoviumError where the others do not come in a minute."""
    number, rank, address = processes()
    if number == 1:
        return
    cluster, problems = None if address else "slurm", []

    def join() -> None:
        try:
            jax.distributed.initialize(
                address, number, rank, cluster_detection_method=cluster, initialization_timeout=10 * WAIT_SECONDS
            )
        except Exception as error:  # whatever the library makes of an address
            problems.append(error)

    # In a thread: the library's own timeout ends the process without an error to catch.
    joining = threading.Thread(target=join, daemon=True)
    joining.start()
    joining.join(WAIT_SECONDS)
    if joining.is_alive() or problems:
        answer = reason(problems[0]) if problems else "no answer"
        raise JoviumError(
            f"process {rank} of {number} found no other at {address or 'the first node'}: {answer}",
            f"all {number} processes begun within {WAIT_SECONDS} s, which reach that address",
            ONE_PROCESS,
        )


def processes() -> tuple[int, int, str | None]:
    """How many processes the environment speaks of, which one this is, and host:port of the first, None where the queue
    knows. Raises InputError."""
    number, rank, address = (os.environ.get(name) for name in JAX_VARIABLES)
    if number == "1":
        return 1, 0, None
    if given := [text for text in (number, rank, address) if text is not None]:
        if len(given) < len(JAX_VARIABLES):
            got, expected = f"{len(given)} of {', '.join(JAX_VARIABLES)}", "all three, or none"
            raise InputError(got, expected, f"set the others, or unset them; {ONE_PROCESS}")
        if not re.fullmatch(r".+:\d+", given[2]):
            raise InputError(f"JAX_COORDINATOR_ADDRESS={given[2]}", "host:port of the first process", ONE_PROCESS)
        return *_counted(*JAX_VARIABLES[:2]), given[2]
    return (*_counted(*SLURM_TASK[:2]), None) if {*SLURM_TASK} <= os.environ.keys() else (1, 0, None)


def _counted(number_name: str, rank_name: str) -> tuple[int, int]:
    """A number of processes and the number of this one, from 0."""
    number, rank = os.environ[number_name], os.environ[rank_name]
    if not (number.isdecimal() and rank.isdecimal() and int(rank) < int(number)):
        expected = "the number of processes, and that of this one from 0 on"
        raise InputError(f"{number_name}={number}, {rank_name}={rank}", expected, ONE_PROCESS)
    return int(number), int(rank)


def device_error(error: Exception) -> JoviumError | None:
    """An error of the array library that is one of the device, not there or without room, as an error to act on; None
    for another one."""
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as missing:  # a platform without its plugin is an assertion without words
        why = reason(missing) if missing.args else "no such device"
        got = f"JAX_PLATFORMS={os.environ.get('JAX_PLATFORMS', '')}: {why}"
        return JoviumError(got, "a device that is there", f"unset JAX_PLATFORMS, or set it to cpu; {INSTALL_CUDA}")
    if "RESOURCE_EXHAUSTED" not in (why := reason(error)):
        return None
    do = "take fewer configurations, a coarser grid or a smaller cell"
    return JoviumError(f"no room on the device: {why[:200]}", "arrays that fit", do)


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
def single_precision() -> Iterator[None]:
    """Arrays inside, or of a function with this decorator, are in single precision, as flows and field networks are,
    whatever JAX_ENABLE_X64 or the program around says."""
    with jax.enable_x64(False):
        yield


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
