"""Calls to Service B besides those for predictions: how it is, and its faults."""

import time
from typing import TypeVar

import requests
from pydantic import BaseModel, ValidationError
from urllib3.exceptions import HTTPError

from gateway.errors import PredictorUnavailable
from gateway.forwarding.deadline import DeadlineAdapter, keep_deadline

Shape = TypeVar("Shape", bound=BaseModel)

_TIMEOUT_SECONDS = 0.8
_MAX_ANSWER_BYTES = 1024 * 1024


class SideCalls:
    """Calls Service B by connections of its own. Blocks; safe to use from many threads."""

    def __init__(self, base_url: str, adapter: DeadlineAdapter, api_key: str | None) -> None:
        self._base_url = base_url
        self._adapter = adapter
        self._headers = {"X-API-Key": api_key} if api_key else {}

    def send(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Return the status and the body of the answer.

        Raises:
            PredictorUnavailable: there is none in time, or it is too long.
        """
        headers = dict(self._headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = requests.Request(method, f"{self._base_url}{path}", headers, data=body)
        try:
            with (
                keep_deadline(time.monotonic() + _TIMEOUT_SECONDS),
                # A session would read all of a redirect, and its address, though it isn't followed.
                self._adapter.send(
                    request.prepare(), timeout=_TIMEOUT_SECONDS, stream=True
                ) as response,
            ):
                content = response.raw.read(_MAX_ANSWER_BYTES + 1, decode_content=True)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise PredictorUnavailable(f"{type(error).__name__}: {error}") from error
        if len(content) > _MAX_ANSWER_BYTES:
            raise PredictorUnavailable(f"answer over {_MAX_ANSWER_BYTES} bytes")
        return response.status_code, content

    def read(self, shape: type[Shape], path: str) -> Shape:
        """Return the answer to a GET; one of another shape is as good as none.

        Raises:
            PredictorUnavailable: there is none in time, or it is too long.
        """
        status, content = self.send("GET", path)
        try:
            return shape.model_validate_json(content if status == 200 else b"{}")
        except ValidationError:
            return shape()

    def close(self) -> None:
        self._adapter.close()
