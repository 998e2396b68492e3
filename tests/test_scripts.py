"""`run_services.sh` and `test_services.sh` as a user runs them."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.running_lab import ROOT, find_free_port
from tests.running_script import (
    HOUSE,
    KEYS,
    RUN,
    SECONDS,
    TEST,
    RunningScript,
    answers,
    clean_environment,
    copy_services,
    run,
)

if sys.platform == "win32":
    pytest.skip("the scripts need a POSIX shell", allow_module_level=True)


FAKE_SERVICE = """
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

address = os.environ["HOST"], int(os.environ["PORT"])
ThreadingHTTPServer(address, Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def fake_lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`run_services.sh` beside two services that need no time to start.

    That the real ones end too: by Ctrl-C below, by SIGTERM in `test_scripts_surroundings.py`.
    """
    folder = tmp_path_factory.mktemp("lab")
    script = copy_services(folder, "gateway", "predictor", "training", "models")
    for service in ("service_a", "service_b"):
        (folder / service / "main.py").write_text(FAKE_SERVICE)
    return script


@pytest.fixture
def script(tmp_path: Path, fake_lab: Path) -> Iterator[RunningScript]:
    """The script with both services up, for a test that ends it in its own way."""
    script = RunningScript(tmp_path, command=(fake_lab,))
    try:
        script.wait_until_up()
        yield script
    finally:
        script.stop()


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningScript]:
    """Both services up, with keys from a file: for all tests that only talk to them."""
    folder = tmp_path_factory.mktemp("services")
    file = folder / "keys.env"
    file.write_text("".join(f"{name}={value}\n" for name, value in KEYS.items()))
    environment = {"LAB_ENV_FILE": str(file)}
    script = RunningScript(folder, command=(RUN, "--faults"), environment=environment)
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
        timeout=SECONDS,
    )

    assert answer.status_code == 200
    assert answer.json()["model_prediction"]["prediction"]["price"] > 0


def test_both_logs_have_a_plain_prefix_when_output_is_no_terminal(services: RunningScript) -> None:
    output = services.read_output()

    assert {"A | ", "B | "} <= {line[:4] for line in output.splitlines()}
    assert "\033" not in output


def test_urls_are_shown_when_both_services_are_up(services: RunningScript) -> None:
    output = services.read_output()

    welcome = output.partition("Both services are up.")[2]
    assert re.findall(r"http://\S+", welcome)[0] == f"http://localhost:{services.a_port}/lab"
    assert f"http://localhost:{services.a_port}/docs" in output
    assert f"http://localhost:{services.b_port}/docs" in output
    assert f"curl -X POST http://localhost:{services.a_port}/process" in output
    assert "-H 'X-API-Key: ONE-OF-GATEWAY_API_KEYS'" in output
    assert "first-key" not in output


def test_faults_can_be_switched_on_when_the_script_is_asked_for_them(
    services: RunningScript,
) -> None:
    a, b = (f"http://localhost:{port}/faults" for port in (services.a_port, services.b_port))
    headers = {"X-API-Key": "first-key"}

    requests.put(f"{a}/service_b/hang", json={"seconds": 300}, headers=headers, timeout=SECONDS)

    answer = requests.get(b, headers={"X-API-Key": KEYS["PREDICTOR_API_KEY"]}, timeout=SECONDS)
    assert [fault["kind"] for fault in answer.json()["faults"]] == ["hang"]
    ended = requests.delete(f"{a}/service_b", headers=headers, timeout=SECONDS)
    assert (ended.status_code, ended.json()) == (200, {"faults": []})
    page = f"http://localhost:{services.a_port}/lab#break"
    assert f"Faults are on: break both services at {page}" in services.read_output()
    for service in ("gateway", "predictor"):
        assert f"because_of=LAB_FAULTS logger={service}.app" in services.read_output()


def test_walkthrough_passes_when_both_services_run(services: RunningScript) -> None:
    result = run(
        TEST,
        "--walkthrough",
        f"http://localhost:{services.a_port}",
        f"http://localhost:{services.b_port}/",
        **KEYS,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert '{"status": "Input logged successfully"}' in result.stdout
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
    assert '{"detail": "A valid X-API-Key is required"}' in result.stdout
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


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["TERM", "HUP"]
)
def test_both_services_stop_when_the_script_is_told_to(
    script: RunningScript, number: signal.Signals, status: int
) -> None:
    os.killpg(script.process.pid, number)

    assert script.process.wait(SECONDS) == status
    assert not answers(script.a_port)
    assert not answers(script.b_port)


def test_both_services_stop_when_the_script_is_killed(script: RunningScript) -> None:
    script.process.kill()

    script.wait_until_ports_are_free()


def test_both_services_stop_when_the_terminal_is_closed(tmp_path: Path, fake_lab: Path) -> None:
    script = RunningScript(tmp_path, command=(fake_lab,), terminal=True)
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
    "program",
    [
        "service_a/main.py",
        "service_b/main.py",
        "service_a/generate_columns.py",
        "service_a/generate_house.py",
    ],
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
