import json
from collections.abc import Callable

import pytest

from gateway.errors import InvalidInput
from gateway.web.finite_json import write_json
from gateway.web.json_body import parse_strictly


def test_value_is_written_compact_in_utf8() -> None:
    assert write_json({"a": [1, "é\u0000"]}, []) == '{"a":[1,"é\\u0000"]}'.encode()


@pytest.mark.parametrize("wrap", ["[{}]", '{{"a":{}}}'])
def test_value_of_200_levels_is_written(wrap: str) -> None:
    text = "1"
    for _ in range(200):
        text = wrap.format(text)

    assert write_json(parse_strictly(text.encode(), False), []).decode() == text


@pytest.mark.parametrize(
    "wrap", [lambda number: number, lambda number: [{"Infinity": number}]], ids=["bare", "inside"]
)
@pytest.mark.parametrize("text", [b"1e400", b"-1e400"])
def test_number_is_refused_when_it_was_too_large_to_be_read(
    wrap: Callable[[object], object], text: bytes
) -> None:
    value = wrap(parse_strictly(text, False))

    with pytest.raises(InvalidInput) as caught:
        write_json(value, ["body", "data"])

    (problem,) = caught.value.problems
    assert (problem["type"], problem["loc"]) == ("finite_number", ["body", "data"])


def test_word_infinity_is_written_when_it_stands_in_a_string() -> None:
    value = {"-Infinity": ["Infinity", "NaN", '"Infinity']}

    assert json.loads(write_json(value, [])) == value
