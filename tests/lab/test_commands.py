"""Programs that the test command runs."""

import signal
import sys
from pathlib import Path

import pytest

from lab.commands import Beside, run
from lab.errors import Stopped

HERE = Path()


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


@pytest.mark.parametrize(("status", "passed"), [(0, True), (1, False), (5, False)])
def test_program_passes_when_its_status_is_zero(status: int, passed: bool) -> None:
    assert run(python(f"exit({status})"), HERE) is passed


def test_program_tidies_up_when_the_lab_is_terminated(tmp_path: Path) -> None:
    handler = signal.getsignal(signal.SIGTERM)

    def stop(number: int, _frame: object) -> None:
        raise Stopped(number)

    signal.signal(signal.SIGTERM, stop)
    program = python(
        "import os, pathlib, signal\n"
        "try:\n"
        "    os.kill(os.getppid(), signal.SIGTERM)\n"
        "    signal.pause()\n"
        "finally:\n"
        "    pathlib.Path('tidy').touch()"
    )
    try:
        with pytest.raises(Stopped):
            run(program, tmp_path)
    finally:
        signal.signal(signal.SIGTERM, handler)

    assert (tmp_path / "tidy").exists()


def test_output_of_all_is_shown_at_the_end_and_one_failure_is_a_failure(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with Beside(
        [python("print('one')"), python("exit('two')"), python("print('x' * 99)")], HERE
    ) as beside:
        shown_before = capfd.readouterr().out
        passed = beside.finish()

    assert shown_before == ""
    assert not passed
    assert capfd.readouterr().out.split() == ["one", "two", "x" * 99]


def test_all_pass_when_each_does() -> None:
    with Beside([python("print('x' * 1_000_000)"), python("")], HERE) as beside:
        assert beside.finish()


def test_programs_are_ended_when_the_context_is_left() -> None:
    with Beside([python("import signal; signal.pause()")], HERE) as beside:
        pass

    assert [process.returncode for process in beside.processes] == [-signal.SIGKILL]
