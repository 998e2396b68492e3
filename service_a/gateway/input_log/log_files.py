"""The files of a SQLite log, and whether its path still names those that are open."""

import math
import os
import shutil
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sqlalchemy import Engine

from gateway.errors import InputLogUnavailable
from gateway.input_log.file_marks import FileMarks

_MOMENT_SECONDS = 0.05
# Whoever writes another file over the log's, or empties it, has finished after this time.
_STILL_SECONDS = 1


class LogFiles:
    """The file that the log's path names, and `-wal` and `-shm` that SQLite keeps beside it.

    A process that has one of them open goes on when it is deleted, moved or replaced, and commits
    into a file that nobody finds. A look costs some microseconds, so each commit takes one. `-shm`
    has no data in it and is looked at now and then.
    """

    def __init__(self, engine: Engine) -> None:
        (name,), options = engine.dialect.create_connect_args(engine.url)
        self.path = Path(unquote(urlsplit(name).path) if options.get("uri") else name)
        self._names: tuple[str, ...] = ()
        self._opened: list[tuple[int, int]] = []
        self._wal_bytes = 0
        self._marks: FileMarks | None = None
        self._checked_at = -math.inf  # all of them, by `time.monotonic()`

    def make(self) -> tuple[int, int]:
        """Make the file and its folder if they are missing. Return which file the path names."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.path.exists():
            self.path.touch(mode=0o644)
        return _identify(os.stat(self.path))

    def remember(self, made: tuple[int, int]) -> None:
        """Note the files that are there now as those that are open.

        Raises:
            InputLogUnavailable: the path names another file than the one that was made, and which
                of them was opened can't be said.
        """
        real = os.path.realpath(self.path)  # beside it SQLite keeps the others
        self._names = (str(self.path), f"{real}-wal", f"{real}-shm")
        found = [os.stat(name) for name in self._names]
        self._opened = [_identify(each) for each in found]
        self._wal_bytes = found[1].st_size
        self._marks = FileMarks(self._names[0], self._names[2])
        self._checked_at = time.monotonic()
        if self._opened[0] != made:
            self.forget()
            raise InputLogUnavailable("the log's file was replaced while it was opened")

    def forget(self) -> None:
        """Forget them, just before the last connection is closed."""
        self._names = ()
        if self._marks:
            self._marks.close()
            self._marks = None

    def check(self) -> None:
        """Raise `InputLogUnavailable` when a file that is open is gone, emptied or overwritten."""
        if not self._names or not self._marks:
            return
        now, checked_at = time.monotonic(), self._checked_at
        self._checked_at = -math.inf  # what fails is looked at again before the next commit
        try:
            main, wal = os.stat(self._names[0]), os.stat(self._names[1])
            if now - checked_at > _MOMENT_SECONDS:
                self._check_rest()
                checked_at = now
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InputLogUnavailable(f"{Path(error.filename).name} is gone") from None
        if [_identify(main), _identify(wal)] != self._opened[:2]:
            raise InputLogUnavailable("a file of the log was replaced")
        if not main.st_size or (self._wal_bytes and not wal.st_size) or self._is_hollow(wal):
            raise InputLogUnavailable("a file of the log was emptied")
        if self._marks.is_overwritten(main):
            raise InputLogUnavailable("the log's file was overwritten")
        self._wal_bytes = wal.st_size
        self._checked_at = checked_at

    def _check_rest(self) -> None:
        if _identify(os.stat(self._names[2])) != self._opened[2]:
            raise InputLogUnavailable("a file of the log was replaced")
        if f"{os.path.realpath(self.path)}-wal" != self._names[1]:
            raise InputLogUnavailable("the log's file was moved, and its path links to it")

    def check_unless_checked(self) -> None:
        """Do the same, unless it was done a moment ago."""
        if time.monotonic() - self._checked_at > _MOMENT_SECONDS:
            self.check()

    def leave(self, connection: sqlite3.Connection) -> None:
        """Complete the log's file, wherever it is now, and free its path for another.

        The files beside it are deleted. So a process that still has them open, and commits once
        more before it looks, writes nowhere, and not into the files of the next log. The second
        process that comes here finds a new `-shm`, and leaves alone what is there.

        Raises:
            InputLogUnavailable: somebody reads an earlier state of the log, or writes to the file
                as SQLite wouldn't; try again later.
        """
        if self._is_overwritten():
            self._replace_by_copy(connection)
            return
        beside = Path(self._names[1])
        if self.path.exists() and beside.exists() and self._is_hollow(beside.stat()):
            # SQLite would copy only zeros from there into the file itself.
            self._put_aside()
            return
        while not self._others_are_there():
            version = connection.execute("PRAGMA data_version").fetchone()
            _, pages, done = connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
            if pages != done:
                raise InputLogUnavailable("the log's former file is being read")
            connection.execute("BEGIN IMMEDIATE")  # from here on, nobody else commits
            try:
                complete = connection.execute("PRAGMA data_version").fetchone() == version
                if complete and not self._others_are_there():
                    self._delete_beside()
                    return
            finally:
                connection.execute("ROLLBACK")

    def put_aside_if_damaged(self) -> None:
        """Rename a file that was emptied and got back only a part, once nothing has it open.

        Otherwise SQLite would go on writing into what is left of it.
        """
        if not self.path.exists() or not self.path.stat().st_size:
            return
        with closing(sqlite3.connect(self.path)) as connection:
            try:
                damaged = connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",)
            except sqlite3.DatabaseError:
                damaged = True
        if damaged:
            self._put_aside()

    def is_emptied(self) -> bool:
        return self.path.exists() and not self.path.stat().st_size

    def _is_ours(self) -> bool:
        return self.path.exists() and _identify(os.stat(self.path)) == self._opened[0]

    def _is_overwritten(self) -> bool:
        """Say whether the file that is open has all of another's content."""
        if not self._is_ours():
            return False
        status = os.stat(self.path)
        overwritten = bool(self._marks and self._marks.is_overwritten(status))
        if overwritten and abs(time.time() - status.st_mtime) < _STILL_SECONDS:
            raise InputLogUnavailable("the log's file is being overwritten")
        return overwritten and status.st_size > 0

    def _replace_by_copy(self, connection: sqlite3.Connection) -> None:
        """Make the path name a copy of what was written over the log.

        When SQLite closes the file itself, it writes into it what is in `-wal`. It leaves both
        alone if the path names another file.
        """
        with suppress(sqlite3.Error):  # then it can't be read, and nobody else commits either
            connection.execute("BEGIN IMMEDIATE")
        try:
            if self._is_ours() and self._marks:  # and no other process was faster
                real = Path(os.path.realpath(self.path))
                copy = real.with_name(f"{real.name}.{os.getpid()}")
                try:
                    self._marks.copy_file(copy)
                    shutil.copymode(real, copy)
                    copy.replace(real)
                finally:
                    copy.unlink(missing_ok=True)
                self._delete_beside()
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _others_are_there(self) -> bool:
        shared = self._names[2]
        return os.path.exists(shared) and _identify(os.stat(shared)) != self._opened[2]

    def _is_hollow(self, wal: os.stat_result) -> bool:
        """Say whether it was emptied and then written to behind its former end."""
        if getattr(wal, "st_blocks", wal.st_size) * 512 >= wal.st_size:
            return False
        with open(self._names[1], "rb") as file:
            return not any(file.read(4))

    def _put_aside(self) -> None:
        self.path.rename(f"{self.path}.damaged")
        self._delete_beside()

    def _delete_beside(self) -> None:
        for name in self._names[1:]:
            Path(name).unlink(missing_ok=True)


def _identify(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
