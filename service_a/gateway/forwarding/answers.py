"""What Service B may answer, and what is read from it. Anything else is a failure of B."""

from typing import Annotated, Any, NotRequired, TypeVar

import jiter
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import to_json
from typing_extensions import TypedDict

from gateway.errors import (
    BatchFailed,
    BatchUnsupported,
    GatewayError,
    InputFailed,
    InputRejected,
    ModelUnknown,
    PredictorUnavailable,
)
from gateway.intake.entries import Answer, Warnings

MAX_ANSWER_BYTES = 8 * 1024 * 1024
MAX_ONE_ANSWER_BYTES = 1024 * 1024
"""To one input, by itself or in a batch."""

# Each takes some hundred bytes of memory, however few bytes of the answer.
MAX_CONTAINERS = 150_000

# What the log can keep.
_MAX_PREDICTION_BYTES = 16 * 1024
_MAX_WARNINGS_BYTES = 4 * 1024
_MAX_WARNINGS = 20
# Of an input that is within the gateway's own limits, and beyond those of Service B.
_TOO_LARGE = {"type": "too_large", "loc": [], "msg": "The input is too large for the model"}
_TOO_MANY_VALUES = "too_many_values"

_Version = Annotated[str, Field(max_length=64, pattern="^[ -~]*$")]


def _pass_over(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """Ignore what has another shape: a model may give anything by this name."""
    try:
        return read(value)
    except ValidationError:
        return None


_Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]


# What an answer has for every input is checked as dicts: making instances would take twice as long.
class _Interval(TypedDict):
    lower: _Finite
    upper: _Finite


class _Warning(TypedDict):
    fields: list[str]
    msg: str


class _Prediction(TypedDict):
    """Not every model predicts a price."""

    price: NotRequired[_Finite | None]
    interval: NotRequired[Annotated[_Interval | None, WrapValidator(_pass_over)]]
    model_version: NotRequired[_Version | None]


_Warnings = Annotated[list[_Warning], Field(max_length=_MAX_WARNINGS)]


class _Answer(TypedDict):
    prediction: _Prediction
    warnings: NotRequired[Annotated[_Warnings | None, WrapValidator(_pass_over)]]


_ANSWER = TypeAdapter(_Answer)


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True)


_AnyShape = TypeVar("_AnyShape", bound=_Shape)


class _Results(_Shape):
    """One result for each input: an `_Answer`, or an `error` that is a `Rejection`."""

    results: list[dict[str, Any]]


class _Problem(_Shape):
    model_config = ConfigDict(extra="allow")

    type: str
    loc: list[str | int]
    msg: str


class Rejection(_Shape):
    detail: list[_Problem] = Field(min_length=1)


class _NotFound(_Shape):
    detail: str


def read_answer(status: int, body: bytes, model: str | None) -> Answer | GatewayError:
    """Read what Service B answers to one input, for the model of this name.

    Raises:
        InputFailed: B failed at it.
        PredictorUnavailable: it is none of the answers that B may give.
    """
    if status == 413:
        return InputRejected([dict(_TOO_LARGE)])
    # A short answer, as nearly all are, need not be looked at.
    if len(body) > MAX_CONTAINERS and is_too_large(body, MAX_ONE_ANSWER_BYTES):
        raise PredictorUnavailable("the answer is too large")
    if status == 422:
        return _read_rejection(_parse(body), ["body", "input"])
    if status == 404 and model is not None:
        return _read_not_found(body)
    if status == 500:
        raise InputFailed("status 500")
    if status != 200:
        raise PredictorUnavailable(f"status {status}")
    return _read_prediction(_parse(body), body)


