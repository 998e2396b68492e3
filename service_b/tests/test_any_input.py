"""Whatever is sent gets an answer; whatever is valid gets a price."""

import json
import math
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic.alias_generators import to_camel

from predictor.card import Feature, ModelCard

Values = st.SearchStrategy[Any]

# Lone surrogates too; json.dumps writes NaN and infinities as well.
TEXT = st.text(st.characters(exclude_categories=()))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT


def nest(inner: Values) -> Values:
    return st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5)


ANY_JSON = SCALARS | nest(SCALARS | nest(SCALARS | nest(SCALARS)))


def send(client: TestClient, path: str, body: bytes) -> tuple[int, Any]:
    answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
    return answer.status_code, answer.json()


def send_everywhere(client: TestClient, value: object) -> None:
    """Send a value as a body, as an input and in a batch; all must be answered."""
    for body in (value, {"input": value}, {"inputs": [value, value]}):
        for path in ("/predict", "/predict/batch"):
            status, answer = send(client, path, json.dumps(body).encode())
            assert status in (200, 422)
            assert answer.keys() <= {"prediction", "message", "results", "detail"}


@given(value=ANY_JSON)
def test_any_json_is_answered(ames_client: TestClient, value: object) -> None:
    send_everywhere(ames_client, value)


@pytest.fixture(scope="module")
def odd_fields(ames_card: ModelCard) -> Values:
    names = st.sampled_from([feature.name for feature in ames_card.features])
    return st.dictionaries(names | names.map(to_camel), SCALARS, max_size=5)


@given(data=st.data())
def test_any_value_of_a_field_is_answered(
    ames_client: TestClient, ames_card: ModelCard, odd_fields: Values, data: st.DataObject
) -> None:
    send_everywhere(ames_client, ames_card.example | data.draw(odd_fields))


@given(body=st.binary())
def test_any_bytes_are_answered(ames_client: TestClient, body: bytes) -> None:
    for path in ("/predict", "/predict/batch"):
        status, answer = send(ames_client, path, body)
        assert status == 422
        assert answer["detail"][0]["loc"] == ["body"]


@pytest.fixture(scope="module")
def ames_houses(ames_card: ModelCard) -> Values:
    return st.lists(make_houses(ames_card), min_size=1, max_size=10)


# Each draws ten houses of eighty fields.
@settings(max_examples=settings().max_examples * 2 // 5)
@given(data=st.data())
def test_any_valid_house_gets_a_price(
    ames_client: TestClient, ames_houses: Values, data: st.DataObject
) -> None:
    houses = data.draw(ames_houses)
    status, answer = send(ames_client, "/predict/batch", json.dumps({"inputs": houses}).encode())
    assert status == 200
    for result in answer["results"]:
        price, interval = result["prediction"]["price"], result["prediction"]["interval"]
        assert 0 < interval["lower"] < price < interval["upper"] < math.inf


def make_houses(card: ModelCard) -> Values:
    """Houses that the card allows, each with some of its optional fields, in either case."""
    return st.fixed_dictionaries(
        {each.name: make_values(each) for each in card.features if each.required},
        optional={
            to_camel(each.name): make_values(each) for each in card.features if not each.required
        },
    )


def make_values(feature: Feature) -> Values:
    values: Values
    if feature.categories:
        values = st.sampled_from(feature.categories)
    elif feature.kind == "number":
        values = st.floats(feature.minimum, feature.maximum)
    else:
        assert feature.minimum is not None
        assert feature.maximum is not None
        values = st.integers(int(feature.minimum), int(feature.maximum))
    return values | st.none() if feature.nullable else values
