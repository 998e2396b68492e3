"""What the environment asks of a start."""

from collections.abc import Mapping
from typing import NamedTuple

from lab.errors import LabFailure


class Settings(NamedTuple):
    a_port: int
    b_port: int
    timeout_seconds: int
    service_b_url: str


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the variables of a start.

    Raises:
        LabFailure: one has a value that can't be used.
    """
    a_port = _read_port(environment, "SERVICE_A_PORT", "8000")
    b_port = _read_port(environment, "SERVICE_B_PORT", "8001")
    if a_port == b_port:
        raise LabFailure(f"SERVICE_A_PORT and SERVICE_B_PORT are both {a_port}; they must differ.")
    timeout = environment.get("START_TIMEOUT_SECONDS") or "60"
    if not _is_number(timeout):
        raise LabFailure(f"START_TIMEOUT_SECONDS={timeout} is not a whole number of seconds.")
    url = environment.get("SERVICE_B_URL") or f"http://127.0.0.1:{b_port}/predict"
    return Settings(a_port, b_port, int(timeout), url)


def _read_port(environment: Mapping[str, str], name: str, default: str) -> int:
    value = environment.get(name) or default
    if not _is_number(value) or int(value) > 65535:
        raise LabFailure(f"{name}={value} is not a port; it must be a number from 1 to 65535.")
    return int(value)


def _is_number(text: str) -> bool:
    """Say whether this is a number from 1 to 99999, in plain digits."""
    return text.isascii() and text.isdigit() and len(text) <= 5 and not text.startswith("0")
