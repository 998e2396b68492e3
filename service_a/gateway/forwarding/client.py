"""The call to Service B over HTTP."""

import copy
import time
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple, TypeVar, cast

import jiter
import requests
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout

from gateway.errors import (
    GatewayError,
    InputRejected,
    ModelUnknown,
    PredictorTimeout,
    PredictorUnavailable,
)
from gateway.forwarding.deadline import DeadlineAdapter, keep_deadline
from gateway.forwarding.retries import Patience

_MAX_ANSWER_BYTES = 8 * 1024 * 1024
# Service B takes up to 8 MiB in one body.
_MAX_CALL_BYTES = 4 * 1024 * 1024
# Of a longer header Service B would keep nothing.
_MAX_REQUEST_IDS_CHARS = 16_384

_Shape = TypeVar("_Shape", bound=BaseModel)


class Forward(NamedTuple):
    """An input, given as JSON, to be answered before `deadline` of `time.monotonic()`.

    `model` is the name of one of B's models, None its default.
    """

    data: bytes
    request_id: str
    deadline: float
    model: str | None = None
    traceparent: str = ""


class Answer(NamedTuple):
    """What Service B answers: all of it as JSON, to be passed on, and what the log keeps."""

    body: bytes
    price: float | None
    model_version: str | None


# What the log can keep.
_Version = Annotated[str, Field(max_length=64, pattern="^[ -~]*$")]


class _Prediction(BaseModel):
    model_config = ConfigDict(protected_namespaces=(), strict=True)

    price: float = Field(allow_inf_nan=False)
    model_version: _Version | None = None


class _Answer(BaseModel):
    model_config = ConfigDict(strict=True)

    prediction: _Prediction
    message: str


class _OtherPrediction(BaseModel):
    model_config = ConfigDict(protected_namespaces=(), strict=True)

    price: float | None = Field(default=None, allow_inf_nan=False)
    model_version: _Version | None = None


class _OtherAnswer(BaseModel):
    """An answer of a model that was named: not every one predicts a price."""

    model_config = ConfigDict(strict=True)

    prediction: _OtherPrediction


class _BatchAnswer(BaseModel):
    """One result for each input: an `_Answer`, or an `error` that is a `_Rejection`."""

    model_config = ConfigDict(strict=True)

    results: list[dict[str, Any]]


