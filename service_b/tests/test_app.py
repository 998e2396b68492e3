import gzip
import re
import sys

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from predictor.app import create_app
from predictor.serving.direct_routes import DirectRoutes
from predictor.settings import Settings, SettingsError
from predictor.web.middleware.request_line import RequestLine
from predictor.web.middleware.request_spans import RequestSpans
from tests.conftest import WriteVersion

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE"]


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_documentation_needs_no_internet(client: TestClient, path: str) -> None:
    page = client.get(path)
    assert page.status_code == 200
    assets = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert assets
    for asset in assets:
        assert asset.startswith("/")
        assert client.get(asset).status_code == 200
    assert "://" not in re.sub(r"https?://www\.w3\.org/\S*", "", page.text)


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_documentation_works_without_a_model(empty_client: TestClient, path: str) -> None:
    assert empty_client.get(path).status_code == 200


def test_model_is_loaded_only_when_the_service_starts(settings: Settings) -> None:
    app = create_app(settings)
    assert TestClient(app).get("/health").status_code == 503


def test_request_id_of_the_caller_comes_back(client: TestClient) -> None:
    for path in ("/", "/health", "/predict", "/nothing", "/docs"):
        answer = client.get(path, headers={"X-Request-ID": "abc-1"})
        assert answer.headers["X-Request-ID"] == "abc-1"


def find_tricks(app: FastAPI) -> set[str]:
    """Name the fast pieces that an application is made of."""
    layers = [app.build_middleware_stack()]
    while hasattr(layers[-1], "_app"):
        layers.append(layers[-1]._app)
    fast = {
        "direct_routes": any(isinstance(layer, DirectRoutes) for layer in layers),
        "quick_check": app.state.quick_check,
    }
    return {name for name, there in fast.items() if there}


@pytest.mark.parametrize(
    ("plain", "tricks"),
    [
        ("0", {"direct_routes", "quick_check"}),
        ("direct_routes,fast_path", {"quick_check"}),
        ("quick_check", {"direct_routes"}),
        ("1", set()),
    ],
)
def test_fast_pieces_are_left_out_when_the_settings_say_so(
    monkeypatch: pytest.MonkeyPatch, plain: str, tricks: set[str]
) -> None:
    monkeypatch.setenv("LAB_PLAIN", plain)

    assert find_tricks(create_app(Settings())) == tricks


def test_models_are_served_by_their_pipelines_when_the_fast_path_is_plain() -> None:
    prices = []
    for plain in ("0", "fast_path"):
        app = create_app(Settings.model_validate({"LAB_PLAIN": plain}))
        for deployment in app.state.deployments:
            deployment.check()
        models = app.state.registry.loaded.values()
        assert [bool(each.quick_batch) for each in models] == [plain == "0"] * 2
        examples = [(each, each.input_type.model_validate(each.example)) for each in models]
        prices.append([model.predict([example])[0].price for model, example in examples])
    assert prices[0] == pytest.approx(prices[1], rel=1e-9)


@pytest.mark.parametrize("plain", ["0", "1"])
def test_unexpected_error_is_a_bare_500_on_every_route(
    monkeypatch: pytest.MonkeyPatch, plain: str
) -> None:
    monkeypatch.setenv("LAB_PLAIN", plain)
    app = create_app(Settings())
    app.state.metrics.write = lambda: 1 / 0
    app.state.registry = None
    client = TestClient(app)

    for answer in (client.get("/metrics"), client.post("/predict", json={})):
        assert (answer.status_code, answer.json()) == (500, {"detail": "Internal error"})


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
    for path in ("/docs", "/redoc", "/openapi.json", "/static-offline-docs/swagger-ui.css"):
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

    reply = client.post("/predict", content=gzip.compress(b"{}"), headers=headers)

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


def test_calls_for_other_hosts_are_refused_when_the_hosts_are_listed(settings: Settings) -> None:
    listed = settings.model_copy(update={"allowed_hosts": {"lab.example", "localhost"}})
    client = TestClient(create_app(listed))

    assert client.get("/livez", headers={"Host": "localhost:8001"}).status_code == 200
    for path in ("/", "/livez", "/docs", "/static-offline-docs/swagger-ui.css", "/nothing"):
        reply = client.get(path, headers={"Host": "evil.example"})
        assert (reply.status_code, "detail" in reply.json()) == (400, True), path
        assert reply.headers["X-Request-ID"]


