import asyncio
import json
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from gateway.errors import (
    BodiesOverBudget,
    BodyTimeout,
    BodyTooLarge,
    InvalidInput,
    UnsupportedEncoding,
    WrongContentType,
)
from gateway.web.json_body import BodyReader

MAX_BYTES = 100_000


class FakeCaller:
    """Sends the chunks one by one; then either ends the body, or is gone."""

    def __init__(self, *chunks: bytes, then: str = "end") -> None:
        self.chunks = list(chunks)
        self.then = then
        self.sent = 0

    async def receive(self) -> Message:
        if self.chunks:
            self.sent += 1
            return {"type": "http.request", "body": self.chunks.pop(0), "more_body": True}
        if self.then == "leave":
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": b"", "more_body": False}


def read(
    caller: FakeCaller,
    content_type: str | None = "application/json",
    *,
    encodings: Sequence[str] = (),
    **more: Any,
) -> bytes:
    headers = [] if content_type is None else [(b"content-type", content_type.encode())]
    headers += [(b"content-encoding", each.encode()) for each in encodings]
    request = Request({"type": "http", "headers": headers, **more}, caller.receive)
    return asyncio.run(BodyReader(MAX_BYTES).read(request))


@pytest.fixture
def parse() -> Callable[..., Any]:
    return BodyReader(MAX_BYTES).parse


def refuse(parse: Callable[..., Any], body: bytes) -> str:
    with pytest.raises(InvalidInput) as caught:
        parse(body)
    (problem,) = caught.value.problems
    assert (problem["type"], problem["loc"]) == ("json_invalid", ["body"])
    return str(problem["msg"])


def test_body_is_read_when_it_arrives_in_pieces() -> None:
    assert read(FakeCaller(b'{"a', b'": "', b"", b"\xc3", b'\xa9"}')) == '{"a": "é"}'.encode()


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/vnd.api+json",
        " application/json ",
    ],
)
def test_body_is_read_when_it_is_declared_as_json(content_type: str) -> None:
    assert read(FakeCaller(b"{}"), content_type) == b"{}"


@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "application/jsonp", "application/x-www-form-urlencoded", "json", ";"],
)
def test_content_type_is_refused_before_the_body_is_read(content_type: str | None) -> None:
    caller = FakeCaller(b"{}")
    with pytest.raises(WrongContentType):
        read(caller, content_type)
    assert caller.sent == 0


@pytest.mark.parametrize("encodings", [("identity",), ("Identity ",), ("",), ("identity", "")])
def test_body_is_read_when_its_encoding_is_none(encodings: Sequence[str]) -> None:
    assert read(FakeCaller(b"{}"), encodings=encodings) == b"{}"


@pytest.mark.parametrize(
    "encodings",
    [
        ("gzip",),
        ("br",),
        ("identity, gzip",),
        ("identity", "gzip"),
        ("gzip", "identity"),
        ("x",),
        ("aws-chunked",),
    ],
)
def test_body_is_refused_before_it_is_read_when_it_is_encoded(encodings: Sequence[str]) -> None:
    caller = FakeCaller(b"{}")
    with pytest.raises(UnsupportedEncoding):
        read(caller, encodings=encodings)
    assert caller.sent == 0


@pytest.mark.parametrize("chunks", [[b"\xef\xbb\xbf{}"], [b"\xef", b"\xbb", b"\xbf{", b"}"]])
def test_byte_order_mark_before_the_json_is_left_out(chunks: list[bytes]) -> None:
    assert read(FakeCaller(*chunks)) == b"{}"


@pytest.mark.parametrize("chunk_bytes", [1000, MAX_BYTES + 1])
def test_body_of_the_limit_is_read_and_one_byte_more_is_not(chunk_bytes: int) -> None:
    def cut(body: bytes) -> list[bytes]:
        return [body[start : start + chunk_bytes] for start in range(0, len(body), chunk_bytes)]

    assert read(FakeCaller(*cut(b"a" * MAX_BYTES))) == b"a" * MAX_BYTES
    with pytest.raises(BodyTooLarge) as caught:
        read(FakeCaller(*cut(b"a" * (MAX_BYTES + 1))))
    assert caught.value.max_bytes == MAX_BYTES


def test_body_somewhat_too_large_is_read_to_its_end() -> None:
    caller = FakeCaller(*[b"a" * 50_000] * 20)
    state: dict[str, object] = {}
    with pytest.raises(BodyTooLarge):
        read(caller, state=state)
    assert caller.chunks == []
    assert state == {"discarded": True}  # so it takes nothing of what bodies may take together


def test_body_is_given_up_when_those_of_others_leave_no_room_for_it() -> None:
    caller = FakeCaller(b"{", b"}")
    with pytest.raises(BodiesOverBudget):
        read(caller, state={"over_budget": True})
    assert caller.sent == 1


@pytest.mark.parametrize(
    ("version", "size", "sent"),
    [("1.1", MAX_BYTES, 1), ("1.1", MAX_BYTES + 1, 0), ("1.0", MAX_BYTES + 1, 1)],
)
def test_caller_that_asks_before_it_sends_is_told_at_once_that_its_body_is_too_large(
    version: str, size: int, sent: int
) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"expect", b"100-continue"),
        (b"content-length", b"%d" % size),
    ]
    caller = FakeCaller(b"1")
    scope = {"type": "http", "http_version": version, "headers": headers}
    request = Request(scope, caller.receive)

    with suppress(BodyTooLarge):
        asyncio.run(BodyReader(MAX_BYTES).read(request))

    assert caller.sent == sent


