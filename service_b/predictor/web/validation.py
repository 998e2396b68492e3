"""Checking input against a pydantic model; problems are described in the caller's terms."""

import math
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from predictor.errors import InputRejected, InvalidInput
from predictor.web.suggestion import suggest_field

Checked = TypeVar("Checked", bound=BaseModel)

# pydantic speaks of Python types; a caller has sent JSON.
_MESSAGES = {
    "extra_forbidden": "Unknown field",
    "missing": "Field required",
    "model_type": "Input should be a JSON object",
    "list_type": "Input should be a JSON array",
    "multiple_of": "Input should be a whole number",
}
MAX_PROBLEMS = 100
"""How many problems one answer names at most."""

MAX_ECHO_CHARS = 200
"""How long a value or a name may be that a problem repeats."""

# Each takes as long as checking an input, and a batch has a thousand inputs.
_MAX_SUGGESTIONS = 3
# A number such as 1e400 is read as infinity, which JSON can't echo.
_INFINITIES = (math.inf, -math.inf)


def check(model: type[Checked], value: Any, loc: Sequence[str | int]) -> Checked:
    """Return the value as an instance of the model.

    Raises:
        InvalidInput: with one problem for each wrong field, its place prefixed with `loc`.
    """
    surplus = _find_surplus(model, value)
    if surplus:
        raise InvalidInput([{"type": "too_many_fields", "loc": [*loc], "msg": surplus}])
    try:
        return model.model_validate(value)
    except ValidationError as error:
        details = error.errors(include_url=False)[:MAX_PROBLEMS]
        problems = [_describe(detail, loc) for detail in details]
        unknown = [problem for problem in problems if problem["type"] == "extra_forbidden"]
        for problem in unknown[:_MAX_SUGGESTIONS]:
            likely = suggest_field(model, value, problem["loc"][len(loc) :])
            if likely:
                problem["msg"] += f". Did you mean '{likely}'?"
        raise InvalidInput(problems) from None


def _find_surplus(model: type[BaseModel], value: Any) -> str | None:
    """Say what is wrong with an object of far too many fields, if it is one.

    pydantic makes an error of about a kilobyte for each unknown field, however many there are.
    """
    if not isinstance(value, dict) or len(value) <= MAX_PROBLEMS:
        return None  # as for most values: what follows takes longer than checking all the fields
    known = len(model.model_fields)
    if model.model_config.get("extra") != "forbid" or len(value) <= known + MAX_PROBLEMS:
        return None
    return f"Input has {len(value)} fields, only {known} are known"


def reject(rejection: InputRejected, loc: Sequence[str | int]) -> InvalidInput:
    """Describe a hook's rejection of the input at `loc` as a problem like any other."""
    return InvalidInput([{"type": "rejected", "loc": [*loc], "msg": str(rejection)}])


def cut_text(text: str) -> str:
    """Leave out the end of a text of the caller's that is too long to be repeated."""
    return text if len(text) <= MAX_ECHO_CHARS else f"{text[:MAX_ECHO_CHARS]}…"


def _describe(detail: ErrorDetails, loc: Sequence[str | int]) -> dict[str, Any]:
    place = [cut_text(each) if isinstance(each, str) else each for each in detail["loc"]]
    problem: dict[str, Any] = {
        "type": detail["type"],
        "loc": [*loc, *place],
        "msg": _MESSAGES.get(detail["type"], detail["msg"]),
    }
    if detail["type"] == "literal_error":
        problem["ctx"] = detail["ctx"]
    # Echo what was sent where that helps and is short: not a whole object for one missing field.
    given = detail["input"]
    if detail["type"] == "float_type" and type(given) is int:
        problem["msg"] = "Input should be within the range of a 64-bit float"
    if isinstance(given, dict | list) or given in _INFINITIES:
        return problem
    if len(repr(given)) <= MAX_ECHO_CHARS:
        problem["input"] = given
    return problem
