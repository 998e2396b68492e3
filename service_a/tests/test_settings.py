import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import get_args

import pytest

from gateway.input_log.database import LogDatabase
from gateway.input_log.writer import LogWriter
from gateway.settings import (
    SERVICE_FOLDER,
    SettingsError,
    Trick,
    load_settings,
)
from tests.stub_server import CERTIFICATES

CA_FILE = CERTIFICATES / "ca.pem"


def test_defaults_fit_a_service_b_on_the_same_machine() -> None:
    settings = load_settings()

    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.predictor_url == "http://localhost:8001"
    assert Path(settings.input_log_url.removeprefix("sqlite:///")).parent == SERVICE_FOLDER / "data"
    assert settings.forward_timeout_seconds == 3
    assert settings.max_body_bytes == 1024 * 1024


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("HOST", "0.0.0.0", "host", "0.0.0.0"),  # noqa: S104
        ("PORT", "9000", "port", 9000),
        ("ROOT_PATH", "/lab/a/", "root_path", "/lab/a"),
        ("ROOT_PATH", "/", "root_path", None),
        ("DRAIN_SECONDS", "5", "drain_seconds", 5.0),
        ("WORKERS", "3", "workers", 3),
        ("ROOT_PATH", "", "root_path", None),
        ("LOG_LEVEL", "DEBUG", "log_level", "DEBUG"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://b:4318", "otlp_endpoint", "http://b:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "", "otlp_endpoint", None),
        ("SERVICE_B_PROTOCOL", "mlflow", "service_b_protocol", "mlflow"),
        ("SERVICE_B_CA_FILE", str(CA_FILE), "service_b_ca_file", CA_FILE),
        ("SERVICE_B_CA_FILE", "", "service_b_ca_file", None),
        ("INPUT_LOG_URL", "sqlite:////tmp/x.db", "input_log_url", "sqlite:////tmp/x.db"),
        ("GATEWAY_FORWARD_TIMEOUT_SECONDS", "0.5", "forward_timeout_seconds", 0.5),
        ("GATEWAY_CONNECT_TIMEOUT_SECONDS", "2", "connect_timeout_seconds", 2),
        ("GATEWAY_ALLOWED_HOSTS", "lab.example, [::1]", "allowed_hosts", {"lab.example", "[::1]"}),
        ("GATEWAY_ALLOWED_HOSTS", "", "allowed_hosts", None),
        ("GATEWAY_INSTANCES_MODEL", "ames-2.0", "instances_model", "ames-2.0"),
        ("GATEWAY_FORWARD_MAX_BATCH", "3", "forward_max_batch", 3),
        ("GATEWAY_FORWARD_MAX_WAITING", "7", "forward_max_waiting", 7),
        ("GATEWAY_MAX_BODY_BYTES", "2048", "max_body_bytes", 2048),
        ("GATEWAY_MAX_BYTES_UNDER_WAY", "16777216", "max_bytes_under_way", 16 * 1024 * 1024),
        ("GATEWAY_BODY_TIMEOUT_SECONDS", "1.5", "body_timeout_seconds", 1.5),
        ("GATEWAY_HEAD_TIMEOUT_SECONDS", "2.5", "head_timeout_seconds", 2.5),
        ("GATEWAY_MAX_CONNECTIONS", "7", "max_connections", 7),
        ("GATEWAY_LAB_PAGE", "0", "lab_page", False),
        ("LAB_FAULTS", "1", "faults", True),
        ("LAB_FAULTS", "", "faults", False),
        ("GATEWAY_MLFLOW_COLUMNS", "my.json", "mlflow_columns", Path("my.json")),
    ],
)
def test_each_setting_is_read_from_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, field: str, expected: object
) -> None:
    monkeypatch.setenv(name, value)

    assert getattr(load_settings(), field) == expected


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://service_b:8001/predict", "http://service_b:8001"),
        ("http://service_b:8001/predict/", "http://service_b:8001"),
        ("http://service_b:8001", "http://service_b:8001"),
        ("https://example.org/models/predict", "https://example.org/models"),
        ("http://[::1]:8001/predict", "http://[::1]:8001"),
        ("http://localhost:5000/invocations", "http://localhost:5000"),
    ],
)
def test_base_url_is_derived_from_the_prediction_url(
    monkeypatch: pytest.MonkeyPatch, url: str, base: str
) -> None:
    monkeypatch.setenv("SERVICE_B_URL", url)

    assert load_settings().predictor_url == base


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", set()),
        ("0", set()),
        ("1", set(get_args(Trick))),
        ("direct_routes", {"direct_routes"}),
        ("quick_check, fast_path", {"quick_check", "fast_path"}),
    ],
)
def test_tricks_are_left_out_when_they_are_named(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: set[str]
) -> None:
    monkeypatch.setenv("LAB_PLAIN", value)

    assert load_settings().plain == expected


