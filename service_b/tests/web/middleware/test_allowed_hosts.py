import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from predictor.web.middleware.allowed_hosts import AllowedHosts

LISTED = ["lab.example", "service_b", "127.0.0.1", "[::1]"]


@pytest.fixture
def client() -> TestClient:
    return TestClient(AllowedHosts(PlainTextResponse("answer"), LISTED))


@pytest.mark.parametrize(
    "host",
    ["lab.example", "LAB.example:8000 ", "service_b:8001", "127.0.0.1:80", "[::1]", "[::1]:8000"],
)
def test_call_is_answered_when_its_host_is_listed(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).text == "answer"


@pytest.mark.parametrize(
    "headers",
    [
        [("Host", "evil.example")],
        [("Host", "lab.example.evil.example")],
        [("Host", "evil.example:lab.example")],
        [("Host", "lab.example@evil.example")],
        [("Host", "::1")],
        [("Host", "")],
        [("Host", b"\xff")],
        [("Host", "lab.example"), ("Host", "evil.example")],
    ],
)
def test_call_is_refused_when_its_host_is_another(
    client: TestClient, headers: list[tuple[str, str]]
) -> None:
    reply = client.get("/", headers=headers)

    assert reply.status_code == 400
    assert reply.json() == {"detail": "The service isn't called by this name"}
