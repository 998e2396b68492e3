"""Heads of answers, read as `http.client` reads them."""

from http.client import HTTPException, parse_headers
from io import BufferedReader, BytesIO

import pytest

from gateway.forwarding.quick_head import QuickHeadResponse, read_fields

USUAL = [
    b"Content-Length: 2\r\nX-Request-ID: a\r\nServer-Timing: check;dur=0.1, predict;dur=2\r\n\r\n",
    b"a:b\r\nA: \t c \r\nempty:\r\nlatin: \xe9\x85\x0b:\r\n\r\n",
    b"x: 1\r\n" * 99 + b"\r\n",
]
UNUSUAL = [
    b"\r\n",
    b"",
    b"folded: one\r\n two\r\n\r\n",
    b"bare: 1\nfeed: 2\n\n",
    b"return: 1\r2\r\n\r\n",
    b"no colon\r\na: 1\r\n\r\n",
    b": no name\r\n\r\n",
    b"space : 1\r\n\r\n",
    b"cut off: 1\r\na",
    b"long: " + 20_000 * b"x" + b"\r\n\r\n",
]


def reader(head: bytes) -> BufferedReader:
    return BufferedReader(BytesIO(head + b"body"))


@pytest.mark.parametrize("head", [*USUAL, *UNUSUAL])
def test_fields_and_what_follows_are_the_same_when_a_head_is_read_quickly(head: bytes) -> None:
    quick, plain = reader(head), reader(head)

    assert read_fields(quick).items() == parse_headers(plain).items()
    assert quick.read() == plain.read()


def test_head_is_refused_when_it_has_more_fields_than_the_plain_way_takes() -> None:
    with pytest.raises(HTTPException, match="more than 100"):
        read_fields(reader(b"x: 1\r\n" * 100 + b"\r\n"))


def test_usual_head_needs_no_parser_of_emails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("gateway.forwarding.quick_head.parse_headers")

    assert read_fields(reader(USUAL[0]))["X-Request-ID"] == "a"
    assert QuickHeadResponse.begin.__globals__["parse_headers"] is read_fields
