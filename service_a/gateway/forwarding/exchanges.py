"""One HTTP exchange with Service B, over a pool of connections that all calls share."""

import time
from collections.abc import Sequence
from typing import NamedTuple, cast

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError

from gateway.errors import PredictorTimeout, PredictorUnavailable
from gateway.forwarding.answers import MAX_ANSWER_BYTES
from gateway.forwarding.deadline import DeadlineAdapter, keep_deadline
from gateway.forwarding.echo import CallIds


class Reply(NamedTuple):
    """What Service B answered, and what it says of the time that it took."""

    status: int
    body: bytes
    server_timing: str


class Exchanges:
    """Posts to Service B through one pooled session. Blocks; safe to use from many threads."""

    def __init__(
        self,
        base_url: str,
        adapter: DeadlineAdapter,
        *,
        connect_timeout_seconds: float,
        api_key: str | None = None,
    ) -> None:
        self._base_url = base_url
        self._connect_timeout_seconds = connect_timeout_seconds
        self._call_ids = CallIds()
        self._adapter = adapter
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, adapter)
        # A call between two services uses no proxy or password of the environment.
        self._session.trust_env = False
        # Service B has no use for the headers that requests adds by itself.
        self._headers = {"Content-Type": "application/json"}
        if api_key:
            self._headers["X-API-Key"] = api_key
        self._session.headers = CaseInsensitiveDict(self._headers)

    def post(
        self,
        path: str,
        content: bytes,
        request_ids: Sequence[str],
        traceparent: str,
        deadline: float,
    ) -> Reply:
        """Return Service B's answer.

        Raises:
            PredictorTimeout: there is none at `deadline`, of `time.monotonic()`.
            PredictorUnavailable: there is none for any other reason.
        """
        # `requests` would take as long to prepare it as to send it.
        request = requests.PreparedRequest()
        request.method = "POST"
        request.url = f"{self._base_url}{path}"
        request.body = content
        headers = {
            **self._headers,
            "Content-Length": str(len(content)),
            "X-Request-ID": self._call_ids.make(request_ids),
            "traceparent": traceparent,
        }
        request.headers = cast(CaseInsensitiveDict[str], headers)
        return self._send(request, deadline)

    def get(self, path: str, deadline: float) -> tuple[int, bytes]:
        """Return the status and the body of the answer to a GET, or raise as `post` does."""
        headers = {"X-Request-ID": self._call_ids.make([path.strip("/")])}
        request = requests.Request("GET", f"{self._base_url}{path}", headers)
        reply = self._send(self._session.prepare_request(request), deadline)
        return reply.status, reply.body

    def close(self) -> None:
        self._session.close()

    def _send(self, request: requests.PreparedRequest, deadline: float) -> Reply:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise PredictorTimeout("no time was left for the call")
        connect = min(self._connect_timeout_seconds, remaining)
        try:
            with (
                keep_deadline(deadline),
                # The session itself would also look after cookies and redirects: B has none.
                self._adapter.send(request, timeout=(connect, remaining), stream=True) as response,
            ):
                body = response.raw.read(MAX_ANSWER_BYTES + 1, decode_content=True)
        except (requests.RequestException, HTTPError, OSError) as error:
            late = isinstance(error, requests.Timeout) or time.monotonic() >= deadline
            kind = PredictorTimeout if late else PredictorUnavailable
            raise kind(f"{type(error).__name__}: {error}") from error
        timing = response.raw.headers.get("Server-Timing", "")
        return Reply(response.status_code, body, timing)
