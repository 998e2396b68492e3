import asyncio
import json
from collections.abc import AsyncIterator, Callable

import jiter
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from gateway.errors import BodyTimeout, BodyTooLarge, InvalidInput, WrongContentType
from gateway.web.json_body import read_json, write_json
from gateway.web.shared_timeout import SharedTimeout

MAX_BYTES = 10_000


def make_request(
    *chunks: bytes, content_type: str | None = "application/json", complete: bool = True
) -> Request:
    """A request whose body arrives in the given chunks, or never ends."""

    async def arrive() -> AsyncIterator[Message]:
        for chunk in chunks:
            yield {"type": "http.request", "body": chunk, "more_body": True}
        if not complete:
            await asyncio.Event().wait()
        yield {"type": "http.request", "body": b"", "more_body": False}

    headers = [] if content_type is None else [(b"content-type", content_type.encode())]
    messages = arrive()
    return Request({"type": "http", "method": "POST", "headers": headers}, messages.__anext__)


def read(request: Request, timeout_seconds: float = 5) -> object:
    timeout = SharedTimeout(timeout_seconds)
    return asyncio.run(read_json(request, max_bytes=MAX_BYTES, body_timeout=timeout))


def read_problem(body: bytes) -> dict[str, object]:
    with pytest.raises(InvalidInput) as caught:
        read(make_request(body))
    (problem,) = caught.value.problems
    assert problem["type"] == "json_invalid"
    assert problem["loc"] == ["body"]
    return problem


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, None, True, "x"]},
        [],
        "text",
        0,
        False,
        None,
        {"a": {"a": 1}},
        "\U0001f600 \u0000 \u2028",
        -0.0,
        1e-320,
        10**4299,
        -(10**4299),
    ],
)
def test_json_is_read_as_it_was_written(value: object) -> None:
    assert repr(read(make_request(json.dumps(value).encode()))) == repr(value)


def test_body_is_put_together_when_it_arrives_in_pieces() -> None:
    assert read(make_request(b'{"a"', b"", b":", b"1}")) == {"a": 1}


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/ld+json",
    ],
)
def test_body_is_read_when_it_is_declared_as_json(content_type: str) -> None:
    assert read(make_request(b"{}", content_type=content_type)) == {}


@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", ";"],
)
def test_body_is_refused_when_it_is_not_declared_as_json(content_type: str | None) -> None:
    with pytest.raises(WrongContentType):
        read(make_request(b"{}", content_type=content_type))


@pytest.mark.parametrize(
    "body",
    [
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b'"\\ud800"',
        b'"\\udc00\\ud800"',
        b'"\xed\xa0\x80"',
        b'"\xff"',
        b"\xff\xfe{\x00}\x00",
        b"9" * 4301,
        b"9" * 5000,
        b'{"a": 1, "a": 2}',
        b'[{"x": {"a": 1, "\\u0061": 1}}]',
        b'"a\nb"',
        b"{'a': 1}",
        b"[1,]",
        b"01",
        b"+1",
        b".5",
        b"{} {}",
        b"{",
        b" ",
        b"[" * 5000,
        b'{"a":' * 1000 + b"1" + b"}" * 1000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_body_is_refused_when_parsers_would_not_agree_on_it(body: bytes) -> None:
    assert str(read_problem(body)["msg"]).startswith("The body is not valid JSON: ")


def test_problem_says_what_was_expected_when_the_body_is_empty() -> None:
    assert read_problem(b"")["msg"] == "The body is empty, a JSON object was expected"


def test_problem_says_where_when_json_is_broken() -> None:
    assert "line 2 column 7" in str(read_problem(b'{\n  "a" 1}')["msg"])


@pytest.mark.parametrize("wrap", ["[{}]", '{{"a":{}}}'])
def test_nesting_is_read_up_to_200_levels(wrap: str) -> None:
    text = "1"
    for _ in range(200):
        text = wrap.format(text)

    assert write_json(read(make_request(text.encode())), []).decode() == text
    read_problem(wrap.format(wrap.format(text)).encode())


def test_body_of_exactly_the_limit_is_read() -> None:
    assert read(make_request(b'"' + b"x" * (MAX_BYTES - 2) + b'"')) == "x" * (MAX_BYTES - 2)


@pytest.mark.parametrize("chunk_bytes", [1, 1000, MAX_BYTES + 1])
def test_body_over_the_limit_is_read_to_its_end_and_refused(chunk_bytes: int) -> None:
    body = b'"' + b"x" * (MAX_BYTES - 1) + b'"'
    request = make_request(*(body[i : i + chunk_bytes] for i in range(0, len(body), chunk_bytes)))

    with pytest.raises(BodyTooLarge) as caught:
        read(request)

    assert caught.value.max_bytes == MAX_BYTES


def test_body_far_over_the_limit_is_refused_before_its_end() -> None:
    request = make_request(*[b"x" * MAX_BYTES] * 17, complete=False)

    with pytest.raises(BodyTooLarge):
        read(request)


def test_body_is_refused_when_it_does_not_arrive_in_time() -> None:
    with pytest.raises(BodyTimeout):
        read(make_request(b"{", complete=False), timeout_seconds=0.05)


def test_value_is_written_compact_in_utf8() -> None:
    assert write_json({"a": [1, "é\u0000"]}, []) == '{"a":[1,"é\\u0000"]}'.encode()


@pytest.mark.parametrize(
    "wrap", [lambda number: number, lambda number: [{"Infinity": number}]], ids=["bare", "inside"]
)
@pytest.mark.parametrize("text", [b"1e400", b"-1e400"])
def test_number_is_refused_when_it_was_too_large_to_be_read(
    wrap: Callable[[object], object], text: bytes
) -> None:
    value = wrap(read(make_request(text)))

    with pytest.raises(InvalidInput) as caught:
        write_json(value, ["body", "data"])

    (problem,) = caught.value.problems
    assert (problem["type"], problem["loc"]) == ("finite_number", ["body", "data"])


def test_word_infinity_is_written_when_it_stands_in_a_string() -> None:
    value = {"-Infinity": ["Infinity", "NaN", '"Infinity']}

    assert json.loads(write_json(value, [])) == value


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
        assert read(make_request(body)) == value
    else:
        assert read_problem(body)["msg"] == problem