class _Problem(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")

    type: str
    loc: list[str | int]
    msg: str


class _Rejection(BaseModel):
    model_config = ConfigDict(strict=True)

    detail: list[_Problem] = Field(min_length=1)


class _NotFound(BaseModel):
    model_config = ConfigDict(strict=True)

    detail: str


class PredictorClient:
    """Calls Service B through one pooled session. Blocks; safe to use from many threads."""

    def __init__(
        self,
        base_url: str,
        patience: Patience,
        *,
        connect_timeout_seconds: float,
        api_key: str | None = None,
    ) -> None:
        self._base_url = base_url
        self._patience = patience
        self._connect_timeout_seconds = connect_timeout_seconds
        self._session = requests.Session()
        self._session.mount("http://", DeadlineAdapter())
        # Proxies and passwords of the environment are not for a call between two services.
        self._session.trust_env = False
        # Of the headers that requests sends by itself Service B has no use for any.
        self._session.headers = CaseInsensitiveDict({"Content-Type": "application/json"})
        if api_key:
            self._session.headers["X-API-Key"] = api_key
        # Preparing a request takes as long as sending it, so each call sends a copy of this one.
        self._request = self._session.prepare_request(
            requests.Request("POST", base_url, data=b"{}")
        )

    def predict(self, forwards: Sequence[Forward]) -> list[Answer | GatewayError]:
        """Ask for predictions, in one call for each model, and return each forward's result.

        A result is an answer; `InputRejected`, when Service B says that the data is wrong,
        with places that start at `data`; `ModelUnknown`; or `PredictorUnavailable` for any
        other failure.
        """
        models = {forward.model for forward in forwards}
        if len(models) == 1:
            return self._predict_alike(forwards)
        results: dict[int, Answer | GatewayError] = {}
        for model in models:
            places = [place for place, forward in enumerate(forwards) if forward.model == model]
            answers = self._predict_alike([forwards[place] for place in places])
            results.update(zip(places, answers, strict=True))
        return [results[place] for place in range(len(forwards))]

    def close(self) -> None:
        self._session.close()

    def _predict_alike(self, forwards: Sequence[Forward]) -> list[Answer | GatewayError]:
        """Ask for predictions of one model."""
        if len(forwards) > 1 and sum(len(forward.data) for forward in forwards) > _MAX_CALL_BYTES:
            return self._predict_halves(forwards)
        ask = self._ask_one if len(forwards) == 1 else self._ask_many
        deadline = max(forward.deadline for forward in forwards)
        try:
            results = self._patience.ask(lambda: ask(forwards), deadline)
        except PredictorUnavailable as error:
            return [copy.copy(error) for _ in forwards]
        if results is None:  # too much for one call, or one of them spoils the whole by its depth
            return self._predict_halves(forwards)
        return results

    def _predict_halves(self, forwards: Sequence[Forward]) -> list[Answer | GatewayError]:
        half = len(forwards) // 2
        return self._predict_alike(forwards[:half]) + self._predict_alike(forwards[half:])

    def _ask_one(self, forwards: Sequence[Forward]) -> list[Answer | GatewayError]:
        (forward,) = forwards
        status, body = self._post("/predict", b'{"input":%b}' % forward.data, forwards)
        if status == 422:
            return [_reject(_parse(body), ["body", "input"])]
        if status == 404 and forward.model is not None:
            return [_refuse_model(_parse(body))]
        if status != 200:
            raise PredictorUnavailable(f"status {status}")
        return [_accept(_parse(body), body, forward.model)]

    def _ask_many(self, forwards: Sequence[Forward]) -> list[Answer | GatewayError] | None:
        model = forwards[0].model
        inputs = b",".join(forward.data for forward in forwards)
        status, body = self._post("/predict/batch", b'{"inputs":[%b]}' % inputs, forwards)
        if status in (413, 422):
            return None
        if status == 404 and model is not None:
            error = _refuse_model(_parse(body))
            return [copy.copy(error) for _ in forwards]
        if status != 200:
            raise PredictorUnavailable(f"status {status}")
        if len(body) > _MAX_ANSWER_BYTES:
            return None
        results = _check(_BatchAnswer, _parse(body)).results
        if len(results) != len(forwards):
            raise PredictorUnavailable(f"{len(results)} results for {len(forwards)} inputs")
        return [_read_result(result, index, model) for index, result in enumerate(results)]

    def _post(self, path: str, body: bytes, forwards: Sequence[Forward]) -> tuple[int, bytes]:
        deadline = max(forward.deadline for forward in forwards)
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise PredictorTimeout("no time was left for the call")
        connect = min(self._connect_timeout_seconds, remaining)
        model = forwards[0].model
        scope = "" if model is None else f"/models/{model}"
        request = self._request.copy()
        request.url = f"{self._base_url}{scope}{path}"
        request.body = body
        request.headers["Content-Length"] = str(len(body))
        request.headers["X-Request-ID"] = _join_request_ids(forwards)
        # A call has one parent. The traces of the others are found by their request ids.
        request.headers["traceparent"] = forwards[0].traceparent
        try:
            with (
                keep_deadline(deadline),
                # The session itself would also look after cookies and redirects: B has none.
                self._session.get_adapter(self._base_url).send(
                    request,
                    # requests takes urllib3's own class as well, its types don't say so
                    timeout=cast(Any, Timeout(connect=connect, read=remaining)),
                    stream=True,
                ) as response,
            ):
                answer = response.raw.read(_MAX_ANSWER_BYTES + 1, decode_content=True)
        except (requests.RequestException, HTTPError, OSError) as error:
            late = isinstance(error, requests.Timeout) or time.monotonic() >= deadline
            kind = PredictorTimeout if late else PredictorUnavailable
            raise kind(f"{type(error).__name__}: {error}") from error
        return response.status_code, answer


def _join_request_ids(forwards: Sequence[Forward]) -> str:
    """Name each request once, as many as Service B keeps; none is cut in two."""
    ids = ",".join(dict.fromkeys(forward.request_id for forward in forwards))
    if len(ids) <= _MAX_REQUEST_IDS_CHARS:
        return ids
    return ids[: _MAX_REQUEST_IDS_CHARS + 1].rpartition(",")[0]


def _parse(body: bytes) -> Any:
    if len(body) > _MAX_ANSWER_BYTES:  # it was not read to its end
        raise PredictorUnavailable(f"answer over {_MAX_ANSWER_BYTES} bytes")
    try:
        return jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        raise PredictorUnavailable(f"not JSON: {error}") from error


def _check(shape: type[_Shape], value: Any) -> _Shape:
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise PredictorUnavailable(f"wrong shape: {place}: {problem['msg']}") from error


def _read_result(result: dict[str, Any], index: int, model: str | None) -> Answer | GatewayError:
    try:
        if "error" in result:
            return _reject(result["error"], ["body", "inputs", index])
        # A number such as 1e400 was read as infinity, which JSON doesn't have.
        return _accept(result, to_json(result, inf_nan_mode="null"), model)
    except PredictorUnavailable as error:
        return error


def _accept(answer: Any, body: bytes, model: str | None) -> Answer:
    told = _check(_Answer, answer) if model is None else _check(_OtherAnswer, answer)
    prediction = told.prediction
    return Answer(body, prediction.price, prediction.model_version)


def _reject(rejection: Any, loc: list[str | int]) -> InputRejected:
    """Move each place from where B had the input to the caller's `body.data`."""
    problems = [problem.model_dump() for problem in _check(_Rejection, rejection).detail]
    for problem in problems:
        if problem["loc"][: len(loc)] != loc:
            raise PredictorUnavailable(f"wrong shape: loc {problem['loc']}")
        problem["loc"][: len(loc)] = ["body", "data"]
    return InputRejected(problems)


def _refuse_model(answer: Any) -> ModelUnknown:
    """A 404 that isn't Service B's own means that something else answers in its place."""
    return ModelUnknown(_check(_NotFound, answer).detail)
