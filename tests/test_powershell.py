"""The PowerShell scripts as a user runs them, and the documents' PowerShell blocks.

They are run where PWSH names a PowerShell 7, as `.ci/run powershell` has it.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documentation.powershell import write_script
from tests.documentation.reader import Reader
from tests.running_lab import ROOT, find_free_port
from tests.running_script import KEYS, SECONDS, RunningScript, run

PWSH = os.environ.get("PWSH", "")
if not PWSH:
    pytest.skip("PWSH names no PowerShell", allow_module_level=True)

RUN = ROOT / "run_services.ps1"
TEST = ROOT / "test_services.ps1"
SCRIPTS = [RUN, TEST, ROOT / "lab/find_python.ps1"]


def script(path: Path, *arguments: str) -> list[str | Path]:
    return [PWSH, "-NoProfile", "-NonInteractive", "-File", path, *arguments]


def type_in(command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return run(PWSH, "-NoProfile", "-NonInteractive", "-Command", command, **environment)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningScript]:
    """The script with both services up, which want keys."""
    folder = tmp_path_factory.mktemp("services")
    running = RunningScript(folder, command=script(RUN), environment=KEYS)
    try:
        running.wait_until_up()
        yield running
    finally:
        running.stop()


def test_command_that_the_start_shows_brings_a_price(services: RunningScript) -> None:
    # A line of a log may follow the command.
    after = services.read_output().partition("Try it in a second window:\n\n")[2]
    shown = after.partition("\n\n")[0].strip()
    command = shown.replace("ONE-OF-GATEWAY_API_KEYS", "second-key")

    answer = json.loads(type_in(write_script(command)).stdout)

    assert "'ONE-OF-GATEWAY_API_KEYS'" in shown
    assert answer["model_prediction"]["prediction"]["price"] > 0


def test_walkthrough_passes_and_shows_commands_that_work(services: RunningScript) -> None:
    urls = [f"http://localhost:{port}" for port in (services.a_port, services.b_port)]

    result = run(*script(TEST, "-Walkthrough", "-AUrl", urls[0], "-BUrl", urls[1]), **KEYS)

    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.endswith("\n9 calls, 0 not as expected\n")
    assert "-key" not in result.stdout
    commands = re.findall(r"^> (Invoke-RestMethod .+(?:\n    -.+)*)", result.stdout, re.MULTILINE)
    answers = re.findall(r"^(\{.*?\})\n\(status", result.stdout, re.MULTILINE | re.DOTALL)
    assert len(commands) == len(answers) == 9
    for command, answer in zip(commands, answers, strict=True):
        assert json.loads(type_in(write_script(command), **KEYS).stdout) == json.loads(answer)


# The last of the tests that share these services.
def test_both_services_stop_when_ctrl_c_is_pressed(services: RunningScript) -> None:
    os.killpg(services.process.pid, signal.SIGINT)

    services.process.wait(SECONDS)
    services.wait_until_ports_are_free()
    assert "Stopping both services" in services.read_output()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["TERM", "KILL"])
def test_both_services_stop_when_powershell_is_ended(
    tmp_path: Path, number: signal.Signals
) -> None:
    running = RunningScript(tmp_path, command=script(RUN))
    try:
        running.wait_until_up()
    finally:
        running.process.send_signal(number)

    assert running.process.wait(SECONDS) == -number or 128 + number
    running.wait_until_ports_are_free()


def test_part_that_is_asked_for_is_run_alone() -> None:
    result = run(*script(TEST, "-Only", "walkthrough"))

    assert result.returncode == 0, result.stdout + result.stderr
    summary = result.stdout.partition("\n==== Summary\n")[2].splitlines()
    assert [line.split()[0] for line in summary] == ["passed", "passed"]
    assert [line.split("s  ")[1] for line in summary] == ["walkthrough: packages", "walkthrough"]


@pytest.mark.parametrize(
    ("command", "status", "problem"),
    [
        (script(RUN, "-Halp"), 1, "A parameter cannot be found that matches parameter name 'Halp'"),
        (script(TEST, "-Only", "service_c"), 1, "service_a,service_b,system,walkthrough"),
        (script(TEST, "service_a"), 1, "A positional parameter cannot be found"),
        (script(RUN, "-Prepare", "no.txt"), 1, "no.txt does not exist."),
        (script(TEST, "-Walkthrough", "-BUrl", "http://localhost:1"), 1, "does not answer at"),
        (
            script(TEST, "-CheckB", "http://localhost:1"),
            1,
            "nothing answers at http://localhost:1:",
        ),
        (script(TEST, "-CheckB", "x", "-InputFile", "no.json"), 1, "test_services.ps1: no.json: "),
    ],
)
def test_wrong_arguments_are_refused(command: list[str | Path], status: int, problem: str) -> None:
    result = run(*command)

    assert result.returncode == status
    assert problem in result.stderr


@pytest.mark.parametrize("path", [RUN, TEST], ids=lambda path: path.name)
def test_usage_is_shown_when_asked_for(path: Path) -> None:
    result = run(*script(path, "-Help"))

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"Usage: .\\{path.name}\n")


def test_venvs_are_prepared_for_both_services_unless_some_are_named() -> None:
    assert run(*script(RUN, "-Prepare", "requirements.txt")).returncode == 0
    result = run(
        *(PWSH, "-NoProfile", "-Command"),
        f"& '{RUN}' -Prepare requirements-dev.txt -Services service_a, nothing; exit $LASTEXITCODE",
    )

    assert result.returncode == 1
    assert result.stderr.endswith(
        "run_services.ps1: nothing/requirements-dev.txt does not exist.\n"
    )


def test_taken_port_is_named_with_what_to_type_instead() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run(*script(RUN), SERVICE_A_PORT=str(port), SERVICE_B_PORT=str(find_free_port()))

    assert result.returncode == 1
    assert f"run_services.ps1: port {port}, for Service A, cannot be used" in result.stderr
    assert r"'; .\run_services.ps1" in result.stderr


def test_start_is_refused_when_the_chosen_python_is_none() -> None:
    result = run(*script(RUN), PYTHON="no-such-python")

    assert result.returncode == 1
    assert result.stderr == (
        "run_services.ps1: PYTHON=no-such-python is not a Python 3.11 to 3.14.\n"
    )


def test_what_to_install_is_said_when_there_is_no_suitable_python(tmp_path: Path) -> None:
    for name in ("bash", "dirname", "readlink"):  # pwsh may be a script that needs them
        (tmp_path / name).symlink_to(str(shutil.which(name)))

    result = run(*script(RUN), PATH=str(tmp_path), PYTHON="")

    assert result.returncode == 1
    assert result.stderr.startswith("run_services.ps1: no Python 3.11 to 3.14 was found")


def test_every_answer_is_as_shown_when_the_powershell_blocks_are_typed(tmp_path: Path) -> None:
    document = ROOT / "docs/walkthrough.md"
    reader = Reader(document, tmp_path, PWSH)
    try:
        reader.follow()
    finally:
        reader.leave()

    print(reader.log)  # noqa: T201 - pytest shows it only for a failure
    assert not reader.problems, "\n".join(reader.problems)
    blocks = document.read_text(encoding="utf-8").count("```powershell\n")
    assert reader.counts["PowerShell blocks run"] == blocks > 0


# ---- What Windows PowerShell 5.1 lacks, in the eyes of PowerShell's own parser

FIND_PROBLEMS = r"""
param([string]$Path)
$errors = $null
$tokens = $null
$tree = [Management.Automation.Language.Parser]::ParseFile($Path, [ref]$tokens, [ref]$errors)
foreach ($each in $errors) { "does not parse: $($each.Message)" }

