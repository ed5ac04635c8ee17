"""The work of labelling: repeated, divided, killed and failing, it ends with the same labels."""

import json
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial

import ase.io
import numpy as np
import pytest
from known_labels import KNOWN, ClosedForm, candidates, unlucky

from jovium.base.errors import EngineError, EngineMissing, InputError, NotConverged, OutputError, StructureError
from jovium.base.structure import Structure
from jovium.cli.main import main
from jovium.labels.audit import audit
from jovium.labels.candidates import read_candidates
from jovium.labels.file import Labels
from jovium.labels.journal import journal_path
from jovium.labels.labelling import Outcome, label
from jovium.labels.record import Candidate, record_sha256, text

run = partial(label, label_protocol=KNOWN, open_engine=ClosedForm)


def rows(path):
    """Everything in a file by structure, checksums included, wall times not."""
    with Labels(path) as labels:
        records = [labels.checked_record(int(row)) for row in [*labels.ok, *labels.failed]]
    return {text(record["structure_sha256"]): record_sha256(record) for record in records}


def test_repeated_command_computes_nothing_again(tmp_path):
    path = tmp_path / "labels.h5"
    assert run(candidates(4), path) == Outcome(4, 0, 0, 0)
    content = path.read_bytes()
    assert run(candidates(4), path) == Outcome(0, 4, 0, 0)
    assert path.read_bytes() == content
    assert run(candidates(6), path) == Outcome(2, 4, 0, 0)
    with Labels(path) as labels:
        assert labels.columns["step"].tolist() == list(range(6))


def test_same_structure_twice_is_labelled_once(tmp_path):
    assert run([*candidates(2), *candidates(2)], tmp_path / "labels.h5") == Outcome(2, 0, 0, 0)


def test_failure_is_recorded_with_its_reason_and_retried_when_asked(tmp_path):
    path = tmp_path / "labels.h5"
    work = [unlucky(), *candidates(1)]
    assert run(work, path) == Outcome(1, 0, 1, 0)
    assert run(work, path) == Outcome(0, 1, 0, 1)
    with Labels(path) as labels:
        assert len(labels) == 1
        assert labels.columns["reason"][labels.failed].tolist() == [
            b"NotConverged: self-consistent field not converged"
        ]
    assert run(work, path, retry_failed=True) == Outcome(0, 1, 1, 0)
    assert audit(path).problems == ()
    assert len(audit(path).failures) == 1


class Mended(ClosedForm):
    def ground_state(self, structure, protocol, *, fields=True, stress=True):
        shifted = Structure(structure.cell, structure.positions + 1e-11, structure.symbols)
        return super().ground_state(shifted, protocol)


def test_retried_success_takes_the_place_of_the_failure(tmp_path):
    path = tmp_path / "labels.h5"
    run([unlucky()], path)
    assert label([unlucky()], path, KNOWN, open_engine=Mended, retry_failed=True) == Outcome(1, 0, 0, 0)
    with Labels(path) as labels:
        assert (len(labels), len(labels.failed), labels.n_rows) == (1, 0, 2)
    assert (audit(path).problems, audit(path).failures) == ((), ())


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_executors_give_the_labels_of_one_process(tmp_path, kind):
    work = [*candidates(6), unlucky()]
    run(work, tmp_path / "alone.h5")
    spawned = partial(ProcessPoolExecutor, mp_context=multiprocessing.get_context("spawn"))
    with (ThreadPoolExecutor if kind == "threads" else spawned)(max_workers=2) as executor:
        assert run(work, tmp_path / "many.h5", executor=executor) == Outcome(6, 0, 1, 0)
    assert rows(tmp_path / "many.h5") == rows(tmp_path / "alone.h5")


class Fatal(ClosedForm):
    def ground_state(self, structure, protocol, *, fields=True, stress=True):
        os._exit(9)


def test_dead_worker_process_is_an_error_and_no_failure_of_a_structure(tmp_path):
    path = tmp_path / "labels.h5"
    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor,
        pytest.raises(EngineError, match="a worker process died"),
    ):
        label(candidates(3), path, KNOWN, open_engine=Fatal, executor=executor)
    with Labels(path) as labels:
        assert labels.n_rows == 0
    assert run(candidates(3), path).labelled == 3


def test_missing_engine_stops_the_work_and_blames_no_structure(tmp_path):
    def missing():
        raise EngineMissing("no engine", "an engine", "install it")

    with pytest.raises(EngineMissing):
        label(candidates(2), tmp_path / "labels.h5", KNOWN, open_engine=missing)
    assert audit(tmp_path / "labels.h5").problems == ("no structures",)


