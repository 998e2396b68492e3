import json
import logging
import time

import pytest

from gateway.telemetry.log_lines import JsonFormatter, LineFormatter
from gateway.telemetry.redaction import hide_secrets


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://user:password@host/tiny: down", "https://***@host/tiny: down"),
        ("https://token@host:8443/tiny", "https://***@host:8443/tiny"),
        ("URL('https://user:p@ss:w/rd@host/x')", "URL('https://***@host/x')"),
        ("https://host/tiny?token=secret&a=b: failed", "https://host/tiny?***: failed"),
        ("https://host/my models?sig=a b c", "https://host/my models?***"),
        ("https://u:p?w@host/x?sig=a@b", "https://?***"),
        ('url="https://h/x?a b" name="c"', 'url="https://h/x?***" name="c"'),
        ("URL('https://host/x?sig=s%2F+=')", "URL('https://host/x?***')"),
        ("postgresql://host/db?user=me&password=secret", "postgresql://host/db?***"),
        ("a://u:p@h and b://u:p@h", "a://***@h and b://***@h"),
        ("postgresql://u:p w@host/db", "postgresql://***@host/db"),
        ("a://u:p\"w'd@h and b://h:80/x", "a://***@h and b://h:80/x"),
        ("https://host/x#access_token=secret", "https://host/x#***"),
        ("http://host:8001/x: no ames@champion", "http://host:8001/x: no ames@champion"),
        ("http://[::1]:8001 has no ames@champion", "http://[::1]:8001 has no ames@champion"),
        ("no URL: user@host?token", "no URL: user@host?token"),
        ("models:/ames@champion", "models:/ames@champion"),
        ("https://host:8443/tiny/1/card.json", "https://host:8443/tiny/1/card.json"),
    ],
)
def test_urls_lose_their_secrets_and_nothing_else(text: str, expected: str) -> None:
    assert hide_secrets(text) == expected


@pytest.mark.parametrize("text", ["{}", "{}: down", "URL({!r})", "[{!r}, 1]"])
@pytest.mark.parametrize("character", " \n\r\t\"'()[]{}<>|\\^`%@:/?#&=;,é")
def test_no_character_of_a_url_ends_what_is_hidden(text: str, character: str) -> None:
    for url in (
        "https://user:pa{}sswo{}rd@h/x?sig=se{}cret{}last",
        "https://h/x?sig=se{}cret{}last",
    ):
        written = text.format(url.replace("{}", character))
        record = logging.makeLogRecord({"msg": written, "fields": {"url": written}})
        record.levelname = "INFO"
        line, object_line = LineFormatter().format(record), JsonFormatter().format(record)
        for shown in (hide_secrets(written), line, object_line):
            assert not any(part in shown for part in ("sswo", "rd@", "cret", "last"))
        assert json.loads(object_line)["logger"] == record.name


def test_looking_for_secrets_takes_time_in_proportion_to_the_text() -> None:
    for part in ("://", "://a:", "://a:b ", "'://", ":// :", "a:", "' "):
        began = time.process_time()
        hide_secrets("://" + part * 20_000)
        assert time.process_time() - began < 2
