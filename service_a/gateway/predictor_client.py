"""The call to Service B over HTTP."""

import time
from dataclasses import dataclass
from typing import Any, cast

import jiter
import requests
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout

from gateway.deadline import DeadlineAdapter, keep_deadline
from gateway.errors import InputRejected, PredictorUnavailable

_MAX_ANSWER_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """What Service B answers: all of it as JSON, to be passed on, and what the log keeps."""

    body: bytes
    price: float
    model_version: str | None


class _Prediction(BaseModel):
    model_config = ConfigDict(protected_namespaces=(), strict=True)

    price: float = Field(allow_inf_nan=False)
    model_version: str | None = None


class _Answer(BaseModel):
    model_config = ConfigDict(strict=True)

    prediction: _Prediction
    message: str


class _Problem(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")

    type: str
    loc: list[str | int] = Field(min_length=2)
    msg: str


class _Rejection(BaseModel):
    model_config = ConfigDict(strict=True)

    detail: list[_Problem] = Field(min_length=1)


class PredictorClient:
    """Calls Service B through one pooled session. Blocks; safe to use from many threads."""

    def __init__(self, base_url: str, *, connect_timeout_seconds: float, connections: int) -> None:
        self._predict_url = f"{base_url}/predict"
        self._connect_timeout_seconds = connect_timeout_seconds
        self._session = requests.Session()
        # Proxies and passwords of the environment are not for a call between two services.
        self._session.trust_env = False
        self._session.mount("http://", DeadlineAdapter(pool_maxsize=connections))
        self._session.mount("https://", HTTPAdapter(pool_maxsize=connections))

    def predict(self, data: bytes, request_id: str, deadline: float) -> Answer:
        """Ask for a prediction for `data`, which is JSON, before `deadline` of `time.monotonic()`.

        Raises:
            InputRejected: Service B says that the data is wrong; places start at `data`.
            PredictorUnavailable: any other failure.
        """
        status, body = self._post(b'{"input":%b}' % data, request_id, deadline)
        try:
            if status == 422:
                raise _translate(_Rejection.model_validate(_parse(body)))
            if status != 200:
                raise PredictorUnavailable(f"status {status}")
            prediction = _Answer.model_validate(_parse(body)).prediction
            return Answer(body, prediction.price, prediction.model_version)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in problem["loc"])
            raise PredictorUnavailable(f"wrong shape: {place}: {problem['msg']}") from error

    def close(self) -> None:
        self._session.close()

    def _post(self, body: bytes, request_id: str, deadline: float) -> tuple[int, bytes]:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise PredictorUnavailable("no worker was free in time")
        connect = min(self._connect_timeout_seconds, remaining)
        try:
            with (
                keep_deadline(deadline),
                self._session.post(
                    self._predict_url,
                    data=body,
                    headers={"Content-Type": "application/json", "X-Request-ID": request_id},
                    # requests takes urllib3's own class as well, its types don't say so
                    timeout=cast(Any, Timeout(connect=connect, read=remaining)),
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                answer = response.raw.read(_MAX_ANSWER_BYTES + 1, decode_content=True)
        except (requests.RequestException, OSError, HTTPError) as error:
            raise PredictorUnavailable(f"{type(error).__name__}: {error}") from error
        if len(answer) > _MAX_ANSWER_BYTES:
            raise PredictorUnavailable(f"answer over {_MAX_ANSWER_BYTES} bytes")
        return response.status_code, answer


def _parse(body: bytes) -> Any:
    try:
        return jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        raise PredictorUnavailable(f"not JSON: {error}") from error


def _translate(rejection: _Rejection) -> InputRejected:
    """Move each place from B's `body.input` to the caller's `body.data`."""
    problems = [problem.model_dump() for problem in rejection.detail]
    for problem in problems:
        problem["loc"][:2] = ["body", "data"]
    return InputRejected(problems)
