"""The command as users run it; where it does more than read arguments, as a real process."""

import os
import signal
import socket
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from predictor.settings import SERVICE_FOLDER
from training.__main__ import main
from training.workspace import Workspace

# Nothing is downloaded.
PROXY = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "", "no_proxy": ""}


def start(*arguments: str | Path, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "training", *map(str, arguments)],
        cwd=SERVICE_FOLDER,
        env={**os.environ, **PROXY, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*arguments: str | Path, **variables: str) -> tuple[int, str, list[str]]:
    with start(*arguments, **variables) as process:
        out, err = process.communicate(timeout=300)
    return process.returncode, out, err.splitlines()


def test_help_explains_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    printed = capsys.readouterr().out
    for word in (
        "ames",
        "california",
        "promote",
        "rollback",
        "list",
        "compare",
        "watch",
        "reproduce",
    ):
        assert word in printed
    with pytest.raises(SystemExit, match="0"):
        main(["ames", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    steps = "download, prepare, split, relate, select, tune, evaluate, register"
    for word in (steps, "--steps STEP"):
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
        ["ames", "--seed", "9" * 5000],
        ["ames", "--splits", "1000000000"],
        ["ames", "--trials", "1e3"],
        ["ames", "--jobs", ""],
        ["ames", "--mlflow", ""],
        ["ames", "--steps", "tune,bake"],
        ["ames", "--steps", ""],
        ["promote", "ames"],
        ["watch", "ames"],
        ["ames", "--since", "yesterday"],
        ["market"],
        ["market", "--to", "http://localhost", "--inflation", "-1"],
        ["market", "--to", "http://localhost", "--shift", "gr_liv_area=much"],
        ["market", "--to", "http://localhost", "--rows", "0"],
        ["compare", "ames", "1"],
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
        (["--data", __file__], "test_main.py is not the AmesHousing.txt"),
        ([], "(ProxyError; see HTTPS_PROXY); give a local copy with --data FILE"),
    ],
)
def test_missing_data_ends_in_one_line_and_registers_nothing(
    tmp_path: Path,
    data: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in PROXY.items():
        monkeypatch.setenv(name, value)
    models = tmp_path / "models"
    assert main(["ames", *data, "--models", str(models), "--work", str(tmp_path / "work")]) == 1
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith("error: ")
    assert message in told
    assert not models.exists()


def test_version_is_not_made_again_without_its_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--data", "none.txt", "--work", str(tmp_path)]
    assert main(["reproduce", "ames", "1", *options]) == 1
    assert capsys.readouterr().err == "error: cannot read none.txt: No such file or directory\n"


def test_step_without_the_results_that_it_needs_is_a_clear_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--steps", "tune,evaluate", "--trials", "3", "--work", str(tmp_path)]
    assert main(["ames", *options]) == 1
    told = "error: prepare needs the artifact of download, which is missing; run --steps download"
    assert capsys.readouterr().err.startswith(told)


def test_folder_that_cannot_be_made_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.touch()
    assert main(["ames", "--work", str(file / "work")]) == 1
    (told,) = capsys.readouterr().err.splitlines()
    assert str(file) in told


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to one process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_ends_in_one_line_and_registers_nothing(
    tmp_path: Path, number: signal.Signals
) -> None:
    models, work = tmp_path / "models", tmp_path / "work"
    # A proxy that takes the connection and never answers holds the download for as long as needed.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(300)
        proxy = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with start("ames", "--models", models, "--work", work, HTTPS_PROXY=proxy) as process:
            connection, _ = silent.accept()
            # It is this process that has come here, and it waits for the answer.
            assert connection.recv(7) == b"CONNECT"
            process.send_signal(number)
            _, err = process.communicate(timeout=300)
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


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to one process")
def test_interrupt_while_python_still_imports_ends_in_one_line(tmp_path: Path) -> None:
    # It comes before the real one, and its import takes as long as needed.
    (tmp_path / "joblib.py").write_text(
        "import sys; print('imports', flush=True); sys.stdin.read()", encoding="utf-8"
    )
    with start("list", PYTHONPATH=str(tmp_path)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "imports\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert err.splitlines() == ["error: interrupted; what was finished is kept"]


class Output:
    """Stands for the output that a process has: bytes, in any encoding."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._written = BytesIO()

    def encode(self, encoding: str) -> None:
        self._monkeypatch.setattr(sys, "stdout", TextIOWrapper(self._written, encoding=encoding))

    def read(self) -> bytes:
        return self._written.getvalue()


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Output:
    return Output(monkeypatch)


@pytest.mark.parametrize("encoding", ["cp932", "ascii", "utf-8"])
@pytest.mark.parametrize(
    "arguments",
    [["list"], ["show", "ames"], ["compare", "ames", "1", "1"]],
    ids=" ".join,
)
def test_figures_are_written_in_any_encoding(
    arguments: list[str], encoding: str, output: Output
) -> None:
    output.encode(encoding)
    assert main(arguments) == 0
    label = "R²" if encoding == "utf-8" else r"R\xb2"
    assert label in output.read().decode(encoding)


def test_help_is_written_in_any_encoding(output: Output) -> None:
    output.encode("ascii")
    with pytest.raises(SystemExit, match="0"):
        main(["ames", "--help"])
    assert rb"--steps STEP,\u2026" in output.read()


def test_name_that_is_no_text_is_written_nevertheless(
    tmp_path: Path, output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    output.encode("utf-8")
    odd = os.fsdecode(b"\xff")
    assert main(["list", "ames", "--models", str(tmp_path / odd)]) == 1
    assert capsys.readouterr().err.endswith("\\udcff\n")


def test_closed_pipe_ends_the_command_quietly() -> None:
    with start("show", "ames") as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_full_disk_under_the_output_is_a_clear_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["list"]) == 1
    told = capsys.readouterr().err
    assert told == "error: cannot write output: No space left on device\n"


def test_closed_output_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["list"]) == 0
    sys.stdout.close()
    sys.stderr.close()


@pytest.fixture
def no_other_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests of this process may have set some of MLflow's."""
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("no_other_variable")
def test_variable_that_a_library_cannot_import_with_is_named_in_one_line() -> None:
    status, _, err = run("list", SKLEARN_WORKING_MEMORY="much")
    assert status == 1
    assert err == [
        "error: SKLEARN_WORKING_MEMORY: its value can't be used (ValueError); mend or unset it"
    ]


@pytest.mark.usefixtures("no_other_variable")
@pytest.mark.parametrize("value", ["all", "1.5", ""])
def test_variable_that_a_library_cannot_use_is_named_in_one_line(
    value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", value)
    monkeypatch.setenv("LOKY_OTHER", "1")  # no part of "base 10"
    assert main(["list"]) == 1
    assert capsys.readouterr().err == (
        "error: LOKY_MAX_CPU_COUNT: its value can't be used (ValueError); mend or unset it\n"
    )


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("HTTPS_PROXY", "http://[", "InvalidURL"),
        ("ALL_PROXY", "gopher://localhost", "InvalidURL"),
        ("REQUESTS_CA_BUNDLE", "nowhere", "OSError"),
    ],
)
def test_variable_that_spoils_the_download_is_named_in_one_line(
    name: str,
    value: str,
    error: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for each in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(each, raising=False)
    for each in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSLKEYLOGFILE"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, value)
    assert main(["ames", "--work", str(tmp_path)]) == 1
    (told,) = capsys.readouterr().err.splitlines()
    assert told.endswith(f"({error}; see {name}); give a local copy with --data FILE")


def test_training_is_refused_where_another_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Workspace(tmp_path / "ames").lock():
        assert main(["ames", "--work", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        f"error: another training works in {tmp_path / 'ames'}; "
        "wait for its end, or give --work DIR\n"
    )
