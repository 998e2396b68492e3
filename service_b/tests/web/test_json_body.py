import asyncio
import json
import math
from typing import Any

import jiter
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from predictor.errors import BodyTimeout, BodyTooLarge, InvalidInput, WrongContentType
from predictor.web.json_body import parse_json, read_body
from predictor.web.shared_timeout import SharedTimeout


class FakeCaller:
    """Sends the chunks one by one; then either ends the body, hangs, or is gone."""

    def __init__(self, *chunks: bytes, then: str = "end") -> None:
        self.chunks = list(chunks)
        self.then = then
        self.sent = 0

    async def receive(self) -> Message:
        if self.chunks:
            self.sent += 1
            return {"type": "http.request", "body": self.chunks.pop(0), "more_body": True}
        if self.then == "hang":
            await asyncio.Event().wait()
        if self.then == "leave":
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": b"", "more_body": False}


def read(caller: FakeCaller, content_type: str | None = "application/json") -> Any:
    headers = [] if content_type is None else [(b"content-type", content_type.encode())]
    request = Request({"type": "http", "headers": headers}, caller.receive)
    timeout = SharedTimeout(0.1)
    return parse_json(asyncio.run(read_body(request, max_bytes=100_000, body_timeout=timeout)))


def refuse(body: bytes) -> str:
    with pytest.raises(InvalidInput) as caught:
        read(FakeCaller(body))
    (problem,) = caught.value.problems
    assert (problem["type"], problem["loc"]) == ("json_invalid", ["body"])
    return str(problem["msg"])


@pytest.mark.parametrize(
    "value", [{}, [], None, True, 0, -1.5, "", "é\u0000\U0001f3e0", {"": [{}]}]
)
def test_json_is_read(value: object) -> None:
    assert read(FakeCaller(json.dumps(value).encode())) == value


def test_body_is_read_when_it_arrives_in_pieces() -> None:
    assert read(FakeCaller(b'{"a', b'": "', b"", b"\xc3", b'\xa9"}')) == {"a": "é"}


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/vnd.api+json",
        " application/json ",
    ],
)
def test_content_type_is_accepted_when_it_says_json(content_type: str) -> None:
    assert read(FakeCaller(b"{}"), content_type) == {}


@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "application/jsonp", "application/x-www-form-urlencoded", "json"],
)
def test_content_type_is_refused_before_the_body_is_read(content_type: str | None) -> None:
    caller = FakeCaller(b"{}")
    with pytest.raises(WrongContentType):
        read(caller, content_type)
    assert caller.sent == 0


def test_number_too_large_for_a_float_is_read_as_infinity() -> None:
    assert read(FakeCaller(b"[1e400, -1e400]")) == [math.inf, -math.inf]


def test_long_integer_is_read_exactly() -> None:
    digits = "9" * 4300
    assert read(FakeCaller(digits.encode())) == int(digits)


@pytest.mark.parametrize("body", [b"NaN", b"[Infinity]", b'{"a": -Infinity}'])
def test_number_that_json_does_not_know_is_refused(body: bytes) -> None:
    assert refuse(body).startswith("The body is not valid JSON: ")


@pytest.mark.parametrize(
    "body",
    [
        rb'"\ud800"',
        rb'"\udc00\ud800"',
        rb'{"\ud83c": 1}',
        b'"\xff"',
        b'"\xed\xa0\x80"',  # a surrogate in UTF-8
        b"\xef\xbb\xbf{}",  # a byte order mark
        '{"a": 1}'.encode("utf-16"),
        b"\x00",
    ],
)
def test_text_that_is_not_unicode_is_refused(body: bytes) -> None:
    refuse(body)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"a": 1,}',
        b"{'a': 1}",
        b"{} {}",
        b"01",
        b"+1",
        b".5",
        b"1.",
        b"0x10",
        b"9" * 5000,
        b"-" + b"9" * 5000,
        b"[" * 50_000 + b"]" * 50_000,
        b'{"a":' * 20_000,
        b"True",
        b"// comment\n{}",
        b'"a\nb"',
        b'"\\x41"',
    ],
    ids=lambda body: body[:12],
)
def test_body_is_refused_when_it_is_not_json(body: bytes) -> None:
    refuse(body)


@pytest.mark.parametrize("body", [b'{"a": 1, "a": 1}', rb'[{"b": {"a": 1, "\u0061": 2}}]'])
def test_duplicate_key_is_refused(body: bytes) -> None:
    assert "uplicate key" in refuse(body)


def test_empty_body_is_told_what_was_expected() -> None:
    assert refuse(b"") == "The body is empty, a JSON object was expected"


def test_body_of_the_limit_is_read_and_one_byte_more_is_not() -> None:
    assert read(FakeCaller(b'"' + b"a" * 99_998 + b'"')) == "a" * 99_998
    with pytest.raises(BodyTooLarge) as caught:
        read(FakeCaller(b'"' + b"a" * 99_999 + b'"'))
    assert caught.value.max_bytes == 100_000


def test_body_somewhat_too_large_is_read_to_its_end() -> None:
    caller = FakeCaller(*[b"a" * 50_000] * 20)
    with pytest.raises(BodyTooLarge):
        read(caller)
    assert caller.chunks == []


def test_endless_body_is_given_up() -> None:
    caller = FakeCaller(*[b"a" * 50_000] * 100)
    with pytest.raises(BodyTooLarge):
        read(caller)
    assert caller.sent < 50


def test_body_is_given_up_when_it_does_not_arrive_in_time() -> None:
    with pytest.raises(BodyTimeout):
        read(FakeCaller(b'{"a":', then="hang"))


def test_caller_who_leaves_is_not_answered() -> None:
    with pytest.raises(ClientDisconnect):
        read(FakeCaller(b'{"a":', then="leave"))


# Colons and braces in strings, keys that look alike, objects in arrays: what counting could miss.
_KEYS = st.text(':{}"\\a', max_size=2)
_SCALARS = st.none() | st.integers() | _KEYS
_TEXTS = st.recursive(
    _SCALARS.map(json.dumps),
    lambda inner: (
        st.lists(inner).map(lambda items: f"[{', '.join(items)}]")
        | st.lists(st.tuples(_KEYS.map(json.dumps), inner)).map(
            lambda pairs: "{" + ", ".join(f"{key} : {value}" for key, value in pairs) + "}"
        )
    ),
)


@given(text=_TEXTS, end=st.sampled_from(["", "", "}", ","]))
def test_keys_are_found_twice_where_a_strict_parser_finds_them(text: str, end: str) -> None:
    body = (text + end).encode()
    problem = None
    try:
        value = jiter.from_json(body, catch_duplicate_keys=True)
    except ValueError as error:
        problem = f"The body is not valid JSON: {error}"
    if problem is None:
        assert read(FakeCaller(body)) == value
    else:
        assert refuse(body) == problem
