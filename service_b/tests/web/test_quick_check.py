import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from sklearn.dummy import DummyRegressor

from predictor.card import Feature, ModelCard
from predictor.errors import InvalidInput
from predictor.inference.card_model import CardModel
from predictor.inference.pipelines import Pipelines
from predictor.web.json_body import BodyReader
from predictor.web.quick_check import Form, check_quickly
from predictor.web.schemas import BatchRequest, PredictRequest
from predictor.web.validation import check

# Values as JSON that one parser or one way of checking might take for something else.
ODD = """
    1e400 -1e400 NaN Infinity true false null 20.0 2e1 60 5 5.0 5.5 5E0 -0 -0.0 0 1e-10 -1 1960.0
    5.0000000000000001 9007199254740991 9007199254740991.0 9007199254740993 18446744073709551616
    1e308 01 +5 5. .5 0x5 6_0 "5" "20" "RL" "R\\u004c" "RL\\u0000" "\\ud800" "" "a:b" "NA" [] {} [5]
    "rl" "rL\\t" "\\u00a0RL" "na" "none" "None" "NONE" "null" "collgcr"
"""

Change = tuple[str, str, str, bool]
"""A field, a name of it, the JSON of a value for it, and whether the old one stays too."""


@pytest.fixture(scope="module")
def model(ames_card: ModelCard) -> CardModel:
    pipelines = Pipelines(ames_card, [DummyRegressor()])
    pipelines.quick_batch = 128
    return CardModel(ames_card, pipelines)


def check_plainly(model: CardModel, form: Form, body: bytes) -> list[BaseModel] | None:
    reader = BodyReader(1)
    try:
        values = check(form, reader.parse(body), ["body"]).list_inputs()
        return [check(model.input_type, value, []) for value in values]
    except InvalidInput:
        return None


def describe(inputs: list[BaseModel]) -> list[tuple[str, set[str]]]:
    return [(repr(each), each.model_fields_set) for each in inputs]


def write(house: object, count: int = 0) -> bytes:
    """Write the body of a request with one house, or of a batch."""
    return json.dumps({"inputs": [house] * count} if count else {"input": house}).encode()


@pytest.fixture(scope="module")
def odd_houses(model: CardModel) -> st.SearchStrategy[list[list[Change]]]:
    """Up to three houses, and up to two changes of each."""
    kinds = {(each.kind, each.nullable): each for each in model.card.features}
    features = [*kinds.values(), *model.card.features]
    house = st.lists(st.one_of(*map(make_changes, features)), max_size=2)
    return st.lists(house, max_size=3)


def make_changes(feature: Feature) -> st.SearchStrategy[Change]:
    known = [*(feature.categories or ()), feature.minimum, feature.maximum]
    return st.tuples(
        st.just(feature.name),
        st.sampled_from([feature.name, to_camel(feature.name)]),
        st.sampled_from(ODD.split()) | st.sampled_from(list(map(json.dumps, known))),
        st.booleans(),
    )


def write_changed(house: dict[str, Any], changes: list[Change]) -> str:
    texts = [(name, json.dumps(value)) for name, value in house.items()]
    for field, name, value, is_repeated in changes:
        texts = [each for each in texts if is_repeated or each[0] != field]
        texts.append((name, value))
    return "{" + ", ".join(f'"{name}": {value}' for name, value in texts) + "}"


@given(data=st.data())
def test_inputs_are_those_that_parsing_and_checking_give(
    model: CardModel, odd_houses: st.SearchStrategy[list[list[Change]]], data: st.DataObject
) -> None:
    houses = [write_changed(model.card.example, changes) for changes in data.draw(odd_houses)]
    one = '{"input": ' + ", ".join(houses) + "}"
    many = '{"inputs": [' + ", ".join(houses) + "]}"
    for form, body in ((PredictRequest, one.encode()), (BatchRequest, many.encode())):
        quick = check_quickly(model, form, body)
        if quick is not None:
            plain = check_plainly(model, form, body)
            assert plain is not None
            assert describe(quick) == describe(plain)


def test_right_bodies_are_checked_quickly(model: CardModel) -> None:
    house = model.input_type.model_validate(model.card.example)
    assert check_quickly(model, PredictRequest, write(model.card.example)) == [house]
    assert check_quickly(model, BatchRequest, write(model.card.example, 3)) == [house] * 3


@pytest.mark.parametrize(
    ("form", "body"),
    [
        (PredictRequest, b""),
        (PredictRequest, b"{"),
        (PredictRequest, b"{}"),
        (PredictRequest, write({})),
        (BatchRequest, b'{"inputs": []}'),
        (BatchRequest, write({}, 1001)),
    ],
)
def test_wrong_bodies_are_left_to_others(model: CardModel, form: Form, body: bytes) -> None:
    assert check_quickly(model, form, body) is None


@pytest.mark.parametrize("key", ['"input": {}, "input"', '"more": 1, "input"', '"inputs"'])
def test_keys_that_should_not_be_there_are_left_to_others(model: CardModel, key: str) -> None:
    body = write(model.card.example).replace(b'"input"', key.encode())
    assert check_quickly(model, PredictRequest, body) is None


def test_field_that_is_there_twice_is_left_to_others(model: CardModel) -> None:
    body = write(model.card.example)
    assert (
        check_quickly(model, PredictRequest, body.replace(b"}}", b', "id": 1, "id": 1}}')) is None
    )


def test_large_bodies_and_slow_models_are_left_to_others(
    model: CardModel, ames_card: ModelCard
) -> None:
    assert check_quickly(model, BatchRequest, write(model.card.example, 200)) is None
    slow = CardModel(ames_card, Pipelines(ames_card, [DummyRegressor()]))
    assert check_quickly(slow, PredictRequest, write(ames_card.example)) is None
