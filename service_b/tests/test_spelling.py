from typing import Annotated, Any, Literal

import pytest
from pydantic import TypeAdapter, ValidationError

from predictor.spelling import AnySpelling, Spellings

Zoning = Literal["C (all)", "RL", "Straße", 20]
EXACT: TypeAdapter[Any] = TypeAdapter(Zoning)
ANY: TypeAdapter[Any] = TypeAdapter(Annotated[Zoning, AnySpelling()])


def find_problem(adapter: TypeAdapter[Any], value: object) -> Any:
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python(value)
    return caught.value.errors()


@pytest.mark.parametrize(
    "text", ["C (all)", "c (ALL)", " C (all)", "C (all)  ", "\tc (all)\r\n", "\xa0C (all)\u3000"]
)
def test_category_is_taken_in_any_letter_case_and_with_any_blanks_around_it(text: str) -> None:
    assert ANY.validate_python(text) == "C (all)"


@pytest.mark.parametrize("text", ["STRASSE", "straße", "strasse "])
def test_letters_are_compared_as_their_language_does(text: str) -> None:
    assert ANY.validate_python(text) == "Straße"


@pytest.mark.parametrize(
    "value",
    ["C(all)", "C  (all)", "R L", "RL\x00", "", " ", "20", 21, 20.5, True, None, ["RL"], "RL" * 9],
)
def test_all_else_is_refused_in_the_words_of_the_literal(value: object) -> None:
    assert find_problem(ANY, value) == find_problem(EXACT, value)


def test_only_category_is_named_without_an_or() -> None:
    only: Any = Literal["Pave"]
    refused = find_problem(TypeAdapter(Annotated[only, AnySpelling()]), "x")
    assert refused == find_problem(TypeAdapter(only), "x")


def test_numbers_are_not_named_by_texts() -> None:
    assert ANY.validate_python(20) == 20
    assert Spellings([20]).find("20") is None


def test_categories_that_differ_in_case_or_blanks_only_are_taken_exactly() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[Literal["a", "A", "b ", "c"], AnySpelling()])
    taken = [adapter.validate_python(each) for each in ("a", "A", "b ", "b", " B", " C")]
    assert taken == ["a", "A", "b ", "b ", "b ", "c"]
    for text in ("a ", " A"):
        assert "Input should be 'a', 'A', 'b ' or 'c'" in str(find_problem(adapter, text))


def test_schema_is_that_of_the_literal() -> None:
    assert ANY.json_schema() == EXACT.json_schema()
