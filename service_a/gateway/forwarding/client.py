"""The call to Service B over HTTP."""

import copy
import time
from collections.abc import Sequence
from typing import Any, cast

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout

from gateway.errors import GatewayError, PredictorTimeout, PredictorUnavailable
from gateway.forwarding.answers import MAX_ANSWER_BYTES, read_answer, read_answers
from gateway.forwarding.deadline import DeadlineAdapter, keep_deadline
from gateway.forwarding.retries import Retries
from gateway.intake.entries import Answer, Forward

# Service B takes up to 8 MiB in one body.
_MAX_CALL_BYTES = 4 * 1024 * 1024
# Of a longer header Service B would keep nothing.
_MAX_REQUEST_IDS_CHARS = 16_384


class PredictorClient:
    """Calls Service B through one pooled session. Blocks; safe to use from many threads."""

    def __init__(
        self,
        base_url: str,
        retries: Retries,
        adapter: DeadlineAdapter,
        *,
        connect_timeout_seconds: float,
        api_key: str | None = None,
    ) -> None:
        self._base_url = base_url
        self._retries = retries
        self._connect_timeout_seconds = connect_timeout_seconds
        self._session = requests.Session()
        self._session.mount("http://", adapter)
        # Proxies and passwords of the environment are not for a call between two services.
        self._session.trust_env = False
        # Service B has no use for the headers that requests adds by itself.
        self._session.headers = CaseInsensitiveDict({"Content-Type": "application/json"})
        if api_key:
            self._session.headers["X-API-Key"] = api_key
        # Preparing a request takes as long as sending it, so each call sends a copy of this one.
        self._request = self._session.prepare_request(
            requests.Request("POST", base_url, data=b"{}")
        )

    def predict(self, forwards: Sequence[Forward], deadline: float) -> list[Answer | GatewayError]:
        """Ask for predictions, in one call for each model, and return each forward's result.

        A result is an answer; `InputRejected`, when Service B says that the data is wrong;
        `ModelUnknown`; or `PredictorUnavailable` for any other failure, one of them that
        `deadline`, of `time.monotonic()`, has passed.
        """
        models = {forward.model for forward in forwards}
        if len(models) == 1:
            return self._predict_alike(forwards, deadline)
        results: dict[int, Answer | GatewayError] = {}
        for model in models:
            places = [place for place, forward in enumerate(forwards) if forward.model == model]
            answers = self._predict_alike([forwards[place] for place in places], deadline)
            results.update(zip(places, answers, strict=True))
        return [results[place] for place in range(len(forwards))]

    def close(self) -> None:
        self._session.close()

    def _predict_alike(
        self, forwards: Sequence[Forward], deadline: float
    ) -> list[Answer | GatewayError]:
        """Ask for predictions of one model."""
        if len(forwards) > 1 and sum(len(forward.data) for forward in forwards) > _MAX_CALL_BYTES:
            return self._predict_halves(forwards, deadline)
        try:
            results = self._retries.run(lambda: self._call(forwards, deadline), deadline)
        except PredictorUnavailable as error:
            return [copy.copy(error) for _ in forwards]  # each caller raises one of its own
        if results is None:
            return self._predict_halves(forwards, deadline)
        return results

    def _predict_halves(
        self, forwards: Sequence[Forward], deadline: float
    ) -> list[Answer | GatewayError]:
        half = len(forwards) // 2
        return [
            *self._predict_alike(forwards[:half], deadline),
            *self._predict_alike(forwards[half:], deadline),
        ]

    def _call(
        self, forwards: Sequence[Forward], deadline: float
    ) -> list[Answer | GatewayError] | None:
        """Return each forward's result, or None if they are too much for one call."""
        model = forwards[0].model
        if len(forwards) == 1:
            content = b'{"input":%b}' % forwards[0].data
            status, body = self._post("/predict", content, forwards, deadline)
            return [read_answer(status, body, model)]
        content = b'{"inputs":[%b]}' % b",".join(forward.data for forward in forwards)
        status, body = self._post("/predict/batch", content, forwards, deadline)
        return read_answers(status, body, len(forwards), model)

    def _post(
        self, path: str, content: bytes, forwards: Sequence[Forward], deadline: float
    ) -> tuple[int, bytes]:
        """Return the status and the body of Service B's answer."""
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise PredictorTimeout("no time was left for the call")
        connect = min(self._connect_timeout_seconds, remaining)
        model = forwards[0].model
        scope = "" if model is None else f"/models/{model}"
        request = self._request.copy()
        request.url = f"{self._base_url}{scope}{path}"
        request.body = content
        request.headers["Content-Length"] = str(len(content))
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
                body = response.raw.read(MAX_ANSWER_BYTES + 1, decode_content=True)
        except (requests.RequestException, HTTPError, OSError) as error:
            late = isinstance(error, requests.Timeout) or time.monotonic() >= deadline
            kind = PredictorTimeout if late else PredictorUnavailable
            raise kind(f"{type(error).__name__}: {error}") from error
        return response.status_code, body


def _join_request_ids(forwards: Sequence[Forward]) -> str:
    """Name each request once, as many as Service B keeps; none is cut in two."""
    ids = ",".join(dict.fromkeys(forward.request_id for forward in forwards))
    if len(ids) <= _MAX_REQUEST_IDS_CHARS:
        return ids
    return ids[: _MAX_REQUEST_IDS_CHARS + 1].rpartition(",")[0]
