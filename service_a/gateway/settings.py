"""Settings of the gateway, read from environment variables."""

import os
import re
import sqlite3
import ssl
from collections.abc import Collection, Iterator, Mapping
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
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError
from urllib3.util import Url, parse_url

from gateway.telemetry.redaction import hide_secrets
from gateway.telemetry.tracing_variables import is_http_url

# Beside main.py, as in a checkout; an installed service has its files where it is started.
SERVICE_FOLDER = Path(__file__).resolve().parent.parent
if not (SERVICE_FOLDER / "main.py").is_file():
    SERVICE_FOLDER = Path()

# The first version with RETURNING; UPDATE … FROM is older.
_MIN_SQLITE = (3, 35)
# Others would be left out, and with them the rest of a path with a question mark in it.
_SQLITE_PARAMETERS = {
    "cached_statements",
    "check_same_thread",
    "detect_types",
    "isolation_level",
    "timeout",
}

# Which the library looks at only when there is a network to connect to.
_POSTGRES_NUMBERS = (
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "tcp_user_timeout",
)
_NOWHERE = "/nowhere/at/all"

# A name that can stand in a URL's path as it is; `ames@challenger` is a version by its alias.
MODEL_NAME = "^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


def _check_http_url(value: str) -> str:
    try:
        url = parse_url(value)
    except ValueError:
        url = Url()
    if url.scheme not in ("http", "https") or not url.host or re.search(r"[\s?#]", value):
        raise ValueError("must be a URL such as http://localhost:8001/predict")
    return value


def _check_database_url(value: str) -> str:
    try:
        url = make_url(value)
        dialect = url.get_dialect()
        driver: Any = dialect.import_dbapi()
        _, arguments = dialect().create_connect_args(url)
    except (ArgumentError, TypeError, ValueError) as error:
        raise ValueError("must be a SQLAlchemy URL such as sqlite:////data/inputs.db") from error
    except ImportError as error:
        raise ValueError(f"its database driver is not installed: {error}") from error
    if dialect.is_async:
        raise ValueError("its database driver works only asynchronously")
    if dialect.driver == "psycopg" and not _takes(driver, arguments):
        raise ValueError("has parameters that PostgreSQL doesn't know or take")
    if url.get_backend_name() == "sqlite":
        in_memory = ":memory:" in (url.database or ":memory:") or "memory" in url.query.values()
        if in_memory:
            raise ValueError("must name a file: what is only in memory is not logged")
        unknown = url.query.keys() - _SQLITE_PARAMETERS
        if "uri" not in url.query and (unknown or ("?" in value and not url.query)):
            raise ValueError("has parameters that SQLite doesn't know; a ? in a path is %3F")
        if sqlite3.sqlite_version_info < _MIN_SQLITE:
            raise ValueError(
                f"needs SQLite {_MIN_SQLITE[0]}.{_MIN_SQLITE[1]} or later, and this Python has "
                f"{sqlite3.sqlite_version}; use a newer Python, or name a PostgreSQL database"
            )
    return value


def _takes(driver: Any, arguments: Mapping[str, Any]) -> bool:
    """Say whether psycopg can connect with these arguments, as far as they alone decide it."""
    numbers = [arguments[name] for name in _POSTGRES_NUMBERS if name in arguments]
    try:
        conninfo = driver.conninfo.make_conninfo(**arguments)
        driver.conninfo.timeout_from_conninfo(driver.conninfo.conninfo_to_dict(conninfo))
        # The library looks at them only when it connects: to an address that is nobody's, then.
        conninfo = driver.conninfo.make_conninfo(conninfo, host=_NOWHERE, hostaddr="", port="1")
        connection = driver.pq.PGconn.connect_start(conninfo.encode())
        return _NOWHERE.encode() in connection.error_message and all(map(_is_int, numbers))
    except driver.Error:
        return False


def _is_int(value: str) -> bool:
    return re.fullmatch(r"\s*[+-]?[0-9]+\s*", value) is not None