def test_known_tricks_are_named_when_one_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_PLAIN", "direct_routes,no_such")

    with pytest.raises(SettingsError, match="LAB_PLAIN: ") as caught:
        load_settings()

    assert all(repr(name) in str(caught.value) for name in get_args(Trick))
    assert str(caught.value).endswith("(was 'no_such')")


def test_keys_that_name_none_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_API_KEYS", " , ")

    with pytest.raises(SettingsError, match=r"GATEWAY_API_KEYS: .*nothing between"):
        load_settings()


@pytest.mark.parametrize(
    "value",
    [
        "nosuchdatabase://me:hidden@localhost/inputs",
        "nosuchdatabase://me:hidden/inputs",
        "nosuchdatabase:///inputs?password=hidden",
        "me:hidden",
        "host=db password=hidden",
        "sqlite+nosuchcipher://:hidden/inputs.db",
        "sqlite:///inputs.db?timeout=hidden",
        "sqlite:////quest?hidden/inputs.db",
    ],
)
def test_a_password_is_not_told_when_its_url_is_wrong(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("INPUT_LOG_URL", value)

    with pytest.raises(SettingsError, match="INPUT_LOG_URL: ") as caught:
        load_settings()

    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOST", ""),
        ("HOST", "a b"),
        ("HOST", "a..b"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("PORT", ""),
        ("ROOT_PATH", "lab"),
        ("ROOT_PATH", "http://lab.example/lab"),
        ("ROOT_PATH", "/lab?"),
        ("ROOT_PATH", "/la//b"),
        ("ROOT_PATH", "/lab/../b"),
        ("LOG_LEVEL", "LOUD"),
        ("LAB_PLAIN", "2"),
        ("GATEWAY_LAB_PAGE", ""),
        ("LAB_FAULTS", "2"),
        ("SERVICE_B_URL", "service_b:8001"),
        ("SERVICE_B_URL", "ftp://service_b/predict"),
        ("SERVICE_B_URL", "http://"),
        ("SERVICE_B_URL", "http://[::1"),
        ("SERVICE_B_URL", "http://a b/predict"),
        ("SERVICE_B_URL", "http://service_b/predict\n"),
        ("SERVICE_B_URL", "http://\udcff/predict"),  # a byte that is not UTF-8
        ("SERVICE_B_URL", "http://service_b:99999/predict"),
        ("SERVICE_B_URL", ""),
        ("SERVICE_B_PROTOCOL", "grpc"),
        ("SERVICE_B_CA_FILE", "/no/such/ca.pem"),
        ("SERVICE_B_CA_FILE", "/"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://[::1"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://x:99999/"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://x:abc/"),
        ("SERVICE_B_CA_FILE", str(Path(__file__))),
        ("INPUT_LOG_URL", "inputs.db"),
        ("INPUT_LOG_URL", "nosuchdatabase://localhost/inputs"),
        ("INPUT_LOG_URL", "sqlite+nosuchdriver:///inputs.db"),
        ("INPUT_LOG_URL", "oracle+cx_oracle://localhost/inputs"),
        ("INPUT_LOG_URL", "sqlite://"),
        ("INPUT_LOG_URL", "sqlite:///:memory:"),
        ("INPUT_LOG_URL", "sqlite:///file::memory:"),
        ("GATEWAY_ALLOWED_HOSTS", "http://lab.example"),
        ("GATEWAY_ALLOWED_HOSTS", "lab.example:8000"),
        ("GATEWAY_ALLOWED_HOSTS", "*"),
        ("GATEWAY_FORWARD_TIMEOUT_SECONDS", "0"),
        ("GATEWAY_FORWARD_TIMEOUT_SECONDS", "nan"),
        ("GATEWAY_FORWARD_TIMEOUT_SECONDS", "inf"),
        ("GATEWAY_CONNECT_TIMEOUT_SECONDS", "-1"),
        ("GATEWAY_FORWARD_MAX_BATCH", "0"),
        ("GATEWAY_FORWARD_MAX_WAITING", "0"),
        ("GATEWAY_MAX_BODY_BYTES", "1 MiB"),
        ("GATEWAY_MAX_BYTES_UNDER_WAY", "8000000"),
        ("GATEWAY_BODY_TIMEOUT_SECONDS", "61"),
        ("GATEWAY_HEAD_TIMEOUT_SECONDS", "0"),
        ("GATEWAY_MAX_CONNECTIONS", "0"),
        ("GATEWAY_MAX_CONNECTIONS", "1" + 400 * "0"),
        ("GATEWAY_RETENTION_INPUTS", "1" + 400 * "0"),
        ("GATEWAY_MAX_BYTES_UNDER_WAY", "1" + 400 * "0"),
        ("GATEWAY_FORWARD_TIMEOUT_SECONDS", "1" + 400 * "0"),
        ("GATEWAY_BODY_TIMEOUT_SECONDS", "x\ny"),
    ],
)
def test_bad_value_is_told_in_one_line_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as caught:
        load_settings()

    message = str(caught.value)
    assert message.startswith(f"{name}: ")
    assert message.endswith(f"(was {value!r})")
    assert "\n" not in message


@pytest.mark.parametrize("mark", ["?", "#"])
def test_url_of_service_b_has_no_query_and_what_is_in_it_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, mark: str
) -> None:
    monkeypatch.setenv("SERVICE_B_URL", f"http://service_b/predict{mark}token=se cret")

    with pytest.raises(SettingsError) as caught:
        load_settings()

    assert str(caught.value).endswith(f"(was 'http://service_b/predict{mark}***')")


