"""What signals do to the lab."""

import subprocess
import sys

import pytest

from tests.running_lab import ROOT

if sys.platform == "win32":
    pytest.skip("Windows has no such signals", allow_module_level=True)

PROGRAM = """
import os, signal, sys
from lab.errors import Stopped
from lab.stop_signals import ignore_signals, raise_stopped_on_signals

# Whatever started the tests may have ignored it.
signal.signal(signal.SIGHUP, signal.SIG_IGN if sys.argv[2] == "nohup" else signal.SIG_DFL)
raise_stopped_on_signals()
if sys.argv[2] == "at the end":
    ignore_signals()
try:
    os.kill(os.getpid(), getattr(signal, sys.argv[1]))
    print("goes on")
except Exception:
    print("swallowed")
except Stopped as stopped:
    print("stopped by", stopped.number)
"""


@pytest.mark.parametrize(
    ("name", "when", "outcome"),
    [
        ("SIGINT", "", "stopped by 2"),
        ("SIGTERM", "", "stopped by 15"),
        ("SIGHUP", "", "stopped by 1"),
        ("SIGHUP", "nohup", "goes on"),
        ("SIGTERM", "nohup", "stopped by 15"),
        ("SIGINT", "at the end", "goes on"),
    ],
)
def test_signal_stops_the_lab_unless_it_is_ignored(name: str, when: str, outcome: str) -> None:
    command = [sys.executable, "-c", PROGRAM, name, when]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert result.stdout == f"{outcome}\n"
