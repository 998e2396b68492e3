"""What is said of servers that lack something. A real Service B: `test_service_b_contract.py`."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from lab import service_b_check
from lab.errors import LabFailure
from lab.service_b_check import check_service_b
from tests.running_lab import find_free_port

Change = Callable[[str, int, Any], tuple[int, Any]]


class FakeServiceB(BaseHTTPRequestHandler):
    """Takes objects, and answers as Service B does, but for what is changed."""

    protocol_version = "HTTP/1.1"
    change: Change
    request_id: str | None

    def do_GET(self) -> None:
        self.send(404, {})

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send(*type(self).change(self.path, *self.predict(sent)))

    def predict(self, sent: Any) -> tuple[int, Any]:
        if self.path not in ("/predict", "/predict/batch", "/models/m/predict"):
            return 404, {"detail": "There is no such model"}
        if "inputs" in sent:
            results = [find_result(each, "inputs", n) for n, each in enumerate(sent["inputs"])]
            return 200, {"results": results}
        result = find_result(sent["input"], "input")
        return (422, result["error"]) if "error" in result else (200, result)

    def send(self, status: int, content: Any) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if request_id := self.request_id or self.headers["X-Request-ID"]:
            self.send_header("X-Request-ID", request_id)
        self.end_headers()
        with suppress(ConnectionError):  # the check waits for no late answer
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def find_result(value: Any, *place: str | int) -> dict[str, Any]:
    if isinstance(value, dict):
        return {"prediction": {"price": 1.5, "model_version": "1"}}
    return {"error": {"detail": [{"type": "t", "loc": ["body", *place], "msg": "m"}]}}


@pytest.fixture
def url() -> Iterator[str]:
    FakeServiceB.change = staticmethod(lambda _, status, content: (status, content))
    FakeServiceB.request_id = None
    with ThreadingHTTPServer(("127.0.0.1", 0), FakeServiceB) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()
        thread.join()


def test_server_that_has_all_that_service_a_needs_passes(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_service_b(f"{url}/predict", None)
    assert capsys.readouterr().out.splitlines() == [
        "POST /predict: ok",
        "POST /predict, a wrong input: ok",
        "POST /predict/batch: ok",
        "POST /models/no-such-model/predict: ok",
        "",
        "4 calls, 0 not as Service A needs them",
    ]


def answer(path: str, status: int, content: Any) -> Change:
    """Answer the calls of a path that had `status` with something else."""

    def change(called: str, had: int, had_content: Any) -> tuple[int, Any]:
        if called != path or had != status:
            return had, had_content
        return content if isinstance(content, tuple) else (status, content)

    return change


ONE = {"prediction": {"price": 1.5}}
WRONG = {"detail": [{"type": "t", "loc": ["body", "inputs", 0], "msg": "m"}]}


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (answer("/predict", 200, {"price": 1}), "status 200, but the answer has no 'prediction'"),
        (
            answer("/predict", 200, {"prediction": {"price": "1"}}),
            "status 200, but the answer.prediction.price is not of type number or null",
        ),
        (answer("/predict", 200, b'{"prediction": {"price": NaN}}'), "NaN is not a number of JSON"),
        (answer("/predict", 200, ONE | {"x": "x" * 2**20}), "the answer has over 1 MiB"),
        (
            answer("/predict", 200, ONE | {"x": [[]] * 150_000}),
            "the answer has over 150,000 objects and arrays",
        ),
        (answer("/predict/batch", 200, {"results": [], "x": "x" * 2**23}), "over 8 MiB"),
        (answer("/predict", 200, b"<html>"), "status 200, and not JSON"),
        (answer("/predict", 200, (500, {})), "status 500, which is a failure: callers get a 503"),
        (answer("/predict", 200, (401, {})), "status 401; set PREDICTOR_API_KEY to the key"),
        (answer("/predict", 200, (422, WRONG)), "the input is refused; name one that it takes"),
        (answer("/predict", 422, (400, {})), "a wrong input: MISSING: status 400"),
        (answer("/predict", 422, {"detail": "no"}), "the answer.detail is not of type array"),
        (answer("/predict", 422, WRONG), "it should begin with ['body', 'input']"),
        (answer("/predict/batch", 200, {}), "batch: MISSING: status 200, but the answer has no"),
        (answer("/predict/batch", 200, {"results": [ONE]}), "1 results for 3 inputs"),
        (
            answer("/predict/batch", 200, {"results": [{"error": WRONG}, ONE, ONE]}),
            "results[0] is not what /predict says of this input",
        ),
        (
            answer("/predict/batch", 200, {"results": [ONE, {"error": WRONG}, ONE]}),
            "it should begin with ['body', 'inputs', 1]",
        ),
        (answer("/predict/batch", 200, (503, {})), "batch: MISSING: status 503"),
        (answer("/models/no-such-model/predict", 404, b""), "model/predict: MISSING: status 404"),
        (answer("/models/no-such-model/predict", 404, (200, ONE)), "should get a 404"),
        (
            answer("/predict", 200, {"prediction": {"model": "m", "price": 1}}),
            "POST /models/m/predict/batch: ok",
        ),
    ],
)
def test_what_is_missing_is_said_call_by_call(
    url: str, change: Change, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    FakeServiceB.change = staticmethod(change)

    passed = check_service_b(url, None)

    shown = capsys.readouterr().out
    assert line in shown
    assert passed == ("MISSING" not in shown)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (answer("/predict", 200, {"prediction": {"a": 1}}), "the prediction has no price"),
        (answer("/predict", 422, (200, ONE)), '"no input" is predicted, too'),
        (answer("/predict/batch", 200, (405, {})), "takes no batches"),
        (
            answer("/predict/batch", 200, (422, {})),
            "status 422 for all: Service A sends",
        ),
    ],
)
def test_what_service_a_can_do_without_is_only_noted(
    url: str, change: Change, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def change_batch(path: str, status: int, content: Any) -> tuple[int, Any]:
        if path == "/predict/batch" and change("/predict", 422, None)[0] == 200:
            return status, {"results": [ONE] * 3}
        return change(path, status, content)

    FakeServiceB.change = staticmethod(change_batch)

    assert check_service_b(url, None)
    assert f"    {line}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("request_id", "line"),
    [("other", "X-Request-ID is another than the request's"), (None, "")],
)
def test_answer_to_another_request_is_not_taken(
    url: str, request_id: str | None, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    FakeServiceB.request_id = request_id

    assert check_service_b(url, None) == (request_id is None)
    assert line in capsys.readouterr().out


def test_server_that_is_too_slow_is_said_to_be(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(service_b_check, "_TIMEOUT_SECONDS", 0.5)
    given_up = Event()

    def wait(path: str, status: int, content: Any) -> tuple[int, Any]:
        if path == "/predict":
            given_up.wait(60)
        return status, content

    FakeServiceB.change = staticmethod(wait)

    assert not check_service_b(url, None)
    given_up.set()
    assert "POST /predict: MISSING: no answer within 0.5 s" in capsys.readouterr().out


def test_input_is_read_from_a_file(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "input.json"
    file.write_text("[1, 2]")

    assert not check_service_b(url, str(file))
    assert "POST /predict: MISSING: the input is refused" in capsys.readouterr().out
    for content in ("{", None):
        file.write_text(content) if content else file.unlink()
        with pytest.raises(LabFailure, match=r"input\.json: "):
            check_service_b(url, str(file))


def test_failure_says_so_when_nothing_answers() -> None:
    with pytest.raises(LabFailure, match="nothing answers at http://localhost"):
        check_service_b(f"http://localhost:{find_free_port()}", None)