def test_progress_counts_and_estimates(tmp_path):
    seen = []
    run(candidates(3), tmp_path / "labels.h5", progress=seen.append)
    assert [(p.done, p.total, p.ok) for p in seen] == [(1, 3, True), (2, 3, True), (3, 3, True)]
    assert seen[0].seconds_left > 0 == seen[-1].seconds_left


def test_full_disk_is_an_error_and_the_work_continues_when_there_is_room(tmp_path):
    path = tmp_path / "labels.h5"
    run(candidates(2), path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size // 4, hard))
    try:
        with pytest.raises(OutputError, match="free disk space"):
            run(candidates(5), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert audit(path).labels == 2
    assert run(candidates(5), path) == Outcome(3, 2, 0, 0)
    assert audit(path).problems == ()


def slowly(path, count):
    def progress(_):
        time.sleep(0.002)

    run([*candidates(count), unlucky()], path, progress=progress)


# A fork is quick, and the child leaves the threads of the compiler, loaded by other tests, alone.
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:os.fork.. was called:RuntimeWarning")
def test_killed_at_random_moments_it_ends_with_the_same_labels(tmp_path):
    """Thirty kills; after each the file can be read and holds at least what was reported before."""
    path, whole = tmp_path / "killed.h5", tmp_path / "whole.h5"
    begin = time.monotonic()
    slowly(whole, 25)
    # On a busy machine everything takes longer, the first label too.
    longest = max(0.09, 0.15 * (time.monotonic() - begin))
    moments, before, torn = random.Random(3), 0, 0
    fork = multiprocessing.get_context("fork")
    for _ in range(30):
        process = fork.Process(target=slowly, args=(path, 25))
        process.start()
        time.sleep(moments.uniform(0.1, 1.0) * longest)
        process.kill()
        process.join()
        torn += journal_path(path).exists()
        if path.exists() and path.stat().st_size:
            with Labels(path) as labels:
                assert labels.n_rows >= before
                assert [found.split for found in labels] == ["train"] * len(labels)
                before = labels.n_rows
    slowly(path, 25)
    assert before > 0
    assert rows(path) == rows(whole)
    assert audit(path).problems == ()
    print(f"{before} rows before the last run, {torn} kills left a journal, {longest:.2f} s at most")


def hydrogen_file(path, images):
    ase.io.write(path, images, format="extxyz")
    return path


@pytest.fixture
def images():
    """Three frames as the sampler collects them."""
    made = []
    for candidate in candidates(3)[1:]:
        atoms = candidate.structure.to_ase()
        atoms.info |= {"split": "train", "group": "t", "temperature_kelvin": 3000.0, "step": candidate.step}
        made.append(atoms)
    return made


def command(source, out, *options):
    return ["reference", "label", str(source), str(out), "--protocol", "cheap", "--spacing", "0.2", *options]


def close(first, second):
    """Equal but for the order of floating-point sums: one unit of the stored ELF, 1e-9 hartree."""
    assert first.keys() == second.keys()
    for name, record in first.items():
        other = second[name]
        assert np.abs(record["elf"].astype(int) - other["elf"].astype(int)).max() <= 1
        assert np.allclose(record["density"], other["density"], rtol=1e-6)
        assert all(np.allclose(record[n], other[n], rtol=0, atol=1e-9) for n in ("free_energy", "forces", "stress"))


def records(path):
    with Labels(path) as labels:
        return {text(r["structure_sha256"]): r for r in map(labels.checked_record, labels.ok.tolist())}


def test_killed_command_repeats_to_the_same_labels_from_first_principles(tmp_path, images, capsys):
    source = hydrogen_file(tmp_path / "in.extxyz", images)
    whole, killed = tmp_path / "whole.h5", tmp_path / "killed.h5"
    assert main(command(source, whole, "--json")) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["done"], line["total"], line["status"]) for line in lines] == [(1, 2, "ok"), (2, 2, "ok")]
    for delay in (1.0, 1.5, 2.2):
        process = subprocess.Popen(
            [sys.executable, "-m", "jovium.cli.main", *command(source, killed)],
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert main(command(source, killed, "--workers", "2")) == 0
    close(records(killed), records(whole))
    assert main(["reference", "verify", str(killed)]) == 0
    assert "| 1.595 | 3000 | 3 | train | 1 | 2 | 0 |" in capsys.readouterr().out


def test_shards_and_frames_divide_the_structures(tmp_path, images, capsys):
    source = hydrogen_file(tmp_path / "in.extxyz", images)
    assert main(command(source, tmp_path / "out.h5", "--shard", "1/2")) == 0
    assert "1/1  t step 2  N 3  rs 1.5952" in capsys.readouterr().out
    with Labels(tmp_path / "out-1-of-2.h5") as labels:
        assert (len(labels), labels[0].step) == (1, 2)
    assert main(command(source, tmp_path / "out.h5", "--shard", "1/2", "--frames", "0")) == 2
    assert "no structures" in capsys.readouterr().err


def spoiled(images, kind):
    atoms = images[0]
    if kind == "species":
        atoms.symbols[0] = "He"
    elif kind == "nan":
        atoms.positions[1, 1] = np.nan
    elif kind == "overlap":
        atoms.positions[1] = atoms.positions[0] + 0.05
    elif kind == "cell":
        atoms.cell[2] = 0
    else:
        key, value = kind
        atoms.info[key] = value
    return images


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("species", "a structure with He"),
        ("nan", "finite coordinates"),
        ("overlap", "angstrom apart"),
        ("cell", "lattice vectors"),
        (("split", "exam"), "split 'exam'"),
        (("split", "test"), "group t is in the splits test and train"),
        (("temperature_kelvin", "hot"), "temperature_kelvin"),
        (("group", "g" * 97), "at most 96"),
    ],
    ids=str,
)
def test_bad_structures_are_refused_before_anything_is_computed(tmp_path, images, kind, message, capsys):
    source = hydrogen_file(tmp_path / "in.extxyz", spoiled(images, kind))
    assert main(command(source, tmp_path / "out.h5")) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out.h5").exists() or audit(tmp_path / "out.h5").labels == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shard", "2/2"], "--shard 2/2"),
        (["--shard", "half"], "--shard half"),
        (["--workers", "0"], "--workers 0"),
        (["--spacing", "0.5"], "grid spacing"),
        (["--frames", "5:5"], "no structure at index 5:5"),
        (["--frames", "a:b"], "in.extxyz"),
    ],
    ids=str,
)
def test_bad_options_are_refused(tmp_path, images, options, message, capsys):
    source = hydrogen_file(tmp_path / "in.extxyz", images)
    assert main(command(source, tmp_path / "out.h5", *options)) == 2
    assert message in capsys.readouterr().err


