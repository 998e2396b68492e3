"""The export of Service A's input log, from its URL or from a file: one JSON object per line."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit, urlunsplit

import requests
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat, ValidationError
from tqdm import tqdm

from training.dataset import CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS
from training.errors import TrainingError

API_KEY = "TRAINING_API_KEY"
"""The variable with the key that Service A asks for, where it asks for one."""

# Service B's, for which the inputs are that name no model.
_DEFAULT_MODEL = "ames"
_PATH = "/inputs/export"

Price = Annotated[FiniteFloat, Field(gt=0)]


class LoggedInput(BaseModel):
    """One input: what was sent, what became of it, and what the house was sold for.

    The interval and the actual price are `None` in the export of an older Service A, too.
    """

    model_config = ConfigDict(frozen=True, strict=True, protected_namespaces=())

    number: int = Field(ge=1)
    request_id: str
    received_at: AwareDatetime
    model: str | None
    outcome: Literal["logged", "pending", "predicted", "rejected", "unavailable"]
    price: FiniteFloat | None  # some other model's may be any number
    model_version: str | None
    interval_lower: FiniteFloat | None = None
    interval_upper: FiniteFloat | None = None
    actual_price: Price | None = None
    actual_at: AwareDatetime | None = None
    data: Any

    def is_for(self, model: str) -> bool:
        """Say whether it was meant for a model, by whatever alias."""
        return (self.model or _DEFAULT_MODEL).partition("@")[0] == model


def read_export(source: str, since: datetime | None = None) -> Iterator[LoggedInput]:
    """Give the inputs that were received at `since` or later, oldest first.

    `source` is a file, or the URL of Service A or of its export. An error may come after any
    input, so that whoever changes something must have read all of them first.

    Raises:
        TrainingError: the export can't be had, was cut off, or a line isn't an input. The message
            names the line.
    """
    name = _hide_password(source)
    lines: dict[int, int] = {}
    with _open(source, name, since) as chunks:
        progress = tqdm(_split(chunks, name), desc="inputs", unit="", disable=None)
        for line, text in enumerate(progress, start=1):
            try:
                logged = LoggedInput.model_validate_json(text)
            except ValidationError as error:
                raise TrainingError(f"{name}: line {line}: {_explain(error)}") from error
            former = lines.setdefault(logged.number, line)
            if former != line:
                raise TrainingError(
                    f"{name}: line {line}: number {logged.number} is in line {former}, too; "
                    "keep one of them"
                )
            if since is None or logged.received_at >= since:
                yield logged


@contextmanager
def _open(source: str, name: str, since: datetime | None) -> Iterator[Iterator[bytes]]:
    """Give what the export holds, in pieces."""
    if not source.lower().startswith(("http://", "https://")):
        try:
            with Path(source).open("rb") as file:
                yield iter(lambda: file.read(1 << 16), b"")
        except OSError as error:
            raise TrainingError(f"cannot read {name}: {error.strerror or error}") from error
        return
    key = os.environ.get(API_KEY)
    try:
        with requests.get(
            _find_export(source),
            params=None if since is None else {"received_from": since.isoformat()},
            headers={"X-API-Key": key} if key else {},
            stream=True,
            timeout=(CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS),
            allow_redirects=False,  # the key is for no other host
        ) as response:
            if response.status_code == 401:
                raise TrainingError(f"{name} wants a key; give a right one in {API_KEY}")
            if response.status_code != 200:
                raise TrainingError(f"cannot read {name}: status {response.status_code}")
            yield response.iter_content(chunk_size=1 << 16)
    except (OSError, ValueError) as error:  # a URL or a key that requests can't use, too
        raise TrainingError(f"cannot read {name} ({type(error).__name__})") from error


def _find_export(source: str) -> str:
    parts = urlsplit(source)
    path = parts.path.rstrip("/")
    return urlunsplit(parts._replace(path=path if path.endswith(_PATH) else path + _PATH))


def _hide_password(source: str) -> str:
    """Give a source as messages may show it."""
    scheme, separator, rest = source.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}" if separator else source


def _split(chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Part the export into lines.

    Raises:
        TrainingError: it breaks off.
    """
    count, rest = 0, b""
    try:
        for chunk in chunks:
            *whole, rest = (rest + chunk).split(b"\n")
            count += len(whole)
            yield from whole
    except OSError as error:
        raise TrainingError(f"{name}: broke off after line {count}") from error
    if rest:
        yield rest


def _explain(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    if first["type"] == "json_invalid":
        return "is cut off" if "EOF" in first["msg"] else "is not JSON"
    where = ".".join(map(str, first["loc"]))
    value = json.dumps(first["input"], default=str)[:40]
    return f"{where}: {first['msg']}, not {value}" if where else first["msg"]