@pytest.mark.parametrize(("version", "starts"), [((3, 34, 1), False), ((3, 35, 0), True)])
def test_too_old_a_sqlite_stops_the_start_with_the_version_that_is_needed(
    monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...], starts: bool
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    monkeypatch.setattr(sqlite3, "sqlite_version", ".".join(map(str, version)))

    if starts:
        load_settings()
        return
    with pytest.raises(SettingsError, match=r"^INPUT_LOG_URL: .*SQLite 3\.35 .* has 3\.34\.1;"):
        load_settings()


def test_default_log_is_in_the_folder_of_the_service_whatever_its_name_is(tmp_path: Path) -> None:
    folder = tmp_path / "a b?c=d#e%20f"
    shutil.copytree(SERVICE_FOLDER / "gateway", folder / "gateway")
    (folder / "main.py").touch()
    program = "from gateway.settings import load_settings; print(load_settings().input_log_url)"
    url = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(folder)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()

    with closing(LogDatabase(url)) as database:
        LogWriter(database).write([])

    assert [path.name for path in (folder / "data").glob("*.db")] == ["inputs.db"]


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////tmp/x.db?timeout=soon",
        "sqlite:////tmp/x.db?timeout=1&timeout=2",
        "postgresql+psycopg_async://localhost/inputs",
    ],
)
def test_url_of_the_log_that_could_never_be_opened_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("INPUT_LOG_URL", url)

    with pytest.raises(SettingsError, match=r"^INPUT_LOG_URL: [^\n]+$"):
        load_settings()


def test_each_wrong_value_has_a_line_when_there_are_several(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PORT", "tcp://10.0.0.1:8000")
    monkeypatch.setenv("LAB_PLAIN", "x,y")
    monkeypatch.setenv("GATEWAY_MAX_BODY_BYTES", "few")
    monkeypatch.setenv("GATEWAY_API_KEYS", "not a key")

    with pytest.raises(SettingsError) as caught:
        load_settings()

    lines = str(caught.value).splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        "LAB_PLAIN",
        "PORT",
        "GATEWAY_API_KEYS",
        "GATEWAY_MAX_BODY_BYTES",
    ]
    assert "not a key" not in str(caught.value)
    assert lines[1].endswith("(was 'tcp://10.0.0.1:8000')")


