import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, sys
from predictor.serving.standard_streams import open_closed_streams
open_closed_streams()
print("out")
print("err", file=sys.stderr)
with open(sys.argv[1], "w") as file:
    numbers = [each.fileno() for each in (sys.stdin, sys.stdout, sys.stderr)]
    print(*numbers, all(map(os.get_inheritable, numbers)), file=file)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize("closed", ["", ">&-", "<&- >&-", "<&- >&- 2>&-"])
def test_stream_that_was_closed_leads_nowhere(tmp_path: Path, closed: str) -> None:
    command = f'exec "$0" -c "$1" "$2" {closed}'
    finished = subprocess.run(
        ["sh", "-c", command, sys.executable, PROGRAM, tmp_path / "numbers"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert finished.stdout == ("" if ">&-" in closed.split() else "out\n")
    assert finished.stderr == ("" if "2>&-" in closed else "err\n")
    assert (tmp_path / "numbers").read_text() == "0 1 2 True\n"