def test_empty_and_missing_input_are_refused(tmp_path, capsys):
    (tmp_path / "empty.extxyz").write_text("")
    for name, message in (("empty.extxyz", "is empty"), ("absent.extxyz", "no file")):
        assert main(command(tmp_path / name, tmp_path / "out.h5")) == 2
        assert message in capsys.readouterr().err


def test_output_in_a_folder_that_is_not_there_is_an_output_error(tmp_path, images):
    source = hydrogen_file(tmp_path / "in.extxyz", images)
    assert main(command(source, tmp_path / "absent" / "out.h5")) == 4


def test_failed_calculation_gives_exit_code_3(tmp_path, images, monkeypatch, capsys):
    from jovium.reference import espresso

    def hopeless(*_, **__):
        raise NotConverged("self-consistent field not converged", "convergence", "give up")

    monkeypatch.setattr(espresso.Espresso, "ground_state", hopeless)
    source = hydrogen_file(tmp_path / "in.extxyz", images)
    assert main(command(source, tmp_path / "out.h5")) == 3
    assert "FAILED: NotConverged: self-consistent field not converged" in capsys.readouterr().out
    assert main(command(source, tmp_path / "out.h5")) == 3
    assert "2 failed before and were not tried again" in capsys.readouterr().out


def test_two_labellers_of_one_file_are_refused(tmp_path):
    path = tmp_path / "labels.h5"

    def second(_):
        with pytest.raises(InputError, match="written by another process"):
            run(candidates(2), path)

    run(candidates(2), path, progress=second)


def test_structure_known_under_another_split_is_refused(tmp_path):
    path = tmp_path / "labels.h5"
    run(candidates(1), path)
    with pytest.raises(InputError, match="in the splits test and train"):
        run(candidates(1, split="test", group="other"), path)


def test_hydrides_are_refused_from_python_too(tmp_path):
    structure = candidates(1)[0].structure
    hydride = Candidate(Structure(structure.cell, structure.positions, ("La", "H", "H", "H")))
    with pytest.raises(StructureError, match="a structure with La"):
        run([hydride], tmp_path / "labels.h5")


def test_structures_without_facts_are_unassigned_and_named_after_their_file(tmp_path):
    path = tmp_path / "cs-iv_rs1.30.extxyz"
    ase.io.write(path, [c.structure.to_ase() for c in candidates(3)], format="extxyz")
    found = read_candidates(path, "1:")
    assert [(c.split, c.group, c.step) for c in found] == [("unassigned", "cs-iv_rs1.30", -1)] * 2
    assert all(np.isnan(c.temperature_kelvin) for c in found)