def test_endless_body_is_given_up() -> None:
    caller = FakeCaller(*[b"a" * 50_000] * 100)
    with pytest.raises(BodyTooLarge):
        read(caller)
    assert caller.sent < 50


def test_body_is_given_up_when_the_server_says_that_it_is_late() -> None:
    with pytest.raises(BodyTimeout):
        read(FakeCaller(b'{"a":', b""), state={"late": True})


def test_caller_that_leaves_is_not_answered() -> None:
    with pytest.raises(ClientDisconnect):
        read(FakeCaller(b'{"a":', then="leave"))


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        None,
        True,
        False,
        0,
        -1.5,
        -0.0,
        1e-320,
        10**4299,
        -(10**4299),
        "",
        "é\u0000 \u2028\U0001f3e0",
        {"": [{}]},
        {"a": {"a": 1}, "b": [1, 2.5, None, "x:y"]},
    ],
    ids=lambda value: repr(value)[:20],
)
def test_json_is_read_as_it_was_written(parse: Callable[..., Any], value: object) -> None:
    assert repr(parse(json.dumps(value).encode())) == repr(value)


def test_number_too_large_for_a_float_is_read_as_infinity(parse: Callable[..., Any]) -> None:
    assert parse(b"[1e400, -1e400]") == [math.inf, -math.inf]


@pytest.mark.parametrize("body", [b"NaN", b"[Infinity]", b'{"a": -Infinity}'])
def test_number_that_json_does_not_have_is_read_only_when_it_is_allowed(
    parse: Callable[..., Any], body: bytes
) -> None:
    assert refuse(parse, body).startswith("The body is not valid JSON: ")
    assert repr(parse(body, allow_nan=True)) == repr(json.loads(body))


@pytest.mark.parametrize(
    "body",
    [
        rb'"\ud800"',
        rb'"\udc00\ud800"',
        rb'{"\ud83c": 1}',
        b'"\xff"',
        b'"\xed\xa0\x80"',  # a surrogate in UTF-8
        b"\xef\xbb\xbf{}",  # a byte order mark; `read` leaves out the first
        '{"a": 1}'.encode("utf-16"),
        b"\x00",
    ],
)
def test_text_that_is_not_unicode_is_refused(parse: Callable[..., Any], body: bytes) -> None:
    assert refuse(parse, body).startswith("The body is not valid JSON: ")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b" ",
        b'{"a": 1,}',
        b"[1,]",
        b"{'a': 1}",
        b"{} {}",
        b"01",
        b"+1",
        b".5",
        b"1.",
        b"0x10",
        b"9" * 4301,
        b"-" + b"9" * 5000,
        b"[" * 50_000 + b"]" * 50_000,
        b'{"a":' * 20_000,
        b"True",
        b"// comment\n{}",
        b'"a\nb"',
        b'"\\x41"',
    ],
    ids=lambda body: repr(body[:12]),
)
def test_body_is_refused_when_it_is_not_json(parse: Callable[..., Any], body: bytes) -> None:
    assert refuse(parse, body).startswith("The body is not valid JSON: ")


@pytest.mark.parametrize("body", [b'{"a": 1, "a": 1}', rb'[{"b": {"a": 1, "\u0061": 2}}]'])
def test_duplicate_key_is_refused(parse: Callable[..., Any], body: bytes) -> None:
    assert "uplicate key" in refuse(parse, body)


def test_problem_says_what_was_expected_when_the_body_is_empty(parse: Callable[..., Any]) -> None:
    assert refuse(parse, b"") == "The body is empty, a JSON object was expected"


def test_problem_says_where_when_json_is_broken(parse: Callable[..., Any]) -> None:
    assert "line 2 column 7" in refuse(parse, b'{\n  "a" 1}')


@pytest.mark.parametrize("wrap", ["[{}]", '{{"a":{}}}'])
def test_nesting_is_read_up_to_200_levels(parse: Callable[..., Any], wrap: str) -> None:
    text = "1"
    for _ in range(200):
        text = wrap.format(text)

    assert json.dumps(parse(text.encode()), separators=(",", ":")) == text
    refuse(parse, wrap.format(wrap.format(text)).encode())


@pytest.mark.parametrize(("item", "empty"), [(b"[]", []), (b"{}", {})])
def test_objects_and_arrays_are_limited_in_number(
    parse: Callable[..., Any], item: bytes, empty: Any
) -> None:
    assert parse(b"[%b]" % b",".join([item] * 49_999)) == [empty] * 49_999
    assert "more than 50000 objects and arrays" in refuse(
        parse, b"[%b]" % b",".join([item] * 50_000)
    )


def test_long_key_that_is_there_twice_is_not_repeated_whole(parse: Callable[..., Any]) -> None:
    key = b'"%b":1' % (b"a" * 40_000)

    assert len(refuse(parse, b"{%b,%b}" % (key, key))) < 300
