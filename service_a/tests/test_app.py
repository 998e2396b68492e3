import gzip
import re
import socket
import sys
import threading
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from gateway.app import create_app
from gateway.serving.direct_routes import DirectRoutes
from gateway.settings import SettingsError, load_settings
from gateway.web.middleware.request_events import RequestEvents
from gateway.web.middleware.request_spans import RequestSpans
from tests.conftest import StartGateway
from tests.log_file import read_inputs
from tests.stub_server import CERTIFICATES, StubServer

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE"]
PREFLIGHT = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}


def test_application_opens_nothing_before_it_starts(
    monkeypatch: pytest.MonkeyPatch, log_path: Path
) -> None:
    monkeypatch.setenv("INPUT_LOG_URL", f"sqlite:///{log_path}")
    threads = set(threading.enumerate())

    create_app(load_settings())

    assert not log_path.parent.exists()
    assert threads.issuperset(threading.enumerate())


def test_log_is_closed_and_threads_are_ended_when_the_application_stops(
    monkeypatch: pytest.MonkeyPatch, log_path: Path
) -> None:
    monkeypatch.setenv("INPUT_LOG_URL", f"sqlite:///{log_path}")
    threads = set(threading.enumerate())

    with TestClient(create_app(load_settings())) as client:
        client.post("/process", json={"data": 1, "forward_to_model": False})

    assert threads.issuperset(threading.enumerate())
    # SQLite removes these when the last connection is closed.
    assert [path.name for path in log_path.parent.iterdir()] == [log_path.name]
    assert len(read_inputs(log_path)) == 1


def test_application_starts_without_service_b_and_without_a_log(
    start_gateway: StartGateway, log_path: Path, free_port: int
) -> None:
    log_path.parent.write_text("a file in the folder's place")
    client = start_gateway(SERVICE_B_URL=f"http://127.0.0.1:{free_port}")

    assert client.get("/").status_code == 200
    assert client.get("/health").status_code == 503


@pytest.mark.parametrize("plain", ["1", "sqlite_writer", "joined_sends"])
def test_input_is_logged_and_forwarded_in_the_plain_way_as_well(
    start_gateway: StartGateway, log_path: Path, plain: str
) -> None:
    client = start_gateway(LAB_PLAIN=plain)

    for _ in range(3):
        assert client.post("/process", json={"data": {"a": 1}}).status_code == 200

    assert [(row["data"], row["outcome"]) for row in read_inputs(log_path)] == [
        ('{"a":1}', "predicted")
    ] * 3


@pytest.mark.parametrize("plain", ["0", "joined_sends"])
def test_service_b_is_called_by_https_when_its_certificate_is_trusted(
    start_gateway: StartGateway, plain: str
) -> None:
    stub = StubServer("https")
    try:
        client = start_gateway(
            SERVICE_B_URL=stub.url.replace("https", "HTTPS"),
            SERVICE_B_CA_FILE=str(CERTIFICATES / "ca.pem"),
            LAB_PLAIN=plain,
        )
        for _ in range(3):
            assert client.post("/process", json={"data": 1}).status_code == 200

        assert len({request.connection for request in stub.received}) == 1
    finally:
        stub.close()


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_documentation_needs_no_internet(client: TestClient, page: str) -> None:
    html = client.get(page).text
    assets = re.findall(r'(?:src|href)="([^"]+)"', html)

    assert assets
    assert all(asset.startswith("/static-offline-docs/") for asset in assets)
    assert all(client.get(asset).status_code == 200 for asset in assets)


def test_nothing_is_called_before_the_first_forward(start_gateway: StartGateway) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        client = start_gateway(SERVICE_B_URL=f"http://127.0.0.1:{listener.getsockname()[1]}")
        client.get("/health")
        client.post("/process", json={"data": 1, "forward_to_model": False})

        with pytest.raises(BlockingIOError):
            listener.accept()


def has_direct_routes(app: FastAPI) -> bool:
    layers = [app.build_middleware_stack()]
    while hasattr(layers[-1], "_app"):
        layers.append(layers[-1]._app)
    return any(isinstance(layer, DirectRoutes) for layer in layers)


@pytest.mark.parametrize(
    ("plain", "direct"), [("0", True), ("fast_path", True), ("direct_routes", False), ("1", False)]
)
def test_fast_pieces_are_left_out_when_the_settings_say_so(
    monkeypatch: pytest.MonkeyPatch, plain: str, direct: bool
) -> None:
    monkeypatch.setenv("LAB_PLAIN", plain)

    assert has_direct_routes(create_app(load_settings())) is direct


@pytest.mark.parametrize("plain", ["0", "1"])
def test_unexpected_error_is_a_bare_500_on_every_route(
    monkeypatch: pytest.MonkeyPatch, plain: str
) -> None:
    monkeypatch.setenv("LAB_PLAIN", plain)
    app = create_app(load_settings())
    app.state.metrics.write = lambda: 1 / 0
    app.state.intake = None
    client = TestClient(app)

    calls: list[tuple[str, str, object]] = [
        ("GET", "/metrics", None),
        ("POST", "/process", {"data": 1}),
        ("POST", "/api/v1/predict", {"instances": [{}]}),
    ]
    for method, path, body in calls:
        answer = client.request(method, path, json=body)
        assert (answer.status_code, answer.json()) == (500, {"detail": "Internal error"})
        assert "500" in app.openapi()["paths"][path][method.lower()]["responses"]


