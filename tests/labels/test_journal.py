"""A file that changes as a whole or not at all: killed at every page, torn at every length, on a full disk."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jovium.base.errors import InputError, OutputError
from jovium.labels import journal
from jovium.labels.journal import PAGE, JournalledFile, PagedFile, journal_path, read_journal, snapshot

OLD = np.random.default_rng(0).bytes(5 * PAGE + 77)
NEW = {100: b"a" * 300, PAGE - 3: b"across", 3 * PAGE: b"b" * PAGE, 7 * PAGE + 5: b"beyond"}


class Killed(BaseException):
    pass


def changed() -> bytes:
    content = bytearray(OLD.ljust(7 * PAGE + 11, b"\0"))
    for offset, data in NEW.items():
        content[offset : offset + len(data)] = data
    return bytes(content)


def change(path: Path) -> None:
    file = JournalledFile(path)
    try:
        with file.transaction() as stream:
            for offset, data in NEW.items():
                stream.seek(offset)
                stream.write(data)
    finally:
        file.close()


def contents(path: Path) -> bytes:
    with snapshot(path) as stream:
        buffer = bytearray(stream.length)
        stream.readinto(buffer)
        return bytes(buffer)


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(OLD)
    return path


def test_transaction_is_committed_and_leaves_no_journal(path):
    change(path)
    assert path.read_bytes() == changed()
    assert not journal_path(path).exists()


@pytest.mark.parametrize("pages", range(4))
def test_kill_while_the_file_is_changed_is_finished_by_the_next_opening(path, monkeypatch, pages):
    """After `pages` of the four changed pages the process dies: readers and the next writer see the new state."""
    written = []

    def dying(*arguments):
        if len(written) == pages:
            raise Killed
        written.append(arguments)
        write_at(*arguments)

    write_at = journal._write_at
    with monkeypatch.context() as patch:
        patch.setattr(journal, "_write_at", dying)
        with pytest.raises(Killed):
            change(path)
    assert path.read_bytes() != changed()
    assert contents(path) == changed()
    JournalledFile(path).close()
    assert path.read_bytes() == changed()


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.99999])
def test_torn_journal_is_dropped(path, monkeypatch, share):
    def die(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(journal, "_write_at", die)
        with pytest.raises(Killed):
            change(path)
    whole = journal_path(path).read_bytes()
    journal_path(path).write_bytes(whole[: int(share * len(whole))])
    assert read_journal(path) is None
    assert contents(path) == OLD
    JournalledFile(path).close()
    assert path.read_bytes() == OLD
    assert not journal_path(path).exists()


def test_a_block_that_raises_changes_nothing(path):
    file = JournalledFile(path)

    def half_of_it():
        with file.transaction() as stream:
            stream.write(b"half of it")
            raise Killed

    with pytest.raises(Killed):
        half_of_it()
    file.close()
    assert path.read_bytes() == OLD


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file can grow beyond `size` bytes: writing fails like on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_no_room_for_the_journal_leaves_the_file_as_it_was(path):
    with largest_file(2 * PAGE), pytest.raises(OutputError, match="could not be written"):
        change(path)
    assert path.read_bytes() == OLD
    assert not journal_path(path).exists()


def test_no_room_for_the_file_is_finished_when_there_is(path):
    with largest_file(7 * PAGE), pytest.raises(OutputError, match="free disk space"):
        change(path)
    assert contents(path) == changed()
    JournalledFile(path).close()
    assert path.read_bytes() == changed()


def test_second_writer_is_refused(path):
    first = JournalledFile(path)
    with pytest.raises(InputError, match="written by another process"):
        JournalledFile(path)
    first.close()
    JournalledFile(path).close()


def test_place_that_cannot_be_written_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="No such file"):
        JournalledFile(tmp_path / "missing" / "file")


@given(st.lists(st.tuples(st.integers(0, 3 * PAGE), st.binary(min_size=1, max_size=200)), max_size=12))
def test_paged_file_reads_what_was_written(tmp_path_factory, writes):
    """Against a plain array of bytes."""
    path = tmp_path_factory.mktemp("paged") / "file"
    path.write_bytes(OLD)
    expected = bytearray(OLD)
    with snapshot(path) as base:
        stream = PagedFile(base._descriptor, {}, len(OLD))
        for offset, data in writes:
            stream.seek(offset)
            stream.write(data)
            expected[offset : offset + len(data)] = data
        stream.seek(0)
        assert stream.read() == bytes(expected)
    assert path.read_bytes() == OLD
