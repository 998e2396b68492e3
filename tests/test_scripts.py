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
KEYS = {"GATEWAY_API_KEYS": "first-key,second-key", "PREDICTOR_API_KEY": "b-key"}
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
    ours = ("SERVICE_A_PORT", "SERVICE_B_PORT", "SERVICE_B_URL", "PYTHON", *KEYS)
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

    def __init__(
        self, folder: Path, *, terminal: bool = False, keys: dict[str, str] | None = None
    ) -> None:
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
                    **(keys or {}),
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
    """The script with both services up, which want keys: for all tests that only talk to them."""
    script = RunningScript(tmp_path_factory.mktemp("services"), keys=KEYS)
    try:
        script.wait_until_up()
        yield script
    finally:
        script.stop()


def test_price_comes_back_when_the_script_has_started_both_services(
    services: RunningScript,
) -> None:
    answer = requests.post(
        f"http://localhost:{services.a_port}/process",
        json={"data": HOUSE},
        headers={"X-API-Key": "second-key"},
        timeout=10,
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
    assert "-H 'X-API-Key: ONE-OF-GATEWAY_API_KEYS'" in output
    assert "first-key" not in output


def test_walkthrough_passes_when_both_services_run(services: RunningScript) -> None:
    result = run(
        TEST,
        "--walkthrough",
        f"http://localhost:{services.a_port}",
        f"http://localhost:{services.b_port}/",
        **KEYS,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert '{"status":"Input logged successfully"}' in result.stdout
    assert result.stdout.endswith("\n9 calls, 0 not as expected\n")


def test_walkthrough_shows_commands_that_send_the_keys(services: RunningScript) -> None:
    urls = [f"http://localhost:{port}" for port in (services.a_port, services.b_port)]
    shown = run(TEST, "--walkthrough", *urls, **KEYS).stdout

    commands = re.findall(r"^\$ (curl .+(?:\n    -.+)*)", shown, re.MULTILINE)
    assert len(commands) == 9
    assert "-key" not in shown
    for command in commands:
        status = run(
            Path("/bin/bash"), "-c", f"{command} -s -o /dev/null -w '%{{http_code}}'", **KEYS
        ).stdout
        assert status in ("200", "422"), command


def test_walkthrough_fails_when_an_answer_is_wrong(services: RunningScript) -> None:
    a_url = f"http://localhost:{services.a_port}"

    result = run(TEST, "--walkthrough", a_url, a_url, **KEYS)  # A cannot answer for B

    assert result.returncode == 1
    assert result.stdout.endswith("\n9 calls, 4 not as expected\n")


def test_walkthrough_says_what_is_missing_when_it_has_no_keys(services: RunningScript) -> None:
    urls = [f"http://localhost:{port}" for port in (services.a_port, services.b_port)]

    result = run(TEST, "--walkthrough", *urls)

    assert result.returncode == 1
    assert '{"detail":"A valid X-API-Key is required"}' in result.stdout
    assert result.stdout.endswith("\n9 calls, 7 not as expected\n")


def test_walkthrough_says_what_to_start_when_service_b_is_down(services: RunningScript) -> None:
    b_url = f"http://localhost:{find_free_port()}"

    result = run(TEST, "--walkthrough", f"http://localhost:{services.a_port}", b_url)

    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == (
        f"test_services.sh: Service B does not answer at {b_url}."
        " Start both services in another terminal: ./run_services.sh\n"
    )


# The last of the tests that share these services.
def test_both_services_stop_when_ctrl_c_is_pressed(services: RunningScript) -> None:
    os.killpg(services.process.pid, signal.SIGINT)

    assert services.process.wait(SECONDS) == 130
    assert not answers(services.a_port)
    assert not answers(services.b_port)


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


OLD_PYTHON = "#!/bin/sh\n[ $1 = --version ] && echo Python 3.9.2\n"  # and fails otherwise


@pytest.mark.parametrize(
    ("python3", "found"), [(None, "not there"), (OLD_PYTHON, "Python 3.9.2")], ids=["none", "old"]
)
def test_what_to_install_is_said_when_there_is_no_suitable_python(
    fresh_copy: Path, python3: str | None, found: str
) -> None:
    commands = provide_commands(fresh_copy.parent, "bash", "cat", "dirname")
    if python3 is not None:
        (commands / "python3").write_text(python3)
        (commands / "python3").chmod(0o755)

    result = run(fresh_copy, PATH=str(commands))

    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert f"no Python 3.11 to 3.14 was found (python3 is {found}). Install one" in line
    assert "PYTHON=/path/to/python3 ./run_services.sh" in line


def test_package_to_install_is_named_when_python_has_no_venv_module(fresh_copy: Path) -> None:
    modules = fresh_copy.parent / "modules"
    modules.mkdir()
    # As Debian leaves it out.
    (modules / "ensurepip.py").write_text("raise ModuleNotFoundError\n")
    commands = provide_commands(fresh_copy.parent, "bash", "cat", "dirname")

    result = run(
        fresh_copy,
        *("--prepare", "requirements.txt", "service_a"),
        PATH=str(commands),
        PYTHON=sys.executable,
        PYTHONPATH=str(modules),
    )

    assert result.returncode == 1
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    [line] = result.stderr.splitlines()
    assert "has no venv module" in line
    assert line.endswith(f"sudo apt install python{version}-venv")


def provide_commands(folder: Path, *names: str) -> Path:
    """Make a folder for the PATH that has these commands and no others, no Python and no uv."""
    commands = folder / "commands"
    commands.mkdir()
    for name in names:
        (commands / name).symlink_to(str(shutil.which(name)))
    return commands


class Install:
    """The script beside a service whose venv exists already, made and filled without uv."""

    def __init__(self, folder: Path) -> None:
        self.lock = folder / "service_a/requirements.txt"
        self.lock.parent.mkdir()
        self.lock.touch()
        self._script = Path(shutil.copy(RUN, folder))
        self._commands = provide_commands(folder, "bash", "cat", "dirname", "grep", "rm", "tail")
        self.first = self.prepare()

    def prepare(self, **environment: str) -> subprocess.CompletedProcess[str]:
        return run(
            self._script,
            *("--prepare", "requirements.txt", "service_a"),
            PATH=str(self._commands),
            PYTHON=sys.executable,
            **environment,
        )


@pytest.fixture(scope="module")
def install(tmp_path_factory: pytest.TempPathFactory) -> Install:
    return Install(tmp_path_factory.mktemp("install"))


def test_pip_installs_when_there_is_no_uv(install: Install) -> None:
    assert install.first.returncode == 0, install.first.stderr
    assert "Making service_a/.venv" in install.first.stdout
    assert (install.lock.parent / ".venv/bin/pip").exists()


def test_venv_is_refreshed_only_when_its_lock_changed(install: Install) -> None:
    install.lock.write_text("# changed\n")

    assert install.prepare().stdout == "Installing the packages of service_a/requirements.txt\n"
    result = install.prepare()
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_failed_install_is_tried_again_when_the_script_starts_again(install: Install) -> None:
    install.lock.write_text("--no-index\nno-such-package==1\n")

    for _ in range(2):
        result = install.prepare()

        assert result.returncode == 1
        assert "no-such-package" in result.stderr  # the installer's own words
        assert result.stderr.endswith(
            "run_services.sh: the packages of service_a/requirements.txt could not be installed;"
            " why stands above, and more in service_a/.venv/install.log.\n"
        )


def test_connection_is_blamed_when_no_index_can_be_reached(install: Install) -> None:
    install.lock.write_text("no-such-package==1\n")

    result = install.prepare(PIP_INDEX_URL=f"http://127.0.0.1:{find_free_port()}", PIP_RETRIES="1")

    assert result.returncode == 1
    reason, line = result.stderr.splitlines()
    assert "Connection refused" in reason
    assert "their index can't be reached. Check the internet connection" in line


@pytest.mark.parametrize("script", [RUN, TEST, ROOT / ".ci/run"], ids=lambda path: path.name)
def test_usage_is_shown_when_asked_for(script: Path) -> None:
    result = run(script, "--help")

    assert result.returncode == 0
    assert result.stdout.startswith("Usage: ")
    assert script.name in result.stdout.splitlines()[0]


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        (RUN, ["--halp"]),
        (TEST, ["--halp"]),
        (TEST, ["--only", "service_c"]),
        (TEST, ["--walkthrough", "http://localhost:8000"]),
        (ROOT / ".ci/run", ["--halp"]),
        (ROOT / ".ci/run", ["tests", "newman"]),
    ],
)
def test_unknown_arguments_are_refused(script: Path, arguments: list[str]) -> None:
    result = run(script, *arguments)

    assert result.returncode == 2
    problem, usage, *_ = result.stderr.splitlines()
    assert problem.partition(": ")[0] in str(script)
    assert usage.startswith("Usage: ")


@pytest.mark.parametrize(
    "program", ["service_a/main.py", "service_b/main.py", "service_a/generate_house.py"]
)
def test_unknown_arguments_are_refused_before_a_program_does_anything(program: str) -> None:
    folder, name = program.split("/")
    result = subprocess.run(
        [".venv/bin/python", name, "--halp"],
        cwd=ROOT / folder,
        env=clean_environment(PORT="none"),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )

    assert result.returncode == 2
    usage, problem = result.stderr.splitlines()
    assert usage.startswith("usage: ")
    assert problem.endswith("unrecognized arguments: --halp")


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
