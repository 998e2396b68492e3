"""`run_services.sh` and `test_services.sh` as a user runs them, and the syntax of their twins."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
import tree_sitter
import tree_sitter_powershell

from tests.lab import ROOT, find_free_port

if sys.platform == "win32":
    pytest.skip("the scripts need bash", allow_module_level=True)

RUN = ROOT / "run_services.sh"
TEST = ROOT / "test_services.sh"
SECONDS = 60
HOUSE = {"overall_qual": 7, "gr_liv_area": 1710, "year_built": 2003, "neighborhood": "CollgCr"}


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not in {SECONDS} s: {what}"
        time.sleep(0.05)


def answers(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def clean_environment(**changes: str) -> dict[str, str]:
    ours = ("SERVICE_A_PORT", "SERVICE_B_PORT", "SERVICE_B_URL", "PYTHON")
    return {name: value for name, value in os.environ.items() if name not in ours} | changes


def run(script: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script to its end, in a folder that isn't its own."""
    return subprocess.run(
        [script, *arguments],
        cwd="/",
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


class RunningScript:
    """`run_services.sh` on free ports, in a process group of its own, its output in a file."""

    def __init__(self, folder: Path, *, terminal: bool = False) -> None:
        self.a_port = find_free_port()
        self.b_port = find_free_port()
        self._output = folder / "output"
        in_terminal = [sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])"]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [*(in_terminal if terminal else []), str(RUN)],
                cwd="/",
                env=clean_environment(
                    SERVICE_A_PORT=str(self.a_port),
                    SERVICE_B_PORT=str(self.b_port),
                    INPUT_LOG_URL=f"sqlite:///{folder / 'inputs.db'}",
                ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # Ctrl-C has no effect on what was started while it was ignored.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )

    def read_output(self) -> str:
        return self._output.read_text(errors="replace")

    def wait_until_up(self) -> None:
        def is_up() -> bool:
            assert self.process.poll() is None, self.read_output()
            return "Both services are up" in self.read_output()

        wait_until(is_up, "both services up")

    def wait_until_ports_are_free(self) -> None:
        wait_until(lambda: not answers(self.a_port) and not answers(self.b_port), "both ports free")

    def find_service(self, letter: str) -> int:
        """Return the process id of a service: the child of what copies its log."""
        columns = ["-o", "pid=", "-o", "ppid=", "-o", "command="]
        table = subprocess.run(
            ["ps", "-A", "-ww", *columns], capture_output=True, text=True, check=True
        ).stdout
        rows = [line.split(maxsplit=2) for line in table.splitlines()]
        [copies_log] = [
            pid
            for pid, parent, *command in rows
            if parent == str(self.process.pid) and "".join(command).rstrip().endswith(f"{letter} |")
        ]
        [service] = [int(pid) for pid, parent, *_ in rows if parent == copies_log]
        return service

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(SECONDS)


@pytest.fixture
def script(tmp_path: Path) -> Iterator[RunningScript]:
    """The script with both services up, for a test that ends it in its own way."""
    script = RunningScript(tmp_path)
    try:
        script.wait_until_up()
        yield script
    finally:
        script.stop()


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningScript]:
    """The script with both services up, for all tests that only talk to them."""
    script = RunningScript(tmp_path_factory.mktemp("services"))
    try:
        script.wait_until_up()
        yield script
    finally:
        script.stop()


def test_price_comes_back_when_the_script_has_started_both_services(
    services: RunningScript,
) -> None:
    answer = requests.post(
        f"http://localhost:{services.a_port}/process", json={"data": HOUSE}, timeout=10
    )

    assert answer.status_code == 200
    assert answer.json()["model_prediction"]["prediction"]["price"] > 0


def test_both_logs_have_a_plain_prefix_when_output_is_no_terminal(services: RunningScript) -> None:
    output = services.read_output()

    assert {"A | ", "B | "} <= {line[:4] for line in output.splitlines()}
    assert "\033" not in output


def test_urls_are_shown_when_both_services_are_up(services: RunningScript) -> None:
    output = services.read_output()

    assert f"http://localhost:{services.a_port}/docs" in output
    assert f"http://localhost:{services.b_port}/docs" in output
    assert f"curl -X POST http://localhost:{services.a_port}/process" in output