def test_unknown_parameter_is_refused_by_every_call(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]

    for path, methods in paths.items():
        for method in methods:
            reply = client.request(method, f"{path.replace('{', '').replace('}', '')}?zebra=1")
            assert reply.status_code == 422, path
            assert [each["loc"] for each in reply.json()["detail"]] == [["query", "zebra"]]
            assert "422" in methods[method]["responses"]


def test_head_is_answered_wherever_get_is(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    readable = [path for path, calls in paths.items() if "get" in calls and "{" not in path]
    assert {"/", "/health", "/metrics"} <= {*readable}
    for path in [*readable, "/docs", "/redoc", "/openapi.json", "/no/such/path"]:
        own = {"x-request-id"} | ({"content-length"} if path == "/metrics" else set())
        head, get = client.head(path), client.get(path)
        assert (head.status_code, head.content) == (get.status_code, b""), path
        assert head.headers.keys() == get.headers.keys()
        assert head.headers.items() - get.headers.items() <= {
            (name, head.headers[name]) for name in own
        }


def test_page_takes_any_parameter(client: TestClient) -> None:
    pages = ("/docs", "/redoc", "/openapi.json", "/lab", "/lab/index.html")
    for path in (*pages, "/static-offline-docs/swagger-ui.css"):
        assert client.get(f"{path}?v=1").status_code == 200


def test_path_with_a_slash_too_many_is_not_found_rather_than_redirected(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"].keys() - {"/"}

    for path in (*paths, "/docs", "/redoc", "/openapi.json", "/nothing"):
        for method in ("GET", "POST"):
            reply = client.request(
                method, f"{path}/", headers={"Host": "evil.example"}, follow_redirects=False
            )
            assert (reply.status_code, reply.json()) == (404, {"detail": "Not Found"}), path
    without = client.get("/static-offline-docs", follow_redirects=False)
    assert (without.status_code, without.json()) == (404, {"detail": "Not Found"})


def test_compressed_body_is_refused_with_the_encoding_that_is_taken(client: TestClient) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}

    reply = client.post("/process", content=gzip.compress(b"{}"), headers=headers)

    assert (reply.status_code, reply.json()) == (415, {"detail": "The body must not be compressed"})
    assert reply.headers["Accept-Encoding"] == "identity"


def test_no_call_that_changes_something_can_be_made_by_a_page_of_another_site(
    client: TestClient,
) -> None:
    """Without a body or with a simple one, before which a browser doesn't ask."""
    paths = client.get("/openapi.json").json()["paths"]
    posts = [path.replace("{", "").replace("}", "") for path in paths if "post" in paths[path]]

    assert len(posts) >= 4
    for path in posts:
        for headers in (
            {},
            {"Content-Type": "text/plain"},
            {"Content-Type": "multipart/form-data"},
        ):
            page = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
            reply = client.post(path, content=b"{}", headers={**headers, **page})
            assert reply.status_code in (403, 415), path
            assert reply.json()["detail"]


def test_calls_for_other_hosts_are_refused_when_the_hosts_are_listed(
    start_gateway: StartGateway,
) -> None:
    client = start_gateway(GATEWAY_ALLOWED_HOSTS="lab.example, localhost")

    assert client.get("/health", headers={"Host": "localhost:8000"}).status_code == 200
    for path in ("/", "/health", "/docs", "/static-offline-docs/swagger-ui.css", "/nothing"):
        reply = client.get(path, headers={"Host": "evil.example"})
        assert (reply.status_code, "detail" in reply.json()) == (400, True), path
        assert reply.headers["X-Request-ID"]


def test_browser_may_keep_the_answer_to_a_preflight_for_an_hour(
    start_gateway: StartGateway,
) -> None:
    client = start_gateway(GATEWAY_CORS_ORIGINS="https://a.example")

    reply = client.options("/process", headers=PREFLIGHT)

    assert (reply.status_code, reply.headers["Access-Control-Max-Age"]) == (200, "3600")


def test_listed_page_may_replay(start_gateway: StartGateway) -> None:
    client = start_gateway(GATEWAY_CORS_ORIGINS="https://a.example")
    headers = {"Origin": "https://a.example", "Sec-Fetch-Site": "cross-site"}

    assert client.post("/inputs/replay", headers=headers).status_code == 200
    assert client.post("/inputs/replay").status_code == 200


@pytest.mark.parametrize(
    ("call", "headers", "status"),
    [
        ("GET /nothing", {}, 404),
        ("DELETE /", {}, 405),
        ("POST /docs", {}, 405),
        ("OPTIONS /metrics", {}, 405),
        ("GET /static-offline-docs/nothing.js", {}, 404),
        ("GET /static-offline-docs/", {}, 404),
        ("GET /static-offline-docs/..%2fcore.py", {}, 404),
        ("GET /static-offline-docs/%00", {}, 404),
        ("POST /static-offline-docs/swagger-ui.css", {}, 405),
        ("GET /static-offline-docs/swagger-ui.css", {"Range": "bytes=99999999-"}, 416),
        ("GET /static-offline-docs/swagger-ui.css", {"Range": "bytes=5-1"}, 400),
        ("GET /inputs/%09", {}, 422),
        ("GET /inputs?limit=many", {}, 422),
        ("OPTIONS /process", {**PREFLIGHT, "Origin": "https://b.example"}, 400),
        ("OPTIONS /process", {**PREFLIGHT, "Access-Control-Request-Method": "PUT"}, 400),
        ("OPTIONS /process", {**PREFLIGHT, "Access-Control-Request-Headers": "x-a"}, 400),
    ],
)
def test_error_of_the_framework_is_json_with_a_detail(
    start_gateway: StartGateway, call: str, headers: dict[str, str], status: int
) -> None:
    client = start_gateway(GATEWAY_CORS_ORIGINS="https://a.example")
    reply = client.request(*call.split(), headers=headers)

    assert reply.status_code == status
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.json()["detail"]


@pytest.mark.parametrize("plain", ["0", "1"])
@pytest.mark.parametrize("prefix", ["", "/lab/it"])
def test_service_is_whole_below_the_path_of_a_proxy(
    capsys: pytest.CaptureFixture[str], start_gateway: StartGateway, plain: str, prefix: str
) -> None:
    """Whether the proxy takes its path off, or not."""
    client = start_gateway(ROOT_PATH="/lab/it/", GATEWAY_API_KEYS="key", LAB_PLAIN=plain)

    for page in ("/docs", "/redoc"):
        html = client.get(f"{prefix}{page}").text
        links = re.findall(r"""(?:src|href|spec-url)="([^"]+)"|url: '([^']+)'""", html)
        addresses = ["".join(link) for link in links]
        assert "/lab/it/openapi.json" in addresses
        assert len(addresses) >= 3
        for address in addresses:
            assert address.startswith("/lab/it/")
            assert client.get(prefix + address.removeprefix("/lab/it")).status_code == 200
    document = client.get(f"{prefix}/openapi.json").json()
    assert document["servers"] == [{"url": "/lab/it"}]
    assert client.get(f"{prefix}/metrics").status_code == 200
    assert client.get(f"{prefix}/health").status_code == 200
    assert client.get(f"{prefix}/").status_code == 401
    assert client.post(f"{prefix}/process", json={"data": 1}).status_code == 401
    key = {"X-API-Key": "key"}
    assert client.get(f"{prefix}/", headers=key).status_code == 200
    assert client.post(f"{prefix}/process", json={"data": 1}, headers=key).status_code == 200
    assert client.get(f"{prefix}/docs/", headers=key, follow_redirects=False).status_code == 404
    assert " POST /process 200 " in capsys.readouterr().out
    assert 'route="/process",status="200"' in client.get("/metrics").text


def test_start_is_stopped_when_what_exports_spans_is_not_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.delitem(sys.modules, "gateway.telemetry.span_export", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)

    with pytest.raises(SettingsError) as caught:
        create_app(load_settings())

    assert str(caught.value) == (
        "OTEL_EXPORTER_OTLP_ENDPOINT: its packages are not installed: "
        "pip install -r requirements-tracing.txt"
    )


def test_start_is_stopped_by_a_wrong_variable_of_the_tracing_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "foo")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "abc")

    with pytest.raises(SettingsError) as caught:
        create_app(load_settings())

    names = [line.split(":")[0] for line in str(caught.value).splitlines()]
    assert names == ["OTEL_BSP_SCHEDULE_DELAY", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"]


def test_there_is_a_layer_for_spans_only_where_they_are_exported(
    monkeypatch: pytest.MonkeyPatch, log_path: Path
) -> None:
    monkeypatch.setenv("INPUT_LOG_URL", f"sqlite:///{log_path}")
    layers = []
    for endpoint in ("", "http://127.0.0.1:4318"):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        layers.append(type(create_app(load_settings()).build_middleware_stack()))

    assert layers == [RequestEvents, RequestSpans]


def test_every_method_that_a_path_takes_is_named_where_another_is_refused(
    start_gateway: StartGateway,
) -> None:
    client = start_gateway(LAB_FAULTS="1")
    paths = [re.sub("{.*?}", "x", path) for path in client.get("/openapi.json").json()["paths"]]

    for path in [*paths, "/docs", "/openapi.json", "/static-offline-docs/x", "/lab", "/lab/x"]:
        named = client.patch(path).headers["Allow"].split(", ")
        replies = {method: client.request(method, path) for method in METHODS}
        assert named == [name for name in METHODS if replies[name].status_code != 405], path


def test_range_of_a_file_in_an_unknown_unit_is_ignored(start_gateway: StartGateway) -> None:
    client = start_gateway()
    headers = {"Range": "items=0-1"}

    assert client.get("/static-offline-docs/swagger-ui.css", headers=headers).status_code == 200
    assert client.get("/lab/page.css", headers=headers).status_code == 200