$operators = 'AndAnd', 'OrOr', 'QuestionMark', 'QuestionDot', 'QuestionLBracket',
    'QuestionQuestion', 'QuestionQuestionEquals'
foreach ($each in $tokens) { if ($operators -contains $each.Kind) { "operator $($each.Text)" } }

$variables = 'IsWindows', 'IsLinux', 'IsMacOS', 'IsCoreCLR'
$parameters = 'SkipHttpErrorCheck', 'Environment', 'Parallel', 'AsHashtable', 'NoProxy'
foreach ($each in $tree.FindAll({ $true }, $true)) {
    if ($each -is [Management.Automation.Language.VariableExpressionAst]) {
        if ($variables -contains $each.VariablePath.UserPath) { "variable $each" }
    }
    if ($each -isnot [Management.Automation.Language.CommandAst]) { continue }
    $given = @($each.CommandElements | ForEach-Object { $_.ParameterName })
    $name = $each.GetCommandName()
    foreach ($one in $parameters) { if ($given -contains $one) { "parameter -$one of $name" } }
    if ($name -eq 'Invoke-WebRequest' -and $given -notcontains 'UseBasicParsing') {
        'Invoke-WebRequest without -UseBasicParsing'
    }
}
"""


def find_problems(path: Path, folder: Path) -> list[str]:
    (folder / "find_problems.ps1").write_text(FIND_PROBLEMS)
    result = run(*script(folder / "find_problems.ps1", str(path)))
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.splitlines()


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_script_uses_nothing_that_windows_powershell_lacks(path: Path, tmp_path: Path) -> None:
    assert find_problems(path, tmp_path) == []


def test_whatever_windows_powershell_lacks_is_found(tmp_path: Path) -> None:
    (tmp_path / "new.ps1").write_text(
        "a && b\na || b\n$x = $y ? 1 : 2\n$x = $y ?? 1\n$x ??= 1\n${x}?.y\n${x}?[0]\n"
        "if ($IsWindows) { }\n"
        "Invoke-RestMethod -SkipHttpErrorCheck http://localhost\n"
        "Start-Process x -Environment @{}\n"
        "Invoke-WebRequest http://localhost\n"
        "Invoke-WebRequest -UseBasicParsing http://localhost\n"
    )
    assert find_problems(tmp_path / "new.ps1", tmp_path) == [
        "operator &&",
        "operator ||",
        "operator ?",
        "operator ??",
        "operator ??=",
        "operator ?.",
        "operator ?[",
        "variable $IsWindows",
        "parameter -SkipHttpErrorCheck of Invoke-RestMethod",
        "parameter -Environment of Start-Process",
        "Invoke-WebRequest without -UseBasicParsing",
    ]
    (tmp_path / "broken.ps1").write_text("if (")
    assert any(
        problem.startswith("does not parse")
        for problem in find_problems(tmp_path / "broken.ps1", tmp_path)
    )
