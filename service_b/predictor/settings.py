"""Settings of the predictor, read from environment variables."""

import json
import multiprocessing
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from predictor.telemetry.redaction import hide_secrets
from predictor.telemetry.tracing_variables import is_http_url

# Beside main.py, as in a checkout; an installed service has its files where it is started.
SERVICE_FOLDER = Path(__file__).resolve().parent.parent
if not (SERVICE_FOLDER / "main.py").is_file():
    SERVICE_FOLDER = Path()

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


def _check_host(value: str) -> str:
    try:
        value.encode("idna")
    except UnicodeError as error:
        raise ValueError("must be an address or the name of a host") from error
    return value


def _split(value: object) -> object:
    """Read a list with commas between its parts; an empty text is as good as unset."""
    if not isinstance(value, str):
        return value
    parts = [part.strip() for part in value.split(",") if part.strip()]
    if value.strip() and not parts:
        raise ValueError("has commas and nothing between them")
    return parts or None


def _check_address(value: str) -> str:
    if not is_http_url(value):
        raise ValueError("must be a URL such as http://localhost:4318")
    return value


def _none_if_empty(value: object) -> object:
    return value or None


def _false_if_empty(value: object) -> object:
    return value or False


# A name or an address, without a port.
Host = Annotated[str, Field(pattern=r"^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])$")]


def _drop_slash(value: object) -> object:
    return (value.rstrip("/") or None) if isinstance(value, str) else value


RootPath = Annotated[str, Field(pattern=r"^(/\.*[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$")]


# Pieces that are there only for speed, in either service; each has a plain twin.
Trick = Literal[
    "direct_routes",
    "fast_path",
    "joined_sends",
    "quick_check",
    "sqlite_writer",
]


def _read_tricks(value: object) -> object:
    """Read names with commas between them; `1` is all of them, `0` or an empty text none."""
    if not isinstance(value, str):
        return value
    if value in ("", "0"):
        return ()
    return get_args(Trick) if value == "1" else [name.strip() for name in value.split(",")]


def _read_list(value: object) -> object:
    """Read a list as JSON, or with commas between its parts."""
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith("["):
        return [part.strip() for part in value.split(",") if part.strip()]
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError("must be a JSON list, or have commas between its parts") from error


