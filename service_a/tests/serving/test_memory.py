"""What becomes of freed memory, in a process of its own."""

import platform
import subprocess
import sys

import pytest

from gateway.settings import SERVICE_FOLDER

_SCRIPT = """
import sys
from pathlib import Path
from gateway.serving.memory import return_large_blocks

def read_mib():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024

if sys.argv[1] == "returned":
    return_large_blocks()
bytes(2 * 1024 * 1024)  # once it is freed, the C library keeps blocks of this size
before = read_mib()
# Something small behind each large block keeps the heap from shrinking.
blocks = [(b"x" * 1024 * 1024, b"x" * 1024 * number) for number in range(1, 41)]
small = [each for _, each in blocks]
del blocks
print(read_mib() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the GNU C library keeps them")
@pytest.mark.parametrize(("how", "least", "most"), [("returned", -1, 6), ("kept", 30, 50)])
def test_large_blocks_go_back_to_the_system_when_they_are_freed(
    how: str, least: float, most: float
) -> None:
    command = [sys.executable, "-c", _SCRIPT, how]
    mib = float(subprocess.check_output(command, cwd=SERVICE_FOLDER, text=True))

    assert least < mib < most
