import json
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.training.exported_inputs import STARTED_AT, make_record, write_export
from tests.training.http_server import serving
from training.errors import TrainingError
from training.export import API_KEY, LoggedInput, read_export


class FakeServiceA(ThreadingHTTPServer):
    """Sends lines as Service A does, in chunks, and breaks off behind them if told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.status = 200
        self.is_whole = True
        self.asked: list[tuple[str, str | None]] = []

    def handle_error(self, *_: object) -> None:
        """Keep quiet when a client has had enough."""


class _Handler(BaseHTTPRequestHandler):
    server: FakeServiceA
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["X-API-Key"]))
        self.send_response(self.server.status)
        self.send_header("Location", "http://127.0.0.1:9/")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in (1, 2, 3):
            line = json.dumps(make_record(number)).encode() + b"\n"
            self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))
        if self.server.is_whole:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def service_a() -> Iterator[FakeServiceA]:
    server = FakeServiceA()
    with serving(server):
        yield server


def read_numbers(source: object, **options: Any) -> list[int]:
    return [each.number for each in read_export(str(source), **options)]


def test_file_is_read_in_order_with_and_without_the_newer_fields(tmp_path: Path) -> None:
    labelled = make_record(1, actual_price=215_000, actual_at="2026-11-05T08:00:00Z")
    older = make_record(2)
    for name in ("interval_lower", "interval_upper", "actual_price", "actual_at"):
        del older[name]
    first, second = read_export(str(write_export(tmp_path / "inputs.jsonl", [labelled, older])))
    assert (first.actual_price, first.interval_lower, first.price) == (215_000, 180_000, 200_000)
    assert first.received_at == STARTED_AT + timedelta(hours=1)
    assert (second.actual_price, second.interval_lower, second.price) == (None, None, 200_000)


def test_price_that_another_model_predicted_may_be_any_number(tmp_path: Path) -> None:
    record = make_record(1, model="other", price=-3.5)
    (found,) = read_export(str(write_export(tmp_path / "inputs.jsonl", [record])))
    assert found.price == -3.5


def test_last_line_may_lack_its_end(tmp_path: Path) -> None:
    file = write_export(tmp_path / "inputs.jsonl", map(make_record, (1, 2)))
    file.write_text(file.read_text(encoding="utf-8").rstrip(), encoding="utf-8")
    assert read_numbers(file) == [1, 2]


def test_only_newer_inputs_are_given_with_since(tmp_path: Path) -> None:
    file = write_export(tmp_path / "inputs.jsonl", map(make_record, (1, 2, 3)))
    assert read_numbers(file, since=STARTED_AT + timedelta(hours=2)) == [2, 3]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("<html>", "is not JSON"),
        ("", "is cut off"),
        (json.dumps(make_record(3))[:-20], "is cut off"),
        ("[1]", "Input should be an object"),
        ('{"number": 3}', "request_id: Field required"),
        (json.dumps(make_record(3) | {"number": "3"}), "number: Input should be a valid integer"),
        (json.dumps(make_record(3, received_at=3)), "received_at: Input should be a valid date"),
        (json.dumps(make_record(3, outcome="odd")), "outcome: Input should be 'logged', "),
        (json.dumps(make_record(3, actual_price=0)), "actual_price: Input should be greater"),
        (json.dumps(make_record(3, actual_price=-1)), "actual_price: Input should be greater"),
        (json.dumps(make_record(3, actual_price="x")), 'valid number, not "x"'),
        (json.dumps(make_record(3, actual_price=float("inf"))), "actual_price: Input should be a"),
        (json.dumps(make_record(2)), "number 2 is in line 2, too"),
    ],
)
def test_line_that_is_no_input_is_named(tmp_path: Path, line: str, message: str) -> None:
    file = write_export(tmp_path / "inputs.jsonl", map(make_record, (1, 2)))
    with file.open("a", encoding="utf-8") as lines:
        lines.write(f"{line}\n")
    with pytest.raises(TrainingError, match=r"inputs\.jsonl: line 3: ") as caught:
        read_numbers(file)
    assert message in str(caught.value)


def test_file_that_is_missing_is_named() -> None:
    with pytest.raises(TrainingError, match="cannot read nowhere: No such file"):
        read_numbers("nowhere")


@pytest.mark.parametrize("path", ["", "/", "/inputs/export", "/inputs/export/"])
def test_service_a_is_asked_for_its_export_with_the_key(
    service_a: FakeServiceA, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(API_KEY, "secret")
    assert read_numbers(service_a.url + path) == [1, 2, 3]
    assert service_a.asked == [("/inputs/export", "secret")]


def test_service_a_is_asked_for_newer_inputs_only_and_a_filter_stays(
    service_a: FakeServiceA, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(API_KEY, raising=False)
    url = f"{service_a.url}/inputs/export?outcome=predicted"
    assert read_numbers(url, since=STARTED_AT + timedelta(hours=3)) == [3]
    ((path, key),) = service_a.asked
    asked = "outcome=predicted&received_from=2026-11-02T03%3A00%3A00%2B00%3A00"
    assert path == f"/inputs/export?{asked}"
    assert key is None


def test_export_that_breaks_off_between_two_lines_is_an_error(service_a: FakeServiceA) -> None:
    service_a.is_whole = False
    with pytest.raises(TrainingError, match=r"127\.0\.0\.1:\d+: broke off after line 3"):
        read_numbers(service_a.url)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, r"wants a key; give a right one in TRAINING_API_KEY"),
        (404, "status 404"),
        (503, "status 503"),
        (302, "status 302"),  # followed, it would carry the key to another host
    ],
)
def test_other_answer_of_service_a_is_an_error(
    service_a: FakeServiceA, status: int, message: str
) -> None:
    service_a.status = status
    with pytest.raises(TrainingError, match=message):
        read_numbers(service_a.url)


@pytest.mark.parametrize(
    "url", ["http://me:secret@127.0.0.1:9", "http://", "http://[", "http://127.0.0.1:99999"]
)
def test_url_that_leads_nowhere_is_an_error_without_its_password(url: str) -> None:
    with pytest.raises(TrainingError, match="cannot read http://") as caught:
        read_numbers(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("key", ["two\nlines", "ключ"])
def test_key_that_no_header_can_hold_is_an_error(
    service_a: FakeServiceA, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(API_KEY, key)
    with pytest.raises(TrainingError, match=r"cannot read http://.*\("):
        read_numbers(service_a.url)


@pytest.mark.parametrize(
    ("model", "expected"),
    [(None, True), ("ames", True), ("ames@challenger", True), ("california", False)],
)
def test_input_is_for_the_model_that_it_names_or_else_for_the_default(
    model: str | None, *, expected: bool
) -> None:
    logged = LoggedInput.model_validate_json(json.dumps(make_record(1, model=model)))
    assert logged.is_for("ames") is expected
