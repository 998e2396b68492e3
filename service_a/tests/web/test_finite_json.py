from collections.abc import Callable

import jiter
import pytest

from gateway.errors import InvalidInput
from gateway.web.finite_json import check_finite


@pytest.mark.parametrize("wrap", ["[{}]", '{{"a":{}}}'])
def test_value_of_200_levels_is_finite(wrap: str) -> None:
    text = "1"
    for _ in range(200):
        text = wrap.format(text)

    check_finite(jiter.from_json(text.encode()), [])


@pytest.mark.parametrize(
    "wrap", [lambda number: number, lambda number: [{"Infinity": number}]], ids=["bare", "inside"]
)
@pytest.mark.parametrize("text", [b"1e400", b"-1e400", b"1" + b"0" * 400 + b".0"])
def test_number_is_refused_when_it_was_too_large_to_be_read(
    wrap: Callable[[object], object], text: bytes
) -> None:
    value = wrap(jiter.from_json(text))

    with pytest.raises(InvalidInput) as caught:
        check_finite(value, ["body", "data"])

    (problem,) = caught.value.problems
    assert (problem["type"], problem["loc"]) == ("finite_number", ["body", "data"])


def test_word_infinity_is_taken_when_it_stands_in_a_string() -> None:
    check_finite({"-Infinity": ["Infinity", "NaN", '"Infinity']}, [])
