import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.web import key_count
from predictor.web.json_body import Parser, parse_strictly
from predictor.web.key_count import parse_counting_keys

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


@pytest.fixture(scope="module", autouse=True)
def keys_are_counted_in_short_texts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_count, "_LEAST_BYTES", 0)
        yield


def describe(parser: Parser, body: bytes) -> object:
    """Return what a parser gives: a value or the message of its error."""
    try:
        return repr(parser(body, False))
    except ValueError as error:
        return error.args


@given(text=_TEXTS, end=st.sampled_from(["", "", "}", ","]))
def test_values_and_errors_are_those_of_the_strict_parser(text: str, end: str) -> None:
    body = (text + end).encode()
    assert describe(parse_counting_keys, body) == describe(parse_strictly, body)


@pytest.mark.parametrize(
    "text", ['{"a": 1, "b": [{"c": 2}, 3], "d": {"e": {}}}', "[[], [{}, []]]", '"x"', '{"a": []}']
)
def test_keys_are_not_looked_at_when_all_of_them_are_there(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    def fail(_: bytes, __: bool) -> Any:
        raise AssertionError("was asked")

    monkeypatch.setattr(key_count, "parse_strictly", fail)

    assert parse_counting_keys(text.encode(), False) == json.loads(text)
