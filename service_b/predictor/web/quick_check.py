"""The short way to checked inputs, for a body with nothing wrong in it.

Gain: 8% more houses a second in calls with 24, as Service A makes them under load, and 6% one by
one on 64 connections.

The plain twin is what follows when it gives none: the body is parsed, then its inputs are checked.
"""

from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import SchemaValidator

from predictor.inference.served_model import ServedModel
from predictor.web.schemas import BatchRequest, PredictRequest

Form = type[PredictRequest[Any]] | type[BatchRequest[Any]]

# About 160 houses. The inputs of a larger body are checked in pieces.
_MAX_BYTES = 256 * 1024


def check_quickly(model: ServedModel, form: Form, body: bytes) -> list[BaseModel] | None:
    """Check the inputs of a body while it is parsed.

    Returns None if something is or may be wrong with the body: parsing it first and then checking
    it says what. It also returns None if the body is large or the model isn't quick: quick models
    are made from cards, and their types certainly take the same from JSON and Python.
    """
    if not model.quick_batch or len(body) > _MAX_BYTES:
        return None
    colons = body.count(b":")
    # pydantic makes an error of about a kilobyte for each unknown field, however many there are.
    if colons > 1 + len(model.input_type.model_fields) * body.count(b"{"):
        return None
    try:
        request = _find_validator(form, model.input_type).validate_json(body)
    except ValidationError:
        return None
    inputs: list[BaseModel] = request.list_inputs()
    # A key that is there twice leaves one more colon in the text, as does a string with a colon.
    keys = 1 + sum([len(each.model_fields_set) for each in inputs])
    return inputs if keys == colons else None


# Types come and go with the versions of a model.
@lru_cache(maxsize=32)
def _find_validator(form: Form, input_type: type[BaseModel]) -> SchemaValidator:
    specific: Any = form.__class_getitem__(input_type)
    validator: SchemaValidator = specific.__pydantic_validator__
    return validator
