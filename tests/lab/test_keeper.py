"""What keeps a service: its log, its status, and that it ends when it is to end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running_lab import ROOT, WAIT_SECONDS

if sys.platform == "win32":
    pytest.skip("stands in for main.py with a script of POSIX", allow_module_level=True)

STUBBORN = """
import os, signal
signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"no\\n"))
print("up", flush=True)
while True:
    signal.pause()
"""
WITH_CHILD = '''
import subprocess, sys
child = """
import signal
fifo = open({fifo!r}, "w")
print("up", end="", file=fifo, flush=True)
print(flush=True)
signal.pause()
"""
subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE).stdout.readline()
sys.exit(3)
'''
KEEP = """
import sys
from pathlib import Path
from lab.keeper import keep
from lab.output import write_in_any_encoding

write_in_any_encoding()
sys.exit(keep([sys.executable, "-c", sys.argv[1]], Path(), "X | ", float(sys.argv[2])))
"""


def start_keeper(program: str, stop_seconds: float = 10) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", KEEP, program, str(stop_seconds)],
        cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_every_line_has_the_prefix_and_the_status_is_the_services_own() -> None:
    keeper = start_keeper(
        "import os, sys; os.write(1, b'one\\r\\n\\xe2\\x82\\xac\\n\\xff\\nlast'); sys.exit(7)"
    )

    status = keeper.wait(WAIT_SECONDS)
    output, _ = keeper.communicate()
    # What the terminal can't show, and what is no text at all, is escaped.
    assert output == "X | one\nX | \\u20ac\nX | \\xff\nX | last\n"
    assert status == 7


def test_service_gets_time_to_end_when_the_launcher_closes_the_input() -> None:
    keeper = start_keeper(
        "import os, signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b'ending\\n'), sys.exit(0)))\n"
        "print('up', flush=True)\nsignal.pause()"
    )
    assert keeper.stdout
    assert keeper.stdout.readline() == "X | up\n"

    output, _ = keeper.communicate(timeout=WAIT_SECONDS)

    assert (output, keeper.returncode) == ("X | ending\n", 0)


def test_service_is_killed_when_it_does_not_end_in_time() -> None:
    keeper = start_keeper(STUBBORN, stop_seconds=0.2)
    assert keeper.stdout
    assert keeper.stdout.readline() == "X | up\n"

    output, _ = keeper.communicate(timeout=WAIT_SECONDS)

    assert (output, keeper.returncode) == ("X | no\n", 128 + signal.SIGKILL)


def test_what_a_service_started_ends_with_it(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    keeper = start_keeper(WITH_CHILD.format(fifo=str(fifo)))

    with fifo.open() as written_by_child:
        assert written_by_child.read() == "up"  # it ends with the last process that could write

    assert keeper.wait(WAIT_SECONDS) == 3
    keeper.communicate()
