import pytest

from gateway.telemetry.tracing_variables import find_wrong_variables, is_http_url


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "foo"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "-4"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "-1"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2049"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_BSP_SCHEDULE_DELAY", "abc"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "1.5"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "nan"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "0"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/file"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://[::1"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "no value"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "key=1,=2"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "my key=1"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "key=1%0Aother:2"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "key=ключ"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "key=a;b"),
        ("OTEL_EXPORTER_OTLP_HEADERS", 'key="a"'),
        ("OTEL_EXPORTER_OTLP_HEADERS", "key=a\\b"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "key=%D0%BA"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "key=%ff"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "k%3Aey=1"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "k%C3%A9y=1"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
        ("OTEL_RESOURCE_ATTRIBUTES", "stage=a\nb,foo"),
        ("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "otel,foo"),
    ],
)
def test_wrong_variable_is_named_in_one_line(name: str, value: str) -> None:
    (line,) = find_wrong_variables({name: value})

    assert line.startswith(f"{name}: ")
    assert "\n" not in line


def test_password_in_a_wrong_variable_is_not_repeated() -> None:
    address = "http://user:hidden@host:x"

    (line,) = find_wrong_variables({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": address})

    assert "hidden" not in line


def test_key_in_a_wrong_variable_is_not_repeated() -> None:
    (line,) = find_wrong_variables({"OTEL_EXPORTER_OTLP_HEADERS": "api-key: hidden"})

    assert "hidden" not in line


def test_file_is_named_when_it_has_the_wrong_value() -> None:
    name = "OTEL_EXPORTER_OTLP_HEADERS"

    (line,) = find_wrong_variables({name: "no value", f"{name}_FILE": "/run/secrets/headers"})

    assert line == f"{name}_FILE: must be name=value pairs with commas between them"


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_BSP_SCHEDULE_DELAY": "", "OTEL_TRACES_SAMPLER": ""},
        {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4000", "OTEL_BSP_MAX_QUEUE_SIZE": "4000"},
        {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01"},
        {"OTEL_SPAN_EVENT_COUNT_LIMIT": "0", "OTEL_EXPORTER_OTLP_TIMEOUT": "0.5"},
        {"OTEL_RESOURCE_ATTRIBUTES": "service.name=ours, stage=,"},
        {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip", "OTEL_SERVICE_NAME": "any"},
        {"OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "otel, *"},
        {"OTEL_EXPORTER_OTLP_HEADERS": "api-key=a%20b=, Authorization = Basic YTpi=,"},
    ],
)
def test_right_variables_are_taken(variables: dict[str, str]) -> None:
    assert find_wrong_variables(variables) == []


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        ("http://127.0.0.1:4318", True),
        ("https://[::1]/otel", True),
        ("http://[::1", False),
        ("http://x:99999/", False),
        ("http://x:abc/", False),
        ("http://:4318", False),
        ("grpc://x:4317", False),
    ],
)
def test_url_is_told_from_what_is_none(value: str, is_one: bool) -> None:
    assert is_http_url(value) is is_one
