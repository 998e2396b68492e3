"""Whether anything but SQLite has written to the log's file.

With a `-wal`, SQLite writes to the file itself only to copy what is there, and notes in `-shm`
which part it is about to copy and which it has copied (https://sqlite.org/walformat.html). So when
the file has changed, and nothing was copied, somebody has written another file over it, say a
backup. SQLite would mix its pages with those in `-wal`.
"""

import hashlib
import os
import shutil
import threading
from mmap import ACCESS_READ, mmap
from pathlib import Path
from struct import Struct
from typing import BinaryIO, NamedTuple

# How much is read at each end: a count of changes is at the front, new inputs are at the end.
_END_BYTES = 64 * 1024
# In `-shm`: which `-wal` it is for, how much was copied, and how much was to be.
_COPIES = Struct("32x 8s 56x 4s 28x 4s")


class _Copies(NamedTuple):
    salts: bytes
    copied: bytes
    attempted: bytes


class FileMarks:
    """What was last seen of the file. Safe to use from many threads."""

    def __init__(self, file: str, shared: str) -> None:
        # They stay open: closing one takes away the locks that SQLite has on it in this process.
        self._file: BinaryIO = open(file, "rb", buffering=0)  # noqa: SIM115
        self._shared_file: BinaryIO = open(shared, "rb", buffering=0)  # noqa: SIM115
        self._shared = mmap(self._shared_file.fileno(), _COPIES.size, access=ACCESS_READ)
        self._lock = threading.Lock()
        self._written: tuple[int, int] | None = None
        self._copies = self._read_copies()
        self._ends = self._hash_ends()

    def is_overwritten(self, now: os.stat_result) -> bool:
        """Say whether it was; the file is read only if it has changed since the last look."""
        written = now.st_mtime_ns, now.st_size
        with self._lock:
            if written == self._written and _COPIES.unpack_from(self._shared) == self._copies:
                return False
            ends = self._hash_ends()
            copies = self._read_copies()
            under_way = copies.copied != copies.attempted
            if ends != self._ends and copies == self._copies and not under_way:
                return True
            self._written, self._copies = written, copies
            self._ends = self._hash_ends()  # SQLite may have written there meanwhile
            return False

    def copy_file(self, target: Path) -> None:
        """Copy the content of the file to another one, and have it on disk."""
        with self._lock, target.open("wb") as copy:
            self._file.seek(0)
            shutil.copyfileobj(self._file, copy)
            copy.flush()
            os.fsync(copy.fileno())

    def close(self) -> None:
        self._file.close()
        self._shared.close()
        self._shared_file.close()

    def _hash_ends(self) -> bytes:
        size = self._file.seek(0, os.SEEK_END)
        starts = (0, max(size - _END_BYTES, 0))
        ends = b"".join(_read(self._file, start, _END_BYTES) for start in starts)
        return hashlib.blake2b(ends + str(size).encode()).digest()

    def _read_copies(self) -> _Copies:
        return _Copies(*_COPIES.unpack_from(self._shared))


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)
