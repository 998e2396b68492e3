"""The command as users run it; where it does more than read arguments, as a real process."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from predictor.settings import SERVICE_FOLDER
from training.__main__ import main


def start(*arguments: str | Path, proxy: str = "http://127.0.0.1:9") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "training", *map(str, arguments)],
        cwd=SERVICE_FOLDER,
        env={**os.environ, "HTTPS_PROXY": proxy, "NO_PROXY": "", "no_proxy": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*arguments: str | Path) -> tuple[int, str, list[str]]:
    with start(*arguments) as process:
        out, err = process.communicate(timeout=60)
    return process.returncode, out, err.splitlines()


def test_help_explains_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    printed = capsys.readouterr().out
    for word in ("ames", "california", "promote", "rollback", "list", "compare", "reproduce"):
        assert word in printed
    with pytest.raises(SystemExit, match="0"):
        main(["ames", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    for word in ("download, prepare, split, select, tune, evaluate, register", "--steps STEP"):
        assert word in printed
    for word in ("--data FILE", "--models DIR", "--work DIR", "--trials N", "--seed N"):
        assert word in printed


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nobody"],
        ["ames", "--seed", "-1"],
        ["ames", "--seed", "x"],
        ["ames", "--seed=4294967296"],
        ["ames", "--steps", "tune,bake"],
        ["promote", "ames"],
    ],
)
def test_wrong_arguments_are_refused_in_one_line_after_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("usage: python -m training")
    assert lines[-1].startswith("python -m training")
    assert ": error: " in lines[-1]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (["--data", "none.txt"], "cannot read none.txt: No such file or directory"),
        (["--data", "requirements.in"], "requirements.in is not the AmesHousing.txt"),
        ([], "give a local copy with --data FILE"),
    ],
)
def test_missing_data_ends_in_one_line_and_registers_nothing(
    tmp_path: Path, data: list[str], message: str
) -> None:
    models = tmp_path / "models"
    status, _, err = run("ames", *data, "--models", models, "--work", tmp_path / "work")
    assert status == 1
    assert len(err) == 1
    assert err[0].startswith("error: ")
    assert message in err[0]
    assert not models.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to one process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_ends_in_one_line_and_registers_nothing(
    tmp_path: Path, number: signal.Signals
) -> None:
    models, work = tmp_path / "models", tmp_path / "work"
    # A proxy that takes the connection and never answers holds the download for as long as needed.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        proxy = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with start("ames", "--models", models, "--work", work, proxy=proxy) as process:
            connection, _ = silent.accept()
            # It is this process that has come here, and it waits for the answer.
            assert connection.recv(7) == b"CONNECT"
            process.send_signal(number)
            _, err = process.communicate(timeout=60)
            connection.close()
    assert process.returncode == 130
    assert err.strip().splitlines() == ["error: interrupted; what was finished is kept"]
    assert not models.exists()
    assert [file for file in work.rglob("*") if file.is_file()] == []


@pytest.mark.parametrize("option", ["--trials", "--jobs"])
def test_none_at_all_is_a_clear_error(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["ames", option, "0"])
    assert f"argument {option}: must be at least 1" in capsys.readouterr().err
