import os
import subprocess
import sys
from multiprocessing import get_all_start_methods
from pathlib import Path
from typing import get_args

import pytest

from predictor.settings import (
    SERVICE_FOLDER,
    SettingsError,
    Trick,
    check_foreign_variables,
    load_settings,
)
from predictor.versions.manifest import read_manifest

VARIABLES = [
    "HOST",
    "PORT",
    "ROOT_PATH",
    "WORKERS",
    "DRAIN_SECONDS",
    "LOG_LEVEL",
    "LOG_FORMAT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "PREDICTOR_API_KEY",
    "PREDICTOR_ALLOWED_HOSTS",
    "PREDICTOR_MODELS",
    "PREDICTOR_WATCH_SECONDS",
    "PREDICTOR_ALLOWED_SOURCES",
    "PREDICTOR_MAX_VERSION_BYTES",
    "PREDICTOR_MAX_BODY_BYTES",
    "PREDICTOR_MAX_BODY_VALUES",
    "PREDICTOR_MAX_ROWS",
    "PREDICTOR_BODY_TIMEOUT_SECONDS",
    "PREDICTOR_MAX_BYTES_UNDER_WAY",
    "PREDICTOR_HEAD_TIMEOUT_SECONDS",
    "PREDICTOR_MAX_CONNECTIONS",
    "LAB_FAULTS",
    "LAB_PLAIN",
]


@pytest.fixture(autouse=True)
def clear_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


def test_defaults_serve_the_shipped_model_to_this_machine_only() -> None:
    settings = load_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8001)
    assert read_manifest(settings.models).default_name == "ames"


def test_every_setting_comes_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    values = ["0.0.0.0", "9001", "/lab/b/", "1", "5", "DEBUG", "json"]  # noqa: S104
    values += ["http://viewer:4318", "key=k1", "the-key", "lab.example, [::1]"]
    values += ["/srv/models.yaml", "2.5", '["s3://models/", "memory:"]', "4096", "2048", "5000"]
    values += ["50", "1.5", "65536", "7.5", "64", "1", "quick_check"]
    for variable, value in zip(VARIABLES, values, strict=True):
        monkeypatch.setenv(variable, value)
    assert load_settings().model_dump() == {
        "host": "0.0.0.0",  # noqa: S104
        "port": 9001,
        "root_path": "/lab/b",
        "workers": 1,
        "drain_seconds": 5.0,
        "log_level": "DEBUG",
        "log_format": "json",
        "otlp_endpoint": "http://viewer:4318",
        "otlp_headers": "key=k1",
        "api_key": "the-key",
        "allowed_hosts": {"lab.example", "[::1]"},
        "models": Path("/srv/models.yaml"),
        "watch_seconds": 2.5,
        "allowed_sources": ("s3://models/", "memory:"),
        "max_version_bytes": 4096,
        "max_body_bytes": 2048,
        "max_body_values": 5000,
        "max_rows": 50,
        "body_timeout_seconds": 1.5,
        "max_bytes_under_way": 65536,
        "head_timeout_seconds": 7.5,
        "max_connections": 64,
        "faults": True,
        "plain": {"quick_check"},
    }


def test_spans_and_keys_are_off_when_their_variables_are_empty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable in ("OTEL_EXPORTER_OTLP_ENDPOINT", "PREDICTOR_API_KEY", "PREDICTOR_ALLOWED_HOSTS"):
        monkeypatch.setenv(variable, "")

    settings = load_settings()

    assert (settings.otlp_endpoint, settings.api_key, settings.allowed_hosts) == (None, None, None)


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


