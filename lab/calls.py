"""HTTP calls to the services, past any proxy."""

from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit


class Answer(NamedTuple):
    status: int
    text: str
    request_id: str | None = None


class NoAnswer(Exception):
    """Nothing came back that is HTTP; the message says why."""


def call(
    url: str,
    body: str | None = None,
    *,
    key: str = "",
    headers: Mapping[str, str] = MappingProxyType({}),
    timeout_seconds: float = 10,
) -> Answer:
    """Send a GET, or with a body of JSON a POST, and return the answer, whatever its status."""
    sent = {**headers, "X-API-Key": key} if key else dict(headers)
    if body is not None:
        sent["Content-Type"] = "application/json"
    try:
        parts = urlsplit(url)
        protocol = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = protocol(parts.netloc, timeout=timeout_seconds)
        try:
            connection.request("GET" if body is None else "POST", parts.path or "/", body, sent)
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
            return Answer(response.status, text, response.getheader("X-Request-ID"))
        finally:
            connection.close()
    except (OSError, HTTPException, ValueError) as error:
        raise NoAnswer(str(error)) from error
