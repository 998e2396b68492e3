import io
import json
import logging
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.forwarding.deadline import DeadlineAdapter
from gateway.forwarding.exchanges import Exchanges
from gateway.telemetry.log_lines import JsonFormatter, LineFormatter, configure_logging, quote
from tests.stub_server import StubServer, answer

VALUE = r'(?:"(?:[^"\\]|\\.)*"|[A-Za-z0-9_./:@%+-]+)'
CLOCK = re.compile(r"(\d\d:\d\d:\d\d\.\d{3}) ")
REQUEST = re.compile(
    rf"(?P<time>[\d:.]+) (?P<method>{VALUE}) (?P<path>{VALUE}) (?P<status>\d+)"
    r" (?P<duration_ms>[\d.]+)ms(?: |$)"
)
FIELD = re.compile(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|[^" ]+)(?: |$)')
ANY_TEXT = st.text(st.characters())  # surrogates and control characters too


TIME, CLOCK_TIME = "2026-01-02T03:04:05.678+00:00", "03:04:05.678"
LINE: dict[str, object] = {
    "request_id": "abc",
    "trace_id": "0123456789abcdef0123456789abcdef",
    "method": "POST",
    "path": "/process",
    "status": 200,
    "duration_ms": 3.4,
}


class FakeStream(io.StringIO):
    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def write_request(**fields: object) -> str:
    return LineFormatter().write_request(TIME, "INFO", "gateway.request", LINE | fields)


def make_record(event: str, **fields: object) -> logging.LogRecord:
    record = logging.LogRecord("gateway.test", logging.INFO, __file__, 1, event, None, None)
    record.fields = fields
    return record


def read(value: str) -> str:
    return str(json.loads(value)) if value.startswith('"') else value


def parse_line(line: str) -> dict[str, str]:
    """Read a line back, by the places of what it begins with, and by the names of the rest."""
    start = REQUEST.match(line)
    if start:
        fields = {name: read(value) for name, value in start.groupdict().items()}
    else:
        start = CLOCK.match(line)
        assert start, line
        fields = {"time": start[1]}
    position = start.end()
    while position < len(line):
        match = FIELD.match(line, position)
        assert match, line[position:]
        key, value = match.groups()
        fields[key] = read(value)
        position = match.end()
    return fields


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ("/process", "/process"),
        ("2026-01-02T03:04:05.678+00:00", "2026-01-02T03:04:05.678+00:00"),
        ("", '""'),
        ("two words", '"two words"'),
        ('say "x"', '"say \\"x\\""'),
        ("a\nb", '"a\\nb"'),
        ("\x1b[31m", '"\\u001b[31m"'),
        ("a\u2028b\x85", '"a\\u2028b\\u0085"'),
        ("a=b", '"a=b"'),
        (200, "200"),
        (1.5, "1.5"),
        (True, "true"),
        (None, "null"),
        (ValueError("x y"), '"\\"x y\\""'),
    ],
)
def test_value_is_quoted_only_when_it_is_not_plain(value: object, expected: str) -> None:
    assert quote(value) == expected


@given(ANY_TEXT)
def test_text_can_forge_neither_a_line_nor_a_field(text: str) -> None:
    line = LineFormatter().format(make_record("request", path=text, status=200))

    assert line.isascii()
    assert line.isprintable()
    fields = parse_line(line)
    assert list(fields) == ["time", "level", "event", "path", "status", "logger"]
    assert fields["path"] == text
    assert fields["status"] == "200"


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_text_can_forge_nothing_in_the_line_of_a_request(
    method: str, path: str, reason: str, ids: str
) -> None:
    line = write_request(method=method, path=path, reason=reason, request_id=ids)

    assert line.isascii()
    assert line.isprintable()
    fields = parse_line(line)
    assert [*fields] == ["time", "method", "path", "status", "duration_ms", "reason", "id", "trace"]
    assert (fields["method"], fields["path"], fields["reason"]) == (method, path, reason)
    assert (fields["time"], fields["status"], fields["duration_ms"]) == (CLOCK_TIME, "200", "3.4")


