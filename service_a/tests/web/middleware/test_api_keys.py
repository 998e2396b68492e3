import pytest
from starlette.testclient import TestClient

from gateway.web.schemas import HOUSE
from tests.conftest import StartGateway
from tests.stub_server import StubServer

CALLS = [
    ("GET", "/"),
    ("POST", "/process"),
    ("POST", "/api/v1/price/predict"),
    ("POST", "/api/v1/price/predict/batch"),
    ("POST", "/api/v1/predict"),
    ("GET", "/inputs"),
    ("GET", "/inputs/r1"),
    ("GET", "/inputs/export"),
    ("POST", "/inputs/replay"),
    ("POST", "/actuals"),
    ("GET", "/quality"),
]
OPEN = ["/health", "/livez", "/metrics", "/docs", "/redoc", "/openapi.json"]


@pytest.fixture
def guarded(start_gateway: StartGateway) -> TestClient:
    return start_gateway(GATEWAY_API_KEYS="first-key, second-key")


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_call_is_refused_when_it_has_no_valid_key(
    guarded: TestClient, stub: StubServer, method: str, path: str
) -> None:
    for key in (None, "", "first-ke", "first-key2", "first-key,second-key"):
        headers = {} if key is None else {"X-API-Key": key}

        reply = guarded.request(method, path, json=HOUSE, headers=headers)

        refusal = {"detail": "A valid X-API-Key is required"}
        assert (reply.status_code, reply.json()) == (401, refusal), key
        assert reply.headers["WWW-Authenticate"] == "APIKey"
        assert stub.received == []


def test_key_that_is_not_ascii_is_refused(guarded: TestClient) -> None:
    assert guarded.get("/", headers={b"X-API-Key": b"\xff\xfe"}).status_code == 401


@pytest.mark.parametrize("key", ["first-key", "second-key", "first-key \t"])
def test_call_is_answered_when_it_has_one_of_the_keys(guarded: TestClient, key: str) -> None:
    headers = {"X-API-Key": key}

    assert guarded.get("/", headers=headers).status_code == 200
    assert guarded.post("/process", json={"data": 1}, headers=headers).status_code == 200


@pytest.mark.parametrize("path", OPEN)
def test_health_docs_and_metrics_need_no_key(guarded: TestClient, path: str) -> None:
    assert guarded.get(path).status_code == 200


def test_every_route_is_either_guarded_or_meant_to_be_open(guarded: TestClient) -> None:
    paths = guarded.get("/openapi.json").json()["paths"]

    unguarded = {
        path
        for path, methods in paths.items()
        for operation in methods.values()
        if "security" not in operation
    }
    assert unguarded == {"/health", "/livez", "/metrics"}


def test_anybody_may_call_when_no_key_is_set(start_gateway: StartGateway) -> None:
    assert start_gateway(GATEWAY_API_KEYS="").get("/").status_code == 200


def test_service_b_gets_its_own_key_and_not_the_callers(
    start_gateway: StartGateway, stub: StubServer
) -> None:
    client = start_gateway(GATEWAY_API_KEYS="outer", PREDICTOR_API_KEY="inner")

    client.post("/process", json={"data": 1}, headers={"X-API-Key": "outer"})

    assert stub.received[0].headers["X-API-Key"] == "inner"


def test_service_b_gets_no_key_when_none_is_set(client: TestClient, stub: StubServer) -> None:
    client.post("/process", json={"data": 1})

    assert stub.received[0].headers["X-API-Key"] is None


PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type,x-api-key",
}


def test_pages_of_listed_origins_may_call(start_gateway: StartGateway) -> None:
    client = start_gateway(
        GATEWAY_API_KEYS="key", GATEWAY_CORS_ORIGINS="https://a.example, http://localhost:3000"
    )
    origin = {"Origin": "http://localhost:3000"}

    allowed = client.options("/process", headers={**origin, **PREFLIGHT})
    reply = client.get("/health", headers=origin)

    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    assert reply.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"


@pytest.mark.parametrize("listed", ["https://a.example", ""])
def test_pages_of_other_origins_may_not(start_gateway: StartGateway, listed: str) -> None:
    client = start_gateway(GATEWAY_CORS_ORIGINS=listed)
    origin = {"Origin": "https://b.example"}

    assert client.options("/process", headers={**origin, **PREFLIGHT}).status_code in (400, 405)
    assert "Access-Control-Allow-Origin" not in client.get("/health", headers=origin).headers
