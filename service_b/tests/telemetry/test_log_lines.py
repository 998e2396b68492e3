import logging

import pytest

from predictor.telemetry.log_lines import LineFormatter, configure_logging, quote


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain-value_1.5:/@%+", "plain-value_1.5:/@%+"),
        ("two words", '"two words"'),
        ("", '""'),
        ('say "no"', r'"say \"no\""'),
        ("a=b", '"a=b"'),
        ("line\nbreak\r", r'"line\nbreak\r"'),
        ("\x1b[31m\x00", r'"\u001b[31m\u0000"'),
        ("\u2028\x85", r'"\u2028\u0085"'),
        ("\ud800", r'"\ud800"'),
        ("é", r'"\u00e9"'),
        (200, "200"),
        (1.5, "1.5"),
        (True, "true"),
        (None, "null"),
        ({"a": "b\n"}, r'"{\"a\": \"b\\n\"}"'),
        (ValueError("no\n"), r'"\"no\\n\""'),
    ],
)
def test_value_is_written_so_that_it_can_not_end_its_field_or_line(
    value: object, written: str
) -> None:
    assert quote(value) == written


def make_record(message: str, **extra: object) -> logging.LogRecord:
    return logging.getLogger("test").makeRecord(
        "test", logging.INFO, __file__, 1, message, (), None, extra=extra
    )


def test_line_holds_time_level_event_fields_and_logger() -> None:
    record = make_record("model is loaded", fields={"version": "1", "path": "a b"})
    record.created = 0
    assert LineFormatter().format(record) == (
        '00:00:00.000 level=INFO event="model is loaded" version=1 path="a b" logger=test'
    )


def test_traceback_stays_on_the_line() -> None:
    record = make_record("unexpected error")
    error = RuntimeError("first\nsecond")
    record.exc_info = (RuntimeError, error, None)
    line = LineFormatter().format(record)
    assert "\n" not in line
    assert r"RuntimeError: first\nsecond" in line


def test_every_logger_writes_to_stdout_once_from_the_level_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("INFO")
    for name in ("predictor", "uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).debug("quiet")
        logging.getLogger(name).info("loud")
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert [line.partition("event=")[2] for line in lines] == [
        "loud logger=predictor",
        "loud logger=uvicorn",
        "loud logger=uvicorn.error",
    ]
    assert err == ""


def test_odd_fields_in_the_heads_of_answers_are_not_logged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("INFO")

    logging.getLogger("urllib3.connection").warning("Failed to parse headers")

    assert capsys.readouterr().out == ""
