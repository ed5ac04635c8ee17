"""What else happens to a folder of labels: moved, emptied, unwritable, asked for other structures, interrupted."""

import multiprocessing
import shutil
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import ase.io
import pytest
from known_labels import KNOWN, ClosedForm, FatalOnce, candidates, checksums, label_file

from jovium.base.errors import EngineError, FormatError, InputError, OutputError
from jovium.cli.main import main
from jovium.labels import file as labels_file
from jovium.labels.audit import audit
from jovium.labels.candidates import read_candidates
from jovium.labels.file import PROTOCOL, record_files
from jovium.labels.labelling import Outcome, label

run = partial(label, label_protocol=KNOWN, open_engine=ClosedForm)
WORK = candidates(6)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    run(WORK, folder)
    return checksums(folder)


@pytest.fixture
def folder(tmp_path):
    """A folder of labels, half done."""
    run(WORK[:3], tmp_path / "labels")
    return tmp_path / "labels"


def test_a_folder_that_was_moved_continues_where_it_is(folder, whole):
    moved = folder.with_name("moved")
    shutil.move(folder, moved)
    assert run(WORK, moved) == Outcome(3, 3, 0, 0)
    assert checksums(moved) == whole


def test_a_folder_moved_at_work_is_an_error_and_the_rest_is_made_where_it_is(folder, whole):
    moved = folder.with_name("moved")
    with pytest.raises(OutputError, match="another folder"):
        run(WORK, folder, progress=lambda _: folder.rename(moved) if folder.exists() else None)
    assert run(WORK, moved).present == 4
    assert checksums(moved) == whole


@pytest.mark.parametrize("lost", ["label", PROTOCOL, "all"])
def test_what_was_deleted_is_made_again(folder, whole, lost):
    if lost == "all":
        shutil.rmtree(folder)
    else:
        (label_file(folder, WORK[0]) if lost == "label" else folder / PROTOCOL).unlink()
    run(WORK, folder)
    assert checksums(folder) == whole
    assert audit(folder).problems == ()


def test_a_label_deleted_at_work_is_made_by_the_next_command(folder, whole):
    run(WORK, folder, progress=lambda _: label_file(folder, WORK[1]).unlink(missing_ok=True))
    assert len(record_files(folder)) == 5
    run(WORK, folder)
    assert checksums(folder) == whole


def test_a_place_that_cannot_be_written_is_said_before_the_work(folder, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    before = checksums(folder)
    engine = partial(pytest.fail, "work began")
    (folder.parent / "file").write_text("")
    with pytest.raises(OutputError, match="another folder"):
        label(WORK, folder.parent / "file" / "below", KNOWN, open_engine=engine)
    monkeypatch.setattr(Path, "mkdir", denied)
    with pytest.raises(OutputError, match="Permission denied"):
        label(WORK, folder.parent / "new", KNOWN, open_engine=engine)
    assert checksums(folder) == before


def test_a_label_that_cannot_be_written_stops_the_work_and_what_is_there_stays(folder, whole, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    before = checksums(folder)
    monkeypatch.setattr(labels_file.os, "replace", full)
    monkeypatch.setattr("jovium.base.files.os.replace", full)
    with pytest.raises(OutputError, match="No space left"):
        run(WORK, folder)
    assert not list(folder.glob(".*"))
    monkeypatch.undo()
    assert checksums(folder) == before
    run(WORK, folder)
    assert checksums(folder) == whole


def test_a_killed_worker_is_an_error_and_the_next_command_ends_the_work(folder, whole, monkeypatch):
    monkeypatch.setenv("JOVIUM_TEST_MARK", str(folder.parent / "mark"))
    for ends in (True, False):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
            command = partial(label, WORK, folder, KNOWN, open_engine=FatalOnce, executor=executor)
            if ends:
                with pytest.raises(EngineError, match="repeat the command: it continues"):
                    command()
            else:
                assert command().failed == 0
    assert checksums(folder) == whole


def test_an_interrupt_is_no_failure_of_a_structure(folder, whole):
    class Interrupted(ClosedForm):
        def ground_state(self, structure, protocol, *, fields=True, stress=True):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        label(WORK, folder, KNOWN, open_engine=Interrupted)
    assert audit(folder).failures == ()
    run(WORK, folder)
    assert checksums(folder) == whole


def test_other_structures_between_two_calls_are_added_and_none_is_taken_for_another(folder, whole):
    others = candidates(2, seed=5, group="b")
    assert run(others, folder) == Outcome(2, 0, 0, 0)
    assert run(WORK, folder) == Outcome(3, 3, 0, 0)
    assert whole.items() <= checksums(folder).items()
    assert len(checksums(folder)) == 8


@pytest.mark.parametrize("cut", [0.3, 0.55, 0.8, 0.97])
def test_a_broken_frame_in_the_input_is_said_before_the_work(tmp_path, capsys, cut):
    source = tmp_path / "in.extxyz"
    ase.io.write(source, [c.structure.to_ase() for c in WORK], format="extxyz")
    source.write_text(source.read_text()[: int(cut * source.stat().st_size)])
    assert main(["reference", "label", str(source), str(tmp_path / "labels"), "--protocol", "cheap"]) == 2
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 3
    assert not list(tmp_path.glob("labels/*.npz"))


@pytest.mark.parametrize("name", ["two@1.extxyz", "two words.extxyz", "[bold].extxyz", "\u00b5.extxyz", "-x.extxyz"])
def test_any_name_of_a_file_is_read(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    ase.io.write(tmp_path / "plain.extxyz", [c.structure.to_ase() for c in WORK], format="extxyz")
    Path("plain.extxyz").rename(name)
    assert len(read_candidates(Path(name))) == len(WORK)


def test_messages_about_damage_are_never_empty(tmp_path, monkeypatch):
    def silent(*_):
        raise ValueError

    (tmp_path / "x.npz").write_bytes(b"")
    monkeypatch.setattr(labels_file.zipfile, "ZipFile", silent)
    with pytest.raises(FormatError) as stop:
        labels_file.read_record(tmp_path / "x.npz")
    assert stop.value.got.endswith("x.npz: ValueError")


def test_groups_with_any_name_are_packed_and_read(tmp_path, capsys):
    work = [
        c
        for n, group in enumerate(("a b", "[bold]", "..", "-x", "\u00b5/\u00b5"))
        for c in candidates(1, group=group, seed=n)
    ]
    run(work, tmp_path / "labels")
    assert main(["reference", "pack", str(tmp_path / "labels"), str(tmp_path / "packed")]) == 0
    assert main(["reference", "verify", str(tmp_path / "packed")]) == 0
    assert "5 labels, 0 failed" in capsys.readouterr().out
    assert not list(tmp_path.glob("*.xz"))


def test_a_missing_input_is_refused_before_the_folder_is_made(tmp_path):
    with pytest.raises(InputError):
        read_candidates(tmp_path / "absent.extxyz")
    assert main(["reference", "label", str(tmp_path / "absent.extxyz"), str(tmp_path / "labels")]) == 2
    assert not (tmp_path / "labels").exists()