@pytest.mark.parametrize(
    "value", ["file:,https://models/", " file: , https://models/ ,", '["file:", "https://models/"]']
)
def test_allowed_sources_are_a_json_list_or_have_commas_between_them(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("PREDICTOR_ALLOWED_SOURCES", value)

    assert load_settings().allowed_sources == ("file:", "https://models/")


@pytest.mark.parametrize(
    "value", ["https://reader:secret@models/", "https://models/?token=secret", "reader:secret@x"]
)
def test_error_names_no_password(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("PREDICTOR_ALLOWED_SOURCES", f'["{value}"')

    with pytest.raises(SettingsError, match="PREDICTOR_ALLOWED_SOURCES: ") as caught:
        load_settings()

    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("SKLEARN_WORKING_MEMORY", "a whole number"),
        ("JOBLIB_MULTIPROCESSING", "a whole number"),
        ("LOKY_MAX_DEPTH", "a whole number"),
        ("NUMPY_MADVISE_HUGEPAGE", "a whole number"),
        ("JOBLIB_START_METHOD", f"one of {', '.join(get_all_start_methods())}"),
        ("LOKY_PICKLER", "one of cloudpickle, pickle"),
    ],
)
def test_variable_of_a_library_is_named_when_its_value_is_wrong(
    monkeypatch: pytest.MonkeyPatch, variable: str, expected: str
) -> None:
    check_foreign_variables()
    monkeypatch.setenv(variable, "much")

    with pytest.raises(SettingsError) as caught:
        check_foreign_variables()

    assert str(caught.value) == f"{variable}: must be {expected} (was 'much')"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HOST", ""),
        ("HOST", "a b"),
        ("HOST", "a..b"),
        ("HOST", "ä" * 70),
        ("HOST", "a\nb"),
        ("PREDICTOR_ALLOWED_SOURCES", ""),
        ("PREDICTOR_ALLOWED_SOURCES", ","),
        ("PREDICTOR_ALLOWED_SOURCES", "[file:]"),
        ("PREDICTOR_MAX_ROWS", "0"),
        ("PREDICTOR_MAX_ROWS", "1" + 400 * "0"),
        ("PREDICTOR_MAX_VERSION_BYTES", "1" + 400 * "0"),
        ("PREDICTOR_MAX_BODY_VALUES", "1e6"),
        ("PREDICTOR_MAX_VERSION_BYTES", "64M"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "80a"),
        ("PORT", ""),
        ("ROOT_PATH", "lab"),
        ("ROOT_PATH", "http://lab.example/lab"),
        ("ROOT_PATH", "/lab?"),
        ("ROOT_PATH", "/la//b"),
        ("ROOT_PATH", "/lab/../b"),
        ("LOG_LEVEL", "LOUD"),
        ("LAB_PLAIN", "2"),
        ("LAB_FAULTS", "2"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://[::1"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://x:99999/"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://x:abc/"),
        ("PREDICTOR_ALLOWED_HOSTS", "http://lab.example"),
        ("PREDICTOR_ALLOWED_HOSTS", "lab.example:8001"),
        ("PREDICTOR_ALLOWED_HOSTS", "*"),
        ("PREDICTOR_WATCH_SECONDS", "0"),
        ("PREDICTOR_WATCH_SECONDS", "inf"),
        ("PREDICTOR_MAX_BODY_BYTES", "1023"),
        ("PREDICTOR_MAX_BYTES_UNDER_WAY", "1000000"),
        ("PREDICTOR_HEAD_TIMEOUT_SECONDS", "0"),
        ("PREDICTOR_MAX_CONNECTIONS", "0"),
        ("PREDICTOR_BODY_TIMEOUT_SECONDS", "0"),
        ("PREDICTOR_BODY_TIMEOUT_SECONDS", "nan"),
    ],
)
def test_error_is_one_line_naming_the_variable_and_its_value(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    message = str(caught.value)
    assert message.startswith(f"{variable}: ")
    assert message.endswith(f"(was {value!r})")
    assert "\n" not in message


def test_each_wrong_value_has_a_line_when_there_are_several(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PORT", "tcp://10.0.0.1:8000")
    monkeypatch.setenv("LAB_PLAIN", "x,y")
    monkeypatch.setenv("PREDICTOR_MAX_BODY_BYTES", "few")
    monkeypatch.setenv("PREDICTOR_API_KEY", "not a key")

    with pytest.raises(SettingsError) as caught:
        load_settings()

    lines = str(caught.value).splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        "LAB_PLAIN",
        "PORT",
        "PREDICTOR_API_KEY",
        "PREDICTOR_MAX_BODY_BYTES",
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
        "PORT": "8001",
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
    assert line.startswith("Cannot listen on x86_64-conda-linux-gnu port 8001: ")
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


def test_secret_is_read_from_its_file_without_the_line_break_at_its_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"\xef\xbb\xbfk3\r\n")  # as Windows PowerShell writes it
    monkeypatch.setenv("PREDICTOR_API_KEY_FILE", str(file))
    monkeypatch.setenv("PREDICTOR_API_KEY", "")  # as good as unset

    assert load_settings().api_key == "k3"


def test_start_is_stopped_when_a_secret_is_given_twice(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PREDICTOR_API_KEY", "hidden")
    monkeypatch.setenv("PREDICTOR_API_KEY_FILE", str(tmp_path / "secret"))

    with pytest.raises(SettingsError) as caught:
        load_settings()

    assert (
        str(caught.value)
        == "PREDICTOR_API_KEY and PREDICTOR_API_KEY_FILE: only one of them may be set"
    )


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
    monkeypatch.setenv("PREDICTOR_API_KEY_FILE", str(file))

    with pytest.raises(SettingsError) as caught:
        load_settings()

    assert str(caught.value) == f"PREDICTOR_API_KEY_FILE: its file {reason}"


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
