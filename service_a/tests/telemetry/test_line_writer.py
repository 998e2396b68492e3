import logging
import os
import threading
import time
from collections.abc import Iterator
from io import TextIOWrapper
from typing import TextIO, cast

import pytest

from gateway.telemetry import line_writer
from gateway.telemetry.line_writer import LineWriter, split_lines
from gateway.telemetry.log_lines import LineFormatter, LineHandler

LINE = "x" * 999 + "\n"


class Pipe:
    """A pipe, such as stdout is in a container."""

    def __init__(self) -> None:
        self.reading, writing = os.pipe()
        self.file = cast(TextIO, TextIOWrapper(open(writing, "wb"), encoding="ascii"))  # noqa: SIM115

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += os.read(self.reading, size - len(data))
        return data

    def read_line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            line += os.read(self.reading, 1)
        return line


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    os.close(pipe.reading)
    pipe.file.close()


def test_lines_are_written_in_their_order_as_long_as_they_are_read(pipe: Pipe) -> None:
    with LineWriter(pipe.file) as writer:
        for number in range(3):
            writer.write(f"{number}\n")
            assert pipe.read_line() == b"%d\n" % number


def test_what_waits_at_the_end_is_written(pipe: Pipe) -> None:
    with LineWriter(pipe.file) as writer:
        writer.write("one\n")
        writer.write("two\n")

    assert pipe.read(8) == b"one\ntwo\n"


def test_text_is_written_in_the_file_s_encoding_whatever_it_holds(pipe: Pipe) -> None:
    with LineWriter(pipe.file) as writer:
        writer.write("25 m²\n")

    assert pipe.read_line() == b"25 m\\xb2\n"


def test_nothing_waits_for_a_reader_that_stops_and_it_is_told_what_it_missed(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_writer, "MAX_WAITING", 200 * len(LINE))
    handler = LineHandler(pipe.file, LineFormatter())
    logger = logging.getLogger(line_writer.__name__)
    monkeypatch.setattr(logger, "handlers", [handler])
    with LineWriter(pipe.file) as writer:
        handler.setStream(cast(TextIO, writer))
        for _ in range(1000):  # five times what is kept, and more than a pipe takes
            writer.write(LINE)

        while (line := pipe.read_line()) == LINE.encode():
            pass

    assert b"level=WARNING" in line
    assert b'event="log lines were dropped" lines=' in line
    assert int(line.partition(b" lines=")[2].split()[0]) >= 600


def test_reader_that_takes_nothing_does_not_keep_the_process_from_ending(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_writer, "_CLOSE_SECONDS", 0.01)
    began = time.monotonic()
    with LineWriter(pipe.file) as writer:
        for _ in range(200):
            writer.write(LINE)

    assert time.monotonic() - began < 60
    (thread,) = [each for each in threading.enumerate() if each.name == "log-lines"]
    assert thread.daemon
    pipe.read(200 * len(LINE))
    thread.join(60)


def test_lines_are_lost_when_their_reader_has_gone() -> None:
    reading, writing = os.pipe()
    with TextIOWrapper(open(writing, "wb"), encoding="ascii") as file:
        os.close(reading)
        with LineWriter(cast(TextIO, file)) as writer:
            writer.write("lost\n")


@pytest.mark.parametrize(
    ("data", "pieces"),
    [
        (b"", []),
        (b"a\nb\n", [b"a\nb\n"]),
        (b"aa\nbb\ncc\n", [b"aa\nbb\n", b"cc\n"]),
        (b"a long line\nb\nc\nd\n", [b"a long line\n", b"b\nc\nd\n"]),
        (b"a\na long line", [b"a\n", b"a long line"]),
    ],
)
def test_what_is_written_at_once_ends_with_a_line(data: bytes, pieces: list[bytes]) -> None:
    assert list(split_lines(data, 7)) == pieces
