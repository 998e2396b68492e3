import json
import logging
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.telemetry.log_lines import LineFormatter, configure_logging, quote

FIELD = re.compile(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|[^" ]+)(?: |$)')
ANY_TEXT = st.text(st.characters())  # surrogates and control characters too


def make_record(event: str, **fields: object) -> logging.LogRecord:
    record = logging.LogRecord("gateway.test", logging.INFO, __file__, 1, event, None, None)
    record.fields = fields
    return record


def parse_line(line: str) -> dict[str, str]:
    """Read a line back, as a program that collects logs would."""
    fields: dict[str, str] = {}
    position = 0
    while position < len(line):
        match = FIELD.match(line, position)
        assert match, line[position:]
        key, value = match.groups()
        fields[key] = json.loads(value) if value.startswith('"') else value
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
    assert list(fields) == ["time", "level", "logger", "event", "path", "status"]
    assert fields["path"] == text
    assert fields["status"] == "200"


@given(
    st.recursive(ANY_TEXT | st.integers() | st.none(), lambda each: st.lists(each), max_leaves=5)
)
def test_any_value_stays_on_its_line(value: object) -> None:
    line = LineFormatter().format(make_record("request", value=value))

    assert line.isascii()
    assert line.isprintable()
    assert list(parse_line(line)) == ["time", "level", "logger", "event", "value"]


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