def _is_secret(name: str, value: str) -> bool:
    """Say whether a value may hold a key or a password, which don't belong in a log."""
    if "API_KEY" in name or "@" in value:
        return True
    # Without an @, it may hold one if the URL is malformed, or as a parameter.
    is_file = re.match(r"sqlite[\w+]*:///", value)
    address = re.sub(r"^[\w+]*://", "", value)
    return name == "INPUT_LOG_URL" and bool(re.search("[?=]" if is_file else "[:?=]", address))


def _check_certificates(path: Path | None) -> Path | None:
    if path is not None:
        try:
            ssl.create_default_context(cafile=path)
        except OSError as error:
            raise ValueError("must be a file of certificates in PEM's format") from error
    return path


def _split(value: object) -> object:
    """Read a list with commas between its parts; an empty text is as good as unset."""
    if not isinstance(value, str):
        return value
    parts = [part.strip() for part in value.split(",") if part.strip()]
    if value.strip() and not parts:
        raise ValueError("has commas and nothing between them")
    return parts or None


def _check_host(value: str) -> str:
    try:
        value.encode("idna")
    except UnicodeError as error:
        raise ValueError("must be an address or the name of a host") from error
    return value


def _check_address(value: str) -> str:
    if not is_http_url(value):
        raise ValueError("must be a URL such as http://localhost:4318")
    return value


def _none_if_empty(value: object) -> object:
    return value or None


def _false_if_empty(value: object) -> object:
    return value or False


Key = Annotated[str, Field(pattern="^[!-~]+$")]
# A name or an address, without a port.
Host = Annotated[str, Field(pattern=r"^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])$")]
CorsOrigin = Annotated[str, Field(pattern="^https?://[^/,*]+$")]


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


