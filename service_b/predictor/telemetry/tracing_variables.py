"""The variables that the tracing library reads itself, looked at before it does.

It takes a wrong value with a traceback, or goes on as if there were none.
"""

import math
import re
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import unquote, urlsplit

from predictor.telemetry.redaction import hide_secrets

_SAMPLERS = ["always_on", "always_off", "traceidratio"]
_SAMPLERS += [f"parentbased_{name}" for name in _SAMPLERS]
_BATCH, _QUEUE = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_BSP_MAX_QUEUE_SIZE"
_DEFAULT_BATCH, _DEFAULT_QUEUE = 512, 2048
# RFC 9110. The library leaves out a header whose value has one of the three that are missing here.
_TOKEN = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)
_VALUE = re.compile(r"[ !#-:<-\[\]-~]*")


def is_http_url(value: str) -> bool:
    """Say whether something can be sent to this address."""
    try:
        url = urlsplit(value)
        return bool(url.hostname) and url.port != 0 and url.scheme in ("http", "https")
    except ValueError:  # of its port, or of a bracket that isn't closed
        return False


def find_wrong_variables(variables: Mapping[str, str]) -> list[str]:
    """Return a line for each variable with a wrong value; an empty one is as good as unset."""
    given = {name: value for name in _CHECKS if (value := variables.get(name, "").strip())}
    lines = [
        f"{_find_source(name, variables)}: {_CHECKS[name][1]}{_repeat(name, value)}"
        for name, value in given.items()
        if not _CHECKS[name][0](value)
    ]
    if not lines and int(given.get(_BATCH, _DEFAULT_BATCH)) > int(
        given.get(_QUEUE, _DEFAULT_QUEUE)
    ):
        lines.append(f"{_BATCH}: must be at most {_QUEUE}")
    return lines


def _find_source(name: str, variables: Mapping[str, str]) -> str:
    """Name the variable that was set: the value may be in a file."""
    file = f"{name}_FILE"
    return file if file in variables else name


def _repeat(name: str, value: str) -> str:
    """Headers are left out: they are there for keys and passwords."""
    return "" if name.endswith("HEADERS") else hide_secrets(f" (was {value!r})")


def _is_whole(value: str, least: int) -> bool:
    try:
        return int(value) >= least
    except ValueError:
        return False


def _is_number(value: str, most: float) -> bool:
    try:
        return 0 <= float(value) <= most
    except ValueError:
        return False


def _are_detectors(value: str) -> bool:
    known = {*entry_points(group="opentelemetry_resource_detector").names, "*", ""}
    return {name.strip() for name in value.split(",")} <= known


def _are_headers(value: str) -> bool:
    return all(_is_header(part) for part in value.split(",") if part.strip())


def _is_header(part: str) -> bool:
    name, equals, value = part.strip().partition("=")
    sent = unquote(value, errors="replace")
    return (
        bool(equals and _VALUE.fullmatch(value) and _TOKEN.fullmatch(unquote(name).strip()))
        and sent.isprintable()
        and all(character <= "\xff" for character in sent)  # as a header is encoded
    )


_Check = tuple[Callable[[str], bool], str]
_COUNT: _Check = (lambda value: _is_whole(value, 0), "must be a whole number, 0 or more")
_SIZE: _Check = (lambda value: _is_whole(value, 1), "must be a whole number, 1 or more")
_SECONDS: _Check = (
    lambda value: _is_number(value, math.inf) and float(value) not in (0, math.inf),
    "must be a number of seconds",
)
_FILE: _Check = (lambda value: Path(value).exists(), "there is no such file")
_CODING: _Check = (
    lambda value: value.lower() in ("none", "gzip", "deflate"),
    "must be none, gzip or deflate",
)
_HEADERS: _Check = (_are_headers, "must be name=value pairs with commas between them")
_OTLP = ("OTEL_EXPORTER_OTLP_", "OTEL_EXPORTER_OTLP_TRACES_")
_CHECKS: dict[str, _Check] = {
    **dict.fromkeys([_BATCH, _QUEUE, "OTEL_BSP_SCHEDULE_DELAY"], _SIZE),
    "OTEL_BSP_EXPORT_TIMEOUT": _COUNT,
    **{
        f"OTEL_{limit}_LIMIT": _COUNT
        for limit in (
            "ATTRIBUTE_COUNT",
            "ATTRIBUTE_VALUE_LENGTH",
            "EVENT_ATTRIBUTE_COUNT",
            "LINK_ATTRIBUTE_COUNT",
            "SPAN_ATTRIBUTE_COUNT",
            "SPAN_ATTRIBUTE_VALUE_LENGTH",
            "SPAN_EVENT_COUNT",
            "SPAN_LINK_COUNT",
        )
    },
    **{f"{prefix}TIMEOUT": _SECONDS for prefix in _OTLP},
    **{f"{prefix}COMPRESSION": _CODING for prefix in _OTLP},
    **{f"{prefix}HEADERS": _HEADERS for prefix in _OTLP},
    **{
        f"{prefix}{kind}": _FILE
        for prefix in _OTLP
        for kind in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY")
    },
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": (is_http_url, "must be a URL such as http://b:4318"),
    "OTEL_TRACES_SAMPLER": (
        lambda value: value.lower() in _SAMPLERS,
        f"must be one of {', '.join(_SAMPLERS)}",
    ),
    "OTEL_TRACES_SAMPLER_ARG": (
        lambda value: _is_number(value, 1),
        "must be a number between 0 and 1",
    ),
    "OTEL_RESOURCE_ATTRIBUTES": (
        lambda value: all("=" in part for part in value.split(",") if part.strip()),
        "must be such as name=value, with commas between them",
    ),
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": (_are_detectors, "must name detectors there are"),
}