class Settings(BaseSettings):
    """Each field is one environment variable: `PREDICTOR_` and its name, or its alias."""

    model_config = SettingsConfigDict(env_prefix="PREDICTOR_", frozen=True)

    host: Annotated[str, AfterValidator(_check_host)] = Field(
        default="127.0.0.1", pattern=r"^\S+$", validation_alias="HOST"
    )
    """Address to listen on; `0.0.0.0` is every network of the machine, `::` with IPv6 as well."""

    port: int = Field(default=8001, ge=1, le=65535, validation_alias="PORT")
    """Port to listen on."""

    root_path: Annotated[RootPath | None, BeforeValidator(_drop_slash)] = Field(
        default=None, validation_alias="ROOT_PATH"
    )
    """Path under which a proxy has the service, such as `/lab`; unset is none."""

    workers: int = Field(default=1, ge=1, le=64, validation_alias="WORKERS")
    """Processes that answer at the port."""

    drain_seconds: float = Field(default=0.0, ge=0, le=300, validation_alias="DRAIN_SECONDS")
    """How long it still answers when it is told to stop, and says that it will."""

    log_level: LogLevel = Field(default="INFO", validation_alias="LOG_LEVEL")
    """Least important level that is logged: DEBUG, INFO, WARNING or ERROR."""

    log_format: Literal["text", "json"] = Field(default="text", validation_alias="LOG_FORMAT")
    """How log lines are written: `text` for eyes, or `json`, which has everything."""

    otlp_endpoint: Annotated[
        Annotated[str, Field(pattern=r"^\S+$"), AfterValidator(_check_address)] | None,
        BeforeValidator(_none_if_empty),
    ] = Field(default=None, validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    """Where the spans of each request are sent, by OTLP over HTTP; unset is nowhere."""

    otlp_headers: str | None = Field(default=None, validation_alias="OTEL_EXPORTER_OTLP_HEADERS")
    """Headers to send with them, such as `api-key=key1`, with commas between them."""

    api_key: Annotated[
        Annotated[str, Field(pattern="^[!-~]+$")] | None, BeforeValidator(_none_if_empty)
    ] = None
    """Key that every call needs; unset lets anybody call."""

    allowed_hosts: Annotated[frozenset[Host] | None, NoDecode, BeforeValidator(_split)] = None
    """Hosts for which calls may be, as in their `Host` header, with commas; unset is any."""

    models: Path = SERVICE_FOLDER / "models.yaml"
    """File that lists the models and where their versions are."""

    watch_seconds: float = Field(default=10.0, gt=0, le=86400)
    """Time between two looks for new versions."""

    allowed_sources: Annotated[
        tuple[Annotated[str, Field(min_length=1)], ...],
        NoDecode,
        BeforeValidator(_read_list),
        Field(min_length=1),
    ] = ("file:", "https:", "s3:", "gs:", "models:")
    """What the address of a source must begin with; a folder's begins with `file://`."""

    max_version_bytes: int = Field(default=64 * 1024 * 1024, ge=1024, le=10**12)
    """Most bytes of all files of a model's version that are read; all are in memory at once."""

    max_body_bytes: int = Field(default=8 * 1024 * 1024, ge=1024, le=10**12)
    """Largest request body; a batch of 1,000 full houses takes about 2 MB."""

    max_bytes_under_way: int = Field(default=16 * 1024 * 1024, le=10**13, validate_default=True)
    """Most bytes of requests under way, of all callers together; one more gets a 503."""

    max_body_values: int = Field(default=250_000, ge=1000, le=10**9)
    """Most values in a request body, all brackets counted; 1,000 full houses have 81,000."""

    max_rows: int = Field(default=1000, ge=1, le=10**9)
    """Most rows in one call of `/invocations`."""

    body_timeout_seconds: float = Field(default=5.0, gt=0, le=60)
    """Time that a caller has to send a whole request body."""

    head_timeout_seconds: float = Field(default=15.0, gt=0, le=300)
    """Time that a caller has to send all that comes before the body."""

    max_connections: int = Field(default=1000, ge=1, le=1_000_000)
    """Most open connections, or 100 to 300 fewer than the files that a process may open."""

    faults: Annotated[bool, BeforeValidator(_false_if_empty)] = Field(
        default=False, validation_alias="LAB_FAULTS"
    )
    """Whether callers may switch on faults, for teaching; unset: the calls don't exist."""

    plain: Annotated[frozenset[Trick], NoDecode, BeforeValidator(_read_tricks)] = Field(
        default=frozenset(), validation_alias="LAB_PLAIN"
    )
    """What is done in the plain way instead of the fast one: `1` is all, or names with commas."""

    @field_validator("faults")
    @classmethod
    def _have_faults_in_one_process(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("workers", 1) > 1:
            raise ValueError("a fault is one process's: with it, WORKERS must be 1")
        return value

    @field_validator("max_bytes_under_way")
    @classmethod
    def _leave_room_for_largest_body(cls, value: int, info: ValidationInfo) -> int:
        least = 2 * info.data.get("max_body_bytes", 0)
        if value < least:
            raise ValueError(f"must be at least twice the largest body, {least}")
        return value


# Variables of libraries, which read them when imported, and raise errors that name none.
_WHOLE_NUMBERS = (
    "JOBLIB_MULTIPROCESSING",
    "LOKY_MAX_DEPTH",
    "NUMPY_MADVISE_HUGEPAGE",
    "SKLEARN_PAIRWISE_DIST_CHUNK_SIZE",
    "SKLEARN_WORKING_MEMORY",
)
_CHOICES = {
    "JOBLIB_START_METHOD": multiprocessing.get_all_start_methods(),
    "LOKY_PICKLER": ["cloudpickle", "pickle"],
}


SECRETS = ("api_key", "otlp_headers")
"""Fields of which a file may hold the value: the one that their variable with `_FILE` names."""


class SettingsError(Exception):
    """Settings have bad values; the message has a line for each, with variable and value."""


def check_foreign_variables() -> None:
    """Check the variables of libraries, before these are imported.

    Raises:
        SettingsError: a value is none that the library takes.
    """
    for name in _WHOLE_NUMBERS:
        value = os.environ.get(name, "0")
        try:
            int(value)
        except ValueError as error:
            raise SettingsError(f"{name}: must be a whole number (was {value!r})") from error
    for name, choices in _CHOICES.items():
        value = os.environ.get(name, "")
        if value and value not in choices:
            raise SettingsError(f"{name}: must be one of {', '.join(choices)} (was {value!r})")


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        SettingsError: a value is not allowed, or a file can't be read.
    """
    # Where it is set, the metrics' library keeps files there.
    for name in ("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir"):
        folder = os.environ.get(name)
        if folder is not None and not os.access(folder, os.W_OK | os.X_OK):
            raise SettingsError(f"{name}: not a folder to write to (was {folder!r})")
    secrets = _read_secret_files()
    try:
        return Settings(**secrets)
    except ValidationError as error:
        raise SettingsError("\n".join(_describe(error, secrets.keys()))) from error


def _describe(error: ValidationError, from_files: Collection[str]) -> Iterator[str]:
    """Yield a line for each variable with a wrong value, or with a file that holds one."""
    problems = {problem["loc"][0]: problem for problem in reversed(error.errors(include_url=False))}
    for field, problem in sorted(problems.items(), key=lambda each: str(each[0])):
        # A value that was given is named by its alias, a default by its field.
        name = str(field) if str(field).isupper() else _name(str(field))
        # Neither a key nor a URL with a password in it belongs in a log.
        secret = "API_KEY" in name or "@" in str(problem["input"])
        given = "" if secret else hide_secrets(f" (was {problem['input']!r})")
        held = "_FILE" if field in from_files else ""
        yield f"{name}{held}: {problem['msg']}{given}"


def _read_secret_files() -> dict[str, Any]:
    """Read the files that hold secrets; return what they hold as `Settings` takes it."""
    variables = {name.upper(): value for name, value in os.environ.items() if value}
    held = {}
    for field in SECRETS:
        name = _name(field)
        file_name = f"{name}_FILE"
        if file_name not in variables:
            continue
        if name in variables:
            raise SettingsError(f"{name} and {file_name}: only one of them may be set")
        # What it names is not repeated: it may be the secret itself, by mistake.
        try:
            content = Path(variables[file_name]).read_text(encoding="utf-8-sig")
        except OSError as error:
            raise SettingsError(f"{file_name}: its file can't be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise SettingsError(f"{file_name}: its file is not UTF-8") from error
        content = content.rstrip("\n")
        # As good as unset, an empty one would let anybody call.
        if not content.strip():
            raise SettingsError(f"{file_name}: its file is empty")
        if "\n" in content:
            raise SettingsError(f"{file_name}: its file has more than one line")
        held[name if Settings.model_fields[field].validation_alias else field] = content
    return held


def list_settings() -> Iterator[str]:
    """Yield the variable of each setting, with its default."""
    for field in Settings.model_fields:
        yield f"{_name(field)} ({_describe_default(field)})"
        if field in SECRETS:
            yield f"{_name(field)}_FILE (unset)"


def _name(field: str) -> str:
    alias = Settings.model_fields[field].validation_alias
    return alias if isinstance(alias, str) else f"PREDICTOR_{field.upper()}"


def _describe_default(field: str) -> str:
    default = Settings.model_fields[field].default
    if isinstance(default, tuple):
        return json.dumps(default)
    return str(default) if default or isinstance(default, float) else "unset"
