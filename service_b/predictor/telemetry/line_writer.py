"""Writing log lines to a file whose reader may be slow, or stopped."""

import logging
import os
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TextIO

_logger = logging.getLogger(__name__)

MAX_WAITING = 4 * 1024 * 1024
"""Characters that wait for the reader; what is more is dropped and counted."""

# What comes meanwhile is written together: each write wakes this thread and the reader.
_PAUSE_SECONDS = 0.05
# A reader that takes nothing keeps the process from ending no longer than this.
_CLOSE_SECONDS = 1


class LineWriter:
    """A stream for a log handler; a thread of its own does the writing, so nothing waits for it.

    As a context, it writes what waits at its end, as far as the reader takes it in time. If other
    processes write to the file too, lines stay whole as long as each takes `max_write_bytes` at
    most.
    """

    def __init__(self, file: TextIO, max_write_bytes: int = MAX_WAITING) -> None:
        self._max_write_bytes = max_write_bytes
        self._file_number = file.fileno()
        self._encoding = file.encoding
        self._lock = threading.Lock()
        self._texts: list[str] = []
        self._waiting = 0
        self._dropped_lines = 0
        self._wanted = threading.Event()
        self._closing = threading.Event()
        # A daemon: while the reader takes nothing, this thread can't end.
        self._thread = threading.Thread(target=self._run, name="log-lines", daemon=True)

    def __enter__(self) -> "LineWriter":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._wanted.set()
        self._thread.join(_CLOSE_SECONDS)

    def write(self, text: str) -> None:
        with self._lock:
            if self._waiting + len(text) > MAX_WAITING:
                self._dropped_lines += text.count("\n")
                return
            self._texts.append(text)
            self._waiting += len(text)
        if not self._wanted.is_set():
            self._wanted.set()

    def flush(self) -> None:
        """Nothing to do: it is written soon."""

    def _run(self) -> None:
        while self._texts or not self._closing.is_set():
            self._wanted.wait()
            self._wanted.clear()
            with self._lock:
                text = "".join(self._texts)
                self._texts.clear()
            data = text.encode(self._encoding, "backslashreplace")
            for piece in split_lines(data, self._max_write_bytes):
                self._write(piece)
            with self._lock:
                self._waiting -= len(text)
                dropped, self._dropped_lines = self._dropped_lines, 0
            if dropped:
                _logger.warning("log lines were dropped", extra={"fields": {"lines": dropped}})
            self._closing.wait(_PAUSE_SECONDS)

    def _write(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._file_number, data) :]
            except BlockingIOError:
                time.sleep(_PAUSE_SECONDS)  # whoever gave us the file made it so
            except OSError:
                return  # its reader has gone


def split_lines(data: bytes, most: int) -> Iterator[bytes]:
    """Split between lines, into pieces of so many bytes at most; a longer line is a piece."""
    while len(data) > most:
        end = data.rfind(b"\n", 0, most) + 1 or data.find(b"\n") + 1 or len(data)
        yield data[:end]
        data = data[end:]
    if data:
        yield data