class Settings(BaseSettings):
    """Each field is one environment variable: `GATEWAY_` and its name, or its alias."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", frozen=True)

    host: Annotated[str, AfterValidator(_check_host)] = Field(
        default="127.0.0.1", pattern=r"^\S+$", validation_alias="HOST"
    )
    """Address to listen on; `0.0.0.0` is every network of the machine, `::` with IPv6 as well."""

    port: int = Field(default=8000, ge=1, le=65535, validation_alias="PORT")
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

    api_keys: Annotated[frozenset[Key] | None, NoDecode, BeforeValidator(_split)] = None
    """Keys, with commas between them, of which every call needs one; unset lets anybody call."""

    cors_origins: Annotated[frozenset[CorsOrigin] | None, NoDecode, BeforeValidator(_split)] = None
    """Web pages, such as `https://example.com`, whose scripts may call; unset is none."""

    allowed_hosts: Annotated[frozenset[Host] | None, NoDecode, BeforeValidator(_split)] = None
    """Hosts for which calls may be, as in their `Host` header, with commas; unset is any."""

    service_b_url: Annotated[str, AfterValidator(_check_http_url)] = Field(
        default="http://localhost:8001/predict", validation_alias="SERVICE_B_URL"
    )
    """Where Service B predicts."""

    service_b_protocol: Literal["predict", "mlflow"] = Field(
        default="predict", validation_alias="SERVICE_B_PROTOCOL"
    )
    """How it is asked: as Service B is, or as an MLflow model server is."""

    mlflow_columns: Path = Path(__file__).with_name("ames_columns.json")
    """File of the fields of inputs and their columns, for an MLflow model server."""

    service_b_ca_file: Annotated[
        Path | None, BeforeValidator(_none_if_empty), AfterValidator(_check_certificates)
    ] = Field(default=None, validation_alias="SERVICE_B_CA_FILE")
    """File of the certificates to trust when Service B is called by https; unset: public ones."""

    predictor_api_key: Annotated[Key | None, BeforeValidator(_none_if_empty)] = Field(
        default=None, validation_alias="PREDICTOR_API_KEY"
    )
    """Key that Service B asks for."""

    instances_model: str = Field(default="california", pattern=MODEL_NAME)
    """Model of Service B that `/api/v1/predict` asks."""

    input_log_url: Annotated[str, AfterValidator(_check_database_url)] = Field(
        default=URL.create(
            "sqlite", database=str(SERVICE_FOLDER / "data" / "inputs.db")
        ).render_as_string(),
        validation_alias="INPUT_LOG_URL",
    )
    """SQLAlchemy URL of the input log's database."""

    forward_timeout_seconds: float = Field(default=3.0, gt=0, le=300)
    """Time for one forward to Service B in all, waiting for its turn included."""

    connect_timeout_seconds: float = Field(default=1.0, gt=0, le=300)
    """Time for opening a connection to Service B, within the forward's own."""

    connection_lifetime_seconds: float = Field(default=5.0, gt=0, le=3600)
    """How long a connection to Service B is used at most, before its name is looked up anew."""

    # While the answers of one call are read, B has the other one to work on.
    forward_calls: int = Field(default=2, ge=1, le=32)
    """Calls to Service B at a time, for one model; each has a connection."""

    # With a batch of 1,000 houses, A reads the answers of one part while B works on the next.
    forward_max_batch: int = Field(default=128, ge=1, le=1000)
    """Most inputs in one call to Service B."""

    forward_max_waiting: int = Field(default=5000, ge=1, le=1_000_000)
    """Most inputs that wait for one model; one more is answered with a 503 at once."""

    breaker_failures: int = Field(default=5, ge=1, le=1_000_000)
    """Consecutive failed calls for a model after which none is made for it for a while."""

    breaker_window_seconds: float = Field(default=1.0, gt=0, le=3600)
    """How long no call is made then, until one tries whether Service B is back."""

    retention_days: float | None = Field(default=None, gt=0, le=36500)
    """Age at which inputs are deleted from the log; unset keeps them."""

    retention_inputs: int | None = Field(default=None, ge=1, le=10**15)
    """How many inputs the log keeps, the newest; unset keeps all."""

    max_body_bytes: int = Field(default=1024 * 1024, ge=1024, le=10**12)
    """Largest request body."""

    max_batch_body_bytes: int = Field(default=4 * 1024 * 1024, ge=1024, le=10**12)
    """Largest body of a batch; 1,000 full houses take about 2 MB."""

    max_bytes_under_way: int = Field(default=8 * 1024 * 1024, le=10**13, validate_default=True)
    """Most bytes of requests under way, of all callers together; one more gets a 503."""

    body_timeout_seconds: float = Field(default=5.0, gt=0, le=60)
    """Time that a caller has to send a whole request body."""

    head_timeout_seconds: float = Field(default=15.0, gt=0, le=300)
    """Time that a caller has to send all that comes before the body."""

    max_connections: int = Field(default=1000, ge=1, le=1_000_000)
    """Most open connections, or 100 to 300 fewer than the files that a process may open."""

    lab_page: bool = True
    """Whether there are the page `/lab` and the events that it shows."""

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
        sizes = [info.data.get(name, 0) for name in ("max_body_bytes", "max_batch_body_bytes")]
        least = 2 * max(sizes)
        if value < least:
            raise ValueError(f"must be at least twice the largest body, {least}")
        return value

    @property
    def predictor_url(self) -> str:
        """Base URL of Service B, without a slash at its end."""
        url = self.service_b_url.rstrip("/")
        return url.removesuffix("/predict").removesuffix("/invocations")


SECRETS = ("api_keys", "predictor_api_key", "input_log_url", "otlp_headers")
"""Fields of which a file may hold the value: the one that their variable with `_FILE` names."""


class SettingsError(Exception):
    """Settings have bad values; the message has a line for each, with variable and value."""


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
        secret = _is_secret(name, str(problem["input"]))
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
    return alias if isinstance(alias, str) else f"GATEWAY_{field.upper()}"


def _describe_default(field: str) -> str:
    default = Settings.model_fields[field].default
    return str(default) if default or isinstance(default, float) else "unset"
