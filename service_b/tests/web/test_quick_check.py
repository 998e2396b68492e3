import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from sklearn.dummy import DummyRegressor

from predictor.card import ModelCard
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


@given(data=st.data())
def test_inputs_are_those_that_parsing_and_checking_give(
    model: CardModel, data: st.DataObject
) -> None:
    kinds = {(each.kind, each.nullable): each for each in model.card.features}
    features = st.sampled_from([*kinds.values(), *model.card.features])
    houses = []
    for _ in range(data.draw(st.integers(0, 3))):
        texts = [(name, json.dumps(value)) for name, value in model.card.example.items()]
        for feature in data.draw(st.lists(features, max_size=2)):
            name = data.draw(st.sampled_from([feature.name, to_camel(feature.name)]))
            known = [*(feature.categories or ()), feature.minimum, feature.maximum]
            value = data.draw(
                st.sampled_from(ODD.split()) | st.sampled_from(list(map(json.dumps, known)))
            )
            kept = [each for each in texts if each[0] != feature.name or data.draw(st.booleans())]
            texts = [*kept, (name, value)]
        houses.append("{" + ", ".join(f'"{name}": {value}' for name, value in texts) + "}")
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