def test_models_are_looked_for_when_no_page_of_another_site_asks(client: TestClient) -> None:
    assert client.post("/reload").status_code == 200
    assert client.post("/reload", headers={"Origin": "http://testserver"}).status_code == 200


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
    ],
)
def test_error_of_the_framework_is_json_with_a_detail(
    client: TestClient, call: str, headers: dict[str, str], status: int
) -> None:
    reply = client.request(*call.split(), headers=headers)

    assert reply.status_code == status
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.json()["detail"]


@pytest.mark.parametrize("plain", ["0", "1"])
@pytest.mark.parametrize("prefix", ["", "/lab/it"])
def test_service_is_whole_below_the_path_of_a_proxy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, plain: str, prefix: str
) -> None:
    """Whether the proxy takes its path off, or not."""
    monkeypatch.setenv("ROOT_PATH", "/lab/it/")
    monkeypatch.setenv("PREDICTOR_API_KEY", "key")
    monkeypatch.setenv("LAB_PLAIN", plain)
    client = TestClient(create_app(Settings()))

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
    assert client.get(f"{prefix}/health").status_code == 503
    assert client.get(f"{prefix}/").status_code == 401
    assert client.post(f"{prefix}/predict", json={"input": {}}).status_code == 401
    key = {"X-API-Key": "key"}
    assert client.get(f"{prefix}/", headers=key).status_code == 200
    assert client.post(f"{prefix}/predict", json={"input": {}}, headers=key).status_code == 503
    assert client.get(f"{prefix}/docs/", headers=key, follow_redirects=False).status_code == 404
    assert " POST /predict 503 " in capsys.readouterr().out
    assert 'route="/predict",status="503"' in client.get("/metrics").text


def test_start_is_stopped_when_what_exports_spans_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.delitem(sys.modules, "predictor.telemetry.span_export", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)

    with pytest.raises(SettingsError) as caught:
        create_app(settings.model_copy(update={"otlp_endpoint": "http://127.0.0.1:4318"}))

    assert str(caught.value) == (
        "OTEL_EXPORTER_OTLP_ENDPOINT: its packages are not installed: "
        "pip install -r requirements-tracing.txt"
    )


def test_start_is_stopped_by_a_wrong_variable_of_the_tracing_library(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "foo")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "abc")

    with pytest.raises(SettingsError) as caught:
        create_app(settings.model_copy(update={"otlp_endpoint": "http://127.0.0.1:4318"}))

    names = [line.split(":")[0] for line in str(caught.value).splitlines()]
    assert names == ["OTEL_BSP_SCHEDULE_DELAY", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"]


def test_there_is_a_layer_for_spans_only_where_they_are_exported(settings: Settings) -> None:
    layers = []
    for endpoint in (None, "http://127.0.0.1:4318"):
        app = create_app(settings.model_copy(update={"otlp_endpoint": endpoint}))
        layers.append(type(app.build_middleware_stack()))

    assert layers == [RequestLine, RequestSpans]


def test_every_method_that_a_path_takes_is_named_where_another_is_refused(
    settings: Settings, write_version: WriteVersion
) -> None:
    write_version()
    with TestClient(create_app(settings.model_copy(update={"faults": True}))) as client:
        paths = [re.sub("{.*?}", "x", path) for path in client.get("/openapi.json").json()["paths"]]

        for path in [*paths, "/docs", "/openapi.json", "/static-offline-docs/x"]:
            named = client.patch(path).headers["Allow"].split(", ")
            replies = {method: client.request(method, path) for method in METHODS}
            assert named == [name for name in METHODS if replies[name].status_code != 405], path


def test_range_of_a_file_in_an_unknown_unit_is_ignored(client: TestClient) -> None:
    headers = {"Range": "items=0-1"}

    assert client.get("/static-offline-docs/swagger-ui.css", headers=headers).status_code == 200
