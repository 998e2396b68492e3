import socket
import time

import pytest

from predictor.telemetry import span_export
from predictor.telemetry.span_export import SpanExport

WAIT_SECONDS = 60  # however busy the machine is


@pytest.mark.parametrize(
    ("variables", "name", "stage"),
    [
        ({}, "service_x", None),
        ({"OTEL_SERVICE_NAME": "mine"}, "mine", None),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=ours,stage=test"}, "ours", "test"),
    ],
)
def test_service_has_the_name_that_the_variables_give_it(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], name: str, stage: str | None
) -> None:
    for each in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"):
        monkeypatch.delenv(each, raising=False)
    for each, value in variables.items():
        monkeypatch.setenv(each, value)

    attributes = SpanExport("service_x", "1.2", None).provider.resource.attributes

    assert (attributes["service.name"], attributes.get("stage")) == (name, stage)
    assert attributes["service.version"] == "1.2"


def test_spans_are_sent_with_the_headers_and_a_stop_does_not_wait_for_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(span_export, "_STOP_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        monkeypatch.setenv(
            "OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{hanging.getsockname()[1]}/otel"
        )
        export = SpanExport("service_x", "1.2", "api-key=key1,tenant=a%20b")
        export.start()
        export.tracer.start_span("last").end()
        began_at = time.monotonic()

        export.stop()

        assert time.monotonic() - began_at < span_export._STOP_SECONDS + 5
        caller, _ = hanging.accept()
        with caller:
            caller.settimeout(WAIT_SECONDS)
            head = caller.recv(65536).decode("latin-1")
    assert head.startswith("POST /otel/v1/traces HTTP/1.1\r\n")
    assert "\r\napi-key: key1\r\n" in head
    assert "\r\ntenant: a b\r\n" in head
