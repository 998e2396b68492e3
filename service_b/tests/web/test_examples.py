"""The examples of a model. That they are answered as shown: `test_openapi.py`."""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel

from predictor.card import ModelCard
from predictor.inference.card_model import CardModel
from predictor.inference.pipelines import Numbers, Pipelines
from predictor.web.examples import answer_batch, answer_one, list_inputs, put_required_first


def test_fewest_facts_come_first_and_a_wrong_one_is_beyond_its_bound(ames_card: ModelCard) -> None:
    inputs = list_inputs(CardModel(ames_card, Pipelines(ames_card, [])))

    assert [*inputs] == ["four facts", "all facts", "wrong"]
    required = [feature.name for feature in ames_card.features if feature.required]
    assert {*inputs["four facts"]} == {*required}
    assert [*inputs["all facts"]][:4] == [*inputs["four facts"]]
    assert inputs["all facts"] == ames_card.example
    (wrong,) = {*inputs["wrong"].items()} - {*inputs["four facts"].items()}
    (feature,) = [each for each in ames_card.features if each.name == wrong[0]]
    assert wrong[1] < (feature.minimum or 0)


def test_only_a_cards_model_is_asked_for_its_answers(ames_card: ModelCard) -> None:
    class FakeModel:
        input_type = CardModel(ames_card, Pipelines(ames_card, [])).input_type
        example = ames_card.example

    model = FakeModel()
    answers = answer_one(model, list_inputs(model))  # type: ignore[arg-type]

    assert answers["200"] == {}
    assert [*answers["422"]] == ["wrong"]


def test_example_at_which_a_model_fails_is_left_out(ames_card: ModelCard) -> None:
    class FakeEvaluation:
        quick_batch = 0

        def evaluate(self, inputs: Sequence[BaseModel]) -> list[Numbers]:
            return [np.full(len(inputs), -1.0)]

    card = ames_card.model_copy(update={"interval": None, "typical": None})
    model = CardModel(card, FakeEvaluation())
    inputs = list_inputs(model)

    assert answer_one(model, inputs)["200"] == {}
    assert [*answer_batch(model, inputs)["200"]] == ["wrong"]


def test_required_fields_are_put_first() -> None:
    schema = {"properties": {"a": 1, "b": 2, "c": 3}, "required": ["c", "b"]}

    put_required_first(schema)

    assert [*schema["properties"]] == ["c", "b", "a"]