def test_foreign_variables_neither_stop_the_start_nor_change_what_is_found(
    tmp_path: Path,
) -> None:
    """PYTHONSAFEPATH is another Python's, WEB_CONCURRENCY another server's."""
    environment = {
        **os.environ,
        "PYTHONSAFEPATH": "1",
        "WEB_CONCURRENCY": "auto",
        "HOST": "x86_64-conda-linux-gnu",
        "PORT": "8000",
    }

    ended = subprocess.run(
        [sys.executable, SERVICE_FOLDER / "main.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )

    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("Cannot listen on x86_64-conda-linux-gnu port 8000: ")
    assert line.endswith(". Set HOST to choose another.")


@pytest.mark.parametrize("name", ["missing", "file"])
@pytest.mark.parametrize("variable", ["PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir"])
def test_folder_that_the_metrics_cannot_be_written_to_is_told_with_its_variable(
    variable: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(variable, str(tmp_path / name))

    with pytest.raises(SettingsError, match=rf"\A{variable}: not a folder [^\n]+\Z"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("GATEWAY_API_KEYS", "k1,k2", "api_keys", {"k1", "k2"}),
        ("PREDICTOR_API_KEY", "k3", "predictor_api_key", "k3"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "key=k1", "otlp_headers", "key=k1"),
        ("INPUT_LOG_URL", "sqlite:////srv/inputs.db", "input_log_url", "sqlite:////srv/inputs.db"),
    ],
)
def test_secret_is_read_from_its_file_without_the_line_break_at_its_end(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    value: str,
    field: str,
    expected: object,
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"\xef\xbb\xbf" + value.encode() + b"\r\n")  # as Windows PowerShell does
    monkeypatch.setenv(f"{name}_FILE", str(file))
    monkeypatch.setenv(name, "")  # as good as unset

    assert getattr(load_settings(), field) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEWAY_API_KEYS_FILE", "hidden key"),
        ("INPUT_LOG_URL_FILE", "nosuch:user:hidden"),
    ],
)
def test_wrong_secret_in_a_file_stops_the_start_and_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str
) -> None:
    file = tmp_path / "secret"
    file.write_text(value)
    monkeypatch.setenv(name, str(file))

    with pytest.raises(SettingsError) as caught:
        load_settings()

    assert str(caught.value).startswith(f"{name}: ")
    assert "hidden" not in str(caught.value)


def test_start_is_stopped_when_a_secret_is_given_twice(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INPUT_LOG_URL", "hidden")
    monkeypatch.setenv("INPUT_LOG_URL_FILE", str(tmp_path / "secret"))

    with pytest.raises(SettingsError) as caught:
        load_settings()

    assert str(caught.value) == "INPUT_LOG_URL and INPUT_LOG_URL_FILE: only one of them may be set"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "can't be read: No such file or directory"),
        (b"\xff", "is not UTF-8"),
        (b"", "is empty"),
        (b" \r\n", "is empty"),
        (b"hidden\r\nhidden\r\n", "has more than one line"),
    ],
)
def test_start_is_stopped_when_the_file_of_a_secret_is_of_no_use(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, reason: str
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("INPUT_LOG_URL_FILE", str(file))

    with pytest.raises(SettingsError) as caught:
        load_settings()

    assert str(caught.value) == f"INPUT_LOG_URL_FILE: its file {reason}"


def test_start_is_stopped_when_several_processes_are_to_have_faults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORKERS", "2")
    monkeypatch.setenv("LAB_FAULTS", "1")

    with pytest.raises(SettingsError, match=r"^LAB_FAULTS: .*WORKERS must be 1"):
        load_settings()


@pytest.mark.parametrize(
    "value", ["hidden", "postgresql://u:hidden@h/db", "/no\nhidden", "a" * 999]
)
def test_secret_in_place_of_its_file_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("PREDICTOR_API_KEY_FILE", value)

    with pytest.raises(SettingsError) as caught:
        load_settings()

    assert str(caught.value).startswith("PREDICTOR_API_KEY_FILE: its file can't be read: ")
    assert "hidden" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "query",
    ["foo=bar", "connect_timeout=abc", "sslmode=foo", "keepalives_idle=x", "channel_binding=x"],
)
def test_start_is_stopped_by_a_parameter_that_postgresql_does_not_take(
    monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    monkeypatch.setenv("INPUT_LOG_URL", f"postgresql+psycopg://u:hidden@host/db?{query}")

    with pytest.raises(SettingsError) as caught:
        load_settings()

    reason = "has parameters that PostgreSQL doesn't know or take"
    assert str(caught.value) == f"INPUT_LOG_URL: Value error, {reason}"


@pytest.mark.parametrize(
    "rest",
    [
        "host/db?connect_timeout=5&sslmode=require&keepalives_idle=30&application_name=a",
        "/db?host=a:5432&host=b:5433&target_session_attrs=primary",
        "/db?host=/var/run/postgresql",
        "db?options=-csearch_path%3Dlab",
    ],
)
def test_parameters_of_postgresql_are_taken(monkeypatch: pytest.MonkeyPatch, rest: str) -> None:
    url = f"postgresql+psycopg://u:p@{rest}"
    monkeypatch.setenv("INPUT_LOG_URL", url)

    assert load_settings().input_log_url == url
