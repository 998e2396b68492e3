"""Named examples of what a model takes, with what it really answers, for the OpenAPI document."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from predictor.errors import InvalidInput
from predictor.inference.card_model import CardModel
from predictor.inference.prediction import PricePrediction
from predictor.inference.served_model import ServedModel
from predictor.web.answers import write_answer, write_result
from predictor.web.routes.failures import NO_MODEL
from predictor.web.schemas import BatchRequest
from predictor.web.validation import check

Json = dict[str, Any]
Named = dict[str, Json]

WRONG, ALL = "wrong", "all facts"
NO_INPUTS: Json = {"inputs": []}
UNAVAILABLE: Json = {"detail": NO_MODEL}
UNAVAILABLE_FRAME: Json = {
    "error_code": "TEMPORARILY_UNAVAILABLE",
    "message": NO_MODEL,
    **UNAVAILABLE,
}

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def list_inputs(model: ServedModel) -> Named:
    """Give an example of as few facts as will do, of all, and of one that is wrong."""
    schema = model.input_type.model_json_schema()
    properties, required = schema["properties"], schema.get("required", [])
    example = {name: model.example[name] for name in (*required, *model.example)}
    few = {name: example[name] for name in required}
    number = _NUMBERS[len(few)] if len(few) < len(_NUMBERS) else str(len(few))
    bounded = next((name for name in required if "minimum" in properties[name]), None)
    wrong = (
        {"no_such_field": 1} if bounded is None else {bounded: properties[bounded]["minimum"] - 1}
    )
    shown = {f"{number} fact{'s' * (len(few) != 1)}": few} if few and few != example else {}
    return shown | {ALL: example, WRONG: few | wrong}


def answer_one(model: ServedModel, inputs: Named) -> dict[str, Named]:
    """Give the answer to each example, by status and name."""
    answers: dict[str, Named] = {"200": {}, "422": {}}
    for name, value in inputs.items():
        try:
            checked = check(model.input_type, value, ["body", "input"])
        except InvalidInput as error:
            answers["422"][name] = {"detail": error.problems}
            continue
        if predicted := _predict(model, checked):
            answers["200"][name] = write_answer(predicted)
    return _to_json(answers)


def _predict(model: ServedModel, checked: BaseModel) -> PricePrediction | None:
    """Predict for an example. Only a card's model is asked: a class may take its time."""
    try:
        return model.predict([checked])[0] if isinstance(model, CardModel) else None
    except Exception:  # whoever asks for a prediction is told; the document is for all models
        return None


def answer_batch(model: ServedModel, inputs: Named) -> dict[str, Named]:
    """Give the answers to batches of one example each, of which a wrong one spoils nothing."""
    answers: Named = {}
    for name, value in inputs.items():
        try:
            checked = check(model.input_type, value, ["body", "inputs", 0])
        except InvalidInput as error:
            answers[name] = {"results": [write_result(error, ["body", "inputs", 0])]}
            continue
        if predicted := _predict(model, checked):
            answers[name] = {"results": [write_result(predicted, ["body", "inputs", 0])]}
    try:
        check(BatchRequest[Any], NO_INPUTS, ["body"])
    except InvalidInput as error:
        return _to_json({"200": answers, "422": {"none": {"detail": error.problems}}})
    raise AssertionError("a batch needs an input")


def name_values(values: Mapping[str, Any]) -> Json:
    """Write examples as OpenAPI has them."""
    return {name: {"value": value} for name, value in values.items()}


def add_examples(responses: Json, answers: Mapping[str, Named]) -> None:
    for status, named in answers.items():
        if named:
            (content,) = responses[status]["content"].values()
            content["examples"] = name_values(named)


def put_required_first(schema: Json) -> None:
    """Have readers see first what they must give."""
    required = schema.get("required", [])
    properties: Json = schema["properties"]
    schema["properties"] = {name: properties[name] for name in (*required, *properties)}


def _to_json(answers: dict[str, Named]) -> dict[str, Named]:
    written: dict[str, Named] = to_jsonable_python(answers, inf_nan_mode="strings")
    return written
