"""The work of labelling: repeated, divided, killed and failing, it ends with the same labels."""

import multiprocessing
import random
import resource
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial

import ase.io
import numpy as np
import pytest
from known_labels import KNOWN, ClosedForm, Fatal, candidates, checksums, unlucky

from jovium.base.errors import EngineError, EngineMissing, InputError, OutputError
from jovium.base.structure import Structure
from jovium.labels.audit import audit
from jovium.labels.candidates import read_candidates
from jovium.labels.file import PROTOCOL, read_head, read_record, record_files
from jovium.labels.labelling import Outcome, label
from jovium.labels.reading import read_labels
from jovium.labels.record import structure_sha256, text

run = partial(label, label_protocol=KNOWN, open_engine=ClosedForm)


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_repeated_command_computes_nothing_again(tmp_path):
    path = tmp_path / "labels"
    assert run(candidates(4), path) == Outcome(4, 0, 0, 0)
    before = contents(path)
    assert run(candidates(4), path) == Outcome(0, 4, 0, 0)
    assert contents(path) == before
    assert run(candidates(6), path) == Outcome(2, 4, 0, 0)
    assert [stored.step for stored in read_labels(path)] == list(range(6))
    assert before.items() <= contents(path).items()


def test_same_structure_twice_is_labelled_once(tmp_path):
    assert run([*candidates(2), *candidates(2)], tmp_path / "labels") == Outcome(2, 0, 0, 0)


def test_failure_is_recorded_with_its_reason_and_retried_when_asked(tmp_path):
    path = tmp_path / "labels"
    work = [unlucky(), *candidates(1)]
    assert run(work, path) == Outcome(1, 0, 1, 0)
    assert run(work, path) == Outcome(0, 1, 0, 1)
    assert [stored.step for stored in read_labels(path)] == [0]
    failure = read_record(path / f"{structure_sha256(unlucky().structure)}.npz")[1]
    assert text(failure["reason"]) == "NotConverged: self-consistent field not converged"
    assert run(work, path, retry_failed=True) == Outcome(0, 1, 1, 0)
    assert audit(path).problems == ()
    assert len(audit(path).failures) == 1


class Mended(ClosedForm):
    def ground_state(self, structure, protocol, *, fields=True, stress=True):
        shifted = Structure(structure.cell, structure.positions + 1e-11, structure.symbols)
        return super().ground_state(shifted, protocol)


def test_retried_success_takes_the_place_of_the_failure(tmp_path):
    path = tmp_path / "labels"
    run([unlucky()], path)
    assert label([unlucky()], path, KNOWN, open_engine=Mended, retry_failed=True) == Outcome(1, 0, 0, 0)
    assert [read_head(file)[1].status for file in record_files(path)] == ["ok"]
    assert (audit(path).problems, audit(path).failures) == ((), ())


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_executors_give_the_labels_of_one_process(tmp_path, kind):
    work = [*candidates(6), unlucky()]
    run(work, tmp_path / "alone")
    spawned = partial(ProcessPoolExecutor, mp_context=multiprocessing.get_context("spawn"))
    with (ThreadPoolExecutor if kind == "threads" else spawned)(max_workers=2) as executor:
        assert run(work, tmp_path / "many", executor=executor) == Outcome(6, 0, 1, 0)
    assert checksums(tmp_path / "many") == checksums(tmp_path / "alone")


def test_dead_worker_process_is_an_error_and_no_failure_of_a_structure(tmp_path):
    path = tmp_path / "labels"
    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor,
        pytest.raises(EngineError, match="a worker process died"),
    ):
        label(candidates(3), path, KNOWN, open_engine=Fatal, executor=executor)
    assert [file.name for file in path.iterdir()] == [PROTOCOL]
    assert run(candidates(3), path).labelled == 3


def test_missing_engine_stops_the_work_and_blames_no_structure(tmp_path):
    def missing():
        raise EngineMissing("no engine", "an engine", "install it")

    with pytest.raises(EngineMissing):
        label(candidates(2), tmp_path / "labels", KNOWN, open_engine=missing)
    assert [file.name for file in (tmp_path / "labels").iterdir()] == [PROTOCOL]


def test_progress_counts_and_estimates(tmp_path):
    seen = []
    run(candidates(3), tmp_path / "labels", progress=seen.append)
    assert [(p.done, p.total, p.ok) for p in seen] == [(1, 3, True), (2, 3, True), (3, 3, True)]
    assert seen[0].seconds_left > 0 == seen[-1].seconds_left


