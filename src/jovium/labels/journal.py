"""A binary file that changes as a whole or not at all, whatever kills the process that writes it.

HDF5 keeps its index in many places of a file; a writer killed between two of them leaves a file nobody can open. Here
the library writes into memory instead. The changed pages then go to a journal beside the file, with a checksum, and
only when the journal is on the disk into the file itself; the journal is removed last. Whoever opens the file finds

    a torn journal       killed before the commit: the file was not touched, the journal is dropped;
    a whole journal      killed while the file was changed: the same pages are written once more.

Readers see the pages of a whole journal in place of those of the file and write nothing. This is a redo log for one
writer. The disk can fill up only where the journal or the file is written, never inside the HDF5 library.
"""

import errno
import hashlib
import io
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jovium.base.errors import InputError, OutputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

try:
    import fcntl
except ImportError:  # a platform without advisory locks: two writers are not noticed there
    fcntl = None

PAGE = 4096
MAGIC = b"jovium journal 1"

Pages = dict[int, bytes | bytearray]


def journal_path(path: Path) -> Path:
    """Where the journal of a file lies: beside it, so that both are on one file system."""
    return path.with_name(path.name + ".journal")


class PagedFile(io.RawIOBase):
    """A file descriptor under a layer of pages: reads see the pages first, writes change nothing but the pages."""

    def __init__(self, descriptor: int, pages: Pages, length: int):
        self._descriptor = descriptor
        self._position = 0
        self.pages = pages
        self.length = length

    def readable(self) -> bool:
        """Whether bytes can be read: always."""
        return True

    def writable(self) -> bool:
        """Whether bytes can be written: always, into the pages."""
        return True

    def seekable(self) -> bool:
        """Whether the position can be moved: always."""
        return True

    def tell(self) -> int:
        """Position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position, from the start, the present position or the end."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.length}[whence]
        self._position = origin + offset
        return self._position

    def truncate(self, size: int | None = None) -> int:
        """Set the length; what is beyond the old one reads as zeros."""
        self.length = self._position if size is None else size
        return self.length

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill `buffer` from the position on; zeros stand beyond the end. The number of bytes before the end."""
        target = memoryview(buffer).cast("B")
        start, size = self._position, len(target)
        below = os.pread(self._descriptor, size, start)
        target[: len(below)] = below
        target[len(below) :] = bytes(size - len(below))
        for number, (page_part, buffer_part) in _parts(start, size):
            page = self.pages.get(number)
            if page is not None:
                target[buffer_part] = page[page_part]
        count = max(0, min(size, self.length - start))
        self._position += count
        return count

    def write(self, data: "ReadableBuffer") -> int:
        """Put `data` at the position, into the pages."""
        source = memoryview(data).cast("B")
        for number, (page_part, data_part) in _parts(self._position, len(source)):
            self._page(number)[page_part] = source[data_part]
        self._position += len(source)
        self.length = max(self.length, self._position)
        return len(source)

    def _page(self, number: int) -> bytearray:
        page = self.pages.get(number)
        if not isinstance(page, bytearray):
            below = os.pread(self._descriptor, PAGE, number * PAGE) if page is None else page
            page = self.pages[number] = bytearray(below.ljust(PAGE, b"\0"))
        return page


def _parts(start: int, size: int) -> Iterator[tuple[int, tuple[slice, slice]]]:
    """The pages that bytes [start, start + size) touch: number, part of the page, part of the bytes."""
    for number in range(start // PAGE, -(-(start + size) // PAGE)):
        first, last = max(start, number * PAGE), min(start + size, (number + 1) * PAGE)
        yield number, (slice(first - number * PAGE, last - number * PAGE), slice(first - start, last - start))


class JournalledFile:
    """The one writer of a file. Opening it finishes or drops what a killed writer left.

    Raises InputError when another process writes the file, OutputError when the place cannot be written.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            _lock(self._descriptor, path)
            self._recover()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Release the file and its lock."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    @property
    def length(self) -> int:
        """Bytes committed."""
        return os.fstat(self._descriptor).st_size

    @contextmanager
    def transaction(self) -> Iterator[PagedFile]:
        """A stream onto the file; what was written to it is committed at the end of the block, nothing if it raises.

        Raises OutputError when the disk is full: the file then holds what it held before, or the journal holds the
        rest and the next opening finishes it.
        """
        stream = PagedFile(self._descriptor, {}, self.length)
        yield stream
        self._write_journal(stream.pages, stream.length)
        self._apply(stream.pages, stream.length)

    def _recover(self) -> None:
        found = read_journal(self.path)
        if found is not None:
            self._apply(*found)
        journal_path(self.path).unlink(missing_ok=True)

    def _write_journal(self, pages: Pages, length: int) -> None:
        numbers = sorted(pages)
        head = MAGIC + struct.pack(f"<{2 + len(numbers)}Q", length, len(numbers), *numbers)
        content = head + b"".join(pages[number] for number in numbers)
        journal = journal_path(self.path)
        try:
            with journal.open("wb") as file:
                file.write(content + hashlib.sha256(content).digest())
                file.flush()
                os.fsync(file.fileno())
            _sync_directory(journal.parent)
        except OSError as error:
            journal.unlink(missing_ok=True)
            raise _unwritable(self.path, error) from error

    def _apply(self, pages: Pages, length: int) -> None:
        try:
            for number in sorted(pages):
                _write_at(self._descriptor, pages[number], number * PAGE)
            os.ftruncate(self._descriptor, length)
            os.fsync(self._descriptor)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        journal_path(self.path).unlink(missing_ok=True)


@contextmanager
def snapshot(path: Path) -> Iterator[PagedFile]:
    """The committed state of a file, to read. Raises InputError when there is no such file."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", "a file that can be read", "check the path") from error
    try:
        pages, length = read_journal(path) or ({}, os.fstat(descriptor).st_size)
        yield PagedFile(descriptor, pages, length)
    finally:
        os.close(descriptor)


def read_journal(path: Path) -> tuple[Pages, int] | None:
    """Pages and length that the journal of `path` commits, or None when there is none or it is torn."""
    try:
        content = journal_path(path).read_bytes()
    except FileNotFoundError:
        return None
    body, checksum = content[:-32], content[-32:]
    if not body.startswith(MAGIC) or hashlib.sha256(body).digest() != checksum:
        return None
    length, count = struct.unpack_from("<2Q", body, len(MAGIC))
    numbers = struct.unpack_from(f"<{count}Q", body, len(MAGIC) + 16)
    start = len(MAGIC) + 16 + 8 * count
    return {number: body[start + i * PAGE : start + (i + 1) * PAGE] for i, number in enumerate(numbers)}, length


def _write_at(descriptor: int, data: bytes | bytearray, offset: int) -> None:
    written = 0
    while written < len(data):  # a disk that fills up takes a part before it refuses
        written += os.pwrite(descriptor, memoryview(data)[written:], offset + written)


def _sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            return  # a network file system without locks
        raise InputError(
            f"{path} is being written by another process",
            "one writer per file",
            "wait for it, or give every process its own file (--shard i/N)",
        ) from error


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{path} could not be written: {error.strerror}",
        "a writable folder with free space",
        "free disk space and repeat the command: it continues where it stopped",
    )
