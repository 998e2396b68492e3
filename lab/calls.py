"""HTTP calls to the services, past any proxy."""

from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlsplit


class Answer(NamedTuple):
    status: int
    text: str


class NoAnswer(Exception):
    """Nothing came back that is HTTP; the message says why."""


def call(
    url: str, body: str | None = None, *, key: str = "", timeout_seconds: float = 10
) -> Answer:
    """Send a GET, or with a body of JSON a POST, and return the answer, whatever its status."""
    headers = {"X-API-Key": key} if key else {}
    if body is not None:
        headers["Content-Type"] = "application/json"
    try:
        parts = urlsplit(url)
        protocol = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = protocol(parts.netloc, timeout=timeout_seconds)
        try:
            connection.request("POST" if body else "GET", parts.path or "/", body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.read().decode(errors="replace"))
        finally:
            connection.close()
    except (OSError, HTTPException, ValueError) as error:
        raise NoAnswer(str(error)) from error
