"""The examples of a model. That they are answered as shown: `test_openapi.py`."""

from predictor.card import ModelCard
from predictor.inference.card_model import CardModel
from predictor.inference.pipelines import Pipelines
from predictor.web.examples import answer_one, list_inputs, put_required_first


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


def test_required_fields_are_put_first() -> None:
    schema = {"properties": {"a": 1, "b": 2, "c": 3}, "required": ["c", "b"]}

    put_required_first(schema)

    assert [*schema["properties"]] == ["c", "b", "a"]