def test_full_disk_is_an_error_that_loses_nothing_and_the_work_continues_when_there_is_room(tmp_path):
    path = tmp_path / "labels"
    run(candidates(2), path)
    before = contents(path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (min(map(len, before.values())), hard))
    try:
        with pytest.raises(OutputError, match="free some space"):
            run(candidates(5), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert contents(path) == before
    assert run(candidates(5), path) == Outcome(3, 2, 0, 0)
    assert audit(path).problems == ()


class Slow(ClosedForm):
    def ground_state(self, structure, protocol, *, fields=True, stress=True):
        time.sleep(0.002)
        return super().ground_state(structure, protocol)


WORK = [*candidates(25), unlucky()]
FORK = multiprocessing.get_context("fork")
# A fork is quick, and the child leaves the threads of the compiler, loaded by other tests, alone.
forking = pytest.mark.filterwarnings(
    "ignore:This process.*is multi-threaded:DeprecationWarning", "ignore:os.fork.. was called:RuntimeWarning"
)


def label_slowly(path, start=None, outcomes=None):
    if start is not None:
        start.wait()
    outcome = label(WORK, path, KNOWN, open_engine=Slow)
    if outcomes is not None:
        outcomes.put(outcome)


@forking
def test_killed_at_random_moments_it_ends_with_the_same_labels(tmp_path):
    """Thirty kills; after each every file is whole and as it was, and what was there before is there."""
    path, whole = tmp_path / "killed", tmp_path / "whole"
    begin = time.monotonic()
    label_slowly(whole)
    # On a busy machine everything takes longer, the first label too.
    longest = max(0.09, 0.15 * (time.monotonic() - begin))
    moments, before = random.Random(3), {}
    for _ in range(30):
        process = FORK.Process(target=label_slowly, args=(path,))
        process.start()
        time.sleep(moments.uniform(0.1, 1.0) * longest)
        process.kill()
        process.join()
        after = checksums(path)
        assert before.items() <= after.items() <= checksums(whole).items()
        before = after
    unfinished = len(list(path.glob(".*.part")))
    label_slowly(path)
    assert before
    assert checksums(path) == checksums(whole)
    assert audit(path).problems == ()
    print(f"{len(before)} labels before the last run, {unfinished} unfinished files, {longest:.2f} s at most")


@forking
def test_two_processes_in_one_folder_divide_the_work_and_lose_nothing(tmp_path):
    """Random orders and a look before every calculation: few structures are computed twice."""
    path, start, outcomes = tmp_path / "both", FORK.Barrier(2), FORK.Queue()
    processes = [FORK.Process(target=label_slowly, args=(path, start, outcomes)) for _ in range(2)]
    for process in processes:
        process.start()
    first, second = outcomes.get(timeout=60), outcomes.get(timeout=60)
    for process in processes:
        process.join()
    for outcome in (first, second):
        assert outcome.labelled + outcome.present == 25
        assert outcome.failed + outcome.failed_before == 1
    assert 25 <= first.labelled + second.labelled <= 40
    label_slowly(tmp_path / "alone")
    assert checksums(path) == checksums(tmp_path / "alone")
    assert audit(path).problems == ()


def test_what_another_process_finishes_meanwhile_is_not_computed(tmp_path):
    path, outcomes, work = tmp_path / "labels", [], [*candidates(4), unlucky()]

    def finish(_):
        outcomes.append(run(work, path))

    first = run(work, path, progress=finish)
    assert len(outcomes) == 1
    assert first.labelled + first.failed == 1
    assert first.present + first.failed_before == 4
    assert outcomes[0].labelled + outcomes[0].failed == 4
    assert audit(path).labels == 4


def test_structure_known_under_another_split_is_refused(tmp_path):
    path = tmp_path / "labels"
    run(candidates(1), path)
    with pytest.raises(InputError, match="in the splits test and train"):
        run(candidates(1, split="test", group="other"), path)


def test_structures_without_facts_are_unassigned_and_named_after_their_file(tmp_path):
    path = tmp_path / "cs-iv_rs1.30.extxyz"
    ase.io.write(path, [c.structure.to_ase() for c in candidates(3)], format="extxyz")
    frames = read_candidates(path, "1:")
    assert [(c.split, c.group, c.step) for c in frames] == [("unassigned", "cs-iv_rs1.30", -1)] * 2
    assert all(np.isnan(c.temperature_kelvin) for c in frames)
