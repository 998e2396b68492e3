"""`python -m lab` itself."""

import os
import subprocess
import sys

import pytest

from lab.__main__ import main
from tests.running_lab import ROOT


@pytest.mark.parametrize(
    ("command", "usage"),
    [
        ("run", "Usage: python -m lab run\n"),
        ("test", "Usage: python -m lab test\n       python -m lab test --only PART\n"),
        ("run_services.sh", "Usage: ./run_services.sh\n"),
        (
            "test_services.ps1",
            "Usage: .\\test_services.ps1\n       .\\test_services.ps1 -Only PART\n",
        ),
    ],
)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_is_in_the_words_of_the_command_that_was_called(
    command: str, usage: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command, option) == 0
    assert capsys.readouterr().out.startswith(usage)


@pytest.mark.parametrize(("arguments", "status"), [(["--help"], 0), ([], 2), (["start"], 2)])
def test_both_commands_are_explained_when_neither_is_named(
    arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(*arguments) == status
    shown = capsys.readouterr().out
    assert "Usage: python -m lab run\n" in shown
    assert "Usage: python -m lab test\n" in shown


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["run_services.sh", "--halp"], "run_services.sh: unknown argument: --halp"),
        (["run", "--prepare", "x"], "python -m lab run: --prepare needs a lock and a service"),
        (["test_services.ps1", "--only", "x"], "test_services.ps1: there is no part x"),
        (["test_services.sh", "--only"], "test_services.sh: unknown arguments: --only"),
        (["test", "--walkthrough", "x"], "python -m lab test: unknown arguments: --walkthrough x"),
    ],
)
def test_wrong_arguments_are_refused_with_the_usage(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(*arguments) == 2
    first, usage, *_ = capsys.readouterr().err.splitlines()
    assert first == problem
    assert usage.startswith("Usage: ")


def test_nothing_is_said_when_whoever_read_the_output_has_gone() -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "lab", "--help"]
    result = subprocess.run(command, cwd=ROOT, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)

    assert (result.returncode, result.stderr) == (1, b"")