def test_walkthrough_passes_when_both_services_run(services: RunningScript) -> None:
    result = run(
        TEST,
        "--walkthrough",
        f"http://localhost:{services.a_port}",
        f"http://localhost:{services.b_port}/",
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert '{"status":"Input logged successfully"}' in result.stdout
    assert result.stdout.endswith("\n9 calls, 0 not as expected\n")


def test_walkthrough_fails_when_an_answer_is_wrong(services: RunningScript) -> None:
    a_url = f"http://localhost:{services.a_port}"

    result = run(TEST, "--walkthrough", a_url, a_url)  # A cannot answer for B

    assert result.returncode == 1
    assert result.stdout.endswith("\n9 calls, 4 not as expected\n")


def test_walkthrough_says_what_to_start_when_service_b_is_down(services: RunningScript) -> None:
    b_url = f"http://localhost:{find_free_port()}"

    result = run(TEST, "--walkthrough", f"http://localhost:{services.a_port}", b_url)

    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == (
        f"test_services.sh: Service B does not answer at {b_url}."
        " Start both services in another terminal: ./run_services.sh\n"
    )


def test_both_services_stop_when_ctrl_c_is_pressed(script: RunningScript) -> None:
    os.killpg(script.process.pid, signal.SIGINT)

    assert script.process.wait(SECONDS) == 130
    assert not answers(script.a_port)
    assert not answers(script.b_port)


def test_both_services_stop_when_the_script_is_terminated(script: RunningScript) -> None:
    script.process.terminate()

    assert script.process.wait(SECONDS) == 143
    assert not answers(script.a_port)
    assert not answers(script.b_port)


def test_both_services_stop_when_the_script_is_killed(script: RunningScript) -> None:
    script.process.kill()

    script.wait_until_ports_are_free()


def test_both_services_stop_when_the_terminal_is_closed(tmp_path: Path) -> None:
    script = RunningScript(tmp_path, terminal=True)
    try:
        script.wait_until_up()
        assert "\033[35mB | \033[0m" in script.read_output()
    finally:
        script.process.kill()  # the process that holds the terminal
        script.process.wait()

    script.wait_until_ports_are_free()


@pytest.mark.parametrize("letter", ["A", "B"])
def test_dead_service_is_named_and_the_other_stopped_when_one_dies(
    script: RunningScript, letter: str
) -> None:
    os.kill(script.find_service(letter), signal.SIGKILL)

    assert script.process.wait(SECONDS) == 1
    assert f"Service {letter} ended with status 137 (signal 9)" in script.read_output()
    assert not answers(script.a_port)
    assert not answers(script.b_port)


def test_start_gives_up_when_service_b_has_no_model(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns(".venv", "models", "tests", "training")
    shutil.copytree(ROOT / "service_b", tmp_path / "service_b", ignore=ignored)
    (tmp_path / "service_b/.venv").symlink_to(ROOT / "service_b/.venv")
    (tmp_path / "service_a").symlink_to(ROOT / "service_a")
    script = Path(shutil.copy(RUN, tmp_path))

    result = run(
        script,
        SERVICE_A_PORT=str(find_free_port()),
        SERVICE_B_PORT=str(find_free_port()),
        START_TIMEOUT_SECONDS="6",
    )

    assert result.returncode == 1
    assert "\nB | " in result.stdout
    assert result.stderr.startswith("run_services.sh: Service B runs but has no model after 6 s")


@pytest.fixture
def fresh_copy(tmp_path: Path) -> Path:
    """The script beside two services that were never installed and need no package."""
    for service in ("service_a", "service_b"):
        (tmp_path / service).mkdir()
        (tmp_path / service / "requirements.txt").touch()
    return Path(shutil.copy(RUN, tmp_path))


@pytest.mark.parametrize("service", ["A", "B"])
def test_taken_port_is_named_before_anything_is_installed(fresh_copy: Path, service: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ports = {
            "SERVICE_A_PORT": str(find_free_port()),
            "SERVICE_B_PORT": str(find_free_port()),
            f"SERVICE_{service}_PORT": port,
        }
        result = run(fresh_copy, **ports)

    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert f"port {port}, for Service {service}, cannot be used" in line
    assert f"SERVICE_{service}_PORT=" in line
    assert not (fresh_copy.parent / "service_b/.venv").exists()


@pytest.mark.parametrize("value", ["0", "65536", "http", "80a", "-1", "1e3"])
def test_start_is_refused_when_a_port_is_not_a_port(value: str) -> None:
    result = run(RUN, SERVICE_B_PORT=value)

    assert result.returncode == 1
    assert result.stderr == (
        f"run_services.sh: SERVICE_B_PORT={value} is not a port;"
        " it must be a number from 1 to 65535.\n"
    )


def test_start_is_refused_when_both_ports_are_the_same() -> None:
    result = run(RUN, SERVICE_B_PORT="8000")

    assert result.returncode == 1
    assert "both 8000" in result.stderr


def test_start_is_refused_when_the_chosen_python_is_none() -> None:
    result = run(RUN, PYTHON="no-such-python")

    assert result.returncode == 1
    assert result.stderr == (
        "run_services.sh: PYTHON=no-such-python is not a Python 3.11 to 3.14.\n"
    )


def test_venv_is_refreshed_only_when_its_lock_changed(fresh_copy: Path) -> None:
    lock = fresh_copy.parent / "service_a/requirements.txt"

    def prepare() -> str:
        result = run(fresh_copy, "--prepare", lock.name, "service_a", PYTHON=sys.executable)
        assert result.returncode == 0, result.stderr
        return result.stdout

    assert "Making service_a/.venv" in prepare()
    assert prepare() == ""
    lock.write_text("# changed\n")
    assert prepare() == "Installing the packages of service_a/requirements.txt\n"
    assert prepare() == ""


def test_pip_installs_when_there_is_no_uv(fresh_copy: Path) -> None:
    commands = fresh_copy.parent / "commands"
    commands.mkdir()
    for command in ("bash", "cat", "dirname", "rm"):
        (commands / command).symlink_to(str(shutil.which(command)))

    result = run(
        fresh_copy,
        "--prepare",
        "requirements.txt",
        "service_a",
        PATH=str(commands),
        PYTHON=sys.executable,
    )

    assert result.returncode == 0, result.stderr
    assert (fresh_copy.parent / "service_a/.venv/bin/pip").exists()


def test_failed_install_is_tried_again_when_the_script_starts_again(fresh_copy: Path) -> None:
    lock = fresh_copy.parent / "service_a/requirements.txt"
    lock.write_text("--no-index\nno-such-package==1\n")

    for _ in range(2):
        result = run(fresh_copy, "--prepare", lock.name, "service_a", PYTHON=sys.executable)

        assert result.returncode == 1
        assert "no-such-package" in result.stderr  # the installer's own words
        assert result.stderr.endswith(
            "run_services.sh: the packages of service_a/requirements.txt could not be installed."
            " Check the internet connection, then start again.\n"
        )


@pytest.mark.parametrize("script", [RUN, TEST])
def test_usage_is_shown_when_asked_for(script: Path) -> None:
    result = run(script, "--help")

    assert result.returncode == 0
    assert result.stdout.startswith(f"Usage: ./{script.name}\n")


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        (RUN, ["--halp"]),
        (TEST, ["--halp"]),
        (TEST, ["--only", "service_c"]),
        (TEST, ["--walkthrough", "http://localhost:8000"]),
    ],
)
def test_unknown_arguments_are_refused(script: Path, arguments: list[str]) -> None:
    result = run(script, *arguments)

    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "--help" in result.stderr


@pytest.mark.parametrize("name", ["run_services.ps1", "test_services.ps1"])
def test_powershell_script_parses(name: str) -> None:
    source = (ROOT / name).read_bytes()
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))

    tree = parser.parse(source)

    assert not tree.root_node.has_error
    assert source.isascii()  # Windows PowerShell 5.1 reads other characters in the local code page


@pytest.mark.parametrize(
    ("in_bash", "in_powershell"),
    [
        (r'^    (?:get|post) "(.+?)"', r"^    Invoke-Call '(.+?)'"),
        (r'^    step "(?:\$service: )?(.+?)"', r"Invoke-Step ['\"](?:\$\{Service\}: )?(.+?)['\"] "),
    ],
    ids=["calls", "steps"],
)
def test_powershell_script_has_the_same_calls_and_steps(in_bash: str, in_powershell: str) -> None:
    steps = re.findall(in_bash, TEST.read_text(), re.MULTILINE)

    assert steps
    assert re.findall(in_powershell, TEST.with_suffix(".ps1").read_text(), re.MULTILINE) == steps