@pytest.mark.parametrize(
    ("ids", "shown"),
    [
        ("of-the-caller", "of-the-caller"),
        ("0000019f1e2d3c4b0123456789abcdef", "89abcdef"),
        ("one,two", '"one,two"'),
        ("the-first-caller,the-second-caller,c", "the-first-caller+2"),
        ("0000019f1e2d3c4b0123456789abcdef,two", "89abcdef+1"),
    ],
)
def test_ids_come_last_and_a_long_one_is_shortened(ids: str, shown: str) -> None:
    line = write_request(outcome="predicted", request_id=ids)

    start = f"{CLOCK_TIME} POST /process 200 3.4ms outcome=predicted"
    assert line == f"{start} id={shown} trace=89abcdef"


def test_json_has_everything_in_full() -> None:
    fields = {**LINE, "outcome": "predicted"}
    line = JsonFormatter().write_request(TIME, "INFO", "gateway.request", fields)

    assert json.loads(line) == {
        "time": TIME,
        "level": "INFO",
        "logger": "gateway.request",
        "event": "request",
        **fields,
    }


@pytest.mark.parametrize(
    ("environment", "is_terminal", "coloured"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
    ],
)
def test_errors_and_5xx_are_coloured_only_where_colours_are_seen(
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    is_terminal: bool,
    coloured: bool,
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = FakeStream(is_terminal)
    monkeypatch.setattr("sys.stdout", stream)

    handler = configure_logging("INFO")
    formatter = handler.formatter
    assert isinstance(formatter, LineFormatter)
    bad = formatter.write_request(TIME, "INFO", "gateway.request", LINE | {"status": 503})
    good = formatter.write_request(TIME, "INFO", "gateway.request", LINE)
    logging.getLogger("gateway").warning("odd")
    logging.getLogger("gateway").error("bad")
    logging.getLogger("gateway").info("good")

    colours = [
        line[:5] if line.startswith("\x1b") else "" for line in stream.getvalue().split("\n")
    ]
    assert colours == (["\x1b[33m", "\x1b[31m", "", ""] if coloured else [""] * 4)
    assert bad.startswith("\x1b[31m") is coloured
    assert bad.endswith("\x1b[0m") is coloured
    assert good.startswith(CLOCK_TIME)


@given(
    st.recursive(ANY_TEXT | st.integers() | st.none(), lambda each: st.lists(each), max_leaves=5)
)
def test_any_value_stays_on_its_line(value: object) -> None:
    line = LineFormatter().format(make_record("request", value=value))

    assert line.isascii()
    assert line.isprintable()
    assert list(parse_line(line)) == ["time", "level", "event", "value", "logger"]


def test_traceback_is_a_field_of_the_same_line() -> None:
    record = make_record("unexpected error")
    error = RuntimeError("first line\nsecond line")
    record.exc_info = (type(error), error, None)

    line = LineFormatter().format(record)

    assert "\n" not in line
    assert parse_line(line)["traceback"].endswith("RuntimeError: first line\nsecond line")


def test_one_line_per_event_on_stdout_when_uvicorn_logs(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")

    logging.getLogger("uvicorn.error").info("Started %s", "x")
    logging.getLogger("uvicorn.access").info("GET / 200")
    logging.getLogger("gateway.request").debug("hidden")

    output = capsys.readouterr()
    assert [parse_line(line)["event"] for line in output.out.splitlines()] == ["Started x"]
    assert output.err == ""


@pytest.mark.parametrize("field", ["Abc", "\xc4: \xf6"])
def test_nothing_is_logged_of_an_odd_field_in_the_head_of_an_answer(
    stub: StubServer, field: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("INFO")
    stub.behave = answer(200, {}, field)
    exchanges = Exchanges(stub.url, DeadlineAdapter(), connect_timeout_seconds=1)

    exchanges.post("/predict", b"{}", ["r1"], "", time.monotonic() + 20)
    exchanges.close()

    output = capsys.readouterr()
    assert output.out + output.err == ""
