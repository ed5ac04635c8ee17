"""The work of labelling: which structures are missing, who computes them, what becomes of failures.

Every calculation starts from nothing, so that a label depends on its structure and the protocol alone, not on the
order, the shards, the workers or a kill. Starting from the wave functions of a neighbouring frame would save 9 % of
the time (54 atoms, rs 1.4) and move the ELF by up to 1e-4.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, as_completed
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from jovium.base.errors import EngineError, EngineMissing, InputError
from jovium.base.validity import require_hydrogen
from jovium.labels.file import Labels, LabelWriter, split_conflicts
from jovium.labels.record import (
    Candidate,
    LabelProtocol,
    Record,
    failed_record,
    ok_record,
    structure_sha256,
    text,
)
from jovium.reference.engine import Engine, open_engine


@dataclass(frozen=True)
class Progress:
    """What was committed last and what is left: counts of structures of this run, seconds of wall time."""

    record: Record
    done: int
    total: int
    seconds_left: float

    @property
    def ok(self) -> bool:
        """True when the structure has a label."""
        return text(self.record["status"]) == "ok"


@dataclass(frozen=True)
class Outcome:
    """Numbers of structures: labelled now, labelled before, failed now, failed before and not tried again."""

    labelled: int
    present: int
    failed: int
    failed_before: int


def label(
    candidates: Sequence[Candidate],
    path: Path,
    label_protocol: LabelProtocol,
    *,
    executor: Executor | None = None,
    open_engine: Callable[[], Engine] = open_engine,
    retry_failed: bool = False,
    progress: Callable[[Progress], None] = lambda progress: None,
) -> Outcome:
    """Add to the file `path` the labels of those candidates that have none; each is committed when it is ready.

    executor: any concurrent.futures.Executor; its workers call `open_engine` themselves, so for one of processes it
    has to be importable. This process is the only writer. A failed calculation is recorded with its reason and left
    alone later, unless retry_failed. Raises InputError before anything is computed for no candidates, a structure or
    group in two splits, or a file of another protocol; StructureError for other species or overlapping atoms;
    EngineMissing; EngineError when a worker process dies; OutputError when the disk is full. What was committed stays.
    """
    _require_candidates(candidates)
    with LabelWriter(path, label_protocol) as writer:
        with Labels(path) as labels:
            names = labels.columns["structure_sha256"]
            ok, failed = ({name.decode() for name in names[rows]} for rows in (labels.ok, labels.failed))
            _require_no_conflict(candidates, labels)
        distinct = {structure_sha256(c.structure): c for c in candidates}
        pending = [c for name, c in distinct.items() if name not in ok and (retry_failed or name not in failed)]
        compute = partial(record_of, label_protocol=label_protocol, open_engine=open_engine)
        started, n_labelled = time.monotonic(), 0
        for done, record in enumerate(_records(compute, pending, executor), 1):
            writer.append(record)
            left = (time.monotonic() - started) / done * (len(pending) - done)
            report = Progress(record, done, len(pending), left)
            n_labelled += report.ok
            progress(report)
    skipped = 0 if retry_failed else len(failed & distinct.keys())
    return Outcome(n_labelled, len(ok & distinct.keys()), len(pending) - n_labelled, skipped)


def record_of(candidate: Candidate, *, label_protocol: LabelProtocol, open_engine: Callable[[], Engine]) -> Record:
    """The record of one candidate: its label, or why there is none. Raises EngineMissing."""
    started = time.perf_counter()
    try:
        with closing(open_engine()) as engine:
            state = engine.ground_state(candidate.structure, label_protocol.protocol)
            return ok_record(candidate, state, label_protocol)
    except EngineMissing:
        raise
    except EngineError as error:
        reason = f"{type(error).__name__}: {error.got}"
        return failed_record(candidate, reason, time.perf_counter() - started, label_protocol)


def _records(
    compute: Callable[[Candidate], Record], pending: Sequence[Candidate], executor: Executor | None
) -> Iterator[Record]:
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
            f"a worker process died: {error}",
            "workers that live until their work is done",
            "check the memory, take fewer workers, and repeat the command: it continues",
        ) from error
    finally:
        for future in futures:
            future.cancel()


def _require_candidates(candidates: Sequence[Candidate]) -> None:
    if not candidates:
        raise InputError("no structures", "at least one structure to label", "check the input and --frames, --shard")
    for candidate in candidates:
        require_hydrogen(candidate.structure)


def _require_no_conflict(candidates: Sequence[Candidate], labels: Labels) -> None:
    asked = [(structure_sha256(c.structure), c.group, c.split) for c in candidates]
    conflicts = split_conflicts([*labels.identities(), *asked])
    if conflicts:
        raise InputError(
            conflicts[0] + f" (the structures given and {labels.path} together)",
            "every structure and group in one split",
            "mend the splits, or start another file",
        )