def read_answers(status: int, body: bytes, inputs: int) -> list[Answer | GatewayError] | None:
    """Read what Service B answers to several inputs: a result for each, as `read_answer` has it.

    None says that they or their results were too much for one call, or that one of them is nested
    so deeply that the whole was refused.

    Raises:
        BatchUnsupported: B has no such route, or no model of this name.
        BatchFailed: B failed, perhaps at one of the inputs only.
        PredictorUnavailable: it is none of the answers that B may give.
    """
    if status in (413, 422):
        return None
    if status == 500:
        raise BatchFailed("status 500")
    if status in (404, 405):
        raise BatchUnsupported(f"status {status}")
    if status != 200:
        raise PredictorUnavailable(f"status {status}")
    if is_too_large(body, MAX_ANSWER_BYTES):
        return None
    results = _check(_Results, _parse(body)).results
    if len(results) != inputs:
        raise PredictorUnavailable(f"{len(results)} results for {inputs} inputs")
    return [_read_result(result, index) for index, result in enumerate(results)]


def is_too_large(body: bytes, max_bytes: int) -> bool:
    """Say whether an answer is too long, or would take too much memory when it is parsed."""
    return len(body) > max_bytes or body.count(b"{") + body.count(b"[") > MAX_CONTAINERS


def _read_result(result: dict[str, Any], index: int) -> Answer | GatewayError:
    try:
        if "error" in result:
            return _read_rejection(result["error"], ["body", "inputs", index])
        # A number such as 1e400 was read as infinity, which JSON doesn't have.
        body = to_json(result, inf_nan_mode="null")
        if len(body) > MAX_ONE_ANSWER_BYTES:
            return PredictorUnavailable("the answer is too large")
        return _read_prediction(result, body)
    except PredictorUnavailable as error:
        return error


def _read_prediction(answer: Any, body: bytes) -> Answer:
    try:
        checked = _ANSWER.validate_python(answer)
    except ValidationError as error:
        raise _refuse(error) from error
    prediction, warnings = checked["prediction"], checked.get("warnings")
    price, interval = prediction.get("price"), prediction.get("interval")
    return Answer(
        body,
        price,
        prediction.get("model_version"),
        interval["lower"] if interval else None,
        interval["upper"] if interval else None,
        _keep_prediction(answer["prediction"]) if price is None else None,
        _keep_warnings(warnings, answer["prediction"]) if warnings else None,
    )


def _keep_prediction(prediction: dict[str, Any]) -> str | None:
    """Return a prediction that is no price as the log keeps it, or None if it is too long."""
    content = to_json(prediction, inf_nan_mode="null")
    return content.decode() if len(content) <= _MAX_PREDICTION_BYTES else None


def _keep_warnings(warnings: list[_Warning], prediction: dict[str, Any]) -> Warnings:
    content, model = to_json(warnings), prediction.get("model")
    return Warnings(
        content.decode() if len(content) <= _MAX_WARNINGS_BYTES else None,
        model if isinstance(model, str) else None,
        [",".join(each["fields"]) for each in warnings],
    )


def _read_rejection(rejection: Any, prefix: list[str | int]) -> InputRejected:
    """Each problem's place begins where B had the input; what is left is a place within it.

    Only that there are too many values is said of the body, before it is looked at.
    """
    problems = [problem.model_dump() for problem in _check(Rejection, rejection).detail]
    for problem in problems:
        if (problem["type"], problem["loc"]) == (_TOO_MANY_VALUES, prefix[:1]):
            problem["loc"] = []
            continue
        if problem["loc"][: len(prefix)] != prefix:
            raise PredictorUnavailable(f"wrong shape: loc {problem['loc']}")
        del problem["loc"][: len(prefix)]
    return InputRejected(problems)


def _read_not_found(body: bytes) -> ModelUnknown:
    """A 404 that isn't Service B's own means that something else answers in its place."""
    return ModelUnknown(_check(_NotFound, _parse(body)).detail)


def _parse(body: bytes) -> Any:
    try:
        return jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        raise PredictorUnavailable(f"not JSON: {error}") from error


def _check(shape: type[_AnyShape], value: Any) -> _AnyShape:
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        raise _refuse(error) from error


def _refuse(error: ValidationError) -> PredictorUnavailable:
    problem = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    return PredictorUnavailable(f"wrong shape: {place}: {problem['msg']}")
