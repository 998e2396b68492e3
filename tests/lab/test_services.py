"""How a service is watched. With real services: `test_scripts.py`."""

import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import IO

import pytest

from lab.errors import LabFailure, Stopped
from lab.services import Service, watch
from tests.running_lab import find_free_port

if sys.platform == "win32":
    pytest.skip("stands in for a venv's Python with a link", allow_module_level=True)


class FakeServiceWithoutModel(BaseHTTPRequestHandler):
    health = b""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/livez" else 503)
        self.end_headers()
        if self.path == "/health":
            self.wfile.write(self.health)

    def log_message(self, *_: object) -> None:
        pass


def start(
    folder: Path,
    program: str,
    monkeypatch: pytest.MonkeyPatch,
    port: int | None = None,
    output: IO[bytes] | None = None,
) -> Service:
    """Start a Service A that is this program."""
    (folder / "service_a/.venv/bin").mkdir(parents=True)
    (folder / "service_a/.venv/bin/python").symlink_to(sys.executable)
    (folder / "service_a/main.py").write_text(program)
    (folder / "lab").symlink_to(Path(__file__).parents[2] / "lab")
    monkeypatch.chdir(folder)
    with (folder / "output").open("wb") as file:
        return Service("A", port or find_free_port(), {}, output or file)


@pytest.mark.parametrize(
    ("program", "how"),
    [
        ("exit(3)", "status 3;"),
        ("import os; os.kill(os.getpid(), 9)", "status 137 (signal 9);"),
        ("exit(0)", "status 0;"),
    ],
)
def test_start_fails_with_how_a_service_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, how: str
) -> None:
    service = start(tmp_path, program, monkeypatch)

    with pytest.raises(LabFailure) as failure:
        service.wait_until_healthy(60)

    assert str(failure.value) == f"Service A ended with {how} its log is above."
    service.stop()


def test_start_gives_up_when_a_service_never_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start(tmp_path, "import signal; signal.pause()", monkeypatch)

    with pytest.raises(LabFailure, match=r"is not healthy after 0\.1 s \(START_TIMEOUT_SECONDS\)"):
        service.wait_until_healthy(0.1)

    service.stop()


@pytest.mark.parametrize(
    ("health", "seconds", "failure"),
    [
        (b"", 0.1, r"A runs but has no model after 0\.1 s: its /health"),
        (b'{"reason": null, "may_come": true}', 0.1, r"A runs but has no model after 0\.1 s"),
        (b'{"reason": "no server", "may_come": true}', 0.1, r"A runs but has no model after 0"),
        (b'{"reason": "no file", "may_come": false}', 600, r"^Service A has no model: no file\. "),
    ],
)
def test_missing_model_is_blamed_at_once_when_none_will_come(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    health: bytes,
    seconds: float,
    failure: str,
) -> None:
    monkeypatch.setattr(FakeServiceWithoutModel, "health", health)
    with ThreadingHTTPServer(("127.0.0.1", 0), FakeServiceWithoutModel) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        pause = "import signal; signal.pause()"
        service = start(tmp_path, pause, monkeypatch, server.server_port)

        with pytest.raises(LabFailure, match=failure):
            service.wait_until_healthy(seconds)

        service.stop()
        server.shutdown()
        thread.join()


def test_services_are_told_their_address_whatever_the_caller_has_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST", "x86_64-conda-linux-gnu")
    monkeypatch.setenv("PORT", "80")
    program = "import os; print(os.environ['HOST'], os.environ['PORT'] != '80')"

    service = start(tmp_path, program, monkeypatch)
    with pytest.raises(LabFailure):
        service.wait_until_healthy(60)

    assert (tmp_path / "output").read_text() == "A | 127.0.0.1 True\n"
    service.stop()


def test_service_goes_on_and_nothing_is_said_when_nobody_reads_its_log_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    read, write = os.pipe()
    os.close(read)
    program = "for number in range(1000): print(number, flush=True)\nexit(3)"

    with open(write, "wb") as log:
        service = start(tmp_path, program, monkeypatch, output=log)
    with pytest.raises(LabFailure, match="ended with status 3;"):
        service.wait_until_healthy(60)

    service.stop()
    assert capfd.readouterr() == ("", "")


def test_watch_ends_when_the_parent_is_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass

    with pytest.raises(Stopped):
        watch([], parent=ended.pid)
    assert os.getppid() != ended.pid
