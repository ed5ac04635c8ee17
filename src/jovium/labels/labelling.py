"""The work of labelling: which structures are missing, who computes them, what becomes of failures.

Every calculation starts from nothing, so that a label depends on its structure and the protocol alone, not on the
order, the shards, the workers or a kill. Starting from the wave functions of a neighbouring frame would save 9 % of
the time (54 atoms, rs 1.4) and move the ELF by up to 1e-4.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, as_completed
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from jovium.base.errors import EngineError, EngineMissing, FormatError, InputError, StructureError, reason
from jovium.base.validity import require_apart
from jovium.labels.file import (
    SUFFIX,
    Head,
    prepare_folder,
    protocol_values,
    read_heads,
    read_record,
    split_conflicts,
    write_record,
)
from jovium.labels.record import Candidate, LabelProtocol, Record, failed_record, ok_record, structure_sha256, text
from jovium.reference.engine import Engine, open_engine
from jovium.reference.feasibility import require_feasible


@dataclass(frozen=True)
class Progress:
    """What was written last and what is left: counts of structures of this run, seconds of wall time. damage: what was
    wrong with the file that this one replaced, "" where there was none."""

    record: Record
    done: int
    total: int
    seconds_left: float
    damage: str = ""

    @property
    def ok(self) -> bool:
        """True when the structure has a label."""
        return text(self.record["status"]) == "ok"


@dataclass(frozen=True)
class Outcome:
    """Numbers of structures: labelled now, labelled before, failed now, failed before and not tried again. "Before"
    counts what other processes did in the meantime."""

    labelled: int
    present: int
    failed: int
    failed_before: int


def label(
    candidates: Sequence[Candidate],
    folder: Path,
    label_protocol: LabelProtocol,
    *,
    executor: Executor | None = None,
    open_engine: Callable[[], Engine] = open_engine,
    retry_failed: bool = False,
    progress: Callable[[Progress], None] = lambda progress: None,
) -> Outcome:
    """Write into `folder` the labels of those candidates that have none; each is a file as soon as it is ready.

    executor: any concurrent.futures.Executor; its workers call `open_engine` themselves, so for one of processes it
    has to be importable. Other processes may label into the same folder: what they finish is not computed here. The
    order is random, so that two of them rarely work on the same structure. A failed calculation is recorded with its
    reason and left alone later, unless retry_failed; a damaged file is computed again. Raises InputError before
    anything is computed for no candidates, a structure or group in two splits, a folder of another protocol, or a cell
    that the engine cannot hold; StructureError for an element without a pseudopotential or overlapping atoms;
    EngineMissing; EngineError when a worker process dies; OutputError when the disk is full. What was written stays."""
    if not candidates:
        raise InputError("no structures", "at least one structure to label", "check the input and --frames, --shard")
    for candidate in candidates:
        require_apart(candidate.structure)
        require_feasible(candidate.structure, label_protocol.of(candidate.structure))
    protocol = protocol_values(label_protocol)
    prepare_folder(folder, protocol, compounds=not all(c.structure.is_pure_hydrogen for c in candidates))
    distinct = {structure_sha256(c.structure): c for c in candidates}
    heads, damage = read_heads(folder, protocol, distinct.keys())
    _require_no_conflict(candidates, heads, folder)
    before = {name: heads[name].status for name in distinct if name in heads}
    pending = [c for name, c in distinct.items() if not _is_done(before.get(name), retry_failed)]
    random.shuffle(pending)
    compute = partial(_missing_record, folder, retry_failed, partial(compute_record, label_protocol, open_engine))
    started, computed, skipped = time.monotonic(), [], [s for s in before.values() if _is_done(s, retry_failed)]
    for done, (record, is_new) in enumerate(_results(compute, pending, executor), 1):
        (computed if is_new else skipped).append(text(record["status"]))
        if is_new:
            write_record(folder, record, protocol)
            left = (time.monotonic() - started) / done * (len(pending) - done)
            progress(Progress(record, done, len(pending), left, damage.get(text(record["structure_sha256"]), "")))
    return Outcome(computed.count("ok"), skipped.count("ok"), computed.count("failed"), skipped.count("failed"))


def compute_record(label_protocol: LabelProtocol, open_engine: Callable[[], Engine], candidate: Candidate) -> Record:
    """The record of one candidate: its label, or why there is none. Raises EngineMissing."""
    started = time.perf_counter()
    try:
        with closing(open_engine()) as engine:
            state = engine.ground_state(candidate.structure, label_protocol.of(candidate.structure))
            return ok_record(candidate, state, label_protocol)
    except EngineMissing:
        raise
    except (EngineError, StructureError) as error:
        seconds = time.perf_counter() - started
        return failed_record(candidate, f"{type(error).__name__}: {error.got}", seconds, label_protocol)


def _missing_record(
    folder: Path, retry_failed: bool, compute: Callable[[Candidate], Record], candidate: Candidate
) -> tuple[Record, bool]:
    """The record of a candidate and True, or the one that another process has written by now and False."""
    path = folder / (structure_sha256(candidate.structure) + SUFFIX)
    if path.exists():
        with suppress(FormatError):
            record = read_record(path)[1]
            if _is_done(text(record["status"]), retry_failed):
                return record, False
    return compute(candidate), True


def _is_done(status: str | None, retry_failed: bool) -> bool:
    return status == "ok" or (status == "failed" and not retry_failed)


def _results(
    compute: Callable[[Candidate], tuple[Record, bool]], pending: Sequence[Candidate], executor: Executor | None
) -> Iterator[tuple[Record, bool]]:
    """Records as they become ready. When the consumer stops, what has not begun is cancelled."""
    if executor is None:
        yield from map(compute, pending)
        return
    futures = {executor.submit(compute, candidate) for candidate in pending}
    waiting = as_completed(futures)
    try:
        for future in waiting:
            futures.discard(future)  # a finished record is not kept in memory
            yield future.result()
    except BrokenExecutor as error:
        raise EngineError(
            f"a worker process died: {reason(error)}",
            "workers that live until their work is done",
            "check the memory, take fewer workers, and repeat the command: it continues",
        ) from error
    finally:
        for future in futures:
            future.cancel()


def _require_no_conflict(candidates: Sequence[Candidate], heads: dict[str, Head], folder: Path) -> None:
    asked = [Head(c.group, c.step, structure_sha256(c.structure), c.split, "") for c in candidates]
    conflicts = split_conflicts([*heads.values(), *asked])
    if conflicts:
        raise InputError(
            conflicts[0] + f" (the structures given and {folder} together)",
            "every structure and group in one split",
            "correct the splits, or start another folder",
        )
